package payments

import "github.com/prometheus/client_golang/prometheus"

// metrics count what somebody has to look at.
type metrics struct {
	disagreements *prometheus.CounterVec
	late          *prometheus.CounterVec
	refundsFailed *prometheus.CounterVec
	webhooks      *prometheus.CounterVec
	differences   *prometheus.GaugeVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &metrics{
		disagreements: counter("shopd_payment_disagreements_total", "Records of a gateway that were not of the payment they should be of.", "provider"),
		late:          counter("shopd_payment_late_total", "Payments whose money came after they had been given up; it goes back.", "provider"),
		refundsFailed: counter("shopd_refunds_failed_total", "Refunds that a gateway would not make.", "provider"),
		webhooks:      counter("shopd_webhooks_total", "Webhooks by what became of them: received, duplicate, refused, processed, ignored, quarantined.", "provider", "outcome"),
		differences: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "shopd_reconciliation_differences", Help: "Differences that the latest daily comparison with a gateway left open.",
		}, []string{"provider"}),
	}
	if reg != nil {
		reg.MustRegister(m.disagreements, m.late, m.refundsFailed, m.webhooks, m.differences)
	}
	return m
}
