package app

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// refusal is a request and what it must be answered.
type refusal struct {
	method, path string
	body         any
	headers      []string
	status       int
	code         string
}

func refuseAll(t *testing.T, c *client, rows map[string]refusal) {
	t.Helper()
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := c.on(t)
			begin := time.Now()
			got := c.do(row.method, row.path, row.body, row.headers...).refuses(row.status, row.code)
			require.Less(t, time.Since(begin), 15*time.Second, "at once")
			for _, inner := range []string{"pgconn", "SQLSTATE", "goroutine", ".go:", "huma", "json:"} {
				require.NotContains(t, string(got.body), inner)
			}
		})
	}
}

// badBodies are what no JSON endpoint takes.
func badBodies(t *testing.T, s *store) {
	b := newBuyer(s.guest(t))
	carts, lines := storeAPI+"/carts", b.path+"/lines"
	post := func(path string, body any, status int, code string, headers ...string) refusal {
		return refusal{http.MethodPost, path, body, headers, status, code}
	}
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, err := w.Write([]byte(`{"currency":"EUR"}`))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	long := `{"sku":"` + strings.Repeat("x", 300<<10) + `","quantity":1}`
	refuseAll(t, b.client, map[string]refusal{
		"cut off":                  post(carts, `{"currency":"EU`, 400, "malformed_body"),
		"a second document":        post(carts, `{"currency":"EUR"}{"currency":"EUR"}`, 400, "malformed_body"),
		"text behind":              post(carts, `{"currency":"EUR"} x`, 400, "malformed_body"),
		"not a number":             post(lines, `{"sku":"A","quantity":NaN}`, 400, "malformed_body"),
		"not JSON":                 post(carts, `currency=EUR`, 400, "malformed_body"),
		"a number beyond all":      post(lines, `{"sku":"A","quantity":1e400}`, 400, "malformed_body"),
		"empty":                    post(lines, ``, 400, "malformed_body"),
		"nested ten thousand deep": post(carts, strings.Repeat(`{"a":`, 10_000)+"1"+strings.Repeat("}", 10_000), 422, "unknown_field"),
		"nested deeper still":      post(carts, strings.Repeat(`{"a":`, 20_000)+"1"+strings.Repeat("}", 20_000), 400, "malformed_body"),
		"lists ten thousand deep":  post(carts, strings.Repeat("[", 10_000)+strings.Repeat("]", 10_000), 422, "validation_failed"),
		"an unknown field":         post(carts, `{"currency":"EUR","price":1}`, 422, "unknown_field"),
		"a price of one's own":     post(lines, `{"sku":"A","quantity":1,"unit_price":{"amount":1,"currency":"EUR"}}`, 422, "unknown_field"),
		"an unknown field inside":  {http.MethodPut, b.path + "/address", `{"email":"a@example.com","shipping":{"name":"A","line1":"B","city":"C","postal_code":"1","country":"DE","tip":-5}}`, nil, 422, "unknown_field"},
		"another type":             post(lines, `{"sku":1,"quantity":1}`, 422, "validation_failed"),
		"another type of money":    post(carts, `{"currency":1}`, 422, "invalid_money"),
		"a list":                   post(carts, `[]`, 422, "validation_failed"),
		"null":                     post(lines, `null`, 422, "validation_failed"),
		"a hundred thousand":       post(carts, "["+strings.Repeat("1,", 100_000)+"1]", 422, "validation_failed"),
		"a missing field":          post(lines, `{"sku":"A"}`, 422, "validation_failed"),
		"too large":                post(lines, long, 413, "body_too_large"),
		"too large, with a key":    post(lines, long, 413, "body_too_large", "Idempotency-Key", newKey()),
		"no content type":          post(carts, `{}`, 415, "unsupported_media_type", "Content-Type", " "),
		"a form":                   post(carts, `currency=EUR`, 415, "unsupported_media_type", "Content-Type", "application/x-www-form-urlencoded"),
		"text":                     post(carts, `{}`, 415, "unsupported_media_type", "Content-Type", "text/plain"),
		"compressed":               post(carts, zipped.String(), 415, "unsupported_media_type", "Content-Encoding", "gzip"),
	})
	t.Run("never-ending", func(t *testing.T) {
		t.Parallel()
		answered := rawRequest(t, s.url, "POST "+carts+" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n")
		require.True(t, answered == "" || strings.Contains(answered, " 408 ") || strings.Contains(answered, " 400 "), "%q", answered)
	})
	t.Run("character by character", func(t *testing.T) {
		t.Parallel()
		require.Contains(t, rawRequest(t, s.url, "NONSENSE\r\n\r\n"), " 400 ")
	})
}

// rawRequest sends bytes as they are and returns the first line of the answer; empty when the connection was closed.
func rawRequest(t *testing.T, base, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = conn.Write([]byte(text))
	require.NoError(t, err)
	head := make([]byte, 64)
	n, err := conn.Read(head)
	if n == 0 {
		require.Error(t, err)
		return ""
	}
	line, _, _ := strings.Cut(string(head[:n]), "\r\n")
	return line + " "
}

// badParameters are paths, queries and methods that no route has.
func badParameters(t *testing.T, s *store) {
	s.stock(t, 1000, 1)
	staff := s.keyWith(t, "*")
	c := newCustomer(t, s, "parameters@example.com")
	get := func(path string, status int, code string) refusal {
		return refusal{method: http.MethodGet, path: path, status: status, code: code}
	}
	encode := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	rows := map[string]refusal{}
	for name, after := range map[string]string{
		"not base64": "%25%25", "not JSON": encode("x"), "another list": encode(`{"t":"2026-01-01T00:00:00Z","i":"ord_x"}`), "empty": encode(`{}`),
		"SQL": encode(`{"s":"price","v":"1; drop table","i":"prod_x"}`), "no number": encode(`{"s":"price","v":"x","i":"prod_x"}`),
		"a number too large": encode(`{"s":"price","v":"99999999999999999999","i":"prod_x"}`), "another order": encode(`{"s":"title","v":"a","i":"prod_x"}`),
		"a zero byte": encode(`{"s":"price","v":"1\u0000","i":"prod_x"}`),
	} {
		rows["cursor of products: "+name] = get(storeAPI+"/products?sort=price&after="+after, 422, "invalid_parameter")
		rows["cursor of search: "+name] = get(storeAPI+"/search?q=satchel&after="+after, 422, "invalid_parameter")
	}
	for _, limit := range []string{"-1", "0", "101", "1000000000", "9223372036854775808", "ten", "1.5", ""} {
		if limit != "" {
			rows["limit "+limit] = get(storeAPI+"/products?limit="+limit, 422, "invalid_parameter")
			rows["limit of search "+limit] = get(storeAPI+"/search?limit="+limit, 422, "invalid_parameter")
		}
	}
	for _, sort := range []string{"id;drop", "price desc", "card", "-", "PRICE"} {
		rows["sort "+sort] = get(storeAPI+"/products?sort="+url.QueryEscape(sort), 422, "invalid_parameter")
		rows["sort of search "+sort] = get(storeAPI+"/search?sort="+url.QueryEscape(sort), 422, "invalid_parameter")
	}
	for _, ref := range []string{
		"prod_", "prod_x", "9223372036854775808", "..%2f..%2fetc%2fpasswd", "%00", "%ff", "'%20or%201=1", strings.Repeat("a", 500), "%F0%9F%91%9C",
	} {
		rows["product "+ref[:min(20, len(ref))]] = get(storeAPI+"/products/"+ref, 404, "not_found")
		rows["cart "+ref[:min(20, len(ref))]] = get(storeAPI+"/carts/"+ref, 404, "not_found")
		rows["order "+ref[:min(20, len(ref))]] = get(storeAPI+"/orders/"+ref, 404, "not_found")
		rows["reviews "+ref[:min(20, len(ref))]] = get(storeAPI+"/products/"+ref+"/reviews", 404, "not_found")
		if len(ref) <= 200 {
			rows["category "+ref] = get(storeAPI+"/products?category="+ref, 404, "not_found")
		}
	}
	rows["an unknown parameter"] = get(storeAPI+"/products?page=2", 422, "unknown_parameter")
	rows["an unknown parameter of search"] = get(storeAPI+"/search?q=a&fields=id", 422, "unknown_parameter")
	rows["an unknown parameter of nothing"] = get(storeAPI+"/categories?x=1", 422, "unknown_parameter")
	rows["a search of 100 KB"] = get(storeAPI+"/search?q="+strings.Repeat("a", 20_000), 422, "invalid_parameter")
	rows["a price of nothing"] = get(storeAPI+"/search?price_min=-5", 422, "invalid_parameter")
	rows["no such route"] = get("/api/v1/nothing", 404, "not_found")
	for method, path := range map[string]string{
		http.MethodDelete: storeAPI + "/products", http.MethodPut: storeAPI + "/carts", http.MethodTrace: storeAPI + "/products", "FOO": storeAPI + "/products",
	} {
		rows["method "+method] = refusal{method: method, path: path, status: 405, code: "method_not_allowed"}
	}
	refuseAll(t, s.guest(t), rows)

	t.Run("methods are told", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "GET", s.guest(t).do(http.MethodDelete, storeAPI+"/products", nil).header.Get("Allow"))
		require.Equal(t, "POST", s.guest(t).get(storeAPI+"/carts").header.Get("Allow"))
	})
	t.Run("lists of others", func(t *testing.T) {
		t.Parallel()
		staff, c := staff.on(t), c.on(t)
		for _, after := range []string{"x", encode("x"), encode(`{}`), encode(`{"t":"x","i":"ord_x"}`), encode(`{"t":"2026-01-01T00:00:00Z","i":"a' or 1=1"}`)} {
			c.get(storeAPI+"/me/orders?after="+after).refuses(422, "invalid_parameter")
			staff.get(adminAPI+"/orders?after="+after).refuses(422, "invalid_parameter")
			staff.get(adminAPI+"/products?after="+after).refuses(422, "invalid_parameter")
		}
		staff.get(adminAPI+"/orders?status=lost").refuses(422, "invalid_parameter")
		for _, q := range []string{"%27%3B--", "99999999999999999999", "%25_"} {
			staff.get(adminAPI + "/orders?q=" + q).is(200)
			staff.get(adminAPI + "/products?q=" + q).is(200)
		}
		staff.get(adminAPI+"/products?q=%00").refuses(422, "validation_failed")
		for _, sku := range []string{"%00", "%ff", "..%2f", strings.Repeat("a", 300)} {
			staff.get(adminAPI+"/inventory/"+sku).refuses(404, "not_found")
		}
	})
	t.Run("searches are taken literally", func(t *testing.T) {
		t.Parallel()
		for _, q := range []string{"*", "/.*/", "_source:x", `{"script":1}`, "title:(a OR b)", "%00", "%F0%9F%91%9C", "%27%22%3C%3E", "..", "AND"} {
			begin := time.Now()
			s.guest(t).get(storeAPI + "/search?q=" + url.QueryEscape(q)).is(200)
			s.guest(t).get(storeAPI + "/search/suggest?q=" + url.QueryEscape(q)).is(200)
			require.Less(t, time.Since(begin), 15*time.Second, q)
		}
		s.guest(t).get(storeAPI + "/search?q=%ff").is(200)
	})
	t.Run("other sites", func(t *testing.T) {
		t.Parallel()
		for _, origin := range []string{"null", "https://evil.example"} {
			got := s.guest(t).get(storeAPI+"/products", "Origin", origin).is(200)
			require.Empty(t, got.header.Get("Access-Control-Allow-Origin"))
		}
		forged := s.guest(t).get("//evil.example/", "X-Forwarded-Host", "evil.example")
		require.NotContains(t, forged.header.Get("Location"), "evil.example")
		home := s.guest(t).get("/", "X-Forwarded-Host", "evil.example").is(200)
		require.NotContains(t, string(home.body), "evil.example")
		s.guest(t).post(adminAPI+"/session", map[string]string{"email": "a@example.com", "password": "x"}, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example").
			refuses(403, "cross_origin")
	})
}

// badCarts are what a cart does not take.
func badCarts(t *testing.T, s *store) {
	a := s.stock(t, 1000, 5)
	b := newBuyer(s.guest(t)).add(a, 1)
	rows := map[string]refusal{}
	for _, quantity := range []string{"-1", "0", "1.5", "2147483648", "9223372036854775808", "1e2", `"1"`, "null", "true", "[]", "10000"} {
		rows["quantity "+quantity] = refusal{http.MethodPost, b.path + "/lines", fmt.Sprintf(`{"sku":%q,"quantity":%s}`, a.sku, quantity), nil, 422, "invalid_quantity"}
		rows["change to "+quantity] = refusal{http.MethodPatch, b.path + "/lines/" + b.cart.Lines[0].ID, fmt.Sprintf(`{"quantity":%s}`, quantity), nil, 422, "invalid_quantity"}
	}
	line := func(body string, status int, code string) refusal {
		return refusal{http.MethodPost, b.path + "/lines", body, nil, status, code}
	}
	rows["more than there are"] = line(fmt.Sprintf(`{"sku":%q,"quantity":6}`, a.sku), 409, "out_of_stock")
	rows["an article nobody has"] = line(`{"sku":"NOWHERE","quantity":1}`, 422, "not_purchasable")
	rows["a variant nobody has"] = line(`{"variant_id":"var_nowhere","quantity":1}`, 422, "not_purchasable")
	rows["a zero byte"] = line(`{"sku":"A\u0000","quantity":1}`, 422, "validation_failed")
	rows["neither id nor sku"] = line(`{"quantity":1}`, 422, "validation_failed")
	rows["a line nobody has"] = refusal{http.MethodPatch, b.path + "/lines/line_x", `{"quantity":1}`, nil, 404, "not_found"}
	rows["no line to take out"] = refusal{http.MethodDelete, b.path + "/lines/line_x", nil, nil, 404, "not_found"}
	rows["no such currency"] = refusal{http.MethodPost, storeAPI + "/carts", `{"currency":"XXX"}`, nil, 422, "currency_mismatch"}
	rows["no such shipping method"] = refusal{http.MethodPut, b.path + "/shipping-method", `{"shipping_method_id":"ship_rocket"}`, nil, 422, "unknown_shipping_method"}
	for name, row := range map[string]struct{ change, code string }{
		"no address":         {`"email":"nobody"`, "invalid_email"},
		"two lines":          {`"email":"a@example.com\r\nBcc: b@example.com"`, "invalid_email"},
		"a name in it":       {`"email":"Ada <a@example.com>"`, "invalid_email"},
		"control characters": {`"email":"a@example.com","name":"A\u0007"`, "validation_failed"},
		"a zero byte inside": {`"email":"a@example.com","name":"A\u0000"`, "validation_failed"},
		"blank":              {`"email":"a@example.com","name":"  "`, "validation_failed"},
		"a card number":      {`"email":"a@example.com","line2":"4242 4242 4242 4242"`, "card_data_not_accepted"},
	} {
		email, more, _ := strings.Cut(row.change, ",")
		shipping := `"name":"Ada","line1":"B","city":"C","postal_code":"1","country":"DE"`
		if field, _, found := strings.Cut(more, ":"); found && strings.Contains(shipping, field+":") {
			shipping = strings.Replace(shipping, `"name":"Ada"`, more, 1)
		} else if found {
			shipping += "," + more
		}
		rows["mail or address with "+name] = refusal{http.MethodPut, b.path + "/address", `{` + email + `,"shipping":{` + shipping + `}}`, nil, 422, row.code}
	}
	refuseAll(t, b.client, rows)
	t.Run("an article without a price in the currency", func(t *testing.T) {
		t.Parallel()
		var cart cartJSON
		c := s.guest(t)
		c.post(storeAPI+"/carts", `{"currency":"USD"}`).is(201).decode(&cart)
		c.with("X-Cart-Token", cart.Token).post(storeAPI+"/carts/"+cart.ID+"/lines", map[string]any{"sku": a.sku, "quantity": 1}).
			refuses(422, "currency_mismatch")
	})
}

// badCheckouts are steps left out and payments that are none.
func badCheckouts(t *testing.T, s *store) {
	a := s.stock(t, 1000, 50)
	empty := newBuyer(s.guest(t))
	empty.complete("test_ok").refuses(409, "invalid_state")
	nowhere := newBuyer(s.guest(t)).add(a, 1)
	nowhere.complete("test_ok").refuses(409, "invalid_state")
	unsent := newBuyer(s.guest(t)).add(a, 1)
	unsent.do(http.MethodPut, unsent.path+"/address", address).is(200)
	unsent.complete("test_ok").refuses(409, "invalid_state")
	ready := newBuyer(s.guest(t)).add(a, 1).checkout()
	rows := map[string]refusal{}
	for name, row := range map[string]struct {
		body string
		code string
	}{
		"no payment":          {`{}`, "validation_failed"},
		"no provider":         {`{"payment":{}}`, "validation_failed"},
		"another provider":    {`{"payment":{"provider":"bitcoin"}}`, "validation_failed"},
		"one that is off":     {`{"payment":{"provider":"stripe"}}`, "unknown_payment_method"},
		"no method":           {`{"payment":{"provider":"test"}}`, "unknown_payment_method"},
		"an amount":           {`{"payment":{"provider":"test","method":"test_ok","amount":1}}`, "unknown_field"},
		"a total":             {`{"payment":{"provider":"test","method":"test_ok"},"total":1}`, "unknown_field"},
		"a card number":       {`{"payment":{"provider":"test","method":"4242424242424242"}}`, "card_data_not_accepted"},
		"a script to go back": {`{"payment":{"provider":"test","method":"test_ok","return_url":"javascript:alert(1)"}}`, "url_not_allowed"},
	} {
		rows[name] = refusal{http.MethodPost, ready.path + "/complete", row.body, []string{"Idempotency-Key", newKey()}, 422, row.code}
	}
	t.Run("refused", func(t *testing.T) { refuseAll(t, ready.client, rows) })
	ready.complete("test_ok").is(201)
}
