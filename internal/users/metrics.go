package users

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	logins    *prometheus.CounterVec
	refreshes *prometheus.CounterVec
}

func newMetrics(registerer prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		logins: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "shopd_logins_total", Help: "Sign-ins with a password by outcome: ok, refused, limited, busy.",
		}, []string{"kind", "outcome"}),
		refreshes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "shopd_token_refreshes_total", Help: "Refreshed tokens by outcome: ok, repeated, reused, refused.",
		}, []string{"outcome"}),
	}
	for _, c := range []prometheus.Collector{m.logins, m.refreshes} {
		if err := registerer.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics of users: %w", err)
		}
	}
	return m, nil
}
