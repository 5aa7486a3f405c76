package demand_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"shopd/internal/pricing/demand"
)

const (
	list = 20.0
	cost = 11.0
)

// world is an article whose demand is known: units expected on a day at a price beside the rival's.
type world func(day int, price, rival float64) float64

// constant is a world of the family that is fitted.
func constant(elasticity, rivalry float64) world {
	return func(day int, price, rival float64) float64 {
		weekday := 1 + 0.2*math.Sin(float64(day%7))
		return 12 * weekday * math.Pow(price/list, -elasticity) * 2 / (1 + math.Pow(price/rival, rivalry))
	}
}

// straight is a world of another family: demand falls in a straight line.
func straight(_ int, price, rival float64) float64 {
	return max(0.01, 30-18*price/list-6*(price/rival-1))
}

// shop sells in a world from day first to before last at the prices that ask returns, and returns what was earned as a
// share of what was to be earned.
type shop struct {
	*demand.Article
	world
	dice  *rand.Rand
	rival float64
}

func open(w world, seed uint64) *shop {
	return &shop{Article: demand.NewArticle(list), world: w, dice: rand.New(rand.NewPCG(seed, 7)), rival: list}
}

// run goes through days; a price is rounded to cents. It returns the share of the best profit that was reached.
func (s *shop) run(first, last int, ask func(day int) float64) float64 {
	earned, best := 0.0, 0.0
	for day := first; day < last; day++ {
		s.rival = list * math.Exp(0.8*math.Log(s.rival/list)+0.04*s.dice.NormFloat64())
		price := math.Round(ask(day)*100) / 100
		expected := s.world(day, price, s.rival)
		units := s.draw(expected)
		s.Add(demand.Observation{Day: day, DayOfWeek: ((day % 7) + 7) % 7, Price: price, Rival: s.rival, Units: units})
		earned += expected * (price - cost)
		most := 0.0
		for p := cost * 1.02; p <= 2*list; p += 0.05 {
			most = max(most, s.world(day, p, s.rival)*(p-cost))
		}
		best += most
	}
	return earned / best
}

// draw is a Poisson number whose rate a shock multiplies.
func (s *shop) draw(mean float64) float64 {
	mean *= math.Exp(0.2*s.dice.NormFloat64() - 0.02)
	k, p := 0.0, s.dice.Float64()
	for p > math.Exp(-mean) {
		p *= s.dice.Float64()
		k++
	}
	return k
}

// incumbent asks more when it feels like it.
func (s *shop) incumbent(int) float64 { return list * (1 + 0.06*s.dice.NormFloat64()) }

func (s *shop) best(day int) float64 {
	s.Learn()
	return s.Choose(demand.Offer{
		Day: day, DayOfWeek: ((day % 7) + 7) % 7, Rival: s.rival, UnitCost: cost, Low: cost * 1.02, High: 2 * list, Stock: -1,
	}).Price
}

func TestPricesEarnNearlyWhatIsToBeEarned(t *testing.T) {
	t.Parallel()
	for name, w := range map[string]world{
		"hardly sensitive": constant(0.7, 3), "sensitive": constant(1.6, 3), "rival near": constant(1, 5), "of another family": straight,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fixed, learned := 0.0, 0.0
			for seed := range uint64(3) {
				s := open(w, seed)
				s.run(-90, 0, s.incumbent)
				learned += s.run(0, 40, s.best) / 3
				f := open(w, seed)
				f.run(-90, 0, f.incumbent)
				fixed += f.run(0, 40, func(int) float64 { return list }) / 3
			}
			require.Greater(t, learned, 0.95, "a fixed price earns %.3f", fixed)
		})
	}
}

func TestABreakInDemandIsNoticed(t *testing.T) {
	t.Parallel()
	before, after := constant(0.4, 1.5), constant(1.4, 4)
	s := open(func(day int, price, rival float64) float64 {
		if day < 10 {
			return before(day, price, rival)
		}
		return after(day, price, rival)
	}, 3)
	s.run(-90, 0, s.incumbent)
	s.run(0, 10, s.best)
	old := s.best(10)
	s.run(10, 50, s.best)
	learned := s.run(50, 70, s.best)
	require.Greater(t, learned, 0.9, "40 days after the break")
	require.Less(t, s.run(70, 90, func(int) float64 { return old }), learned-0.1, "the price of before would have cost this")
}

func TestScarceStockCostsMoreAndLasts(t *testing.T) {
	t.Parallel()
	w := constant(1.2, 3)
	s := open(w, 5)
	s.run(-90, 0, s.incumbent)
	s.Learn()
	offer := demand.Offer{Day: 0, Rival: list, UnitCost: 5, Low: 5.1, High: 2 * list, Stock: -1, DaysLeft: 60}
	plenty := s.Choose(offer)
	require.Zero(t, plenty.Kept)
	offer.Stock = 1e6
	require.InDelta(t, plenty.Price, s.Choose(offer).Price, 0, "stock that lasts anyway changes nothing")
	offer.Stock = 300
	scarce := s.Choose(offer)
	require.Positive(t, scarce.Kept)
	require.Greater(t, scarce.Price, plenty.Price)
	require.InDelta(t, 5, scarce.Units, 1.2, "about a sixtieth of the stock on one of 60 days")
}

func TestAnArticleWithoutPastHasAPrice(t *testing.T) {
	t.Parallel()
	a := demand.NewArticle(list)
	a.Learn()
	c := a.Choose(demand.Offer{Rival: list, UnitCost: cost, Low: cost * 1.02, High: 2 * list, Stock: -1})
	require.Greater(t, c.Price, cost*1.1)
	require.Less(t, c.Price, 1.9*list)
	for _, candidate := range c.Candidates {
		require.LessOrEqual(t, candidate.Profit, c.Profit+1e-9)
	}
}

func TestDemandFallsAsThePriceRises(t *testing.T) {
	t.Parallel()
	s := open(constant(1.1, 4), 9)
	s.run(-90, 0, s.incumbent)
	s.Learn()
	last := math.Inf(1)
	for price := cost; price < 2*list; price += 0.5 {
		units := s.Units(demand.Offer{Rival: list, DayOfWeek: 3}, price)
		require.Less(t, units, last, "at %.2f", price)
		last = units
	}
}
