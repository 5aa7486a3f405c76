package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"shopd/internal/catalog/search"
	"shopd/internal/payments"
	"shopd/internal/platform/broker"
	"shopd/internal/platform/config"
	"shopd/internal/platform/migrate"
	"shopd/internal/platform/postgres"
)

// check is one line of shopd doctor.
type check struct {
	name string
	// after is a check that has to pass before this one says anything of its own; empty for none.
	after  string
	run    func(ctx context.Context) error
	remedy string
}

const (
	checkTimeout   = 5 * time.Second
	oldestPostgres = 150000
)

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
	// As the user of the URL: the roles of the domains come with the schema.
	database, err := postgres.Open(ctx, postgres.Config{URL: cfg.Database.URL.Reveal(), MaxConns: 2})
	if err != nil {
		return err
	}
	defer database.Close()
	return p.withShop(ctx, data, func(s *Shop) error {
		var wrong []string
		for _, c := range s.checks(database) {
			if !p.report(ctx, c, wrong) {
				wrong = append(wrong, c.name)
			}
		}
		if len(wrong) > 0 {
			return ErrReported
		}
		return nil
	})
}

// report makes a check and says how it went, unless one that it builds upon is among the wrong ones.
func (p Program) report(ctx context.Context, c check, wrong []string) bool {
	if slices.Contains(wrong, c.after) {
		fmt.Fprintf(p.Stdout, "– %s: not checked before %s is right\n", c.name, c.after)
		return false
	}
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

// gatewayRemedies say what to do about a gateway that does not answer, or does not let us in.
var gatewayRemedies = map[string]string{
	payments.ProviderStripe: "see that SHOPD_STRIPE_SECRET_KEY is a key of the account at SHOPD_STRIPE_API_URL, and that the address can be reached from here",
	payments.ProviderPayPal: "see that SHOPD_PAYPAL_CLIENT_ID, SHOPD_PAYPAL_CLIENT_SECRET and SHOPD_PAYPAL_WEBHOOK_ID are of one app at SHOPD_PAYPAL_API_URL (live and sandbox " +
		"have addresses of their own), and that it can be reached from here",
}

func (s *Shop) checks(database *pgxpool.Pool) []check {
	list := []check{
		{name: "PostgreSQL", run: func(ctx context.Context) error {
			var number int
			if err := database.QueryRow(ctx, `select current_setting('server_version_num')::int`).Scan(&number); err != nil {
				return err
			}
			if number < oldestPostgres {
				return fmt.Errorf("version %d is older than 15", number/10000)
			}
			return nil
		}, remedy: "see that SHOPD_DATABASE_URL names a PostgreSQL 15 or newer that runs and lets this user in"},
		{name: "schema", after: "PostgreSQL", run: func(ctx context.Context) error {
			pending, err := migrate.Pending(ctx, database)
			switch {
			case err == nil && pending == 1:
				err = errors.New("1 migration is pending")
			case err == nil && pending > 0:
				err = fmt.Errorf("%d migrations are pending", pending)
			}
			return err
		}, remedy: "run shopd migrate up"},
		{name: "Redis", run: func(ctx context.Context) error { return s.redis.Ping(ctx).Err() },
			remedy: "see that SHOPD_REDIS_URL names a Redis 7 that runs; without it the shop is slower and goes on"},
		{name: "message broker", run: s.broker.Ping,
			remedy: "see that SHOPD_RABBITMQ_URL names a RabbitMQ that runs; without it events wait in the database"},
	}
	if _, away := s.engine.(search.Absent); !away {
		list = append(list, check{name: "search", run: s.engine.Ping,
			remedy: "see that SHOPD_ELASTICSEARCH_URL names an Elasticsearch 8 that runs; without it shoppers browse by category only"})
	}
	for _, provider := range s.Payments.Providers() {
		if remedy, known := gatewayRemedies[provider]; known {
			list = append(list, check{name: provider, run: func(ctx context.Context) error { return s.Payments.Ping(ctx, provider) }, remedy: remedy})
		}
	}
	return append(list, check{name: "dead letters", after: "schema", run: func(ctx context.Context) error {
		counts, err := broker.NewDeadLetters(s.pools.relay).Count(ctx)
		if err != nil {
			return err
		}
		var waiting []string
		for consumer, n := range counts {
			if n > 0 {
				waiting = append(waiting, fmt.Sprintf("%d of %s wait", n, consumer))
			}
		}
		if len(waiting) == 0 {
			return nil
		}
		slices.Sort(waiting)
		return errors.New(strings.Join(waiting, ", "))
	}, remedy: "look with shopd dlq list, mend what is wrong, then shopd dlq redrive ID"})
}
