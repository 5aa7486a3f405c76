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
		resealed, err := resealOrders(ctx, s)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.Stdout, "%d keys and %d addresses are under the new master key; %d are left for another run.\n%d contacts of orders and carts are under the keys of their people.\n",
			done.Keys, done.Indexes, done.Skipped, resealed)
		return err
	})
}

// resealBatch is how many contacts are read at a time.
const resealBatch = 500

// resealOrders brings contacts that an older version sealed under the keys of their people.
func resealOrders(ctx context.Context, s *Shop) (moved int, err error) {
	after := ""
	for {
		n, next, err := s.Orders.Reseal(ctx, after, resealBatch)
		if err != nil {
			return moved, err
		}
		moved += n
		if after = next; after == "" {
			return moved, nil
		}
	}
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
