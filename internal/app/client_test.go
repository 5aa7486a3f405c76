package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	storeAPI = "/api/v1/store"
	adminAPI = "/api/v1/admin"
)

// client calls a shop over HTTP, as a program or a browser outside would.
type client struct {
	t      *testing.T
	base   string
	header http.Header // of every request
	http   *http.Client
}

func (s *store) guest(t *testing.T) *client {
	t.Helper()
	return newClient(t, s.url)
}

func newClient(t *testing.T, base string) *client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &client{t: t, base: base, header: http.Header{}, http: &http.Client{Transport: transport, Jar: jar}}
}

// on returns the client for a subtest, which must fail by its own hand.
func (c *client) on(t *testing.T) *client {
	t.Helper()
	other := *c
	other.t = t
	return &other
}

// with returns a client that sends these headers too.
func (c *client) with(headers ...string) *client {
	other := *c
	other.header = c.header.Clone()
	for i := 0; i < len(headers); i += 2 {
		other.header.Set(headers[i], headers[i+1])
	}
	return &other
}

// reply is what a shop answered.
type reply struct {
	t      *testing.T
	status int
	header http.Header
	body   []byte
}

// do sends a request. A body that is a string goes as it is, anything else as JSON.
func (c *client) do(method, path string, body any, headers ...string) *reply {
	c.t.Helper()
	a, err := c.try(method, path, body, headers...)
	require.NoError(c.t, err)
	return a
}

// try is do for callers that expect no answer, or run in a goroutine of their own.
func (c *client) try(method, path string, body any, headers ...string) (*reply, error) {
	var content io.Reader
	header := c.header.Clone()
	switch b := body.(type) {
	case nil:
	case string:
		content = strings.NewReader(b)
	case url.Values:
		content = strings.NewReader(b.Encode())
		header.Set("Content-Type", "application/x-www-form-urlencoded")
	default:
		encoded, err := json.Marshal(b)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(encoded)
	}
	if content != nil && header.Get("Content-Type") == "" {
		header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "" {
			header.Del(headers[i])
			continue
		}
		header.Set(headers[i], headers[i+1])
	}
	req, err := http.NewRequest(method, c.base+path, content)
	if err != nil {
		return nil, err
	}
	req.Header = header
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return &reply{t: c.t, status: res.StatusCode, header: res.Header, body: text}, err
}

func (c *client) get(path string, headers ...string) *reply {
	c.t.Helper()
	return c.do(http.MethodGet, path, nil, headers...)
}

func (c *client) post(path string, body any, headers ...string) *reply {
	c.t.Helper()
	return c.do(http.MethodPost, path, body, headers...)
}

// is fails unless the answer has the status.
func (a *reply) is(status int) *reply {
	a.t.Helper()
	require.Equal(a.t, status, a.status, "%s", a.body)
	return a
}

// refuses fails unless the answer is a problem with the status and the code.
func (a *reply) refuses(status int, code string) *reply {
	a.t.Helper()
	a.is(status)
	var p problemJSON
	a.decode(&p)
	require.Equal(a.t, code, p.Code, "%s", a.body)
	require.Equal(a.t, "application/problem+json", a.header.Get("Content-Type"))
	require.Equal(a.t, status, p.Status)
	require.NotEmpty(a.t, p.RequestID)
	return a
}

func (a *reply) decode(into any) {
	a.t.Helper()
	require.NoError(a.t, json.Unmarshal(a.body, into), "%s", a.body)
}

func (a *reply) code() string {
	var p problemJSON
	if json.Unmarshal(a.body, &p) != nil {
		return ""
	}
	return p.Code
}

// The parts of answers that tests look at.
type (
	moneyJSON struct {
		Amount   int64  `json:"amount"`
		Currency string `json:"currency"`
	}
	productJSON struct {
		ID      string    `json:"id"`
		Slug    string    `json:"slug"`
		SKU     string    `json:"sku"`
		Title   string    `json:"title"`
		Price   moneyJSON `json:"price"`
		InStock bool      `json:"in_stock"`
		Version int64     `json:"version"`
	}
	listJSON struct {
		Items          []productJSON `json:"items"`
		Next           *string       `json:"next"`
		Total          int           `json:"total"`
		CorrectedQuery string        `json:"corrected_query"`
	}
	cartJSON struct {
		ID    string `json:"id"`
		Token string `json:"token"`
		Lines []struct {
			ID        string    `json:"id"`
			SKU       string    `json:"sku"`
			Quantity  int       `json:"quantity"`
			UnitPrice moneyJSON `json:"unit_price"`
		} `json:"lines"`
		Totals  struct{ Subtotal, Shipping, Tax, Total moneyJSON } `json:"totals"`
		Version int64                                              `json:"version"`
	}
	paymentJSON struct {
		ID         string    `json:"id"`
		Status     string    `json:"status"`
		Captured   moneyJSON `json:"captured"`
		Refunded   moneyJSON `json:"refunded"`
		NextAction *struct {
			Type string `json:"type"`
			URL  string `json:"url"`
		} `json:"next_action"`
	}
	orderJSON struct {
		ID       string `json:"id"`
		Number   int64  `json:"number"`
		Secret   string `json:"secret"`
		CartID   string `json:"cart_id"`
		Status   string `json:"status"`
		Email    string `json:"email"`
		Version  int64  `json:"version"`
		Totals   struct{ Total moneyJSON }
		Lines    []struct{ ID, SKU string }
		Payment  *paymentJSON  `json:"payment"`
		Payments []paymentJSON `json:"payments"`
		History  []struct{ Kind, Actor string }
		Actions  []string `json:"actions"`
	}
	problemJSON struct {
		Code      string `json:"code"`
		Status    int    `json:"status"`
		Detail    string `json:"detail"`
		RequestID string `json:"request_id"`
		Errors    []struct{ Pointer, Code string }
	}
)

// buyer is a shopper with a cart.
type buyer struct {
	*client
	cart cartJSON
	path string // of the cart
}

const buyerEmail = "ada.lovelace@example.com"

// buyer begins a cart; the client may be a guest's or a customer's.
func newBuyer(c *client) *buyer {
	c.t.Helper()
	b := &buyer{}
	c.post(storeAPI+"/carts", map[string]string{"currency": "EUR", "country": "DE"}).is(http.StatusCreated).decode(&b.cart)
	b.client, b.path = c.with("X-Cart-Token", b.cart.Token), storeAPI+"/carts/"+b.cart.ID
	return b
}

func (b *buyer) add(a article, quantity int) *buyer {
	b.t.Helper()
	b.post(b.path+"/lines", map[string]any{"sku": a.sku, "quantity": quantity}).is(http.StatusOK).decode(&b.cart)
	return b
}

// address is where everything goes to.
var address = map[string]any{
	"email": buyerEmail,
	"shipping": map[string]any{
		"name": "Ada Lovelace", "line1": "Torstrasse 1", "city": "Berlin", "postal_code": "10119", "country": "DE", "phone": "+49 30 1234567",
	},
}

// checkout gives the cart an address and the first of its shipping methods.
func (b *buyer) checkout() *buyer {
	b.t.Helper()
	b.do(http.MethodPut, b.path+"/address", address).is(http.StatusOK)
	var methods struct{ Items []struct{ ID string } }
	b.get(b.path + "/shipping-method").is(http.StatusOK).decode(&methods)
	require.NotEmpty(b.t, methods.Items)
	b.do(http.MethodPut, b.path+"/shipping-method", map[string]string{"shipping_method_id": methods.Items[0].ID}).is(http.StatusOK).decode(&b.cart)
	return b
}

func payWith(method string) map[string]any {
	return map[string]any{"payment": map[string]string{"provider": "test", "method": method}}
}

var keys atomic.Int64

// newKey is an Idempotency-Key that nobody had before.
func newKey() string { return fmt.Sprintf("key-%d", keys.Add(1)) }

// complete asks to pay under a key of its own.
func (b *buyer) complete(method string) *reply {
	b.t.Helper()
	return b.completeUnder(newKey(), method)
}

func (b *buyer) completeUnder(key, method string) *reply {
	b.t.Helper()
	return b.post(b.path+"/complete", payWith(method), "Idempotency-Key", key)
}

// buys takes pieces of an article through the whole checkout and returns the paid order.
func (s *store) buys(t *testing.T, a article, quantity int) (*buyer, orderJSON) {
	t.Helper()
	b := newBuyer(s.guest(t)).add(a, quantity).checkout()
	var o orderJSON
	b.complete("test_ok").is(http.StatusCreated).decode(&o)
	require.Equal(t, "paid", o.Status)
	return b, o
}
