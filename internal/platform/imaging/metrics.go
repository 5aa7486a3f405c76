package imaging

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	renditions *prometheus.CounterVec
	seconds    *prometheus.HistogramVec
}

func newMetrics(reg prometheus.Registerer) (metrics, error) {
	m := metrics{
		renditions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "shopd_image_renditions_total",
			Help: "Renditions asked for, by format and by outcome: hit (from the cache), made, failed.",
		}, []string{"format", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "shopd_image_render_seconds",
			Help:    "Time to decode, scale and encode one rendition.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"format"}),
	}
	if reg == nil {
		return m, nil
	}
	return m, errors.Join(reg.Register(m.renditions), reg.Register(m.seconds))
}

func (m metrics) hit(f Format)    { m.renditions.WithLabelValues(string(f), "hit").Inc() }
func (m metrics) failed(f Format) { m.renditions.WithLabelValues(string(f), "failed").Inc() }

func (m metrics) made(f Format, d time.Duration) {
	m.renditions.WithLabelValues(string(f), "made").Inc()
	m.seconds.WithLabelValues(string(f)).Observe(d.Seconds())
}
