package app

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// balancer spreads requests over replicas in turn, as a load balancer does that asks /readyz.
type balancer struct {
	url     string
	mu      sync.Mutex
	targets []*target
	next    int
}

type target struct {
	name    string
	proxy   *httputil.ReverseProxy
	healthy func() bool
	served  atomic.Int64
}

func newBalancer(t *testing.T) *balancer {
	t.Helper()
	b := &balancer{}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

func (b *balancer) add(t *testing.T, address string, healthy func() bool) *target {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(u)
	transport := &http.Transport{MaxIdleConnsPerHost: 32}
	t.Cleanup(transport.CloseIdleConnections)
	proxy.Transport = transport
	one := &target{name: address, proxy: proxy, healthy: healthy}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.targets = append(b.targets, one)
	return one
}

func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	var chosen *target
	for range b.targets {
		b.next++
		if one := b.targets[b.next%len(b.targets)]; one.healthy() {
			chosen = one
			break
		}
	}
	b.mu.Unlock()
	if chosen == nil {
		http.Error(w, "nobody is ready", http.StatusBadGateway)
		return
	}
	chosen.served.Add(1)
	chosen.proxy.ServeHTTP(w, r)
}

// TestTwoReplicasShareTheWork spreads purchases over two shops on the same services: every step of a purchase comes to
// the other one than the step before.
func TestTwoReplicasShareTheWork(t *testing.T) {
	t.Parallel()
	const purchases = 24
	p := onServices(t)
	heard := listenTo(t, p.rabbitMQURL)
	front := newBalancer(t)
	always := func() bool { return true }
	first := openStore(t, p, "SHOPD_BASE_URL="+front.url, "SHOPD_REPLICAS=2")
	second := openStore(t, p, "SHOPD_BASE_URL="+front.url, "SHOPD_REPLICAS=2")
	one, two := front.add(t, first.url, always), front.add(t, second.url, always)
	a := first.stock(t, 1500, purchases+5)

	var group sync.WaitGroup
	failures := make(chan error, purchases)
	for range 4 {
		group.Go(func() {
			for range purchases / 4 {
				if err := buyThrough(front.url, a.sku); err != nil {
					failures <- err
				}
			}
		})
	}
	group.Wait()
	close(failures)
	for err := range failures {
		require.NoError(t, err)
	}

	require.InDelta(t, one.served.Load(), two.served.Load(), purchases, "both worked")
	within(t, 15*time.Second, func() error { return first.has(t, a, 5, 0) })
	require.Equal(t, int64(purchases), first.number(t, `select count(*) from public_views.v_orders where status = 'paid'`))
	require.Equal(t, int64(purchases), first.number(t, `select count(distinct order_id) from public_views.v_payments where status = 'captured'`))
	require.Equal(t, int64(purchases), first.number(t, `select count(*) from public_views.v_payments`))
	require.Equal(t, int64(-purchases), first.number(t, `select sum(quantity)::bigint from public_views.v_stock_movements where kind = 'sold'`), "every event had its effect once")
	within(t, soon, func() error {
		kept := [2]int{}
		for i, s := range []*store{first, second} {
			list, err := s.mails.List(1000)
			require.NoError(t, err)
			kept[i] = len(list)
		}
		if kept[0]+kept[1] != purchases {
			return fmt.Errorf("%v mails", kept)
		}
		return nil
	})
	within(t, soon, func() error {
		if n := heard.types()["orders.order_paid.v1"]; n < purchases {
			return fmt.Errorf("%d payments were told", n)
		}
		return nil
	})
	require.Zero(t, first.number(t, `select count(*) from platform.dead_letters`))
}

// buyThrough makes a purchase by plain HTTP; it is for goroutines, which cannot fail a test.
func buyThrough(base, sku string) error {
	var cart cartJSON
	if err := send(base, http.MethodPost, storeAPI+"/carts", map[string]string{"currency": "EUR", "country": "DE"}, "", &cart); err != nil {
		return err
	}
	path := storeAPI + "/carts/" + cart.ID
	for _, step := range []struct {
		method, path string
		body         any
	}{
		{http.MethodPost, path + "/lines", map[string]any{"sku": sku, "quantity": 1}},
		{http.MethodPut, path + "/address", address},
		{http.MethodPut, path + "/shipping-method", map[string]string{"shipping_method_id": "ship_standard"}},
	} {
		if err := send(base, step.method, step.path, step.body, cart.Token, &cartJSON{}); err != nil {
			return err
		}
	}
	var o orderJSON
	if err := send(base, http.MethodPost, path+"/complete", payWith("test_ok"), cart.Token, &o); err != nil {
		return err
	}
	if err := send(base, http.MethodGet, storeAPI+"/orders/"+o.ID, nil, cart.Token, &o); err != nil {
		return err
	}
	if o.Status != "paid" {
		return fmt.Errorf("order %s is %s", o.ID, o.Status)
	}
	return nil
}

var shared = &client{http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}, header: http.Header{}}

func send(base, method, path string, body any, token string, into any) error {
	c := *shared
	c.base = base
	got, err := c.try(method, path, body, "X-Cart-Token", token, "Idempotency-Key", newKey())
	if err != nil {
		return err
	}
	if got.status >= 300 {
		return fmt.Errorf("%s %s: %d %s", method, path, got.status, got.body)
	}
	return json.Unmarshal(got.body, into)
}

// asServe makes the test program be shopd serve: a process of its own without waiting for a build.
const asServe = "APP_TEST_AS_SERVE"

func TestMain(m *testing.M) {
	if os.Getenv(asServe) == "" {
		os.Exit(m.Run())
	}
	p := Program{Version: "test", Environ: os.Environ(), Stdout: os.Stdout, Stderr: os.Stderr}
	if err := p.Serve(context.Background(), ServeOptions{Roles: AllRoles()}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// TestAProcessLeavesWithoutLosingARequest ends one of two processes while purchases go on.
func TestAProcessLeavesWithoutLosingARequest(t *testing.T) {
	t.Parallel()
	p := onServices(t)
	front := newBalancer(t)
	leaving := startProcess(t, p, front, 16400)
	staying := startProcess(t, p, front, 16410)
	shelf := openStore(t, p, "SHOPD_BASE_URL="+front.url).stock(t, 1500, 100_000)

	var stop atomic.Bool
	var bought atomic.Int64
	var group sync.WaitGroup
	failures := make(chan error, 100)
	for range 4 {
		group.Go(func() {
			for !stop.Load() {
				if err := buyThrough(front.url, shelf.sku); err != nil {
					failures <- err
					return
				}
				bought.Add(1)
			}
		})
	}
	within(t, 20*time.Second, func() error {
		if len(failures) == 0 && (bought.Load() < 10 || leaving.target.served.Load() == 0) {
			return fmt.Errorf("%d purchases", bought.Load())
		}
		return nil
	})
	require.NoError(t, leaving.command.Process.Signal(syscall.SIGTERM))
	require.NoError(t, leaving.command.Wait(), "it ends by itself and well")
	before := bought.Load()
	within(t, 20*time.Second, func() error {
		if len(failures) == 0 && bought.Load() < before+10 {
			return fmt.Errorf("%d purchases after it left", bought.Load()-before)
		}
		return nil
	})
	stop.Store(true)
	group.Wait()
	close(failures)
	for err := range failures {
		require.NoError(t, err)
	}
	require.NotZero(t, staying.target.served.Load())
	t.Logf("%d purchases, none failed", bought.Load())
}

type replica struct {
	command *exec.Cmd
	target  *target
}

// startProcess runs shopd serve beside others, as a process of its own, and lets the balancer know it once it is ready.
func startProcess(t *testing.T, p premises, front *balancer, port int) *replica {
	t.Helper()
	address, ops := fmt.Sprintf("127.0.0.1:%d", port), fmt.Sprintf("127.0.0.1:%d", port+1)
	program, err := os.Executable()
	require.NoError(t, err)
	command := exec.Command(program)
	command.Dir = t.TempDir()
	command.Env = append(os.Environ(), p.environ(asServe+"=1", "SHOPD_ENV=test", "SHOPD_ADDR="+address, "SHOPD_OPS_ADDR="+ops, "SHOPD_BASE_URL="+front.url,
		"SHOPD_DRAIN_DELAY=2s", "SHOPD_DRAIN_TIMEOUT=10s", "SHOPD_DATABASE_MAX_CONNS=30")...)
	stderr, err := command.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	var logs shopLog
	done := make(chan struct{})
	go func() {
		defer close(done)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			_, _ = logs.Write(lines.Bytes()) // it keeps everything
		}
	}()
	t.Cleanup(func() {
		if command.ProcessState == nil {
			require.NoError(t, command.Process.Signal(syscall.SIGTERM))
			require.NoError(t, command.Wait())
		}
		<-done
		logs.report(t)
	})
	ready := func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+ops+"/readyz", nil)
		if err != nil {
			return false
		}
		res, err := shared.http.Do(req)
		if err != nil {
			return false
		}
		return res.Body.Close() == nil && res.StatusCode == http.StatusOK
	}
	within(t, 30*time.Second, func() error {
		if !ready() {
			return fmt.Errorf("%s is not ready", address)
		}
		return nil
	})
	return &replica{command: command, target: front.add(t, "http://"+address, ready)}
}

// TestACartThatAnotherReplicaChanged is about what a replica remembers of the carts it wrote: it must not undo what the
// other one did, nor refuse what is there by now, nor touch what has become an order.
func TestACartThatAnotherReplicaChanged(t *testing.T) {
	t.Parallel()
	p := onEmbedded(t)
	first, second := openStore(t, p), openStore(t, p)
	a, b := first.stock(t, 1500, 10), first.stock(t, 900, 10)
	here := first.guest(t)
	var cart cartJSON
	here.post(storeAPI+"/carts", map[string]string{"currency": "EUR", "country": "DE"}).is(201).decode(&cart)
	here = here.with("X-Cart-Token", cart.Token)
	there := second.guest(t).with("X-Cart-Token", cart.Token)
	path := storeAPI + "/carts/" + cart.ID

	here.post(path+"/lines", map[string]any{"sku": a.sku, "quantity": 1}).is(200)
	there.post(path+"/lines", map[string]any{"sku": b.sku, "quantity": 1}).is(200).decode(&cart)
	require.Len(t, cart.Lines, 2)
	here.do("PATCH", path+"/lines/"+cart.Lines[1].ID, map[string]any{"quantity": 3}).is(200).decode(&cart)
	require.Len(t, cart.Lines, 2)
	require.Equal(t, []int{1, 3}, []int{cart.Lines[0].Quantity, cart.Lines[1].Quantity})

	here.do("PUT", path+"/address", address).is(200)
	here.do("PUT", path+"/shipping-method", map[string]string{"shipping_method_id": "ship_standard"}).is(200)
	there.post(path+"/complete", payWith("test_ok"), "Idempotency-Key", newKey()).is(201)
	here.post(path+"/lines", map[string]any{"sku": a.sku, "quantity": 1}).refuses(409, "cart_completed")
}
