package gatewaytest

import (
	"bytes"
	_ "embed"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
)

// Choice is one of the buttons of a Page.
type Choice struct{ Value, Label string }

// Page is where a shopper confirms a payment at the gateway, and is sent back to the shop.
type Page struct {
	Gateway string // its name
	Title   string
	Amount  string
	Choices []Choice
}

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// Show answers with the page. Its form posts the choice as "answer" to where the page is.
func (p Page) Show(w http.ResponseWriter) {
	var b bytes.Buffer
	if err := page.Execute(&b, p); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	if _, err := w.Write(b.Bytes()); err != nil {
		slog.Debug("gateway double: the shopper hung up", "error", err)
	}
}

// WithQuery adds pairs to the query of an address of the shop; nothing when it is none.
func WithQuery(address string, pairs ...string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return ""
	}
	q := u.Query()
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	u.RawQuery = q.Encode()
	return u.String()
}
