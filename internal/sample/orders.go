package sample

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// OrderPlan says which past to invent. The same plan always gives the same orders.
type OrderPlan struct {
	Seed      uint64
	Count     int       // how many orders
	Customers int       // how many customers they are spread over: indexes into Customers(Customers)
	From, To  time.Time // orders are placed from From until before To
}

// Order is an invented order as plain data.
type Order struct {
	Customer    int  // index into Customers
	Guest       bool // bought without signing in
	PlacedAt    time.Time
	Lines       []Line    // of different variants, never empty
	Shipping    string    // ShippingStandard, ShippingExpress, or empty when everything is a download
	Status      string    // one of the Status constants, as it stands at OrderPlan.To
	FulfilledAt time.Time // zero unless fulfilled
	CancelledAt time.Time // zero unless cancelled
}

// Line is one variant of an order.
type Line struct {
	SKU      string // of the variant
	Quantity int
}

// The values of Order.Shipping.
const (
	ShippingStandard = "Standard"
	ShippingExpress  = "Express"
)

// The values of Order.Status.
const (
	StatusPaid      = "paid"
	StatusFulfilled = "fulfilled"
	StatusCancelled = "cancelled"
)

// loadCatalogue reads the embedded products once for all plans.
var loadCatalogue = sync.OnceValues(func() ([]Product, error) {
	var all []Product
	for p, err := range Products() {
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
})

// Orders returns the invented orders of plan, the oldest first.
func Orders(plan OrderPlan) (iter.Seq[Order], error) {
	if plan.Count < 0 || plan.Customers <= 0 || !plan.From.Before(plan.To) {
		return nil, errors.New("sample: a plan needs customers and a time from before to")
	}
	products, err := loadCatalogue()
	if err != nil {
		return nil, fmt.Errorf("sample: read catalogue: %w", err)
	}
	r := rand.New(rand.NewPCG(plan.Seed, 0x0bde))
	m := newMarket(products, plan.Seed)
	return func(yield func(Order) bool) {
		for _, at := range moments(r, plan) {
			if !yield(m.order(r, plan, at)) {
				return
			}
		}
	}, nil
}

// order invents what one customer bought at a time.
func (m *market) order(r *rand.Rand, plan OrderPlan, at time.Time) Order {
	// The square makes some customers come back often and most of them rarely.
	u := r.Float64()
	o := Order{Customer: int(u * u * float64(plan.Customers)), PlacedAt: at, Guest: r.Float64() < 0.15}
	who := m.shopper(o.Customer)
	physical := false
	for _, p := range m.basket(r, who) {
		v := who.choose(r, p)
		if slices.ContainsFunc(o.Lines, func(l Line) bool { return l.SKU == v.SKU }) {
			continue
		}
		o.Lines = append(o.Lines, Line{SKU: v.SKU, Quantity: quantity(r, p)})
		physical = physical || p.Type == Physical
	}
	if physical {
		o.Shipping = ShippingStandard
		if r.Float64() < 0.18 {
			o.Shipping = ShippingExpress
		}
	}
	o.settle(r, plan.To)
	return o
}

// settle decides what became of the order by the time end.
func (o *Order) settle(r *rand.Rand, end time.Time) {
	o.Status = StatusPaid
	if r.Float64() < 0.05 {
		if t := o.PlacedAt.Add(between(r, 10*time.Minute, 30*time.Hour)); t.Before(end) {
			o.Status, o.CancelledAt = StatusCancelled, t
		}
		return
	}
	wait := between(r, 8*time.Hour, 60*time.Hour)
	switch o.Shipping {
	case "":
		wait = time.Minute
	case ShippingExpress:
		wait = between(r, 2*time.Hour, 20*time.Hour)
	}
	if t := o.PlacedAt.Add(wait); t.Before(end) {
		o.Status, o.FulfilledAt = StatusFulfilled, t
	}
}

func between(r *rand.Rand, low, high time.Duration) time.Duration {
	return low + time.Duration(r.Int64N(int64(high-low))).Truncate(time.Second)
}

func quantity(r *rand.Rand, p *Product) int {
	const cheap = 2000 // cents
	switch u := r.Float64(); {
	case p.Type == Digital:
		return 1
	case u < 0.02:
		return 3
	case u < 0.10, u < 0.25 && p.Price.Minor < cheap:
		return 2
	default:
		return 1
	}
}

// weekdays weighs the days from Sunday on; hours weighs the hours of the day on the American east coast.
var (
	weekdays = [7]float64{1.15, 1.10, 1.00, 0.95, 0.95, 0.85, 1.00}
	hours    = [24]float64{.30, .18, .10, .07, .06, .10, .22, .40, .60, .75, .85, .92, 1.0, .95, .88, .85, .85, .88, .92, 1.0, 1.1, 1.1, .90, .55}
)

// shopClock is the time of day that customers live by. Daylight saving does not matter to the shape.
var shopClock = time.FixedZone("EST", -5*60*60)

// moments draws the times of all orders, sorted: more towards the end, in the evening, on Sundays, before Christmas.
func moments(r *rand.Rand, plan OrderPlan) []time.Time {
	const highest = 1.15 * 1.1 * 2.2
	span := plan.To.Sub(plan.From)
	out := make([]time.Time, 0, plan.Count)
	for len(out) < plan.Count {
		part := r.Float64()
		at := plan.From.Add(time.Duration(part * float64(span))).Truncate(time.Second).UTC()
		if at.Before(plan.From) {
			continue // cut off to the second before From
		}
		local := at.In(shopClock)
		weight := weekdays[local.Weekday()] * hours[local.Hour()] * season(local) * (0.55 + 0.45*part)
		if r.Float64()*highest < weight {
			out = append(out, at)
		}
	}
	slices.SortFunc(out, time.Time.Compare)
	return out
}

func season(t time.Time) float64 {
	switch day := t.YearDay(); {
	case t.Month() == time.November && t.Day() >= 24:
		return 2.2
	case t.Month() == time.December && t.Day() <= 18:
		return 1.5
	default:
		return 1 + 0.1*math.Sin(2*math.Pi*float64(day)/365)
	}
}
