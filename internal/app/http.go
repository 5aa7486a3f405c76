package app

import (
	"context"
	"errors"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"shopd/internal/admin"
	"shopd/internal/catalog"
	"shopd/internal/inventory"
	"shopd/internal/money"
	"shopd/internal/orders"
	"shopd/internal/payments"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/httpx"
	"shopd/internal/platform/migrate"
	"shopd/internal/platform/ratelimit"
	"shopd/internal/pricing"
	"shopd/internal/recs"
	"shopd/internal/sample"
	"shopd/internal/storefront"
	"shopd/internal/users"
)

const apiPrefix = "/api/v1"

// handler is everything on the public address.
func (s *Shop) handler() (http.Handler, error) {
	front, err := s.newStorefront()
	if err != nil {
		return nil, err
	}
	r := chi.NewRouter()
	r.Use(
		httpx.Observe(httpx.Observer{
			Log: s.log, Registerer: s.metrics(), Tracer: s.telemetry.Tracer("http"), Propagator: s.telemetry.Propagator, Fail: front.Fail,
		}),
		httpx.SecurityHeaders,
		httpx.ReadablePath(front.Fail),
		s.clientIP(),
	)
	r.Get("/version", s.serveVersion)
	r.Handle("/media/{name}", s.media.handler())
	if s.mails != nil {
		r.Mount("/dev/mail", s.mails.Handler("/dev/mail"))
	}
	r.Method(http.MethodPost, "/webhooks/{provider}", payments.WebhookHandler(s.Payments))
	r.Group(func(r chi.Router) {
		r.Use(adminOriginOnly, httpx.Authenticate(s.authenticate), ratelimit.Middleware(s.limiter, classify, httpx.WriteError), httpx.RequireJSON)
		s.registerAPI(r)
	})
	s.registerPages(r, front)
	return r, nil
}

// registerAPI adds the HTTP API to r.
func (s *Shop) registerAPI(r chi.Router) *httpx.API {
	keys := &httpx.Idempotency{Store: s.keys, DB: s.pools.keys(), GuestKey: orders.GuestKey}
	api := httpx.NewAPI(r, "shopd", s.version, apiPrefix, keys)
	catalog.RegisterStore(api, s.Catalog)
	orders.RegisterStore(api, s.Orders, money.Currency(s.Config.Shop.Currency))
	recs.RegisterStore(api, s.Recs)
	users.RegisterHTTP(api, s.Users)
	orders.RegisterAdmin(api, s.Orders)
	pricing.RegisterAdmin(api, s.Pricing)
	inventory.RegisterAdmin(api, s.Inventory)
	payments.RegisterStore(api, s.Payments)
	payments.RegisterAdmin(api, s.Payments)
	users.RegisterAdminHTTP(api, s.Users)
	registerDeadLetters(api, s.pools.deadLetters())
	admin.RegisterAPI(api, admin.Deps{
		Catalog: s.Catalog, Pricing: s.Pricing, Inventory: s.Inventory, Orders: s.Orders, Currency: money.Currency(s.Config.Shop.Currency), Now: s.now,
	})
	return api
}

// loginPage is where one-time links lead, and the application's own page for those who come without one.
func (s *Shop) loginPage() http.HandlerFunc {
	link, page := users.LinkLogin(s.Users), admin.Handler()
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("token") {
			link(w, r)
			return
		}
		page.ServeHTTP(w, r)
	}
}

// registerPages adds the two faces to r. The storefront also answers what no other route does.
func (s *Shop) registerPages(r chi.Router, front *storefront.Storefront) {
	limited := ratelimit.Middleware(s.limiter, classify, front.Fail)
	r.With(limited).Get("/admin/login", s.loginPage())
	r.Handle("/admin", http.RedirectHandler("/admin/", http.StatusMovedPermanently))
	r.Handle("/admin/*", admin.Handler())
	r.Group(func(r chi.Router) {
		r.Use(limited)
		front.Routes(r)
	})
}

func (s *Shop) newStorefront() (*storefront.Storefront, error) {
	return storefront.New(storefront.Deps{
		Catalog: s.Catalog, Recs: s.Recs, Orders: s.Orders, Users: s.Users, Log: s.log, Now: s.now, BaseURL: s.baseURL(), ShopName: s.Config.Shop.Name,
		Currency: money.Currency(s.Config.Shop.Currency), Country: "US", Demo: !s.Config.Profile.Strict(), Credits: credits(), FormTargets: s.formTargets(),
	})
}

func credits() []storefront.Credit {
	list, err := sample.Credits()
	if err != nil {
		return nil
	}
	credits := make([]storefront.Credit, 0, len(list.Sources))
	for _, src := range list.Sources {
		credits = append(credits, storefront.Credit{Title: src.Name, Author: src.Copyright, License: src.License, URL: src.URL})
	}
	for _, p := range list.Pictures {
		credits = append(credits, storefront.Credit{Title: p.From, Author: p.Author, License: p.License, Works: []string{p.File}})
	}
	return credits
}

// clientIP finds out who calls: whose connection it is, or, where that is a trusted proxy's, who the proxy says.
func (s *Shop) clientIP() func(http.Handler) http.Handler {
	trusted := s.Config.HTTP.TrustedProxies
	if len(trusted) == 0 {
		return middleware.ClientIPFromRemoteAddr
	}
	prefixes := make([]string, len(trusted))
	for i, p := range trusted {
		prefixes[i] = p.String()
	}
	return func(next http.Handler) http.Handler {
		direct, forwarded := middleware.ClientIPFromRemoteAddr(next), middleware.ClientIPFromXFF(prefixes...)(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			peer, err := netip.ParseAddrPort(r.RemoteAddr)
			if err == nil && slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(peer.Addr().Unmap()) }) {
				forwarded.ServeHTTP(w, r)
				return
			}
			direct.ServeHTTP(w, r)
		})
	}
}

// adminOriginOnly refuses calls of the admin API that another site's page makes with the cookie of somebody who is
// signed in.
func adminOriginOnly(next http.Handler) http.Handler {
	protected := http.NewCrossOriginProtection()
	protected.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		httpx.WriteError(w, r, errs.New(errs.Forbidden, "cross_origin", "This call came from another site."))
	}))
	guarded := protected.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, apiPrefix+"/admin/") {
			guarded.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// errCredentials says that a header was sent which is no credential.
var errCredentials = errs.New(errs.Unauthenticated, "invalid_token", "The Authorization header is not a bearer token.")

// authenticate reads who calls the API: a bearer token, or the admin application's cookie.
func (s *Shop) authenticate(r *http.Request) (httpx.Principal, error) {
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, token, ok := strings.Cut(header, " ")
		if !ok || !strings.EqualFold(scheme, "Bearer") {
			return httpx.Principal{}, errCredentials
		}
		return s.Users.Authenticate(r.Context(), strings.TrimSpace(token))
	}
	if strings.HasPrefix(r.URL.Path, apiPrefix+"/admin/") {
		if cookie, err := r.Cookie(users.StaffCookie); err == nil {
			p, err := s.Users.AuthenticateStaff(r.Context(), cookie.Value)
			if errs.KindOf(err) == errs.Unauthenticated && r.URL.Path == apiPrefix+"/admin/session" {
				return httpx.Principal{}, nil // an ended session must not stand in the way of a new one
			}
			return p, err
		}
	}
	return httpx.Principal{}, nil
}

// classify names the rate limit that a request counts for.
func classify(r *http.Request) ratelimit.Class {
	path := r.URL.Path
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		if strings.HasPrefix(path, "/assets/") || strings.HasPrefix(path, "/static/") {
			return ""
		}
		return ratelimit.General
	}
	switch {
	case strings.HasSuffix(path, "/complete"), strings.HasSuffix(path, "/payment/refresh"):
		return ratelimit.Pay
	case strings.HasSuffix(path, "/auth/login"), strings.HasSuffix(path, "/admin/session"), path == "/account/login":
		return ratelimit.Login
	case strings.HasSuffix(path, "/auth/register"), path == "/account/register":
		return ratelimit.Register
	case strings.Contains(path, "/password-reset"), strings.HasPrefix(path, "/account/reset"):
		return ratelimit.Reset
	case strings.HasSuffix(path, "/promotions"):
		return ratelimit.Coupon
	case path == apiPrefix+"/store/carts":
		return ratelimit.Cart
	}
	return ratelimit.General
}

func (s *Shop) serveVersion(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"version":"` + s.version + `"}` + "\n")) // the caller hung up: nobody is left to tell
}

// opsHandler is everything on the private address. serving says whether the process takes requests.
func (s *Shop) opsHandler(serving func() bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := s.ready(r.Context(), serving); err != nil {
			answer(w, http.StatusServiceUnavailable, err.Error())
			return
		}
		answer(w, http.StatusOK, "ok")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.telemetry.Registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

const readyTimeout = 2 * time.Second

var (
	errNotServing = errors.New("starting or draining")
	errSchema     = errors.New("migrations are pending: run shopd migrate up")
)

// ready asks PostgreSQL and nobody else: a blip of anything else must not take every replica out of the balancer.
func (s *Shop) ready(ctx context.Context, serving func() bool) error {
	if !serving() {
		return errNotServing
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	pending, err := migrate.Pending(ctx, s.pools.catalog)
	if err != nil {
		return errors.New("the database does not answer")
	}
	if pending > 0 {
		return errSchema
	}
	return nil
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n")) // the caller hung up: nobody is left to tell
}
