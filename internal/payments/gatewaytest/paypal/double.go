// Package paypal is a PayPal that moves no money: it speaks enough of Orders v2 and Payments v2 for a shop to be tested
// against it by an SDK, keeps a book of what it took, and does what its script says.
package paypal

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"shopd/internal/money"
	"shopd/internal/payments/gatewaytest"
)

// Options of a double; every field may be left out.
type Options struct {
	// ClientID and ClientSecret are the only ones it lets in; empty lets in everybody who gives some.
	ClientID, ClientSecret string
	// WebhookID is what webhooks are signed for; empty is DefaultWebhookID.
	WebhookID string
	// WebhookURL is where webhooks go; empty brings none.
	WebhookURL string
	// BaseURL is the double's own, for the pages that it sends shoppers to. It may be set until the first request.
	BaseURL string
	// Seed of the script's chance.
	Seed uint64
	Now  func() time.Time
}

// DefaultWebhookID is the id of the webhook where no other is given.
const DefaultWebhookID = "WH-DOUBLE"

// MerchantID is whom all money goes to.
const MerchantID = "MERCHANTDOUBLE"

// Double is a PayPal.
type Double struct {
	*gatewaytest.Control
	opts Options
}

// New returns a double. Close it.
func New(o Options) *Double {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.WebhookID == "" {
		o.WebhookID = DefaultWebhookID
	}
	d := &Double{opts: o}
	courier := gatewaytest.NewCourier(func(body []byte) http.Header { return d.sign(body, o.WebhookID, o.Now()) }, o.Now)
	courier.Deliver(gatewaytest.Delivering{URL: o.WebhookURL})
	d.Control = &gatewaytest.Control{
		Name: "paypal", Book: gatewaytest.NewBook(o.Now), Courier: courier, Forge: forge,
		Desk: gatewaytest.NewDesk(gatewaytest.NewScript(o.Seed), trouble{}, o.Now),
	}
	return d
}

// SetBaseURL tells the double where it is.
func (d *Double) SetBaseURL(address string) { d.opts.BaseURL = address }

// Close ends calls that hang and webhooks under way.
func (d *Double) Close() {
	d.Desk.Close()
	d.Courier.Close()
}

// Handler is PayPal's API, its pages, and the double's own addresses.
func (d *Double) Handler() http.Handler {
	r := chi.NewRouter()
	r.Post("/v1/oauth2/token", d.token)
	r.Get("/v1/notifications/certs/{id}", d.certificate)
	r.Get("/checkoutnow", d.page)
	r.Post("/checkoutnow", d.answerPage)
	r.Group(func(r chi.Router) {
		r.Use(authenticate)
		r.Post("/v2/checkout/orders", d.createOrder)
		r.Get("/v2/checkout/orders/{id}", d.getOrder)
		r.Post("/v2/checkout/orders/{id}/capture", d.captureOrder)
		r.Post("/v2/checkout/orders/{id}/authorize", d.authorizeOrder)
		r.Get("/v2/payments/authorizations/{id}", d.getAuthorization)
		r.Post("/v2/payments/authorizations/{id}/capture", d.captureAuthorization)
		r.Post("/v2/payments/authorizations/{id}/void", d.voidAuthorization)
		r.Get("/v2/payments/captures/{id}", d.getCapture)
		r.Post("/v2/payments/captures/{id}/refund", d.refundCapture)
		r.Get("/v2/payments/refunds/{id}", d.getRefund)
		r.Get("/v1/reporting/transactions", d.transactions)
		r.Post("/v1/notifications/verify-webhook-signature", d.verify)
		r.Get("/v1/notifications/webhooks/{id}", d.getWebhook)
	})
	return d.Mount(r)
}

const (
	tokenPrefix = "A21AADOUBLE"
	tokenLife   = 9 * time.Hour
)

func (d *Double) token(w http.ResponseWriter, r *http.Request) {
	d.Desk.Serve(w, r, gatewaytest.Call{Operation: gatewaytest.OpToken}, func(*gatewaytest.Rule) gatewaytest.Reply {
		id, secret, given := r.BasicAuth()
		if !given || d.opts.ClientID != "" && (id != d.opts.ClientID || secret != d.opts.ClientSecret) {
			return answer(http.StatusUnauthorized, object{"error": "invalid_client", "error_description": "Client Authentication failed"})
		}
		return answer(http.StatusOK, object{"access_token": tokenPrefix + newID(), "token_type": "Bearer", "app_id": "APP-DOUBLE", "expires_in": int(tokenLife.Seconds())})
	})
}

func authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer "+tokenPrefix) {
			send(w, answer(http.StatusUnauthorized, object{"error": "invalid_token", "error_description": "Token signature verification failed"}))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// object is something of PayPal's as JSON.
type object = map[string]any

func send(w http.ResponseWriter, reply gatewaytest.Reply) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(reply.Status)
	_, _ = w.Write(reply.Body) // the caller hung up: nobody is left to tell
}

func answer(status int, body any) gatewaytest.Reply {
	text, err := json.Marshal(body)
	if err != nil {
		return gatewaytest.Reply{Status: http.StatusInternalServerError, Body: []byte(`{"name":"INTERNAL_SERVER_ERROR"}`)}
	}
	return gatewaytest.Reply{Status: status, Body: text}
}

func failure(status int, name, issue, description string) gatewaytest.Reply {
	return answer(status, object{
		"name": name, "message": description, "debug_id": newID(), "details": []object{{"issue": issue, "description": description}},
	})
}

func unprocessable(issue, description string) gatewaytest.Reply {
	return failure(http.StatusUnprocessableEntity, "UNPROCESSABLE_ENTITY", issue, description)
}

func missing() gatewaytest.Reply {
	return failure(http.StatusNotFound, "RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID", "Specified resource ID does not exist.")
}

// trouble is how PayPal words what the script and the keys do.
type trouble struct{}

func (trouble) ServerError(status int) gatewaytest.Reply {
	if status == 0 {
		status = http.StatusInternalServerError
	}
	return failure(status, "INTERNAL_SERVER_ERROR", "INTERNAL_SERVICE_ERROR", "An internal server error has occurred.")
}

func (trouble) RateLimited() gatewaytest.Reply {
	return failure(http.StatusTooManyRequests, "RATE_LIMIT_REACHED", "RATE_LIMIT_REACHED", "Too many requests.")
}

func (trouble) KeyInUse() gatewaytest.Reply {
	return failure(http.StatusConflict, "RESOURCE_CONFLICT", "PREVIOUS_REQUEST_IN_PROGRESS", "A previous request on this resource is currently in progress.")
}

func (trouble) KeyReused() gatewaytest.Reply {
	return unprocessable("DUPLICATE_REQUEST_ID", "The value of PayPal-Request-Id header has already been used.")
}

// newID makes an id as PayPal's.
func newID() string {
	var b [10]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err) // there is no chance left in this machine
	}
	return base32.StdEncoding.EncodeToString(b[:])
}

const maxBody = 1 << 20

// read decodes a body; an empty one is nothing.
func read(w http.ResponseWriter, r *http.Request, into any) bool {
	in := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	in.DisallowUnknownFields()
	if r.ContentLength == 0 {
		return true
	}
	if err := in.Decode(into); err != nil {
		send(w, failure(http.StatusBadRequest, "INVALID_REQUEST", "MALFORMED_REQUEST_JSON", err.Error()))
		return false
	}
	return true
}

// cash is an amount as PayPal writes it.
type cash struct {
	Currency  string          `json:"currency_code"`
	Value     string          `json:"value"`
	Breakdown json.RawMessage `json:"breakdown,omitempty"`
}

func cashOf(minor int64, currency string) cash {
	return cash{Currency: currency, Value: decimal(money.New(minor, money.Currency(currency)))}
}

// whole are the currencies that PayPal takes without decimals although they have some.
var whole = map[money.Currency]bool{"HUF": true, "TWD": true}

func decimal(a money.Amount) string {
	if whole[a.Currency] {
		return strings.TrimSuffix(a.Decimal(), ".00")
	}
	return a.Decimal()
}

func (c cash) minor() (int64, error) {
	if whole[money.Currency(c.Currency)] && strings.Contains(c.Value, ".") {
		return 0, errors.New("this currency does not support decimals")
	}
	a, err := money.ParseDecimal(c.Value, money.Currency(c.Currency))
	return a.Minor, err
}

// tell brings an event about a payment to the shop.
func (d *Double) tell(kind, resourceType string, p gatewaytest.Payment, resource object) {
	id := "WH-" + newID()
	event := object{
		"id": id, "event_version": "1.0", "resource_version": "2.0", "create_time": d.opts.Now().UTC().Format(time.RFC3339),
		"event_type": kind, "resource_type": resourceType, "summary": kind, "resource": resource,
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
		e["id"] = "WH-" + newID()
	}
	kind, _ := e["event_type"].(string)
	id, named := e["id"].(string)
	if !named {
		return gatewaytest.Event{}, errors.New("the id of an event is text")
	}
	text, err := json.Marshal(e)
	return gatewaytest.Event{ID: id, Type: kind, Body: text}, err
}
