package demand

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// Observation is one day of one article: what it cost, what it stood against, and what was sold. Prices are in the
// same unit as the list price; units that a lack of stock cut short are left out by the caller.
type Observation struct {
	Day       int // any whole number that grows by one a day
	DayOfWeek int // 0…6
	Event     bool
	Price     float64
	Rival     float64 // the competitor's price
	Units     float64
}

// The family of demand that is fitted. The expected units of a day are
//
//	λ = exp(b + drift + weekday + event + A·s) · (p/list)^(−ε·g) · 2 / (1 + exp(κ·g·(ln(p/rival) − δ)))
//
// where s is a slow wave (the season, amplitude A) and g = exp(−γ·A·s) makes shoppers less sensitive when demand is
// high. ε is the article's own elasticity, κ and δ say how it loses to its rival. A structure says which of the parts
// an article has: neither season nor break, a season, or a break on one day after which ε and κ are others.
const (
	parLevel = iota
	parWeekday
	parEvent      = parWeekday + 7
	parElasticity = iota + 6 // ln ε
	parRivalry               // ln κ
	parAdvantage             // δ
	parDrift                 // increments of the level, one for each stretch of driftDays
)

// driftDays is how often the level may bend.
const driftDays = 30

// dispersion is the shape of the negative binomial distribution of units: a Poisson rate that a shock multiplies whose
// variance is 1/dispersion.
const dispersion = 24.5

// structure is a hypothesis about an article.
type structure struct {
	season  bool
	broken  bool
	breakOn int // first day of the new ε and κ
}

// prior is a normal distribution of each parameter, independent of the others.
type prior struct{ mean, sd float64 }

// Priors of the shape; those of the level come from the data's own mean. They are wide: what shops see of elasticities
// and weekdays in general, not of one market.
var (
	priorElasticity = prior{math.Log(1.1), 0.4}
	priorRivalry    = prior{math.Log(3.4), 0.4}
	priorAdvantage  = prior{0, 0.06}
	priorWeekday    = prior{0, 0.15}
	priorEvent      = prior{0.55, 0.2}
	priorDrift      = prior{0, 0.03}
	priorAmplitude  = prior{0.4, 0.2}
	priorPeriod     = prior{math.Log(175), 0.1}
	priorCoupling   = prior{1, 0.3}
)

// layout is where the parameters of a structure begin.
type layout struct {
	drift, season, broken, size int
}

func (s structure) layout(stretches int) layout {
	l := layout{drift: parDrift, season: parDrift + stretches}
	l.broken = l.season
	if s.season {
		l.broken += 4 // amplitude, phase, ln period, coupling
	}
	l.size = l.broken
	if s.broken {
		l.size += 2 // ln ε, ln κ after the break
	}
	return l
}

// fit is a structure with its parameters: the mode of their posterior distribution and its curvature there.
type fit struct {
	structure
	at       layout
	first    int // day at which drift begins
	theta    []float64
	behind   bool      // not fitted to the newest days, because it is out of the question
	root     []float64 // the lower triangle R of the covariance RᵀR, row by row
	evidence float64   // ln p(data | structure), by Laplace's approximation
}

// point is where demand is asked for, in logarithms of ratios.
type point struct {
	day, weekday int
	event        float64
	price, rival float64 // ln(p/list), ln(p/rival)
}

// rate returns ln λ at p, and its gradient when grad is not nil.
func (f *fit) rate(p point, grad []float64) float64 {
	t := f.theta
	elasticity, rivalry := parElasticity, parRivalry
	if f.broken && p.day >= f.breakOn {
		elasticity, rivalry = f.at.broken, f.at.broken+1
	}
	eps, kappa, delta := math.Exp(t[elasticity]), math.Exp(t[rivalry]), t[parAdvantage]
	level := t[parLevel] + t[parWeekday+p.weekday] + t[parEvent]*p.event
	for k := f.at.drift; k < f.at.season; k++ {
		level += t[k] * f.ramp(k-f.at.drift, p.day)
	}
	g := 1.0
	var amplitude, sine, cosine, angle, coupling float64
	if f.season {
		amplitude, coupling = t[f.at.season], t[f.at.season+3]
		angle = 2 * math.Pi * float64(p.day) / math.Exp(t[f.at.season+2])
		sine, cosine = math.Sincos(angle + t[f.at.season+1])
		level += amplitude * sine
		g = math.Exp(-coupling * amplitude * sine)
	}
	distance := p.rival - delta
	z := kappa * g * distance
	share := logistic(z)
	value := level - eps*g*p.price + math.Ln2 - softplus(z)
	if grad == nil {
		return value
	}
	clear(grad)
	grad[parLevel], grad[parWeekday+p.weekday], grad[parEvent] = 1, 1, p.event
	grad[elasticity] = -eps * g * p.price
	grad[rivalry] = -share * z
	grad[parAdvantage] = share * kappa * g
	for k := f.at.drift; k < f.at.season; k++ {
		grad[k] = f.ramp(k-f.at.drift, p.day)
	}
	if f.season {
		byG := -eps*p.price - share*kappa*distance // ∂value/∂g
		bySine := amplitude - byG*g*coupling*amplitude
		grad[f.at.season] = sine - byG*g*coupling*sine
		grad[f.at.season+1] = bySine * cosine
		grad[f.at.season+2] = -bySine * cosine * angle
		grad[f.at.season+3] = -byG * g * amplitude * sine
	}
	return value
}

// predict returns the mean and the variance of ln λ at p.
func (f *fit) predict(p point) (mean, variance float64) {
	grad := make([]float64, f.at.size)
	mean = f.rate(p, grad)
	for i := range grad {
		sum := 0.0
		for j, g := range grad[:i+1] {
			sum += f.root[i*f.at.size+j] * g
		}
		variance += sum * sum
	}
	return mean, variance
}

// ramp goes from 0 to 1 during the stretch.
func (f *fit) ramp(stretch, day int) float64 {
	return min(1, max(0, float64(day-f.first-stretch*driftDays)/driftDays))
}

func softplus(z float64) float64 {
	if z > 30 {
		return z
	}
	return math.Log1p(math.Exp(z))
}

func logistic(z float64) float64 { return 1 / (1 + math.Exp(-z)) }

// priorOf returns the prior of parameter i.
func (f *fit) priorOf(i int, level float64) prior {
	switch {
	case i == parLevel:
		return prior{level, 1}
	case i < parEvent:
		return priorWeekday
	case i == parEvent:
		return priorEvent
	case i == parElasticity:
		return priorElasticity
	case i == parRivalry:
		return priorRivalry
	case i == parAdvantage:
		return priorAdvantage
	case i < f.at.season:
		return priorDrift
	case f.season && i < f.at.broken:
		return [...]prior{priorAmplitude, {0, 10}, priorPeriod, priorCoupling}[i-f.at.season]
	case i == f.at.broken:
		return priorElasticity
	default:
		return priorRivalry
	}
}

// climb goes to the mode of the posterior distribution by Levenberg and Marquardt's method on Fisher's information, in
// at most steps, and sets the curvature and the evidence there. It reports false when there is no such mode.
func (f *fit) climb(points []point, units []float64, level float64, steps int) bool {
	n := f.at.size
	gradient, row := make([]float64, n), make([]float64, n)
	information := mat.NewSymDense(n, nil)
	damped := mat.NewSymDense(n, nil)
	step, start := mat.NewVecDense(n, nil), make([]float64, n)
	score := f.score(points, units, level)
	damping := 1e-3
	for range steps {
		clear(gradient)
		information.Zero()
		raw := information.RawSymmetric().Data
		for j, p := range points {
			mu := math.Exp(min(f.rate(p, row), 20))
			slope := units[j] - (units[j]+dispersion)*mu/(dispersion+mu)
			weight := dispersion * mu / (dispersion + mu)
			for a, ga := range row {
				if ga == 0 {
					continue
				}
				gradient[a] += slope * ga
				wa := weight * ga
				for b := a; b < n; b++ {
					raw[a*n+b] += wa * row[b]
				}
			}
		}
		for i := range n {
			q := f.priorOf(i, level)
			gradient[i] -= (f.theta[i] - q.mean) / (q.sd * q.sd)
			raw[i*n+i] += 1 / (q.sd * q.sd)
		}
		copy(start, f.theta)
		better := false
		for range 8 {
			damped.CopySym(information)
			for i := range n {
				damped.SetSym(i, i, information.At(i, i)*(1+damping))
			}
			var c mat.Cholesky
			if !c.Factorize(damped) || c.SolveVecTo(step, mat.NewVecDense(n, gradient)) != nil {
				damping *= 10
				continue
			}
			for i := range n {
				f.theta[i] = start[i] + max(-1, min(1, step.AtVec(i)))
			}
			if s := f.score(points, units, level); s >= score && !math.IsNaN(s) {
				better = s > score+1e-4
				score = s
				damping = max(damping/5, 1e-6)
				break
			}
			copy(f.theta, start)
			damping *= 10
		}
		if !better {
			break
		}
	}
	var chol mat.Cholesky
	if math.IsNaN(score) || math.IsInf(score, 0) || !chol.Factorize(information) {
		return false
	}
	f.evidence = score - chol.LogDet()/2 + float64(n)/2*math.Log(2*math.Pi)
	// With the precision LLᵀ, the variance along g is |L⁻¹g|².
	var lower, inverse mat.TriDense
	chol.LTo(&lower)
	if inverse.InverseTri(&lower) != nil {
		return false
	}
	f.root = make([]float64, n*n)
	for i := range n {
		for j := range i + 1 {
			f.root[i*n+j] = inverse.At(i, j)
		}
	}
	return true
}

// score is the logarithm of the posterior density, up to what does not depend on the parameters or the structure.
func (f *fit) score(points []point, units []float64, level float64) float64 {
	sum := 0.0
	for j, p := range points {
		eta := min(f.rate(p, nil), 20)
		sum += units[j]*eta - (units[j]+dispersion)*math.Log(dispersion+math.Exp(eta))
	}
	for i, v := range f.theta {
		q := f.priorOf(i, level)
		d := (v - q.mean) / q.sd
		sum -= d*d/2 + math.Log(q.sd) + math.Log(2*math.Pi)/2
	}
	return sum
}
