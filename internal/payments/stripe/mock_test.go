package stripe_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shopd/internal/money"
	"shopd/internal/payments"
	"shopd/internal/payments/stripe"
)

// mockVersion of stripe-mock carries the description of Stripe's API that requests are checked against.
const mockVersion = "v0.203.0"

// mock starts stripe-mock, which checks requests against Stripe's own description of its API. It is built when it is not
// there yet.
func mock(t *testing.T) (url string) {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "shopd", "stripe-mock-"+mockVersion)
	program := filepath.Join(dir, "stripe-mock")
	if _, err := os.Stat(program); err != nil {
		require.NoError(t, os.MkdirAll(dir, 0o755))
		fresh := t.TempDir()
		build := exec.CommandContext(t.Context(), "go", "install", "github.com/stripe/stripe-mock@"+mockVersion)
		build.Dir = fresh // outside of any module
		build.Env = append(os.Environ(), "GOBIN="+fresh, "CGO_ENABLED=0", "GOFLAGS=")
		out, err := build.CombinedOutput()
		require.NoError(t, err, "install stripe-mock: %s", out)
		text, err := os.ReadFile(filepath.Join(fresh, "stripe-mock"))
		require.NoError(t, err)
		partial := program + fmt.Sprintf(".%d", os.Getpid())
		require.NoError(t, os.WriteFile(partial, text, 0o755))
		require.NoError(t, os.Rename(partial, program))
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := l.Addr().(*net.TCPAddr).Port
	require.NoError(t, l.Close())
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "-http-addr", fmt.Sprintf("127.0.0.1:%d", port))
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		stop()
		_ = cmd.Wait() // it was told to end
	})
	url = fmt.Sprintf("http://127.0.0.1:%d", port)
	require.Eventually(t, func() bool {
		res, err := http.Get(url + "/")
		if err != nil {
			return false
		}
		return res.Body.Close() == nil
	}, time.Minute, 50*time.Millisecond, "stripe-mock: %s", &said)
	return url
}

// TestEveryRequestIsOneThatStripeDescribes sends what the adapter sent to the double to stripe-mock as well: the double may
// not be kinder than Stripe.
func TestEveryRequestIsOneThatStripeDescribes(t *testing.T) {
	t.Parallel()
	address := mock(t)
	b := setup(t)
	everything(t, b)
	byHand := setup(t, manual)
	everythingByHand(t, byHand)
	requests := slices.Concat(b.sent.requests, byHand.sent.requests)
	kinds := map[string]bool{}
	for _, r := range requests {
		req, err := http.NewRequestWithContext(t.Context(), r.method, address+r.path+"?"+r.query, strings.NewReader(r.body))
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer sk_test_123")
		if r.method == http.MethodPost {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		text, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, http.StatusOK, res.StatusCode, "%s %s?%s %s: %s", r.method, r.path, r.query, r.body, text)
		kinds[r.method+" "+strings.Join(strings.Split(r.path, "/")[:3], "/")] = true
	}
	require.GreaterOrEqual(t, len(kinds), 9, "the adapter's calls were all made: %v", kinds)
}

// everything makes every call of the adapter, in every form.
func everything(t *testing.T, b *bundle) {
	t.Helper()
	ctx := t.Context()
	customer, err := b.Customer(ctx, "cus_1")
	require.NoError(t, err)
	for _, method := range []string{"pm_card_visa", "", stripe.MethodCheckout} {
		p := b.payment(method)
		_, err := b.Charge(ctx, payments.Charge{Payment: p, ReturnURL: returnURL, Customer: customer, Save: true})
		require.NoError(t, err)
	}
	p := b.payment("pm_card_visa")
	_, err = b.Charge(ctx, payments.Charge{Payment: p})
	require.NoError(t, err)
	paid, _ := b.charge(t, "pm_card_visa")
	_, err = b.Refund(ctx, paid, payments.RefundCall{ID: "ref_1", Amount: money.New(100, "EUR")})
	require.NoError(t, err)
	_, err = b.Refund(ctx, paid, payments.RefundCall{ID: "ref_2", Amount: money.New(100, "EUR"), Again: true, Try: 1})
	require.NoError(t, err)
	_, err = b.Lookup(ctx, paid)
	require.NoError(t, err)
	page, _ := b.charge(t, stripe.MethodCheckout)
	_, err = b.Lookup(ctx, page)
	require.NoError(t, err)
	_, err = b.Void(ctx, page)
	require.NoError(t, err)
	lost := b.payment("pm_card_visa")
	o, err := b.Lookup(ctx, lost) // search, list, fence
	require.NoError(t, err)
	require.Equal(t, payments.Voided, o.Status)
	kept, err := b.Methods(ctx, customer)
	require.NoError(t, err)
	require.NoError(t, b.Forget(ctx, customer, kept[0].ID))
	require.NoError(t, b.Ping(ctx))
	require.NoError(t, b.Movements(ctx, b.now.Add(-time.Hour), b.now.Add(time.Hour), func(payments.Movement) error { return nil }))
}

func everythingByHand(t *testing.T, b *bundle) {
	t.Helper()
	p, _ := b.charge(t, "pm_card_visa")
	p.Asked = 1000
	_, err := b.Capture(t.Context(), p)
	require.NoError(t, err)
	p, _ = b.charge(t, "pm_card_visa")
	_, err = b.Void(t.Context(), p)
	require.NoError(t, err)
	b.charge(t, stripe.MethodCheckout)
}
