package mail

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"shopd/internal/platform/crash"
	"shopd/internal/platform/jobs"
)

// Once are the options of a job that sends a letter: one for each key, tried for about three quarters of a day.
var Once = jobs.Options{Once: true, MaxAttempts: 12}

// Sealer keeps letters unreadable while they wait in the database.
type Sealer interface {
	Seal(plain, associatedData []byte) ([]byte, error)
	Open(sealed, associatedData []byte) ([]byte, error)
}

// Outbox puts letters into transactions.
type Outbox struct {
	queue  *jobs.Queue
	sealer Sealer
}

// NewOutbox returns an outbox whose letters are sent by a process that has called Deliver.
func NewOutbox(queue *jobs.Queue, sealer Sealer) *Outbox {
	return &Outbox{queue: queue, sealer: sealer}
}

// Enqueue sends the message when tx commits, once for each key: name the event and the template in it.
func (o *Outbox) Enqueue(ctx context.Context, tx pgx.Tx, key string, m Message) error {
	if err := m.check(); err != nil {
		return err
	}
	plain, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("write mail %s: %w", key, err)
	}
	sealed, err := o.sealer.Seal(plain, associated(key))
	if err != nil {
		return fmt.Errorf("seal mail %s: %w", key, err)
	}
	return o.queue.Enqueue(ctx, tx, sendArgs{Key: key, Sealed: sealed}, Once)
}

// Deliver makes a process that works on jobs send the letters.
func Deliver(r *jobs.Registry, sealer Sealer, sender Sender) {
	jobs.Handle(r, func(ctx context.Context, args sendArgs) error {
		plain, err := sealer.Open(args.Sealed, associated(args.Key))
		if err != nil {
			return fmt.Errorf("open mail %s: %w", args.Key, err)
		}
		letter := Letter{Key: args.Key}
		if err := json.Unmarshal(plain, &letter.Message); err != nil {
			return fmt.Errorf("read mail %s: %w", args.Key, err)
		}
		err = sender.Send(ctx, letter)
		crash.At("mail.sent")
		return err
	})
}

// sendArgs is a letter in the database.
type sendArgs struct {
	Key    string `json:"key" river:"unique"`
	Sealed []byte `json:"sealed"`
}

// Kind names the work.
func (sendArgs) Kind() string { return "mail.send" }

// associated ties a sealed letter to its key, so that it cannot be put in the place of another.
func associated(key string) []byte { return []byte("jobs|mail.send|" + key) }
