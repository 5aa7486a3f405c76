package users

import (
	"context"
	"encoding/json"

	"github.com/jackc/pgx/v5"

	"shopd/internal/platform/ratelimit"
)

// Mail is a letter to one person. It is personal data: whoever keeps it until it is sent keeps it sealed.
type Mail struct {
	Key      string // tells this mail from every other
	To       string
	Template string // which letter it is, for logs and metrics: "password_reset"
	Subject  string
	Text     string
	HTML     string
}

// Mailer puts a mail into the outgoing ones as part of tx: it is sent when tx commits, and only then.
type Mailer interface {
	Send(ctx context.Context, tx pgx.Tx, mail Mail) error
}

// RateLimiter bounds attempts on one account, over all addresses they come from. It returns an error of kind
// errs.RateLimited for one too many. *ratelimit.Limiter is one.
type RateLimiter interface {
	Check(ctx context.Context, class ratelimit.Class, key string) error
}

// OrderExporter gives everything the shop keeps of a customer's orders, as a JSON array.
type OrderExporter interface {
	ExportOrders(ctx context.Context, customerID string) (json.RawMessage, error)
}
