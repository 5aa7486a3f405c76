package recs_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shopd/internal/recs"
	"shopd/internal/recs/model"
)

const (
	firstModel  = "../../models/benchmarks/online-retail-v1"
	secondModel = "../../models/benchmarks/online-retail-v2"
)

// follow runs the service's loop until the test ends.
func follow(t *testing.T, svc *recs.Service) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- svc.FollowModels(ctx) }()
	t.Cleanup(func() {
		stop()
		require.ErrorIs(t, <-done, context.Canceled)
	})
}

func activate(t *testing.T, svc *recs.Service, dir string) string {
	t.Helper()
	m, err := svc.Activate(t.Context(), dir, 0)
	require.NoError(t, err)
	return m.Version
}

// answers waits until recommendations come from a version.
func answers(t *testing.T, svc *recs.Service, version string, req recs.Request) recs.Recommended {
	t.Helper()
	var answer recs.Recommended
	require.Eventually(t, func() bool {
		var err error
		answer, err = svc.Recommend(t.Context(), req)
		require.NoError(t, err)
		return answer.ModelVersion == version
	}, 2*time.Minute, 50*time.Millisecond, "nothing from %s", version)
	return answer
}

func TestShopServesWithTheModelThatIsActive(t *testing.T) {
	t.Parallel()
	svc, buy := setup(t, shelf{missing: "47566"})
	buy([]string{"22423", "bought-with-it"})
	follow(t, svc)
	req := recs.Request{Placement: recs.Cart, ProductIDs: []string{"22423", "85123A"}, Limit: 8}
	before := answers(t, svc, recs.ModelVersion, req)
	require.Equal(t, "bought-with-it", before.Items[0].ID)

	for _, dir := range []string{firstModel, secondModel} {
		version := activate(t, svc, dir)
		ids, reasons := shown(t, answers(t, svc, version, req), nil)
		m, err := model.Open(dir, recs.LoadGraph)
		require.NoError(t, err)
		list, err := m.Recommend(req.ProductIDs, 9)
		require.NoError(t, err)
		var want []string
		for _, s := range list {
			if s.Item != "47566" { // is not in stock
				want = append(want, s.Item)
			}
		}
		require.Equal(t, want[:8], ids)
		require.Equal(t, recs.Predicted, reasons[7])
	}

	// Of what the model does not know the counts speak.
	answer, err := svc.Recommend(t.Context(), recs.Request{Placement: recs.Product, ProductIDs: []string{"bought-with-it"}, Limit: 1})
	ids, _ := shown(t, answer, err)
	require.Equal(t, []string{"22423"}, ids)
	require.Equal(t, recs.ModelVersion, answer.ModelVersion)

	require.NoError(t, svc.Deactivate(t.Context()))
	require.Equal(t, before, answers(t, svc, recs.ModelVersion, req))
}

func TestModelThatIsNotWholeIsNotActivated(t *testing.T) {
	t.Parallel()
	svc, _ := setup(t, shelf{})
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(secondModel)))
	require.NoError(t, os.Truncate(filepath.Join(dir, "items.bin"), 1000))
	_, err := svc.Activate(t.Context(), dir, 0)
	require.ErrorContains(t, err, "truncated")
	_, err = svc.Activate(t.Context(), secondModel, time.Nanosecond)
	require.ErrorContains(t, err, "too slow")

	foreign, _ := setup(t, nothing{})
	_, err = foreign.Activate(t.Context(), secondModel, 0)
	require.ErrorIs(t, err, recs.ErrForeignModel)
}

// nothing is a catalogue of which nothing is in stock.
type nothing struct{ shelf }

func (nothing) BySKU(context.Context, []string) ([]recs.Item, error) { return nil, nil }

// A model that was damaged after it was activated is refused by every process, and the one before goes on answering.
func TestDamagedActivationLeavesTheModelBefore(t *testing.T) {
	t.Parallel()
	svc, _ := setup(t, shelf{})
	follow(t, svc)
	req := recs.Request{Placement: recs.Product, ProductIDs: []string{"22423"}, Limit: 4}
	good := answers(t, svc, activate(t, svc, firstModel), req)

	_, err := svc.DB.Exec(t.Context(), `insert into recs.models (id, name, version, archive, activated_at) values ('mdl_bad', 'bad', 'bad-1', 'no zip', now())`)
	require.NoError(t, err)
	again, _ := setup(t, shelf{})
	version := activate(t, again, secondModel)
	follow(t, again)
	answers(t, again, version, req) // so much time has passed that the damaged one was looked at

	answer, err := svc.Recommend(t.Context(), req)
	require.NoError(t, err)
	require.Equal(t, good, answer)
	version = activate(t, svc, secondModel)
	answers(t, svc, version, req)
}
