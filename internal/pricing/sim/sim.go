// Package sim is the pricing engine alone behind HTTP, for simulations and back-tests: it is told the past, is asked
// each day for prices, and is told what came of them. It needs no database and keeps one run in memory.
package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"runtime"
	"sync"

	"shopd/internal/pricing/demand"
)

// maxBody bounds a request: a year of history of ten thousand articles fits in.
const maxBody = 1 << 30

// Row is a day of the past of one article.
type Row struct {
	Day        int      `json:"day"`
	SKU        string   `json:"sku"`
	Category   string   `json:"category"`
	Cost       float64  `json:"cost"`
	ListPrice  float64  `json:"list_price"`
	Price      float64  `json:"price"`
	Competitor *float64 `json:"competitor_price"`
	Event      flag     `json:"event"`
	DayOfWeek  int      `json:"day_of_week"`
	Units      float64  `json:"units"`
}

// Item is an article that a price is wanted for.
type Item struct {
	SKU        string   `json:"sku"`
	Category   string   `json:"category"`
	Cost       float64  `json:"cost"`
	ListPrice  float64  `json:"list_price"`
	LastPrice  *float64 `json:"last_price"`
	Competitor *float64 `json:"competitor_price"`
	Stock      *float64 `json:"stock"`     // nil for as much as is wanted
	DaysLeft   int      `json:"days_left"` // this day included
	Salvage    *float64 `json:"salvage"`   // what a unit that is left over brings; set when stock is being cleared
	Event      flag     `json:"event"`
	DayOfWeek  int      `json:"day_of_week"`
}

// Outcome is what came of a price.
type Outcome struct {
	SKU        string  `json:"sku"`
	Price      float64 `json:"price"`
	Units      float64 `json:"units"`
	StockedOut flag    `json:"stocked_out"`
}

// flag is a truth that may be written as 0 or 1.
type flag bool

func (f *flag) UnmarshalJSON(text []byte) error {
	switch string(text) {
	case "true", "1":
		*f = true
	case "false", "0", "null":
		*f = false
	default:
		return fmt.Errorf("%s is neither true, false, 0 nor 1", text)
	}
	return nil
}

// article is an article of the run: what is known of its demand, and what it was offered for today.
type article struct {
	*demand.Article
	day   int
	today Item
	stale bool // something was added since it was learned
}

// Engine is one run. It is safe for concurrent use.
type Engine struct {
	mu       sync.Mutex
	articles map[string]*article
}

// New returns an engine that knows nothing.
func New() *Engine { return &Engine{articles: map[string]*article{}} }

// Handler answers POST /reset, /history, /prices and /outcomes.
func (e *Engine) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /reset", handle(e.reset))
	mux.HandleFunc("POST /history", handle(e.history))
	mux.HandleFunc("POST /prices", handle(e.prices))
	mux.HandleFunc("POST /outcomes", handle(e.outcomes))
	return mux
}

// errInvalid is what the caller did wrong.
var errInvalid = errors.New("invalid")

func handle[In, Out any](do func(In) (Out, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in In
		var answer any
		status := http.StatusOK
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&in)
		if err != nil && !errors.Is(err, io.EOF) {
			err = fmt.Errorf("%w: %w", errInvalid, err)
		} else {
			answer, err = do(in)
		}
		if err != nil {
			status = http.StatusInternalServerError
			if errors.Is(err, errInvalid) {
				status = http.StatusBadRequest
			}
			answer = map[string]any{"title": http.StatusText(status), "status": status, "detail": err.Error()}
			w.Header().Set("Content-Type", "application/problem+json")
		} else {
			w.Header().Set("Content-Type", "application/json")
		}
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(answer) // a failure means that the client has gone
	}
}

type nothing struct{}

// reset forgets everything. The name of the run is the caller's own and is not kept.
func (e *Engine) reset(struct {
	Run any `json:"run"`
}) (nothing, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.articles = map[string]*article{}
	return nothing{}, nil
}

// article returns the article of the sku, which is made when it is new. e.mu is held.
func (e *Engine) article(sku string, list float64) (*article, error) {
	if sku == "" {
		return nil, fmt.Errorf("%w: a sku is missing", errInvalid)
	}
	a := e.articles[sku]
	if a == nil {
		if list <= 0 || math.IsInf(list, 0) {
			return nil, fmt.Errorf("%w: list_price of %s must be above 0", errInvalid, sku)
		}
		a = &article{Article: demand.NewArticle(list), stale: true}
		e.articles[sku] = a
	}
	return a, nil
}

func (e *Engine) history(in struct {
	Rows []Row `json:"rows"`
}) (nothing, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i, r := range in.Rows {
		if r.Price <= 0 || r.Units < 0 {
			return nothing{}, fmt.Errorf("%w: rows/%d: price must be above 0, units at least 0", errInvalid, i)
		}
		a, err := e.article(r.SKU, r.ListPrice)
		if err != nil {
			return nothing{}, fmt.Errorf("rows/%d: %w", i, err)
		}
		a.Add(demand.Observation{
			Day: r.Day, DayOfWeek: r.DayOfWeek, Event: bool(r.Event), Price: r.Price, Rival: value(r.Competitor), Units: r.Units,
		})
		a.stale = true
	}
	return nothing{}, nil
}

func (e *Engine) prices(in struct {
	Day   int    `json:"day"`
	Items []Item `json:"items"`
}) (struct {
	Prices map[string]float64 `json:"prices"`
}, error) {
	var out struct {
		Prices map[string]float64 `json:"prices"`
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	articles := make([]*article, len(in.Items))
	for i, item := range in.Items {
		a, err := e.article(item.SKU, item.ListPrice)
		switch {
		case err != nil:
			return out, fmt.Errorf("items/%d: %w", i, err)
		case item.Cost < 0 || item.ListPrice <= 0:
			return out, fmt.Errorf("%w: items/%d: cost must be at least 0, list_price above 0", errInvalid, i)
		}
		a.day, a.today = in.Day, item
		articles[i] = a
	}
	prices := make([]float64, len(articles))
	var wait sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for i := range next {
				prices[i] = articles[i].price()
			}
		})
	}
	done := make(map[string]bool, len(articles))
	for i, item := range in.Items {
		if !done[item.SKU] { // an article asked for twice is priced once
			done[item.SKU] = true
			next <- i
		}
	}
	close(next)
	wait.Wait()
	out.Prices = make(map[string]float64, len(articles))
	for i, item := range in.Items {
		if prices[i] > 0 {
			out.Prices[item.SKU] = prices[i]
		}
	}
	return out, nil
}

func (e *Engine) outcomes(in struct {
	Day   int       `json:"day"`
	Items []Outcome `json:"items"`
}) (nothing, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i, o := range in.Items {
		a := e.articles[o.SKU]
		if a == nil || a.day != in.Day || a.today.SKU == "" {
			return nothing{}, fmt.Errorf("%w: items/%d: no price of %s was asked for on day %d", errInvalid, i, o.SKU, in.Day)
		}
		if o.Price <= 0 || o.Units < 0 {
			return nothing{}, fmt.Errorf("%w: items/%d: price must be above 0, units at least 0", errInvalid, i)
		}
		seen := demand.Observation{
			Day: in.Day, DayOfWeek: a.today.DayOfWeek, Event: bool(a.today.Event), Price: o.Price, Rival: value(a.today.Competitor), Units: o.Units,
		}
		if o.StockedOut {
			a.AddCut(seen)
		} else {
			a.Add(seen)
		}
		a.stale = true
	}
	return nothing{}, nil
}

// The rules of a run: no price below the cost (or what is left over brings) with this margin, none above so many list
// prices, none that moves further than this in a day.
const (
	leastMargin = 1.02
	mostOfList  = 2.0
	mostChange  = 0.25
)

// price is the price of the day, within the rules.
func (a *article) price() float64 {
	if a.stale {
		a.Learn()
		a.stale = false
	}
	item := a.today
	cost := item.Cost
	if item.Salvage != nil {
		cost = *item.Salvage
	}
	low, high := max(cost*leastMargin, item.ListPrice*0.05), mostOfList*item.ListPrice
	if last := value(item.LastPrice); last > 0 {
		low, high = max(low, last*(1-mostChange)), min(high, last*(1+mostChange))
	}
	// Whole cents inside the bounds. Where the rules contradict each other the price does not go below the cost.
	low = math.Ceil(low*100-1e-6) / 100
	high = max(low, math.Floor(high*100+1e-6)/100)
	offer := demand.Offer{
		Day: a.day, DayOfWeek: item.DayOfWeek, Event: bool(item.Event), Rival: value(item.Competitor),
		UnitCost: cost, Low: low, High: high, Stock: -1, DaysLeft: max(1, item.DaysLeft),
	}
	if item.Stock != nil {
		offer.Stock = max(0, *item.Stock)
	}
	best := a.Choose(offer).Price
	if math.IsNaN(best) {
		best = max(low, min(high, item.ListPrice))
	}
	return max(low, min(high, math.Round(best*100)/100))
}

func value(p *float64) float64 {
	if p == nil {
		return 0
	}
	return *p
}
