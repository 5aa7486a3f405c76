package demand

import "math"

// Offer is a day for which a price is wanted.
type Offer struct {
	Day       int
	DayOfWeek int
	Event     bool
	Rival     float64 // today's price of the competitor, 0 when unknown
	UnitCost  float64 // what a unit costs, or what it brings anyway when it is left over
	Low, High float64 // the prices that may be asked
	// Stock is what can be sold on this and the next DaysLeft-1 days; negative for any number.
	Stock    float64
	DaysLeft int
}

// Candidate is a price with what is expected of it on the day.
type Candidate struct {
	Price  float64
	Units  float64
	Profit float64 // (price − unit cost − value of a unit kept) · units
}

// Choice is the price that earns the most, and what it was chosen from.
type Choice struct {
	Candidate
	Kept       float64 // what a unit not sold today is worth beyond its cost: the shadow price of stock
	Candidates []Candidate
}

// steps is the number of intervals between the lowest and the highest price.
const steps = 64

// Choose returns the price between o.Low and o.High with the greatest expected profit, averaged over hypotheses and
// what is not known of their parameters. With limited stock a unit is worth what it would bring later.
func (a *Article) Choose(o Offer) Choice {
	var c Choice
	if o.Stock >= 0 {
		c.Kept = a.shadowPrice(o)
	}
	believed := a.opinions(negligible)
	earns := func(price float64) Candidate {
		units := a.expect(o, price, believed)
		return Candidate{price, units, (price - o.UnitCost - c.Kept) * units}
	}
	ratio := math.Pow(o.High/o.Low, 1.0/steps)
	best := 0
	for i := range steps + 1 {
		c.Candidates = append(c.Candidates, earns(o.Low*math.Pow(ratio, float64(i))))
		if c.Candidates[i].Profit > c.Candidates[best].Profit {
			best = i
		}
	}
	c.Candidate = c.Candidates[best]
	low, high := c.Candidates[max(0, best-1)].Price, c.Candidates[min(steps, best+1)].Price
	for range 20 { // golden section
		x, y := high-(high-low)*0.618, low+(high-low)*0.618
		if earns(x).Profit > earns(y).Profit {
			high = y
		} else {
			low = x
		}
	}
	if mid := earns((low + high) / 2); mid.Profit > c.Profit {
		c.Candidate = mid
	}
	return c
}

// Units are the expected units of o at price.
func (a *Article) Units(o Offer, price float64) float64 {
	return a.expect(o, price, a.opinions(negligible))
}

func (a *Article) expect(o Offer, price float64, believed []opinion) float64 {
	p := a.point(Observation{Day: o.Day, DayOfWeek: o.DayOfWeek, Event: o.Event, Price: price, Rival: o.Rival})
	units := 0.0
	for _, f := range believed {
		eta, variance := f.predict(p)
		units += f.weight * math.Exp(min(eta+min(variance, 1)/2, 20))
	}
	return units
}

// rivalReturns is how much of the rival's distance from his usual price is left a day later.
const rivalReturns = 0.9

// shadowPrice is the value of a unit kept: such that, when each day asks the price that is best at this value, the
// stock lasts until the last day. Nothing when it lasts anyway.
func (a *Article) shadowPrice(o Offer) float64 {
	const grid = 24
	if o.DaysLeft <= 1 {
		return 0
	}
	opinions := a.opinions(0.02)
	usual := a.usualRival()
	away := 0.0
	if o.Rival > 0 {
		away = math.Log(o.Rival/a.list) - usual
	}
	events := (a.events + 0.5) / (a.days + 10)
	// units[d][i] at price i
	units := make([][grid + 1]float64, o.DaysLeft)
	var prices [grid + 1]float64
	low, high := min(o.Low, o.UnitCost*1.02), max(o.High, 2*a.list)
	for i := range prices {
		prices[i] = low * math.Pow(high/low, float64(i)/grid)
	}
	for d := range units {
		weekday := (o.DayOfWeek + d) % 7
		rival := usual + away*math.Pow(rivalReturns, float64(d))
		for i, price := range prices {
			x := math.Log(price / a.list)
			p := point{day: o.Day + d, weekday: weekday, price: x, rival: x - rival, event: events}
			if d == 0 {
				p.event = 0
				if o.Event {
					p.event = 1
				}
			}
			for _, f := range opinions {
				units[d][i] += f.weight * math.Exp(min(f.rate(p, nil), 20))
			}
		}
	}
	sold := func(kept float64) float64 {
		sum := 0.0
		for d := range units {
			best, most := 0, math.Inf(-1)
			for i, price := range prices {
				if profit := (price - o.UnitCost - kept) * units[d][i]; profit > most {
					best, most = i, profit
				}
			}
			// The maximum lies between points of the grid: the vertex of the parabola through the three around it.
			sum += between(best, func(i int) float64 { return (prices[i] - o.UnitCost - kept) * units[d][i] }, func(i int) float64 { return units[d][i] }, grid)
		}
		return sum
	}
	if sold(0) <= o.Stock {
		return 0
	}
	least, most := 0.0, high
	for range 30 {
		middle := (least + most) / 2
		if sold(middle) > o.Stock {
			least = middle
		} else {
			most = middle
		}
	}
	return (least + most) / 2
}

// between returns value at the vertex of the parabola through at(best-1), at(best), at(best+1).
func between(best int, at, value func(int) float64, last int) float64 {
	if best == 0 || best == last {
		return value(best)
	}
	l, m, r := at(best-1), at(best), at(best+1)
	curve := l - 2*m + r
	if curve >= 0 {
		return value(best)
	}
	shift := max(-0.5, min(0.5, (l-r)/(2*curve)))
	if shift < 0 {
		return value(best)*(1+shift) - shift*value(best-1)
	}
	return value(best)*(1-shift) + shift*value(best+1)
}
