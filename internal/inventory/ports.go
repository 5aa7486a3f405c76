package inventory

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Alerter tells people.
type Alerter interface {
	// Alert tells of a when tx commits, once for each key.
	Alert(ctx context.Context, tx pgx.Tx, a Alert) error
}

// Alert is something about the stock that people should know.
type Alert struct {
	Key     string // the occasion
	Summary string
	Urgent  bool
	Details map[string]string
	At      time.Time
}
