// Package storefront is the face of the shop: pages rendered on the server that sell without any script, and a few
// small scripts that make buying quicker.
//
// It owns no data. What it shows comes from the catalogue, what a shopper does goes to orders and users, and what it
// remembers about a shopper is in cookies.
package storefront

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"shopd/internal/money"
)

// Deps is what New needs. Every field is required unless its comment says otherwise.
type Deps struct {
	Catalog Catalog
	Recs    Recs
	Orders  Orders
	Users   Users
	Log     *slog.Logger
	Now     func() time.Time

	// BaseURL is the public origin, such as "https://shop.example". All absolute links are made from it.
	BaseURL string
	// ShopName is what the shop calls itself, such as "Luma & Co.".
	ShopName string
	// Tagline is the promise in large letters on the home page; a general one when empty.
	Tagline string
	// Currency of new carts and of the prices in lists.
	Currency money.Currency
	// Country is where shoppers are taken to be until they say otherwise, ISO 3166-1 alpha-2.
	Country string
	// Demo says so on every page, because nothing is charged or sent.
	Demo bool
	// Credits are shown at /credits; may be empty.
	Credits []Credit
	// FormTargets are foreign origins a payment may lead to, such as "https://www.paypal.com"; may be empty.
	FormTargets []string
}

// Credit names where pictures or texts of the shop come from.
type Credit struct {
	Title   string // what it is, such as a photographer or a data set
	Author  string
	License string
	URL     string // of the source or the licence; may be empty
	Works   []string
}

// defaultTagline fits any shop that sells more than one thing.
const defaultTagline = "Good things for going out and coming home."

// Storefront serves the pages.
type Storefront struct {
	Deps
	site      site
	secure    bool // the shop is on https, so cookies are too
	pages     *pages
	assets    *assets
	nav       *cached[[]navCategory]
	front     *cached[*homeBody]
	sitemap   *cached[[]byte]
	csp       string
	forgeries *http.CrossOriginProtection
}

// New checks deps, parses the templates and prepares the assets.
func New(deps Deps) (*Storefront, error) {
	if deps.Catalog == nil || deps.Recs == nil || deps.Orders == nil || deps.Users == nil || deps.Log == nil || deps.Now == nil {
		return nil, errors.New("storefront: Catalog, Recs, Orders, Users, Log and Now are required")
	}
	base, err := url.Parse(deps.BaseURL)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, fmt.Errorf("storefront: base URL %q is not an http or https origin", deps.BaseURL)
	}
	deps.BaseURL = base.Scheme + "://" + base.Host
	if deps.Tagline == "" {
		deps.Tagline = defaultTagline
	}
	deps.Credits = gather(deps.Credits)
	s := &Storefront{Deps: deps, secure: base.Scheme == "https"}
	if s.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	s.site = site{
		Name: deps.ShopName, Tagline: deps.Tagline, BaseURL: deps.BaseURL, Demo: deps.Demo,
		Assets: s.assets.prefix, Currency: deps.Currency,
	}
	if s.pages, err = parsePages(s.site); err != nil {
		return nil, err
	}
	s.nav = newCached(deps.Now, navTTL, s.loadNav)
	s.front = newCached(deps.Now, homeTTL, s.loadHome)
	s.sitemap = newCached(deps.Now, sitemapTTL, s.loadSitemap)
	s.csp = contentSecurityPolicy(deps.FormTargets)
	s.forgeries = http.NewCrossOriginProtection()
	if err := s.forgeries.AddTrustedOrigin(deps.BaseURL); err != nil {
		return nil, fmt.Errorf("storefront: trust the own origin: %w", err)
	}
	s.forgeries.SetDenyHandler(s.page(func(http.ResponseWriter, *http.Request) error { return errForeignForm }))
	return s, nil
}

// contentSecurityPolicy lets a page load and run only what comes from the shop itself.
func contentSecurityPolicy(formTargets []string) string {
	return "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; " +
		"form-action " + strings.Join(append([]string{"'self'"}, formTargets...), " ")
}

// Routes adds every page to r, and takes over its answers for unknown paths and methods.
func (s *Storefront) Routes(r chi.Router) {
	r.Group(func(r chi.Router) {
		r.Use(s.protect)
		s.publicRoutes(r)
		s.purchaseRoutes(r)
		s.accountRoutes(r)
	})
	r.Get("/assets/{version}/*", s.assets.serve)
	r.Get("/robots.txt", s.robots)
	r.Get("/manifest.webmanifest", s.manifest)
	r.Get("/favicon.ico", s.favicon)
	r.NotFound(s.protect(http.HandlerFunc(s.notFound)).ServeHTTP)
	r.MethodNotAllowed(s.protect(s.methodNotAllowed(r)).ServeHTTP)
}

func (s *Storefront) publicRoutes(r chi.Router) {
	get := func(path string, h pageHandler) {
		r.Get(path, s.page(h))
		r.Head(path, s.page(h)) // for link checkers and previews; net/http leaves the body out
	}
	get("/", s.home)
	get("/c/{slug}", s.category)
	get("/p/{slug}", s.product)
	get("/search", s.search)
	get("/search/suggest", s.suggest)
	get("/about", s.static("about", "About us"))
	get("/shipping", s.static("shipping", "Delivery and returns"))
	get("/credits", s.credits)
	get("/sitemap.xml", s.sitemapIndex)
	get("/sitemap-pages.xml", s.sitemapPages)
	get("/sitemap-products.xml", s.sitemapProducts)
}

func (s *Storefront) purchaseRoutes(r chi.Router) {
	r.Get("/cart", s.page(s.cart))
	r.Get("/cart/summary", s.page(s.cartSummary))
	r.Post("/cart/promotions", s.page(s.applyCoupon))
	r.Post("/cart/promotions/remove", s.page(s.removeCoupon))
	r.Post("/cart/lines", s.page(s.addLine))
	r.Post("/cart/lines/{line}", s.page(s.setQuantity))
	r.Post("/cart/lines/{line}/remove", s.page(s.removeLine))
	r.Get("/checkout", s.page(s.checkout))
	r.Post("/checkout/contact", s.page(s.saveContact))
	r.Post("/checkout/shipping", s.page(s.saveShipping))
	r.Post("/checkout/accept-prices", s.page(s.acceptPrices))
	r.Post("/checkout/complete", s.page(s.complete))
	r.Get("/checkout/test-payment/{payment}", s.page(s.testPayment))
	r.Post("/checkout/test-payment/{payment}", s.page(s.confirmTestPayment))
	r.Get("/order/return", s.page(s.paymentReturn))
	r.Get("/order/{id}", s.page(s.order))
	r.Post("/order/{id}/cancel", s.page(s.cancelOrder))
	r.Post("/order/{id}/pay", s.page(s.payOrder))
	r.Post("/order/{id}/returns", s.page(s.requestReturn))
	r.Post("/order/{id}/returns/{return}/cancel", s.page(s.cancelReturn))
	r.Get("/order/{id}/documents/{document}", s.page(s.document))
}

func (s *Storefront) accountRoutes(r chi.Router) {
	r.Route("/account", func(r chi.Router) {
		r.Get("/", s.page(s.signedIn(s.account)))
		r.Get("/orders/{id}", s.page(s.signedIn(s.accountOrder)))
		r.Get("/addresses", s.page(s.signedIn(s.addresses)))
		r.Post("/addresses", s.page(s.signedIn(s.saveAddress)))
		r.Get("/addresses/{address}", s.page(s.signedIn(s.editAddress)))
		r.Post("/addresses/{address}", s.page(s.signedIn(s.saveAddress)))
		r.Post("/addresses/{address}/delete", s.page(s.signedIn(s.deleteAddress)))
		r.Get("/login", s.page(s.loginForm))
		r.Post("/login", s.page(s.login))
		r.Get("/register", s.page(s.registerForm))
		r.Post("/register", s.page(s.register))
		r.Post("/logout", s.page(s.logout))
		r.Get("/reset", s.page(s.resetForm))
		r.Post("/reset", s.page(s.requestReset))
		r.Get("/reset/confirm", s.page(s.resetConfirmForm))
		r.Post("/reset/confirm", s.page(s.confirmReset))
		r.Get("/verify", s.page(s.linkPage(verifyLink)))
		r.Post("/verify", s.page(s.useLink(verifyLink, "email-confirmed", s.Users.VerifyEmail)))
		r.Get("/email/confirm", s.page(s.linkPage(emailLink)))
		r.Post("/email/confirm", s.page(s.useLink(emailLink, "email-changed", s.Users.ConfirmEmailChange)))
	})
}

// protect sets the headers of every page and refuses forms that other sites send in a shopper's name.
func (s *Storefront) protect(next http.Handler) http.Handler {
	next = s.forgeries.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.setHeaders(w.Header())
		next.ServeHTTP(w, r)
	})
}

// setHeaders sets what every page carries.
func (s *Storefront) setHeaders(h http.Header) {
	h.Set("Content-Security-Policy", s.csp)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "strict-origin-when-cross-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
}
