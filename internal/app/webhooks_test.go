package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shopd/internal/money"
	"shopd/internal/payments/gatewaytest"
	stripedouble "shopd/internal/payments/gatewaytest/stripe"
	"shopd/internal/platform/id"
)

func moneyOf(minor int64) money.Amount { return money.New(minor, "EUR") }

// webhookJSON is what staff see of a webhook.
type webhookJSON struct {
	ID, Provider, Type, Status, Reason string
	EventID                            string `json:"event_id"`
	PaymentID                          string `json:"payment_id"`
}

// told waits until the webhook of an event has been worked on.
func (b *bank) told(t *testing.T, eventID string) webhookJSON {
	t.Helper()
	staff := b.keyWith(t, "orders:read")
	var found webhookJSON
	within(t, opening, func() error {
		for _, w := range listWebhooks(t, staff, "") {
			if w.EventID == eventID && w.Status != "received" {
				found = w
				return nil
			}
		}
		return fmt.Errorf("webhook %s is not worked on", eventID)
	})
	return found
}

func listWebhooks(t *testing.T, staff *client, query string) []webhookJSON {
	t.Helper()
	var list struct{ Items []webhookJSON }
	staff.on(t).get(adminAPI + "/webhooks?limit=100" + query).is(http.StatusOK).decode(&list)
	return list.Items
}

// stripeEvent is an event in Stripe's form about a payment intent.
func stripeEvent(kind string, intent map[string]any) map[string]any {
	return map[string]any{
		"id": "evt_" + strings.ReplaceAll(id.New("x"), "_", ""), "object": "event", "api_version": "2023-10-16", "created": time.Now().Unix(), "livemode": false, "type": kind,
		"data": map[string]any{"object": intent},
	}
}

// post sends an event with a signature.
func (b *bank) signed(t *testing.T, event map[string]any, secret string, at time.Time) *reply {
	t.Helper()
	body, err := json.Marshal(event)
	require.NoError(t, err)
	return b.raw(t, "stripe", body, "Stripe-Signature", stripedouble.Sign(body, secret, at))
}

func (b *bank) raw(t *testing.T, provider string, body []byte, headers ...string) *reply {
	t.Helper()
	return b.guest(t).post("/webhooks/"+provider, string(body), headers...)
}

// waiting is an order whose payment waits for its shopper at Stripe.
func (b *bank) waiting(t *testing.T) (*buyer, orderJSON, gatewaytest.Payment) {
	t.Helper()
	buyer := newBuyer(b.guest(t)).add(b.stock(t, 2500, 10), 1).checkout()
	var o orderJSON
	buyer.pay("stripe", "pm_card_authenticationRequired").is(http.StatusCreated).decode(&o)
	entry, found := b.stripe.Book.Find(func(p *gatewaytest.Payment) bool { return p.OrderID == o.ID })
	require.True(t, found)
	return buyer, o, entry
}

func intentOf(p gatewaytest.Payment, amount int64) map[string]any {
	return map[string]any{
		"id": p.Ref, "object": "payment_intent", "amount": amount, "currency": "eur", "status": "succeeded",
		"metadata": map[string]string{"shopd_payment": p.PaymentID, "shopd_order": p.OrderID},
	}
}

// forgedWebhooks are those that Stripe did not sign.
func forgedWebhooks(t *testing.T, b *bank) {
	buyer, o, entry := b.waiting(t)
	event := stripeEvent("payment_intent.succeeded", intentOf(entry, entry.Amount))
	body, err := json.Marshal(event)
	require.NoError(t, err)
	now := time.Now()
	header := stripedouble.Sign(body, stripedouble.DefaultWebhookSecret, now)
	var anew bytes.Buffer
	require.NoError(t, json.Indent(&anew, body, "", "  "))
	for name, c := range map[string]struct {
		body   []byte
		header string
	}{
		"none":               {body, ""},
		"of another secret":  {body, stripedouble.Sign(body, "whsec_guessed", now)},
		"an empty secret":    {body, stripedouble.Sign(body, "", now)},
		"too old":            {body, stripedouble.Sign(body, stripedouble.DefaultWebhookSecret, now.Add(-6*time.Minute))},
		"of the test scheme": {body, strings.ReplaceAll(header, "v1=", "v0=")},
		"of another body":    {bytes.ReplaceAll(body, []byte(entry.Ref), []byte("pi_other")), header},
		"of the body anew":   {anew.Bytes(), header},
		"no time":            {body, "v1=" + header[strings.Index(header, "v1=")+3:]},
		"rubbish":            {body, strings.Repeat("t=1,v1=zz,", 500)},
	} {
		b.raw(t, "stripe", c.body, "Stripe-Signature", c.header).refuses(http.StatusBadRequest, "invalid_signature")
		require.Zero(t, b.number(t, `select count(*) from payments.webhooks where event_id = $1`, event["id"]), name)
	}
	b.raw(t, "paypal", body).refuses(http.StatusBadRequest, "invalid_signature")
	b.raw(t, "paypal", []byte(`{"id":"WH-1","event_type":"PAYMENT.CAPTURE.COMPLETED"}`), "PayPal-Transmission-Id", "1", "PayPal-Transmission-Time", now.Format(time.RFC3339),
		"PayPal-Transmission-Sig", "AAAA", "PayPal-Auth-Algo", "SHA256withRSA", "PayPal-Cert-Url", b.Config.PayPal.APIURL+"/v1/notifications/certs/CERT-DOUBLE").
		refuses(http.StatusBadRequest, "invalid_signature")
	require.Equal(t, "pending_payment", buyer.order(o.ID).Status)
	// The older of two secrets still signs.
	b.signed(t, stripeEvent("payment_intent.created", intentOf(entry, entry.Amount)), "whsec_older", now).is(http.StatusNoContent)
}

// disagreeingWebhooks are signed, and say something else than what was asked for.
func disagreeingWebhooks(t *testing.T, b *bank) {
	buyer, o, entry := b.waiting(t)
	_, _, foreign := b.waiting(t)
	staff := b.keyWith(t, "orders:*")
	quarantined := func() int64 {
		return b.number(t, `select count(*) from payments.webhooks where status = 'quarantined'`)
	}
	before := quarantined()
	wrong := map[string]map[string]any{
		"amount":   stripeEvent("payment_intent.succeeded", intentOf(entry, 5)),
		"currency": stripeEvent("payment_intent.succeeded", merged(intentOf(entry, entry.Amount), "currency", "usd")),
		"order": stripeEvent("payment_intent.succeeded", merged(intentOf(entry, entry.Amount), "metadata",
			map[string]string{"shopd_payment": entry.PaymentID, "shopd_order": foreign.OrderID})),
		"object":  stripeEvent("payment_intent.succeeded", merged(intentOf(entry, entry.Amount), "id", foreign.Ref)),
		"account": merged(stripeEvent("payment_intent.succeeded", intentOf(entry, entry.Amount)), "account", "acct_evil"),
		"mode":    merged(stripeEvent("payment_intent.succeeded", intentOf(entry, entry.Amount)), "livemode", true),
	}
	for name, event := range wrong {
		b.signed(t, event, stripedouble.DefaultWebhookSecret, time.Now()).is(http.StatusNoContent)
		w := b.told(t, event["id"].(string))
		require.Equal(t, "quarantined", w.Status, name)
		require.NotEmpty(t, w.Reason, name)
	}
	// One that is right in every word, and false: the gateway has not been paid.
	lie := stripeEvent("payment_intent.succeeded", intentOf(entry, entry.Amount))
	b.signed(t, lie, stripedouble.DefaultWebhookSecret, time.Now()).is(http.StatusNoContent)
	require.Equal(t, "processed", b.told(t, lie["id"].(string)).Status, "it was asked about")
	require.GreaterOrEqual(t, quarantined(), before+int64(len(wrong)))
	o = buyer.order(o.ID)
	require.Equal(t, []string{"pending_payment", "requires_action"}, []string{o.Status, o.Payment.Status})
	require.Zero(t, b.number(t, `select count(*) from public_views.v_ledger as l join payments.ledger as i using (transaction_id) where i.payment_id = $1`, o.Payment.ID))
	require.Contains(t, string(newClient(t, b.ops).get("/metrics").body), `shopd_webhooks_total{outcome="quarantined",provider="stripe"}`)

	list := listWebhooks(t, staff, "&status=quarantined&provider=stripe")
	require.GreaterOrEqual(t, len(list), len(wrong))
	b.guest(t).get(adminAPI+"/webhooks").refuses(http.StatusUnauthorized, "authentication_required")
	var again webhookJSON
	staff.post(adminAPI+"/webhooks/"+list[0].ID+"/reprocess", nil).is(http.StatusOK).decode(&again)
	require.Equal(t, "quarantined", again.Status)
	staff.post(adminAPI+"/webhooks/whk_unknown/reprocess", nil).refuses(http.StatusNotFound, "not_found")
}

func merged(object map[string]any, key string, value any) map[string]any {
	object[key] = value
	return object
}

// unknownWebhooks are signed and about nothing that this shop knows: they are kept, and answered as taken.
func unknownWebhooks(t *testing.T, b *bank) {
	_, _, entry := b.waiting(t)
	stranger := gatewaytest.Payment{Ref: "pi_stranger", PaymentID: id.New("pay"), OrderID: id.New("ord"), Amount: 100}
	newer := merged(stripeEvent("payment_intent.succeeded", merged(intentOf(entry, entry.Amount), "new_field", map[string]any{"a": []int{1}})), "api_version", "2031-01-01.zebra")
	for name, c := range map[string]struct {
		event  map[string]any
		status string
	}{
		"type":    {stripeEvent("treasury.unheard_of", map[string]any{"id": "tr_1", "object": "treasury"}), "ignored"},
		"order":   {stripeEvent("payment_intent.succeeded", intentOf(stranger, 100)), "ignored"},
		"foreign": {stripeEvent("charge.succeeded", map[string]any{"id": "ch_1", "object": "charge", "amount": 5, "currency": "eur", "metadata": map[string]string{}}), "ignored"},
		"version": {newer, "processed"},
	} {
		b.signed(t, c.event, stripedouble.DefaultWebhookSecret, time.Now()).is(http.StatusNoContent)
		require.Equal(t, c.status, b.told(t, c.event["id"].(string)).Status, name)
	}
}

func repeatedWebhook(t *testing.T, b *bank) {
	buyer, o, entry := b.waiting(t)
	answers(t, o.Payment.NextAction.URL, "approve")
	event := stripeEvent("payment_intent.succeeded", intentOf(entry, entry.Amount))
	body, err := json.Marshal(event)
	require.NoError(t, err)
	second := stripeEvent("charge.succeeded", map[string]any{
		"id": "ch_x", "object": "charge", "amount": entry.Amount, "currency": "eur", "payment_intent": entry.Ref,
		"metadata": map[string]string{"shopd_payment": entry.PaymentID, "shopd_order": entry.OrderID},
	})
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			a, err := b.guest(t).try(http.MethodPost, "/webhooks/stripe", string(body), "Stripe-Signature", stripedouble.Sign(body, stripedouble.DefaultWebhookSecret, time.Now()))
			if err != nil || a.status != http.StatusNoContent {
				t.Errorf("%v %v", a, err)
			}
		})
	}
	wg.Wait()
	b.signed(t, second, stripedouble.DefaultWebhookSecret, time.Now()).is(http.StatusNoContent)
	o = buyer.becomes(o.ID, "paid")
	require.Equal(t, int64(1), b.number(t, `select count(*) from payments.webhooks where event_id = $1`, event["id"]))
	b.told(t, second["id"].(string))
	require.Equal(t, int64(1), b.number(t, `select count(*) from public_views.v_events where aggregate_id = $1 and type = 'orders.order_paid.v1'`, o.ID))
	require.Equal(t, int64(2), b.number(t, `select count(*) from payments.ledger where payment_id = $1`, o.Payment.ID), "one transaction of two sides")
	captured, _ := sums(t, b.stripe.Book, b.store, o.ID)
	require.Equal(t, o.Totals.Total.Amount, captured)
}

func badWebhooks(t *testing.T, b *bank) {
	large := bytes.Repeat([]byte("x"), 5<<20)
	b.raw(t, "stripe", large, "Stripe-Signature", "t=1,v1=00").refuses(http.StatusRequestEntityTooLarge, "body_too_large")
	b.raw(t, "unheardof", []byte("{}")).refuses(http.StatusNotFound, "not_found")
	b.raw(t, "test", []byte("{}")).refuses(http.StatusNotFound, "not_found")
	b.guest(t).get("/webhooks/stripe").is(http.StatusMethodNotAllowed)
	for _, body := range []string{"", "null", "[]", `{"id":5}`, "{", `{"id":"evt_1"}`} {
		header := stripedouble.Sign([]byte(body), stripedouble.DefaultWebhookSecret, time.Now())
		b.raw(t, "stripe", []byte(body), "Stripe-Signature", header).refuses(http.StatusBadRequest, "malformed_body")
	}
}
