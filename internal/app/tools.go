package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/go-chi/chi/v5"

	"shopd/internal/catalog/search"
	"shopd/internal/platform/broker"
	"shopd/internal/platform/config"
	"shopd/internal/platform/migrate"
	"shopd/internal/platform/postgres"
)

// ErrReported is what a command returns that has printed already what is wrong.
var ErrReported = errors.New("see above")

// withShop opens the shop for a command, runs it and closes the shop.
func (p Program) withShop(ctx context.Context, data string, fn func(*Shop) error) error {
	shop, err := p.OpenTool(ctx, data)
	if err != nil {
		return err
	}
	return errors.Join(fn(shop), shop.Close())
}

// Reindex builds the search index anew. An index that lives in another process is filled by that one: its products are
// marked, and the command watches.
func (p Program) Reindex(ctx context.Context, data string) error {
	return p.withShop(ctx, data, func(s *Shop) error {
		bar := p.progress("reindex", "products")
		defer bar.close()
		if _, away := s.engine.(search.Absent); away {
			return s.Catalog.ReindexElsewhere(ctx, bar.set)
		}
		return s.Catalog.Reindex(ctx, bar.set)
	})
}

// CreateAdmin makes an owner of the shop and prints a link that signs in once.
func (p Program) CreateAdmin(ctx context.Context, data, email, password string) error {
	return p.withShop(ctx, data, func(s *Shop) error {
		owner, err := s.Users.CreateAdmin(ctx, email, password)
		if err != nil {
			return err
		}
		token, err := s.Users.IssueLoginLink(ctx, owner, demoLinkLife)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.Stdout, "%s is an owner of the shop. This link signs in once, within an hour:\n%s/admin/login?token=%s\n", email, s.baseURL(), token)
		return err
	})
}

// CreateAPIKey makes an API key and prints it.
func (p Program) CreateAPIKey(ctx context.Context, data, name string, scopes []string) error {
	return p.withShop(ctx, data, func(s *Shop) error {
		_, secret, err := s.Users.CreateAPIKey(ctx, "system", name, scopes)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(p.Stdout, secret)
		return err
	})
}

// RotateKeys brings what older master keys protect under the first one.
func (p Program) RotateKeys(ctx context.Context, data string) error {
	return p.withShop(ctx, data, func(s *Shop) error {
		done, err := s.Users.RotateKeys(ctx)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.Stdout, "%d keys and %d addresses are under the new master key; %d are left for another run.\n", done.Keys, done.Indexes, done.Skipped)
		return err
	})
}

// ListDeadLetters prints the events that consumers gave up on.
func (p Program) ListDeadLetters(ctx context.Context, data string) error {
	return p.withShop(ctx, data, func(s *Shop) error {
		list, err := broker.NewDeadLetters(s.pools.relay).List(ctx, broker.DeadLetterFilter{})
		if err != nil {
			return err
		}
		if len(list) == 0 {
			_, err = fmt.Fprintln(p.Stdout, "There are no dead letters.")
			return err
		}
		w := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "ID\tCONSUMER\tEVENT\tATTEMPTS\tLAST FAILED\tERROR")
		for _, d := range list {
			event := "unreadable"
			if d.Event != nil {
				event = d.Event.Type
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\n", d.ID, d.Consumer, event, d.Attempts, d.LastFailed.Format(time.RFC3339), short(d.Error))
		}
		return w.Flush()
	})
}

const shownError = 80

func short(s string) string {
	if r := []rune(s); len(r) > shownError {
		return string(r[:shownError]) + "…"
	}
	return s
}

// ShowDeadLetter prints one dead letter.
func (p Program) ShowDeadLetter(ctx context.Context, data, id string) error {
	return p.withShop(ctx, data, func(s *Shop) error {
		d, err := broker.NewDeadLetters(s.pools.relay).Show(ctx, id)
		if err != nil {
			return err
		}
		out := json.NewEncoder(p.Stdout)
		out.SetIndent("", "  ")
		return out.Encode(d)
	})
}

// RedriveDeadLetter hands a dead letter to its consumer again.
func (p Program) RedriveDeadLetter(ctx context.Context, data, id string) error {
	return p.withShop(ctx, data, func(s *Shop) error {
		if err := broker.NewDeadLetters(s.pools.relay).Redrive(ctx, id); err != nil {
			return err
		}
		_, err := fmt.Fprintf(p.Stdout, "%s is on its way to its consumer.\n", id)
		return err
	})
}

// OpenAPI prints the document of the HTTP API.
func (p Program) OpenAPI() error {
	api := (&Shop{version: apiVersion}).registerAPI(chi.NewRouter())
	document, err := api.OpenAPI().YAML()
	if err != nil {
		return err
	}
	_, err = p.Stdout.Write(document)
	return err
}

// apiVersion is of the HTTP API, not of the program: it grows when the API does.
const apiVersion = "1.0.0"

func (p Program) migrationStatus(ctx context.Context, cfg config.Config) error {
	pool, err := postgres.Open(ctx, postgres.Config{URL: cfg.Database.URL.Reveal(), MaxConns: 2})
	if err != nil {
		return err
	}
	defer pool.Close()
	list, err := migrate.Status(ctx, pool)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	for _, m := range list {
		applied := "pending"
		if !m.AppliedAt.IsZero() {
			applied = m.AppliedAt.Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%s\t%s\n", m.File, applied)
	}
	return w.Flush()
}

// check is one line of shopd doctor.
type check struct {
	name   string
	run    func(ctx context.Context) error
	remedy string
}

const checkTimeout = 5 * time.Second

// Doctor checks the settings, and then every service they name. It returns ErrReported when something is wrong.
func (p Program) Doctor(ctx context.Context, data string) error {
	cfg, _, err := p.toolConfig(data)
	var problems *config.Error
	if errors.As(err, &problems) {
		for _, problem := range problems.Problems {
			fmt.Fprintf(p.Stdout, "✗ %s %s\n    → %s\n", problem.Setting, problem.Wrong, problem.Remedy)
		}
		return ErrReported
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(p.Stdout, "✓ settings (%s)\n", cfg.Profile)
	return p.withShop(ctx, data, func(s *Shop) error {
		failed := false
		for _, c := range s.checks() {
			failed = !p.report(ctx, c) || failed
		}
		if failed {
			return ErrReported
		}
		return nil
	})
}

func (p Program) report(ctx context.Context, c check) bool {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	start := time.Now()
	if err := c.run(ctx); err != nil {
		fmt.Fprintf(p.Stdout, "✗ %s: %v\n    → %s\n", c.name, err, c.remedy)
		return false
	}
	fmt.Fprintf(p.Stdout, "✓ %s (%d ms)\n", c.name, time.Since(start).Milliseconds())
	return true
}

const oldestPostgres = 150000

func (s *Shop) checks() []check {
	list := []check{
		{"PostgreSQL", func(ctx context.Context) error {
			var number int
			if err := s.pools.catalog.QueryRow(ctx, `select current_setting('server_version_num')::int`).Scan(&number); err != nil {
				return err
			}
			if number < oldestPostgres {
				return fmt.Errorf("version %d is older than 15", number/10000)
			}
			return nil
		}, "see that SHOPD_DATABASE_URL names a PostgreSQL 15 or newer that runs and lets this user in; run shopd migrate up once"},
		{"schema", func(ctx context.Context) error {
			pending, err := migrate.Pending(ctx, s.pools.catalog)
			if err == nil && pending > 0 {
				err = fmt.Errorf("%d migrations are pending", pending)
			}
			return err
		}, "run shopd migrate up"},
		{"Redis", func(ctx context.Context) error { return s.redis.Ping(ctx).Err() },
			"see that SHOPD_REDIS_URL names a Redis 7 that runs; without it the shop is slower and goes on"},
		{"message broker", s.broker.Ping, "see that SHOPD_RABBITMQ_URL names a RabbitMQ that runs; without it events wait in the database"},
	}
	if _, away := s.engine.(search.Absent); !away {
		list = append(list, check{
			"search", s.engine.Ping, "see that SHOPD_ELASTICSEARCH_URL names an Elasticsearch 8 that runs; without it shoppers browse by category only",
		})
	}
	return append(list, check{"dead letters", func(ctx context.Context) error {
		counts, err := broker.NewDeadLetters(s.pools.relay).Count(ctx)
		for consumer, n := range counts {
			if n > 0 {
				err = errors.Join(err, fmt.Errorf("%d of %s wait", n, consumer))
			}
		}
		return err
	}, "look with shopd dlq list, mend what is wrong, then shopd dlq redrive"})
}
