package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"shopd/internal/app"
	"shopd/internal/inventory"
	"shopd/internal/sample"
)

// The search engines shopd can run on.
const (
	engineElasticsearch = "elasticsearch"
	engineEmbedded      = "embedded"
)

const (
	// plenty is the stock of every article: no purchase finds too little.
	plenty = 100_000_000
	// readyPatience bounds the start of shopd, and everything that follows from filling the shop.
	readyPatience = 2 * time.Minute
	// stopPatience bounds its end.
	stopPatience = 40 * time.Second
	// manyRequests a minute of one client, more than any machine answers.
	manyRequests = "1000000000"
)

// shop is a running shopd serve with the sample shop in it.
type shop struct {
	url, ops string
	addr     string // host:port of url
	skus     []string
	dir      string
	server   *exec.Cmd
	ended    chan error
	output   *bytes.Buffer
}

// openShop builds shopd unless it is given, fills the run's database and starts one process with all roles.
func openShop(ctx context.Context, p *place, o options, say func(string)) (_ *shop, err error) {
	s := &shop{}
	if s.dir, err = os.MkdirTemp("", "shopd-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	binary := o.shopd
	if binary == "" {
		say("Building shopd")
		binary = filepath.Join(s.dir, "shopd")
		if err := tool(ctx, nil, "go", "build", "-buildvcs=false", "-ldflags", "-s -w", "-o", binary, "./cmd/shopd"); err != nil {
			return nil, err
		}
	}
	public, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	ops, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	s.addr, s.url, s.ops = public, "http://"+public, "http://"+ops
	environ := append(withoutShopd(os.Environ()), s.settings(p, o, public, ops)...)
	if err := tool(ctx, environ, binary, "migrate", "up"); err != nil {
		return nil, err
	}
	say("Filling the sample shop")
	if err := s.fill(ctx, environ); err != nil {
		return nil, fmt.Errorf("fill the shop: %w", err)
	}
	// As a database that is not seconds old would be: without numbers PostgreSQL plans for empty tables.
	if _, err := p.conn.Exec(ctx, "vacuum analyze"); err != nil {
		return nil, fmt.Errorf("analyse the database: %w", err)
	}
	say("Starting shopd serve with all roles, search by " + o.engine + "; profile it at " + s.ops + "/debug/pprof")
	if err := s.start(binary, environ); err != nil {
		return nil, err
	}
	waiting, cancel := context.WithTimeout(ctx, readyPatience)
	defer cancel()
	if err := s.awaitReady(waiting); err != nil {
		return nil, fmt.Errorf("start shopd: %w\n%s", err, s.output)
	}
	if err := s.awaitQuiet(waiting, p); err != nil {
		return nil, fmt.Errorf("wait for the search index and the caches: %w\n%s", err, s.output)
	}
	return s, nil
}

// settings are a production process's, but for the profile, which has the test gateway, and the rate limit.
func (s *shop) settings(p *place, o options, public, ops string) []string {
	settings := []string{
		"SHOPD_ENV=test", "SHOPD_ADDR=" + public, "SHOPD_OPS_ADDR=" + ops, "SHOPD_BASE_URL=http://" + public, "SHOPD_DATA_DIR=" + filepath.Join(s.dir, "data"),
		"SHOPD_DATABASE_URL=" + p.database, "SHOPD_REDIS_URL=" + p.redisURL, "SHOPD_RABBITMQ_URL=" + p.rabbitMQ,
		"SHOPD_RATE_LIMIT_PER_MINUTE=" + manyRequests, "SHOPD_LOG_LEVEL=warn", "SHOPD_LOG_FORMAT=json",
	}
	if o.engine == engineElasticsearch {
		settings = append(settings, "SHOPD_ELASTICSEARCH_URL="+p.elastic, "SHOPD_SEARCH_INDEX="+p.name)
		p.later(func(ctx context.Context) error { return deleteIndices(ctx, p.elastic, p.name) })
	}
	return append(settings, o.settings...)
}

// withoutShopd keeps settings of the one who runs the benchmark out of it.
func withoutShopd(environ []string) []string {
	var kept []string
	for _, e := range environ {
		if !strings.HasPrefix(e, "SHOPD_") {
			kept = append(kept, e)
		}
	}
	return kept
}

// fill puts the sample shop into the database, with stock without end.
func (s *shop) fill(ctx context.Context, environ []string) (err error) {
	program := app.Program{Version: "bench", Environ: environ, Stdout: io.Discard, Stderr: os.Stderr}
	filler, err := program.OpenTool(ctx, filepath.Join(s.dir, "fill"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, filler.Close()) }()
	if err := filler.Seed(ctx, func(string) {}); err != nil {
		return err
	}
	var stock []inventory.Item
	for product, err := range sample.Products() {
		if err != nil {
			return err
		}
		for _, v := range product.Variants {
			s.skus = append(s.skus, v.SKU)
			stock = append(stock, inventory.Item{SKU: v.SKU, Quantity: plenty})
		}
	}
	_, err = filler.Inventory.SetOnHand(ctx, stock, "benchmark", "bench")
	return err
}

func (s *shop) start(binary string, environ []string) error {
	s.output = &bytes.Buffer{}
	// Ended by close with SIGTERM, so that it drains; the context would kill it.
	s.server = exec.Command(binary, "serve") //nolint:noctx // see above
	s.server.Env, s.server.Stdout, s.server.Stderr = environ, s.output, s.output
	if err := s.server.Start(); err != nil {
		return fmt.Errorf("start shopd: %w", err)
	}
	s.ended = make(chan error, 1)
	go func() { s.ended <- s.server.Wait() }()
	return nil
}

func (s *shop) pid() int { return s.server.Process.Pid }

func (s *shop) awaitReady(ctx context.Context) error {
	for {
		if _, err := fetch(ctx, s.ops+"/readyz"); err == nil {
			return nil
		}
		select {
		case err := <-s.ended:
			s.ended <- err
			return fmt.Errorf("it ended: %w", err)
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *shop) close() error {
	var failures []error
	if s.ended != nil {
		if err := s.server.Process.Signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
			failures = append(failures, err)
		}
		select {
		case err := <-s.ended:
			failures = append(failures, err)
		case <-time.After(stopPatience):
			failures = append(failures, errors.New("shopd did not stop in time"), s.server.Process.Kill())
		}
	}
	return errors.Join(append(failures, os.RemoveAll(s.dir))...)
}

// tool runs a command to its end; its output is part of the error.
func tool(ctx context.Context, environ []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = environ
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, output)
	}
	return nil
}

// freeAddress is a loopback address that nobody listens at.
func freeAddress(ctx context.Context) (string, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// fetch reads a small answer; anything but 200 is an error.
func fetch(ctx context.Context, address string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s: %s", address, response.Status, body)
	}
	return body, errors.Join(err, response.Body.Close())
}

// deleteIndices removes the run's search indices by name: a wildcard may be forbidden.
func deleteIndices(ctx context.Context, elastic, prefix string) error {
	body, err := fetch(ctx, elastic+"/_cat/indices/"+prefix+"*?format=json&h=index&expand_wildcards=all")
	if err != nil {
		return err
	}
	var indices []struct{ Index string }
	if err := json.Unmarshal(body, &indices); err != nil {
		return err
	}
	var failures []error
	for _, i := range indices {
		failures = append(failures, call(ctx, http.MethodDelete, elastic+"/"+i.Index, nil))
	}
	return errors.Join(failures...)
}
