// Package stripe is a Stripe that moves no money: it speaks enough of the v1 API for a shop to be tested against it by
// Stripe's own SDK, keeps a book of what it took, and does what its script says.
package stripe

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/webhook"

	"shopd/internal/payments/gatewaytest"
)

// Options of a double; every field may be left out.
type Options struct {
	// SecretKey is the only one it lets in; empty lets in every sk_test_….
	SecretKey string
	// WebhookSecret signs webhooks; empty is DefaultWebhookSecret.
	WebhookSecret string
	// WebhookURL is where webhooks go; empty brings none.
	WebhookURL string
	// BaseURL is the double's own, for the pages that it sends shoppers to. It may be set until the first request.
	BaseURL string
	// SearchLag is how long a payment is not found by a search, as at Stripe, where that takes up to a minute.
	SearchLag time.Duration
	// Seed of the script's chance.
	Seed uint64
	Now  func() time.Time
}

// DefaultWebhookSecret signs webhooks where no other is given.
const DefaultWebhookSecret = "whsec_double"

// Account is the id of the account that all keys belong to.
const Account = "acct_double"

// Double is a Stripe.
type Double struct {
	*gatewaytest.Control
	opts Options

	mu        sync.Mutex
	sessions  map[string]*session
	customers map[string]*customer
	methods   map[string]*method
}

// New returns a double. Close it.
func New(o Options) *Double {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.WebhookSecret == "" {
		o.WebhookSecret = DefaultWebhookSecret
	}
	d := &Double{opts: o, sessions: map[string]*session{}, customers: map[string]*customer{}, methods: map[string]*method{}}
	courier := gatewaytest.NewCourier(func(body []byte) http.Header {
		return http.Header{"Stripe-Signature": {Sign(body, o.WebhookSecret, o.Now())}}
	}, o.Now)
	courier.Deliver(gatewaytest.Delivering{URL: o.WebhookURL})
	d.Control = &gatewaytest.Control{
		Name: "stripe", Book: gatewaytest.NewBook(o.Now), Courier: courier, Forge: forge,
		Desk: gatewaytest.NewDesk(gatewaytest.NewScript(o.Seed), trouble{}, o.Now),
	}
	return d
}

// Sign returns the Stripe-Signature of a body.
func Sign(body []byte, secret string, at time.Time) string {
	return webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{Payload: body, Secret: secret, Timestamp: at}).Header
}

// SetBaseURL tells the double where it is.
func (d *Double) SetBaseURL(address string) { d.opts.BaseURL = address }

// Close ends calls that hang and webhooks under way.
func (d *Double) Close() {
	d.Desk.Close()
	d.Courier.Close()
}

// Handler is Stripe's API, its pages, and the double's own addresses.
func (d *Double) Handler() http.Handler {
	r := chi.NewRouter()
	r.Route("/v1", func(r chi.Router) {
		r.Use(d.authenticate)
		r.NotFound(func(w http.ResponseWriter, r *http.Request) {
			send(w, failure(http.StatusNotFound, "invalid_request_error", "", "Unrecognized request URL ("+r.Method+": "+r.URL.Path+").", ""))
		})
		d.intentRoutes(r)
		d.refundRoutes(r)
		d.sessionRoutes(r)
		d.customerRoutes(r)
		d.accountRoutes(r)
	})
	r.Get("/pay/{ref}", d.page)
	r.Post("/pay/{ref}", d.answerPage)
	return d.Mount(r)
}

func (d *Double) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, _, ok := r.BasicAuth()
		if !ok {
			key = bearer(r)
		}
		if d.opts.SecretKey != "" && key != d.opts.SecretKey || len(key) < 3 || key[:3] != "sk_" && key[:3] != "rk_" {
			send(w, failure(http.StatusUnauthorized, "invalid_request_error", "", "Invalid API Key provided.", ""))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func bearer(r *http.Request) string {
	const scheme = "Bearer "
	if h := r.Header.Get("Authorization"); len(h) > len(scheme) {
		return h[len(scheme):]
	}
	return ""
}

// object is something of Stripe's as JSON.
type object = map[string]any

func send(w http.ResponseWriter, reply gatewaytest.Reply) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(reply.Status)
	_, _ = w.Write(reply.Body) // the caller hung up: nobody is left to tell
}

func ok(body object) gatewaytest.Reply { return answer(http.StatusOK, body) }

func answer(status int, body object) gatewaytest.Reply {
	text, err := json.Marshal(body)
	if err != nil {
		return gatewaytest.Reply{Status: http.StatusInternalServerError, Body: []byte(`{"error":{"type":"api_error","message":"not JSON"}}`)}
	}
	return gatewaytest.Reply{Status: status, Body: text, Keep: true}
}

// failure is an error of Stripe's that nothing was tried for; it is not kept under the key.
func failure(status int, kind, code, message, param string) gatewaytest.Reply {
	e := object{"type": kind, "message": message}
	if code != "" {
		e["code"] = code
	}
	if param != "" {
		e["param"] = param
	}
	reply := answer(status, object{"error": e})
	reply.Keep = false
	return reply
}

func missing(kind, id string) gatewaytest.Reply {
	return failure(http.StatusNotFound, "invalid_request_error", "resource_missing", fmt.Sprintf("No such %s: '%s'", kind, id), "id")
}

// trouble is how Stripe words what the script and the keys do.
type trouble struct{}

func (trouble) ServerError(status int) gatewaytest.Reply {
	if status == 0 {
		status = http.StatusInternalServerError
	}
	return answer(status, object{"error": object{"type": "api_error", "message": "Something went wrong on Stripe's end."}})
}

func (trouble) RateLimited() gatewaytest.Reply {
	return failure(http.StatusTooManyRequests, "invalid_request_error", "rate_limit", "Too many requests.", "")
}

func (trouble) KeyInUse() gatewaytest.Reply {
	return failure(http.StatusConflict, "idempotency_error", "idempotency_key_in_use", "There is currently another in-progress request using this Idempotent Key.", "")
}

func (trouble) KeyReused() gatewaytest.Reply {
	return failure(http.StatusBadRequest, "idempotency_error", "", "Keys for idempotent requests can only be used with the same parameters they were first used with.", "")
}

// newID makes an id as Stripe's.
func newID(prefix string) string {
	var b [12]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err) // there is no chance left in this machine
	}
	return prefix + "_" + hex.EncodeToString(b[:])
}

// tell brings an event about a payment to the shop.
func (d *Double) tell(kind string, p gatewaytest.Payment, data object, key string) {
	id := newID("evt")
	event := object{
		"id": id, "object": "event", "api_version": stripe.APIVersion, "created": d.opts.Now().Unix(), "livemode": false, "type": kind,
		"pending_webhooks": 1, "request": object{"id": newID("req"), "idempotency_key": nullable(key)}, "data": object{"object": data},
	}
	body, err := json.Marshal(event)
	if err != nil {
		return
	}
	d.Courier.Tell(gatewaytest.Event{ID: id, Type: kind, Ref: p.Ref, OrderID: p.OrderID, Body: body})
}

// forge takes an event as it was written, and gives it an id when it has none.
func forge(body json.RawMessage) (gatewaytest.Event, error) {
	var e object
	if err := json.Unmarshal(body, &e); err != nil {
		return gatewaytest.Event{}, err
	}
	if e["id"] == nil {
		e["id"] = newID("evt")
	}
	kind, _ := e["type"].(string)
	id, named := e["id"].(string)
	if !named {
		return gatewaytest.Event{}, errors.New("the id of an event is text")
	}
	text, err := json.Marshal(e)
	return gatewaytest.Event{ID: id, Type: kind, Body: text}, err
}

func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// list is a page of Stripe's.
func list(path string, items []object, more bool) object {
	if items == nil {
		items = []object{}
	}
	return object{"object": "list", "url": path, "has_more": more, "data": items}
}

// page cuts what comes after starting_after out of all, which has the newest first.
func pageOf(f form, all []object) (page []object, more bool) {
	if after := f.get("starting_after"); after != "" {
		i := slices.IndexFunc(all, func(o object) bool { return o["id"] == after })
		all = all[i+1:]
	}
	limit := 10
	if n, ok := f.number("limit"); ok {
		limit = int(min(max(n, 1), 100))
	}
	if len(all) > limit {
		return all[:limit], true
	}
	return all, false
}
