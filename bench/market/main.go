// Command market drives the pricing engine through a market whose demand is known, over HTTP as a judge would, and
// prints how much profit it leaves compared with an oracle that knows the demand.
//
//	go run ./bench/market FOLDER [runs]
//
// FOLDER holds history_dev.csv.gz and truth_dev.json.gz.
package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"shopd/internal/pricing/sim"
)

// truth is what no shop knows.
type truth struct {
	Multipliers []float64 `json:"multipliers"` // of the list price
	Items       []*item   `json:"items"`
}

type item struct {
	SKU      string      `json:"sku"`
	Category string      `json:"category"`
	Cost     float64     `json:"cost"`
	List     float64     `json:"list_price"`
	Salvage  *float64    `json:"salvage"`
	Stock    *float64    `json:"stock"`
	Start    float64     `json:"start_price"`
	Rival    []float64   `json:"competitor"`
	Event    []int       `json:"event"`
	Units    [][]float64 `json:"expected_units"` // by day and multiplier
	Oracle   []float64   `json:"oracle_price"`
}

// The group of an item is its number modulo these, by which the development market is laid out.
var groups = []string{"calm", "season", "shift", "clearance"}

// Demand varies by a log-normal shock of this standard deviation, and no price may move further than this in a day.
const (
	shock  = 0.2
	change = 0.25
)

func main() {
	if len(os.Args) < 2 || len(os.Args) > 3 {
		fmt.Fprintln(os.Stderr, "usage: go run ./bench/market FOLDER [runs]")
		os.Exit(2)
	}
	runs := 1
	if len(os.Args) == 3 {
		runs, _ = strconv.Atoi(os.Args[2]) // 0 is answered below
	}
	if err := run(os.Args[1], max(1, runs)); err != nil {
		fmt.Fprintln(os.Stderr, "market:", err)
		os.Exit(1)
	}
}

func run(folder string, runs int) error {
	var t truth
	if err := read(filepath.Join(folder, "truth_dev.json.gz"), func(r io.Reader) error { return json.NewDecoder(r).Decode(&t) }); err != nil {
		return err
	}
	var rows []sim.Row
	if err := read(filepath.Join(folder, "history_dev.csv.gz"), func(r io.Reader) (err error) {
		rows, err = past(r)
		return err
	}); err != nil {
		return err
	}
	server := httptest.NewServer(sim.New().Handler())
	defer server.Close()
	fmt.Printf("%-5s %8s %10s", "run", "regret", "violations")
	for _, g := range groups {
		fmt.Printf(" %10s", g)
	}
	fmt.Printf(" %12s\n", "slowest day")
	for n := range runs {
		r, err := t.play(server.URL, rows, uint64(n))
		if err != nil {
			return err
		}
		fmt.Printf("%-5d %8.4f %10d", n+1, 1-sum(r.profit)/sum(r.oracle), r.violations)
		for g := range groups {
			fmt.Printf(" %10.4f", 1-r.profit[g]/r.oracle[g])
		}
		fmt.Printf(" %12s\n", r.slowest.Round(time.Millisecond))
	}
	return nil
}

func sum(list [4]float64) (s float64) {
	for _, v := range list {
		s += v
	}
	return s
}

type result struct {
	profit, oracle [4]float64 // by group
	violations     int
	slowest        time.Duration
}

// play is one run of 120 days.
func (t *truth) play(base string, rows []sim.Row, seed uint64) (r result, err error) {
	if err := post(base+"/reset", map[string]any{"run": seed}, nil); err != nil {
		return r, err
	}
	if err := post(base+"/history", map[string]any{"rows": rows}, nil); err != nil {
		return r, err
	}
	weekday := rows[len(rows)-1].DayOfWeek
	dice := rand.New(rand.NewPCG(seed, 1))
	stock, last := map[string]float64{}, map[string]float64{}
	for _, it := range t.Items {
		last[it.SKU] = it.Start
		if it.Stock != nil {
			stock[it.SKU] = *it.Stock
		}
	}
	days := len(t.Items[0].Rival)
	for day := range days {
		weekday = (weekday + 1) % 7
		var items []map[string]any
		for _, it := range t.Items {
			ask := map[string]any{
				"sku": it.SKU, "category": it.Category, "cost": it.Cost, "list_price": it.List, "last_price": last[it.SKU], "competitor_price": it.Rival[day],
				"stock": nil, "days_left": days - day, "salvage": it.Salvage, "event": it.Event[day], "day_of_week": weekday,
			}
			if it.Stock != nil {
				ask["stock"] = stock[it.SKU]
			}
			items = append(items, ask)
		}
		var answer struct {
			Prices map[string]float64 `json:"prices"`
		}
		began := time.Now()
		if err := post(base+"/prices", map[string]any{"day": day, "items": items}, &answer); err != nil {
			return r, err
		}
		r.slowest = max(r.slowest, time.Since(began))
		var outcomes []sim.Outcome
		for n, it := range t.Items {
			price := answer.Prices[it.SKU]
			cost := it.Cost
			if it.Salvage != nil {
				cost = *it.Salvage
			}
			low, high := max(1.02*cost, last[it.SKU]*(1-change)), min(2*it.List, last[it.SKU]*(1+change))
			if price < low-0.005 || price > high+0.005 || price != price {
				r.violations++
				price = max(low, min(high, cmp.Or(price, low)))
			}
			expected := t.units(it, day, price)
			units := poisson(dice, expected*math.Exp(shock*dice.NormFloat64()-shock*shock/2))
			cut := false
			ideal := t.units(it, day, it.Oracle[day])
			if it.Stock != nil {
				units, cut = min(units, stock[it.SKU]), units >= stock[it.SKU]
				stock[it.SKU] -= units
				r.profit[n%4] += units * (price - cost)
			} else {
				// What is expected, not the draw: the same mean with less noise.
				r.profit[n%4] += expected * (price - cost)
			}
			r.oracle[n%4] += ideal * (it.Oracle[day] - cost)
			last[it.SKU] = price
			o := sim.Outcome{SKU: it.SKU, Price: price, Units: units}
			if cut {
				o.StockedOut = true
			}
			outcomes = append(outcomes, o)
		}
		if err := post(base+"/outcomes", map[string]any{"day": day, "items": outcomes}, nil); err != nil {
			return r, err
		}
	}
	return r, nil
}

// units is the expected demand at price, between the multipliers.
func (t *truth) units(it *item, day int, price float64) float64 {
	m, x := t.Multipliers, math.Log(price/it.List)
	i := 0
	for i < len(m)-2 && math.Log(m[i+1]) < x {
		i++
	}
	low, high := math.Log(m[i]), math.Log(m[i+1])
	a, b := math.Log(it.Units[day][i]), math.Log(it.Units[day][i+1])
	return math.Exp(a + (b-a)*(x-low)/(high-low))
}

func poisson(dice *rand.Rand, mean float64) float64 {
	if mean > 60 {
		return max(0, math.Round(mean+math.Sqrt(mean)*dice.NormFloat64()))
	}
	p := math.Exp(-mean)
	k := 0.0
	for below, u := p, dice.Float64(); u > below && k < 1000; below += p {
		k++
		p *= mean / k
	}
	return k
}

func post(url string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	resp, err := http.Post(url, "application/json", bytes.NewReader(text)) //nolint:noctx,gosec // to ourselves
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // only read
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", url, resp.Status, said)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(said, answer)
}

func read(path string, use func(io.Reader) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read
	z, err := gzip.NewReader(f)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return use(z)
}

// past reads the history.
func past(r io.Reader) ([]sim.Row, error) {
	lines, err := csv.NewReader(r).ReadAll()
	if err != nil {
		return nil, err
	}
	column := map[string]int{}
	for i, name := range lines[0] {
		column[name] = i
	}
	var failed error
	rows := make([]sim.Row, 0, len(lines)-1)
	for _, line := range lines[1:] {
		number := func(name string) float64 {
			v, err := strconv.ParseFloat(line[column[name]], 64)
			failed = errors.Join(failed, err)
			return v
		}
		row := sim.Row{
			Day: int(number("day")), SKU: line[column["sku"]], Category: line[column["category"]], Cost: number("cost"), ListPrice: number("list_price"),
			Price: number("price"), DayOfWeek: int(number("day_of_week")), Units: number("units"),
		}
		rival := number("competitor_price")
		row.Competitor = &rival
		row.Event = number("event") == 1
		rows = append(rows, row)
	}
	return rows, failed
}
