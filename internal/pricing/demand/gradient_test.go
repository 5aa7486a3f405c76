package demand

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// The gradient that the fit climbs along is the one of the rate.
func TestGradientIsTheSlopeOfTheRate(t *testing.T) {
	t.Parallel()
	dice := rand.New(rand.NewPCG(1, 2))
	for _, s := range []structure{{}, {season: true}, {broken: true, breakOn: 10}} {
		f := NewArticle(10).begin(s, nil, 2, 3)
		f.first = -50
		for range 50 {
			for i := range f.theta {
				f.theta[i] = f.priorOf(i, 2).mean + 0.3*dice.NormFloat64()
			}
			p := point{day: dice.IntN(60) - 20, weekday: dice.IntN(7), event: float64(dice.IntN(2)), price: 0.4 * dice.NormFloat64(), rival: 0.3 * dice.NormFloat64()}
			grad := make([]float64, f.at.size)
			f.rate(p, grad)
			for i := range f.theta {
				const h = 1e-6
				was := f.theta[i]
				f.theta[i] = was + h
				above := f.rate(p, nil)
				f.theta[i] = was - h
				below := f.rate(p, nil)
				f.theta[i] = was
				require.InDelta(t, (above-below)/(2*h), grad[i], 1e-5, "%+v, parameter %d", s, i)
			}
		}
	}
}
