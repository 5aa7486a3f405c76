package orders

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/events"
	"shopd/internal/platform/errs"
)

// Parcel says what of an order goes out. Without Lines it is everything that is left.
type Parcel struct {
	Lines []LinePieces
	Tracking
	Actor string
	Key   string // of the request: the same one again sends nothing more
}

// Tracking is how a parcel can be followed. All of it may be empty.
type Tracking struct {
	Carrier string
	Number  string
	URL     string // made from carrier and number for carriers that we know, when it is empty
}

// carriers are pages that show where a parcel is; %s is its number.
var carriers = map[string]string{
	"deutsche post": "https://www.deutschepost.de/de/s/sendungsverfolgung.html?piececode=%s",
	"dhl":           "https://www.dhl.com/global-en/home/tracking.html?tracking-id=%s",
	"dpd":           "https://tracking.dpd.de/status/en_US/parcel/%s",
	"fedex":         "https://www.fedex.com/fedextrack/?trknbr=%s",
	"gls":           "https://gls-group.eu/track/%s",
	"royal mail":    "https://www.royalmail.com/track-your-item#/tracking-results/%s",
	"ups":           "https://www.ups.com/track?tracknum=%s",
	"usps":          "https://tools.usps.com/go/TrackConfirmAction?tLabels=%s",
}

// check tidies a tracking up, and refuses an address that is no web page.
func (t *Tracking) check() error {
	t.Carrier, t.Number, t.URL = strings.TrimSpace(t.Carrier), strings.TrimSpace(t.Number), strings.TrimSpace(t.URL)
	for field, text := range map[string]string{"/carrier": t.Carrier, "/tracking": t.Number, "/tracking_url": t.URL} {
		if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' }) {
			return errs.Validation(errs.Field{Pointer: field, Code: "invalid", Detail: "Control characters are not allowed."})
		}
	}
	if t.URL != "" {
		u, err := url.Parse(t.URL)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
			return ErrTrackingURL.WithFields(errs.Field{Pointer: "/tracking_url", Code: "url_not_allowed", Detail: ErrTrackingURL.Detail})
		}
		return nil
	}
	if page := carriers[strings.ToLower(t.Carrier)]; page != "" && t.Number != "" {
		t.URL = fmt.Sprintf(page, url.QueryEscape(t.Number))
	}
	return nil
}

// Fulfil records that goods of a paid order went out. It returns ErrInvalidState for an order that is not paid, and
// a validation error for more pieces than are left.
func (s *Service) Fulfil(ctx context.Context, orderID ID, parcel Parcel) (*Order, error) {
	if err := parcel.check(); err != nil {
		return nil, err
	}
	fulfilment := rowID("ful", orderID, parcel.Actor, parcel.Key)
	return s.amend(ctx, orderID, Access{Staff: true}, func(tx pgx.Tx, o *Order) error {
		for _, f := range o.Fulfilments {
			if f.ID == fulfilment {
				return nil // the request came before
			}
		}
		lines, complete, err := o.pack(parcel.Lines)
		if err != nil {
			return err
		}
		next := PartiallyFulfilled
		if complete {
			next = Fulfilled
		}
		ev := events.OrderFulfilled{OrderFacts: o.facts(s.now()), FulfilmentID: fulfilment, Complete: complete}
		if err := s.move(ctx, tx, o, next, "fulfilled", parcel.Actor, fulfilment, ev); err != nil {
			return err
		}
		return writeFulfilment(ctx, tx, o, fulfilment, lines, parcel.Tracking, o.History[len(o.History)-1].At)
	})
}

const fulfilLinesSQL = `
update orders.order_lines as l
set fulfilled = l.fulfilled + f.quantity
from unnest($2::text[], $3::int[]) as f (id, quantity)
where l.order_id = $1 and l.id = f.id`

const insertFulfilmentSQL = `
insert into orders.fulfilments (id, order_id, lines, carrier, tracking, tracking_url, created_at)
values ($1, $2, $3, $4, $5, $6, $7)`

func writeFulfilment(ctx context.Context, tx pgx.Tx, o *Order, fulfilment string, lines []LinePieces, t Tracking, at time.Time) error {
	ids, quantities := columnsOf(lines)
	if _, err := tx.Exec(ctx, fulfilLinesSQL, o.ID, ids, quantities); err != nil {
		return fmt.Errorf("count what goes out of order %s: %w", o.ID, err)
	}
	body, err := json.Marshal(lines)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, insertFulfilmentSQL, fulfilment, o.ID, body, t.Carrier, t.Number, t.URL, at)
	return err
}

// columnsOf are lines as two arrays.
func columnsOf(lines []LinePieces) (ids []string, quantities []int32) {
	ids, quantities = make([]string, len(lines)), make([]int32, len(lines))
	for i, l := range lines {
		ids[i], quantities[i] = l.LineID, int32(l.Quantity)
	}
	return ids, quantities
}

// pack checks what is to go out against what is left, and says whether nothing remains.
func (o *Order) pack(wanted []LinePieces) (lines []LinePieces, complete bool, err error) {
	left, total := map[string]int{}, o.Unsent()
	for _, l := range o.Lines {
		left[l.ID] = l.Unsent()
	}
	if len(wanted) == 0 {
		return o.unsentLines(), true, nil
	}
	for i, w := range wanted {
		if w.Quantity < 1 || w.Quantity > left[w.LineID] {
			return nil, false, ErrQuantity.WithDetail("Only %d pieces of line %s are left to send.", left[w.LineID], w.LineID).
				WithFields(errs.Field{Pointer: fmt.Sprintf("/lines/%d/quantity", i), Code: "invalid_quantity", Detail: "more than is left"})
		}
		left[w.LineID] -= w.Quantity
		total -= w.Quantity
	}
	return mergeLines(wanted), total == 0, nil
}

// unsentLines is everything that is left to send.
func (o *Order) unsentLines() []LinePieces {
	lines := []LinePieces{}
	for _, l := range o.Lines {
		if n := l.Unsent(); n > 0 {
			lines = append(lines, LinePieces{LineID: l.ID, Quantity: n})
		}
	}
	return lines
}

// mergeLines sums lines up that are named twice: a statement changes each row once.
func mergeLines(lines []LinePieces) []LinePieces {
	merged := make([]LinePieces, 0, len(lines))
	at := map[string]int{}
	for _, l := range lines {
		if i, ok := at[l.LineID]; ok {
			merged[i].Quantity += l.Quantity
			continue
		}
		at[l.LineID] = len(merged)
		merged = append(merged, l)
	}
	return merged
}

const setTrackingSQL = `
update orders.fulfilments
set carrier = $3, tracking = $4, tracking_url = $5
where id = $1 and order_id = $2`

// SetTracking says how a parcel that went out can be followed.
func (s *Service) SetTracking(ctx context.Context, orderID ID, fulfilment string, t Tracking, actor string) (*Order, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	return s.amend(ctx, orderID, Access{Staff: true}, func(tx pgx.Tx, o *Order) error {
		tag, err := tx.Exec(ctx, setTrackingSQL, fulfilment, o.ID, t.Carrier, t.Number, t.URL)
		if err != nil {
			return fmt.Errorf("write the tracking of parcel %s: %w", fulfilment, err)
		}
		if tag.RowsAffected() == 0 {
			return errs.ErrNotFound
		}
		return s.note(ctx, tx, o, entry{kind: kindTracking, actor: actor, ref: fulfilment, detail: strings.TrimSpace(t.Carrier + " " + t.Number)})
	})
}
