package events_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shopd/internal/events"
	"shopd/internal/money"
)

var update = flag.Bool("update", false, "write testdata/*.json and docs/events.md again")

// at is when everything in the samples happens.
var at = time.Date(2026, 3, 14, 15, 9, 26, 535_000_000, time.UTC)

// samples has one event of each type with every field set, so that the golden files show all of them.
func samples() []events.Event {
	order := events.OrderFacts{
		OrderID: "ord_06ccdzz5s9w0p8k1m4t2q7r3yb", Number: 4711, CartID: "cart_06ccdzx2q1v9n7h3b5k8m2w4rt", CustomerID: "cus_06bq4h8s1d7k3n9p5w2m6v0xyz",
		Total: usd(9290), Version: 1, At: at,
		Lines: []events.OrderLine{{
			VariantID: "var_06aw5e3r9t7y1u2i4o6p8a0sdf", ProductID: "prod_06aw5e3qzx1c7v9b3n5m2k8jhg", SKU: "24-MB01", Quantity: 2, UnitPrice: usd(3400),
		}},
		Promotions: []events.OrderPromotion{{PromotionID: "promo_06aw5e3r8k2m4n6p9q1s3t5v7w", Code: "SPRING", Discount: usd(680)}},
	}
	payment := events.PaymentFacts{PaymentID: "pay_06ccdzz6b3n5m7k9j1h2g4f8dq", OrderID: order.OrderID, Provider: "stripe", Amount: usd(9290), Version: 2}
	later := func(version int64) events.OrderFacts {
		o := order
		o.Version = version
		return o
	}
	compareAt, lowest := usd(4250), usd(3600)
	return []events.Event{
		events.ProductChanged{ProductID: order.Lines[0].ProductID, Status: "active", Version: 7},
		events.StockChanged{SKU: "24-MB01", Location: "main", OnHand: 40, Reserved: 2, Available: 38, Orderable: 48, Kind: "reserved", OrderID: order.OrderID, Version: 12},
		events.StockLow{SKU: "24-MB01", Location: "main", Available: 4, ReorderPoint: 5, Version: 40},
		events.StockedOut{SKU: "24-MB01", Location: "main", OnHand: 2, Reserved: 2, Version: 44},
		events.OrderPlaced{OrderFacts: order},
		events.OrderPaid{OrderFacts: later(2), PaymentID: payment.PaymentID},
		events.OrderCancelled{OrderFacts: later(3), Reason: "cancelled by the customer", WasPaid: true},
		events.OrderFulfilled{OrderFacts: later(3), FulfilmentID: "ful_06ccf1a2s3d4f5g6h7j8k9l0zx", Complete: true},
		events.OrderLinesCancelled{
			OrderFacts: later(3), Taken: []events.OrderPieces{{SKU: "24-MB01", Quantity: 1}}, Restock: []events.OrderPieces{{SKU: "24-MB01", Quantity: 1}},
		},
		events.ReturnChanged{
			OrderFacts: later(5), ReturnID: "ret_06ccf3z1x2c3v4b5n6m7a8s9df", Status: "received", Restock: []events.OrderPieces{{SKU: "24-MB01", Quantity: 1}},
		},
		events.OrderRefunded{
			OrderFacts: later(5), RefundID: "ref_06ccf2q1w2e3r4t5y6u7i8o9pa", Amount: usd(3400), Reason: "return", ReturnID: "ret_06ccf3z1x2c3v4b5n6m7a8s9df",
		},
		events.PaymentRequested{OrderFacts: order, ParentID: "ord_06ccdbb1a2s3d4f5g6h7j8k9l0"},
		events.OrderCompleted{OrderFacts: later(6)},
		events.PaymentCaptured{PaymentFacts: payment},
		events.PaymentFailed{PaymentFacts: payment, Reason: "The card was declined."},
		events.PaymentRefunded{PaymentFacts: payment, RefundID: "ref_06ccf2q1w2e3r4t5y6u7i8o9pa"},
		events.PriceChanged{
			VariantID: order.Lines[0].VariantID, SKU: "24-MB01", Price: usd(3400), CompareAt: &compareAt, LowestBefore: &lowest,
			Source: "admin", ValidFrom: at, Version: 3,
		},
		events.PromotionChanged{
			PromotionID: order.Promotions[0].PromotionID, Change: "created", Actor: "staff:stf_06aw5e3r7h3j5k7m9n1p3q5r7s", Kind: "percentage", Active: true, Version: 1,
		},
		events.CustomerRegistered{CustomerID: order.CustomerID, Version: 1, At: at},
		events.CustomerErased{CustomerID: order.CustomerID, Version: 9, At: at},
	}
}

func usd(minor int64) money.Amount { return money.New(minor, "USD") }

func golden(name string) string { return filepath.Join("testdata", name+".json") }

// TestPayloadsAreWhatConsumersHaveSeen fails when a field is renamed or taken away: that is a new version of the event.
func TestPayloadsAreWhatConsumersHaveSeen(t *testing.T) {
	t.Parallel()
	for _, ev := range samples() {
		t.Run(ev.Type(), func(t *testing.T) {
			t.Parallel()
			have, err := json.MarshalIndent(ev, "", "  ")
			require.NoError(t, err)
			have = append(have, '\n')
			if *update {
				require.NoError(t, os.WriteFile(golden(ev.Type()), have, 0o644))
			}
			want, err := os.ReadFile(golden(ev.Type()))
			require.NoError(t, err)
			require.Equal(t, string(want), string(have), "if fields were added only: go test ./internal/events -update")

			read := reflect.New(reflect.TypeOf(ev))
			decoder := json.NewDecoder(bytes.NewReader(want))
			decoder.DisallowUnknownFields()
			require.NoError(t, decoder.Decode(read.Interface()))
			require.Equal(t, ev, read.Elem().Interface(), "what was written can be read")
		})
	}
}

func TestEveryTypeHasASampleAndNoFileIsLeftOver(t *testing.T) {
	t.Parallel()
	var sampled, files []string
	for _, ev := range samples() {
		sampled = append(sampled, ev.Type())
	}
	slices.Sort(sampled)
	require.Equal(t, slices.Sorted(maps.Keys(declared(t))), sampled)
	paths, err := filepath.Glob(golden("*"))
	require.NoError(t, err)
	for _, p := range paths {
		files = append(files, strings.TrimSuffix(filepath.Base(p), ".json"))
	}
	require.Equal(t, sampled, files)
}

func TestEventsNameTheirAggregate(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`^(catalog|inventory|orders|payments|pricing|recs|users)\.[a-z]+(_[a-z]+)+\.v[1-9]\d*$`)
	for _, ev := range samples() {
		aggregate, version := ev.Aggregate()
		require.Regexp(t, name, ev.Type())
		require.NotEmpty(t, aggregate, ev.Type())
		require.Positive(t, version, ev.Type())
	}
}

// TestEventsCarryNoPersonalData holds because events go to brokers and logs of others, and are never erased there.
func TestEventsCarryNoPersonalData(t *testing.T) {
	t.Parallel()
	personal := regexp.MustCompile(`(?i)e.?mail|phone|address|street|city|postal|birth|"(first_|last_|full_)?name"|"ip"|password|secret|token`)
	for _, ev := range samples() {
		data, err := json.Marshal(ev)
		require.NoError(t, err)
		require.NotRegexp(t, personal, string(data), ev.Type())
	}
}

func TestEnvelope(t *testing.T) {
	t.Parallel()
	trace := "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	ev := samples()[4]
	env, err := events.Wrap(ev, at.In(time.FixedZone("somewhere", 3600)), trace)
	require.NoError(t, err)
	require.Regexp(t, `^evt_`, env.ID)
	require.Equal(t, "orders.order_placed.v1", env.Type)
	require.Equal(t, 1, env.Version)
	require.Equal(t, trace, env.Trace)

	body, err := json.Marshal(env)
	require.NoError(t, err)
	var members map[string]any
	require.NoError(t, json.Unmarshal(body, &members))
	require.Equal(t, []string{"aggregate_id", "aggregate_version", "data", "id", "occurred_at", "trace", "type", "version"}, slices.Sorted(maps.Keys(members)))
	require.Equal(t, "2026-03-14T15:09:26.535Z", members["occurred_at"], "UTC")

	opened, err := events.Open[events.OrderPlaced](env)
	require.NoError(t, err)
	require.Equal(t, ev, opened)
	_, err = events.Open[events.OrderPlaced](events.Envelope{Data: json.RawMessage(`{"lines": 1}`)})
	require.Error(t, err)
}
