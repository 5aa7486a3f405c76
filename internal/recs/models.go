package recs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
	"shopd/internal/recs/model"
	"shopd/internal/recs/onnx"
)

// LoadGraph is how models get their graphs.
func LoadGraph(file []byte, input, output model.Tensor) (model.Graph, error) {
	return onnx.Load(file, onnx.Tensor(input), onnx.Tensor(output))
}

// followPause is how often a process looks for another model to serve with.
const followPause = 5 * time.Second

// serving is the model that answers, and the activation that it came by.
type serving struct {
	activation string
	model      *model.Model
}

type metrics struct {
	inference *prometheus.HistogramVec
	fallbacks *prometheus.CounterVec
	active    *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	f := promauto.With(r)
	return &metrics{
		inference: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "shopd_inference_seconds", Help: "Time a model took to answer.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 11),
		}, []string{"model", "version"}),
		fallbacks: f.NewCounterVec(prometheus.CounterOpts{
			Name: "shopd_recs_fallbacks_total", Help: "Answers made without the active model, by why.",
		}, []string{"reason"}),
		active: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "shopd_recs_model_active", Help: "1 for the model that this process serves with.",
		}, []string{"model", "version"}),
	}
}

// ErrForeignModel says that a model is about another shop.
var ErrForeignModel = errs.New(errs.Invalid, "foreign_model", "The shop has none of the model's items in stock.")

// Activate checks the model in a directory and makes every process serve with it, within seconds. Nothing changes when
// it is not whole, computes something else than its trainer did, is slower than limit (0 is none), or knows none of the
// shop's items.
func (s *Service) Activate(ctx context.Context, dir string, limit time.Duration) (*model.Model, error) {
	archive, err := model.Archive(dir)
	if err != nil {
		return nil, err
	}
	m, err := model.OpenArchive(archive, LoadGraph)
	if err != nil {
		return nil, err
	}
	if _, err := m.Verify(ctx, limit); err != nil {
		return nil, err
	}
	items, err := s.Catalog.BySKU(ctx, m.SKUs())
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return nil, ErrForeignModel
	}
	if err := insertModel(ctx, s.DB, id.New("mdl"), m.Name, m.Version, archive, s.Now()); err != nil {
		return nil, fmt.Errorf("keep the model: %w", err)
	}
	return m, nil
}

// Deactivate makes every process serve without a model, within seconds.
func (s *Service) Deactivate(ctx context.Context) error {
	if err := deleteModels(ctx, s.DB); err != nil {
		return fmt.Errorf("forget the models: %w", err)
	}
	return nil
}

// FollowModels serves with whatever model is active, until ctx ends. The one before answers until the new one is read
// and has computed its golden outputs; it goes on answering when the new one is not good.
func (s *Service) FollowModels(ctx context.Context) error {
	refused := ""
	for {
		switch current, err := s.follow(ctx, refused); {
		case errors.Is(err, errRefused):
			refused = current
			s.Log.ErrorContext(ctx, "the activated model is not served", "activation", current, "error", err)
		case err != nil && ctx.Err() == nil:
			s.Log.WarnContext(ctx, "cannot look for the active model", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(followPause):
		}
	}
}

var errRefused = errors.New("the model is refused")

// follow looks once, and says which activation is current.
func (s *Service) follow(ctx context.Context, refused string) (current string, err error) {
	if current, err = currentActivation(ctx, s.DB); err != nil {
		return "", err
	}
	before := s.serving.Load()
	switch {
	case current == "":
		s.change(ctx, nil)
		return "", nil
	case current == refused, before != nil && before.activation == current:
		return current, nil
	}
	archive, err := readArchive(ctx, s.DB, current)
	if err != nil {
		return current, err
	}
	m, err := model.OpenArchive(archive, LoadGraph)
	if err == nil {
		err = m.Check(ctx)
	}
	if err != nil {
		if ctx.Err() != nil {
			return current, ctx.Err()
		}
		return current, fmt.Errorf("%w: %w", errRefused, err)
	}
	s.change(ctx, &serving{current, m})
	return current, nil
}

func (s *Service) change(ctx context.Context, next *serving) {
	before := s.serving.Swap(next)
	if before != nil && before != next {
		s.metrics.active.DeleteLabelValues(before.model.Name, before.model.Version)
	}
	if next != nil {
		s.metrics.active.WithLabelValues(next.model.Name, next.model.Version).Set(1)
		s.Log.InfoContext(ctx, "recommending with a model", "model", next.model.Name, "version", next.model.Version)
	}
}

// predict asks the model what goes with some products. It answers nothing when there is no model, when the model knows
// none of them, and when it fails: the caller has other ways.
func (s *Service) predict(ctx context.Context, productIDs []string, limit int) (items []Item, version string, err error) {
	now := s.serving.Load()
	if now == nil {
		return nil, "", nil
	}
	skus, err := s.Catalog.SKUs(ctx, productIDs)
	if err != nil {
		return nil, "", err
	}
	if !now.model.Knows(skus) {
		s.metrics.fallbacks.WithLabelValues("unknown").Inc()
		return nil, "", nil
	}
	begin := time.Now()
	list, err := now.model.Recommend(skus, limit)
	s.metrics.inference.WithLabelValues(now.model.Name, now.model.Version).Observe(time.Since(begin).Seconds())
	if err != nil {
		s.metrics.fallbacks.WithLabelValues("failed").Inc()
		s.Log.ErrorContext(ctx, "the model failed; recommending without it", "model", now.model.Name, "version", now.model.Version, "error", err)
		return nil, "", nil
	}
	best := make([]string, len(list))
	for i, r := range list {
		best[i] = r.Item
	}
	items, err = s.Catalog.BySKU(ctx, best)
	return items, now.model.Version, err
}
