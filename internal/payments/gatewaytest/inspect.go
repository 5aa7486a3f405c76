package gatewaytest

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
)

// Prefix is where the double is looked at and scripted, beside the gateway's own addresses.
const Prefix = "/_double"

// Control is what a double is looked at and scripted with.
type Control struct {
	Name    string // of the gateway
	Book    *Book
	Desk    *Desk
	Courier *Courier
	// Forge makes an event of the caller's own words, signed as a true one; it is told like others.
	Forge func(body json.RawMessage) (Event, error)
}

// Reset makes the double as new, except for where webhooks go.
func (c *Control) Reset() {
	c.Book.Reset()
	c.Desk.Reset()
	c.Desk.Script.Clear()
	c.Courier.Reset()
	c.Courier.Deliver(Delivering{URL: c.Courier.How().URL})
}

const maxControlBody = 1 << 20

// Handler answers under Prefix.
func (c *Control) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Prefix+"/health", func(w http.ResponseWriter, _ *http.Request) {
		write(w, http.StatusOK, map[string]string{"gateway": c.Name})
	})
	mux.HandleFunc("GET "+Prefix+"/payments", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		write(w, http.StatusOK, map[string]any{"items": c.Book.List(func(p *Payment) bool {
			return (!q.Has("order_id") || p.OrderID == q.Get("order_id")) && (!q.Has("payment_id") || p.PaymentID == q.Get("payment_id")) &&
				(!q.Has("ref") || p.Ref == q.Get("ref"))
		})})
	})
	mux.HandleFunc("GET "+Prefix+"/orders", func(w http.ResponseWriter, _ *http.Request) {
		write(w, http.StatusOK, map[string]any{"items": c.Book.Orders(), "breaches": c.Book.Breaches()})
	})
	mux.HandleFunc("GET "+Prefix+"/calls", func(w http.ResponseWriter, _ *http.Request) {
		write(w, http.StatusOK, map[string]any{"items": c.Desk.Calls()})
	})
	c.scripting(mux)
	c.webhooks(mux)
	mux.HandleFunc("POST "+Prefix+"/reset", func(w http.ResponseWriter, _ *http.Request) {
		c.Reset()
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}

func (c *Control) scripting(mux *http.ServeMux) {
	type script struct {
		Seed  *uint64 `json:"seed,omitempty"`
		Rules []Rule  `json:"rules"`
	}
	change := func(w http.ResponseWriter, r *http.Request, replace bool) {
		var body script
		if !read(w, r, &body) {
			return
		}
		if replace {
			c.Desk.Script.Clear()
		}
		if body.Seed != nil {
			c.Desk.Script.Seed(*body.Seed)
		}
		if err := c.Desk.Script.Add(body.Rules...); err != nil {
			refuse(w, err)
			return
		}
		write(w, http.StatusOK, script{Rules: c.Desk.Script.Rules()})
	}
	mux.HandleFunc("GET "+Prefix+"/script", func(w http.ResponseWriter, _ *http.Request) {
		write(w, http.StatusOK, script{Rules: c.Desk.Script.Rules()})
	})
	mux.HandleFunc("POST "+Prefix+"/script", func(w http.ResponseWriter, r *http.Request) { change(w, r, false) })
	mux.HandleFunc("PUT "+Prefix+"/script", func(w http.ResponseWriter, r *http.Request) { change(w, r, true) })
	mux.HandleFunc("DELETE "+Prefix+"/script", func(w http.ResponseWriter, _ *http.Request) {
		c.Desk.Script.Clear()
		w.WriteHeader(http.StatusNoContent)
	})
}

func (c *Control) webhooks(mux *http.ServeMux) {
	mux.HandleFunc("GET "+Prefix+"/webhooks", func(w http.ResponseWriter, _ *http.Request) {
		write(w, http.StatusOK, map[string]any{"delivering": c.Courier.How(), "items": c.Courier.Events()})
	})
	mux.HandleFunc("PUT "+Prefix+"/webhooks", func(w http.ResponseWriter, r *http.Request) {
		how := c.Courier.How() // what is not named stays
		if !read(w, r, &how) {
			return
		}
		c.Courier.Deliver(how)
		write(w, http.StatusOK, how)
	})
	mux.HandleFunc("POST "+Prefix+"/webhooks/deliver", func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			IDs []string `json:"ids"`
		}
		if !read(w, r, &body) {
			return
		}
		answers, err := c.Courier.Bring(body.IDs...)
		if err != nil {
			refuse(w, err)
			return
		}
		write(w, http.StatusOK, map[string]any{"answers": answers})
	})
	mux.HandleFunc("POST "+Prefix+"/webhooks/forge", func(w http.ResponseWriter, r *http.Request) {
		var body json.RawMessage
		if !read(w, r, &body) {
			return
		}
		event, err := c.Forge(body)
		if err != nil {
			refuse(w, err)
			return
		}
		c.Courier.Tell(event)
		write(w, http.StatusOK, event)
	})
}

func read(w http.ResponseWriter, r *http.Request, into any) bool {
	in := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxControlBody))
	in.DisallowUnknownFields()
	if err := in.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		refuse(w, err)
		return false
	}
	return true
}

func refuse(w http.ResponseWriter, err error) {
	write(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
}

func write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		slog.Debug("gateway double: the caller hung up", "error", err)
	}
}

// Mount answers under Prefix with c and everywhere else with gateway.
func (c *Control) Mount(gateway http.Handler) http.Handler {
	control := c.Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, Prefix+"/") {
			control.ServeHTTP(w, r)
			return
		}
		gateway.ServeHTTP(w, r)
	})
}
