package orders

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"shopd/internal/events"
	"shopd/internal/money"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
	"shopd/internal/platform/postgres"
	"shopd/internal/platform/testenv"
)

// edges is the life of an order as the contract tells it. It is written down again on purpose: whoever changes the table in
// the code has to change it here.
var edges = map[[2]Status]bool{
	{PendingPayment, Paid}: true, {PendingPayment, Cancelled}: true,
	{Paid, PartiallyFulfilled}: true, {Paid, Fulfilled}: true, {Paid, Cancelled}: true,
	{PartiallyFulfilled, PartiallyFulfilled}: true, {PartiallyFulfilled, Fulfilled}: true,
	{Fulfilled, Completed}: true,
}

var allStatuses = []Status{PendingPayment, Paid, PartiallyFulfilled, Fulfilled, Completed, Cancelled}

// way is how an order gets to a status along the edges.
var way = map[Status][]Status{
	PendingPayment: {}, Paid: {Paid}, PartiallyFulfilled: {Paid, PartiallyFulfilled}, Fulfilled: {Paid, Fulfilled},
	Completed: {Paid, Fulfilled, Completed}, Cancelled: {Cancelled},
}

type edgeHouse struct {
	*Service
	pool *pgxpool.Pool
}

func newEdgeHouse(t *testing.T) *edgeHouse {
	t.Helper()
	pool, err := postgres.Open(t.Context(), postgres.Config{URL: testenv.Database(t), Role: "shopd_orders", MaxConns: 4})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return &edgeHouse{New(Deps{DB: pool, Carts: pool, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.Now().UTC() }, Registerer: prometheus.NewRegistry()}), pool}
}

const writeBareSQL = `
insert into orders.orders (id, cart_id, cart_version, status, currency, subtotal, discount, shipping, tax, tax_included, total, shipping_method, pieces, placed_at)
values ($1, $2, 1, 'pending_payment', 'EUR', 100, 0, 0, 0, 0, 100, '{}', 1, now())`

// at writes an order and takes it to the status.
func (h *edgeHouse) at(t *testing.T, status Status) *Order {
	t.Helper()
	o := &Order{ID: ID(id.New("ord")), CartID: CartID(id.New("cart")), Status: PendingPayment, Currency: "EUR", Version: 1}
	o.Totals.Total = money.New(100, "EUR")
	_, err := h.pool.Exec(t.Context(), writeBareSQL, o.ID, o.CartID)
	require.NoError(t, err)
	for _, next := range way[status] {
		require.NoError(t, h.step(t.Context(), o, next))
	}
	require.Equal(t, status, o.Status)
	return o
}

func (h *edgeHouse) step(ctx context.Context, o *Order, next Status) error {
	return h.move(ctx, h.pool, o, next, string(next), "system", "", events.OrderCompleted{OrderFacts: o.facts(h.now())})
}

// stored is what the database says of an order.
func (h *edgeHouse) stored(t *testing.T, o *Order) (status Status, version int64, moves int) {
	t.Helper()
	require.NoError(t, h.pool.QueryRow(t.Context(), `
		select status, version, (select count(*) from orders.order_history where order_id = o.id)
		from orders.orders as o where id = $1`, o.ID).Scan(&status, &version, &moves))
	return status, version, moves
}

// TestEveryEdgeWorksAndNothingElseDoes tries every pair of states, once as the code does it and once past the code: then the
// statement has to refuse it.
func TestEveryEdgeWorksAndNothingElseDoes(t *testing.T) {
	t.Parallel()
	h := newEdgeHouse(t)
	for _, from := range allStatuses {
		for _, to := range allStatuses {
			t.Run(fmt.Sprintf("%s to %s", from, to), func(t *testing.T) {
				allowed := edges[[2]Status{from, to}]
				require.Equal(t, allowed, from.May(to))
				o := h.at(t, from)
				_, before, moves := h.stored(t, o)

				err := h.step(t.Context(), o, to)
				status, version, movesAfter := h.stored(t, o)
				if allowed {
					require.NoError(t, err)
					require.Equal(t, []any{to, before + 1, moves + 1}, []any{status, version, movesAfter})
					return
				}
				require.ErrorIs(t, err, ErrInvalidState)
				require.Equal(t, []any{from, before, moves}, []any{status, version, movesAfter})

				// A program that believes the order to be where the edge begins.
				for _, pretended := range allStatuses {
					if !pretended.May(to) {
						continue
					}
					lie := *o
					lie.Status = pretended
					require.ErrorIs(t, h.step(t.Context(), &lie, to), errs.ErrStaleVersion, "as if it were %s", pretended)
				}
				// And one that asks the statement itself.
				var moved int64
				rows := make([]any, 0, 17)
				rows = append(rows, o.ID, o.Version, string(to), h.now(), sourcesOf(to), "moved", string(from), "system", "")
				rows = append(rows, []string{}, []string{}, []int32{}, []string{}, []int64{}, []string{}, "", h.now())
				require.ErrorIs(t, h.pool.QueryRow(t.Context(), moveSQL, rows...).Scan(&moved), pgx.ErrNoRows)
				status, version, movesAfter = h.stored(t, o)
				require.Equal(t, []any{from, before, moves}, []any{status, version, movesAfter}, "nothing of it was written")
			})
		}
	}
	// The history of all of them follows the edges, without a gap (I13).
	rows, err := h.pool.Query(t.Context(), `
		select h.from_status, h.to_status, lag(h.to_status) over (partition by h.order_id order by h.version)
		from orders.order_history as h
		where h.from_status is not null`)
	require.NoError(t, err)
	n := 0
	var from, to Status
	var last *Status
	_, err = pgx.ForEachRow(rows, []any{&from, &to, &last}, func() error {
		n++
		require.True(t, edges[[2]Status{from, to}], "%s to %s", from, to)
		if last != nil {
			require.Equal(t, *last, from)
		}
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, n, 30)
}

// TestOneOfManyMovesAnOrder lets many take the same order along different edges at the same moment.
func TestOneOfManyMovesAnOrder(t *testing.T) {
	t.Parallel()
	h := newEdgeHouse(t)
	for range 20 {
		o := h.at(t, PendingPayment)
		done := make(chan error, 8)
		for i := range cap(done) {
			mine := *o
			next := []Status{Paid, Cancelled}[i%2]
			go func() { done <- h.step(context.WithoutCancel(t.Context()), &mine, next) }()
		}
		won := 0
		for range cap(done) {
			if err := <-done; err == nil {
				won++
			} else {
				require.ErrorIs(t, err, errs.ErrStaleVersion)
			}
		}
		require.Equal(t, 1, won)
		_, version, moves := h.stored(t, o)
		require.Equal(t, []any{int64(2), 1}, []any{version, moves})
	}
}

// TestReturnsMoveAlongTheirEdgesOnly has the edges of a return written down again.
func TestReturnsMoveAlongTheirEdgesOnly(t *testing.T) {
	t.Parallel()
	all := []ReturnStatus{ReturnRequested, ReturnApproved, ReturnReceived, ReturnRejected, ReturnCancelled}
	allowed := map[[2]ReturnStatus]bool{
		{ReturnRequested, ReturnApproved}: true, {ReturnRequested, ReturnRejected}: true, {ReturnRequested, ReturnCancelled}: true,
		{ReturnApproved, ReturnReceived}: true, {ReturnApproved, ReturnRejected}: true, {ReturnApproved, ReturnCancelled}: true,
	}
	h := newEdgeHouse(t)
	o := h.at(t, Fulfilled)
	for _, from := range all {
		for _, to := range all {
			require.Equal(t, allowed[[2]ReturnStatus{from, to}], from.May(to), "%s to %s", from, to)
			r := Return{ID: id.New("ret"), Status: from, Reason: "other", At: h.now(), Lines: []ReturnLine{}}
			require.NoError(t, pgx.BeginFunc(t.Context(), h.pool, func(tx pgx.Tx) error { return insertReturn(t.Context(), tx, o.ID, r, nil) }))
			r.Status, r.Changed = to, h.now()
			err := pgx.BeginFunc(t.Context(), h.pool, func(tx pgx.Tx) error { return updateReturn(t.Context(), tx, r) })
			if allowed[[2]ReturnStatus{from, to}] {
				require.NoError(t, err)
				continue
			}
			require.ErrorIs(t, err, ErrInvalidState, "the statement refuses %s to %s", from, to)
		}
	}
}

// TestSharesOfALineAddUp takes lines apart in every order of steps.
func TestSharesOfALineAddUp(t *testing.T) {
	t.Parallel()
	for _, line := range []Line{
		{Quantity: 3, Total: money.New(1000, "EUR"), Tax: money.New(160, "EUR")},
		{Quantity: 7, Total: money.New(999, "EUR"), Tax: money.New(89, "EUR")},
		{Quantity: 1, Total: money.New(1, "JPY"), Tax: money.New(0, "JPY")},
		{Quantity: 9999, Total: money.New(3, "EUR"), Tax: money.New(1, "EUR")},
		{Quantity: 4, Total: money.New(0, "EUR"), Tax: money.New(0, "EUR")},
	} {
		for _, step := range []int{1, 2, 3, 1000} {
			l, total, tax := line, money.New(0, line.Total.Currency), money.New(0, line.Total.Currency)
			for left := l.Quantity; left > 0; left = l.Quantity - l.taken() {
				n := min(step, left)
				a, b := l.worth(n)
				require.GreaterOrEqual(t, a.Minor, int64(0))
				require.GreaterOrEqual(t, b.Minor, int64(0))
				total, tax = total.Add(a), tax.Add(b)
				if l.Cancelled <= l.Returned {
					l.Cancelled += n
				} else {
					l.Returned += n
				}
			}
			require.Equal(t, [2]money.Amount{line.Total, line.Tax}, [2]money.Amount{total, tax}, "%d pieces in steps of %d", line.Quantity, step)
		}
	}
}
