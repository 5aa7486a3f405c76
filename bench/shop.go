package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"shopd/internal/app"
	"shopd/internal/inventory"
	"shopd/internal/rig"
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
	server   *rig.Process
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
		if err := rig.Build(ctx, ".", binary); err != nil {
			return nil, err
		}
	}
	public, err := rig.FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	ops, err := rig.FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	s.addr, s.url, s.ops = public, "http://"+public, "http://"+ops
	environ := append(rig.WithoutShopd(os.Environ()), s.settings(p, o, public, ops)...)
	if _, err := rig.Run(ctx, environ, binary, "migrate", "up"); err != nil {
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
	if err := rig.AwaitReady(waiting, s.server, s.ops); err != nil {
		return nil, fmt.Errorf("start shopd: %w\n%s", err, s.said())
	}
	if err := s.awaitQuiet(waiting, p); err != nil {
		return nil, fmt.Errorf("wait for the search index and the caches: %w\n%s", err, s.said())
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
		p.later(func(ctx context.Context) error { return rig.DeleteIndices(ctx, p.elastic, p.name) })
	}
	return append(settings, o.settings...)
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

func (s *shop) start(binary string, environ []string) (err error) {
	s.server, err = rig.Start(rig.Command{Name: "shopd", Path: binary, Args: []string{"serve"}, Env: environ, Log: s.log()})
	return err
}

// log is the file of what shopd says.
func (s *shop) log() string { return filepath.Join(s.dir, "shopd.log") }

// said is what shopd has said, for the error that follows.
func (s *shop) said() string {
	text, err := os.ReadFile(s.log())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func (s *shop) pid() int { return s.server.Pid() }

func (s *shop) close() error {
	var err error
	if s.server != nil {
		err = s.server.Stop(syscall.SIGTERM, stopPatience)
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}
