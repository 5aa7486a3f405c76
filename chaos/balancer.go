package main

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// checkEvery is how often the balancer asks each replica whether it is ready; checkPatience is how long it waits.
	checkEvery    = 200 * time.Millisecond
	checkPatience = time.Second
	// fromBalancer marks answers that no replica has given.
	fromBalancer = "X-From-Balancer"
)

// balancer spreads requests over replicas as a plain load balancer does: in turn, over those that say they are ready.
// A request that could not be delivered, because nobody listened, goes to the next one; one that may have arrived does not.
type balancer struct {
	url     string
	server  *http.Server
	targets []*target
	next    atomic.Uint64
	stop    context.CancelFunc
	checks  sync.WaitGroup
}

type target struct {
	name  string
	ops   string // URL
	ready atomic.Bool
	proxy *httputil.ReverseProxy
}

func newBalancer(ctx context.Context) (*balancer, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &balancer{url: "http://" + l.Addr().String()}
	b.server = &http.Server{Handler: b, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = b.server.Serve(l) }() // ends with Close
	return b, nil
}

// add puts a replica behind the balancer; it comes before watch.
func (b *balancer) add(name, public, ops string) error {
	u, err := url.Parse(public)
	if err != nil {
		return err
	}
	t := &target{name: name, ops: ops}
	t.proxy = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(u)
			r.Out.Host = r.In.Host
			r.SetXForwarded()
		},
		Transport:    &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: 20 * time.Second, DialContext: (&net.Dialer{Timeout: time.Second}).DialContext},
		ErrorHandler: b.failed,
		ErrorLog:     log.New(io.Discard, "", 0),
	}
	b.targets = append(b.targets, t)
	return nil
}

// watch keeps asking whether the replicas are ready.
func (b *balancer) watch(ctx context.Context) {
	ctx, b.stop = context.WithCancel(ctx)
	for _, t := range b.targets {
		b.checks.Go(func() {
			for {
				t.check(ctx)
				select {
				case <-ctx.Done():
					return
				case <-time.After(checkEvery):
				}
			}
		})
	}
}

func (t *target) check(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, t.ops+"/readyz", nil)
	if err != nil {
		return
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.ready.Store(false)
		return
	}
	_ = response.Body.Close() // only the status is of interest
	t.ready.Store(response.StatusCode == http.StatusOK)
}

func (b *balancer) close() error {
	if b.stop != nil {
		b.stop()
	}
	b.checks.Wait()
	return b.server.Close()
}

type attemptKey struct{}

// attempt is a request on its way through the balancer.
type attempt struct{ tried map[*target]bool }

func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.forward(w, r.WithContext(context.WithValue(r.Context(), attemptKey{}, &attempt{tried: map[*target]bool{}})))
}

func (b *balancer) forward(w http.ResponseWriter, r *http.Request) {
	a := r.Context().Value(attemptKey{}).(*attempt) //nolint:errcheck // nothing else is kept under this key
	t := b.choose(a.tried)
	if t == nil {
		w.Header().Set(fromBalancer, "nobody is ready")
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	a.tried[t] = true
	t.proxy.ServeHTTP(w, r)
}

// choose takes the next replica that is ready. When none is, any will do: a database that is away makes none ready, and
// the answer that says so is theirs to give.
func (b *balancer) choose(tried map[*target]bool) *target {
	start := b.next.Add(1)
	var other *target
	for i := range b.targets {
		t := b.targets[(start+uint64(i))%uint64(len(b.targets))]
		if tried[t] {
			continue
		}
		if t.ready.Load() {
			return t
		}
		other = t
	}
	return other
}

func (b *balancer) failed(w http.ResponseWriter, r *http.Request, err error) {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		b.forward(w, r) // it never left
		return
	}
	w.Header().Set(fromBalancer, err.Error())
	w.WriteHeader(http.StatusBadGateway)
}
