package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
)

// place is the run's own corner of the services: a database, a Redis database, a RabbitMQ host and a prefix of search
// indices. PostgreSQL writes durably while it is open.
type place struct {
	name     string
	database string // URL
	redisURL string
	rabbitMQ string
	elastic  string

	admin  *pgx.Conn // superuser on the server's own database
	conn   *pgx.Conn // superuser on the run's database
	redis  *redis.Client
	undo   []func(context.Context) error
	server string // version of PostgreSQL
}

const (
	// patience bounds setting up and taking down one service.
	patience = 30 * time.Second
	// benchLock keeps two runs from measuring each other, and from undoing each other's settings.
	benchLock = 0x5109d
	// redisLease is how the project's tests say that a logical database is in use; runs do it the same way.
	redisLease = "shopd:testenv:database:"
	leaseLife  = time.Hour
)

// setting reads the address of a service, under the names that the tests have for it.
func setting(name, fallback string) string { return cmp.Or(os.Getenv(name), fallback) }

func elasticsearchURL() string {
	return setting("SHOPD_TEST_ELASTICSEARCH_URL", "http://127.0.0.1:19200")
}

// newName is a name for what belongs to one run.
func newName() string { return "shopd_bench_" + strings.ToLower(rand.Text()[:8]) }

func openPlace(ctx context.Context) (_ *place, err error) {
	p := &place{
		name:    newName(),
		elastic: elasticsearchURL(),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	for _, open := range []struct {
		service string
		open    func(context.Context) error
	}{{"PostgreSQL", p.openPostgres}, {"Redis", p.openRedis}, {"RabbitMQ", p.openRabbitMQ}} {
		opening, cancel := context.WithTimeout(ctx, patience)
		err := open.open(opening)
		cancel()
		if err != nil {
			return nil, fmt.Errorf("%s: %w (start the services with `make services`)", open.service, err)
		}
	}
	return p, nil
}

func (p *place) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var failures []error
	for i := len(p.undo) - 1; i >= 0; i-- {
		failures = append(failures, p.undo[i](ctx))
	}
	return errors.Join(failures...)
}

func (p *place) later(undo func(context.Context) error) { p.undo = append(p.undo, undo) }

func (p *place) openPostgres(ctx context.Context) (err error) {
	address := setting("SHOPD_TEST_DATABASE_URL", "postgres://postgres@127.0.0.1:15432/postgres?sslmode=disable")
	if p.admin, err = pgx.Connect(ctx, address); err != nil {
		return err
	}
	p.later(p.admin.Close)
	var alone bool
	if err := p.admin.QueryRow(ctx, "select pg_try_advisory_lock($1), current_setting('server_version')", benchLock).Scan(&alone, &p.server); err != nil {
		return err
	}
	if !alone {
		return errors.New("another benchmark is running on this server")
	}
	if err := p.makeDurable(ctx); err != nil {
		return err
	}
	if _, err := p.admin.Exec(ctx, "create database "+p.name); err != nil {
		return err
	}
	p.later(func(ctx context.Context) error {
		_, err := p.admin.Exec(ctx, "drop database "+p.name+" with (force)")
		return err
	})
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	u.Path = "/" + p.name
	p.database = u.String()
	if p.conn, err = pgx.Connect(ctx, p.database); err != nil {
		return err
	}
	p.later(p.conn.Close)
	return nil
}

// durable are the settings under which nothing that was acknowledged is lost; test servers turn them off.
var durable = []string{"fsync", "full_page_writes", "synchronous_commit"}

// makeDurable turns the settings on and remembers to give them back to the server's own file.
func (p *place) makeDurable(ctx context.Context) error {
	p.later(func(ctx context.Context) error {
		var failures []error
		for _, name := range durable {
			_, err := p.admin.Exec(ctx, "alter system reset "+name)
			failures = append(failures, err)
		}
		_, err := p.admin.Exec(ctx, "select pg_reload_conf()")
		return errors.Join(append(failures, err)...)
	})
	for _, name := range durable {
		if _, err := p.admin.Exec(ctx, "alter system set "+name+" = on"); err != nil {
			return err
		}
	}
	if _, err := p.admin.Exec(ctx, "select pg_reload_conf()"); err != nil {
		return err
	}
	for _, name := range durable {
		if err := p.awaitSetting(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (p *place) awaitSetting(ctx context.Context, name string) error {
	for {
		var value string
		if err := p.admin.QueryRow(ctx, "select current_setting($1)", name).Scan(&value); err != nil {
			return err
		}
		if value == "on" {
			return nil
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("turn %s on: %w", name, err)
		}
	}
}

// checkpoint writes everything out, so that a measurement does not pay for what was before it.
func (p *place) checkpoint(ctx context.Context) error {
	if _, err := p.conn.Exec(ctx, "checkpoint"); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

func (p *place) openRedis(ctx context.Context) error {
	address := setting("SHOPD_TEST_REDIS_URL", "redis://127.0.0.1:16379")
	o, err := redis.ParseURL(address)
	if err != nil {
		return err
	}
	admin := redis.NewClient(o)
	p.later(func(context.Context) error { return admin.Close() })
	config, err := admin.ConfigGet(ctx, "databases").Result()
	if err != nil {
		return err
	}
	count, err := strconv.Atoi(config["databases"])
	if err != nil {
		return err
	}
	for n := count - 1; n > 0; n-- {
		lease := redisLease + strconv.Itoa(n)
		taken, err := admin.SetNX(ctx, lease, p.name, leaseLife).Result()
		if err != nil {
			return err
		}
		if !taken {
			continue
		}
		p.later(func(ctx context.Context) error { return admin.Del(ctx, lease).Err() })
		own := *o
		own.DB = n
		p.redis = redis.NewClient(&own)
		p.later(func(ctx context.Context) error { return errors.Join(p.redis.FlushDB(ctx).Err(), p.redis.Close()) })
		u, err := url.Parse(address)
		if err != nil {
			return err
		}
		u.Path = "/" + strconv.Itoa(n)
		p.redisURL = u.String()
		return p.redis.FlushDB(ctx).Err()
	}
	return errors.New("all logical databases are in use")
}

func (p *place) openRabbitMQ(ctx context.Context) error {
	u, err := url.Parse(setting("SHOPD_TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:15673/"))
	if err != nil {
		return err
	}
	admin := strings.TrimSuffix(setting("SHOPD_TEST_RABBITMQ_ADMIN_URL", "http://guest:guest@127.0.0.1:15674"), "/")
	vhost := admin + "/api/vhosts/" + p.name
	if err := call(ctx, http.MethodPut, vhost, nil); err != nil {
		return err
	}
	p.later(func(ctx context.Context) error { return call(ctx, http.MethodDelete, vhost, nil) })
	u.Path = "/" + p.name
	p.rabbitMQ = u.String()
	everything := map[string]string{"configure": ".*", "write": ".*", "read": ".*"}
	return call(ctx, http.MethodPut, admin+"/api/permissions/"+p.name+"/"+url.PathEscape(u.User.Username()), everything)
}

// call makes a request of a management API.
func call(ctx context.Context, method, address string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	if body == nil {
		text = nil
	}
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s %s: %s", method, request.URL.Path, response.Status)
	}
	return errors.Join(err, response.Body.Close())
}

// pause waits for d; the error is the context's.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
