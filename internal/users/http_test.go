package users_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"shopd/internal/platform/crypto"
	"shopd/internal/platform/httpx"
	"shopd/internal/platform/idempotency"
	"shopd/internal/users"
)

// site serves the routes of users as the application does.
func site(t *testing.T, b *bundle) http.Handler {
	t.Helper()
	vault, err := crypto.NewVault(masterKey("k"))
	require.NoError(t, err)
	store, err := idempotency.New(idempotency.Config{Sealer: vault, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	router := chi.NewRouter()
	router.Use(httpx.RequireJSON, httpx.Authenticate(func(r *http.Request) (httpx.Principal, error) {
		if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
			return b.Authenticate(r.Context(), bearer)
		}
		if cookie, err := r.Cookie(users.StaffCookie); err == nil {
			return b.AuthenticateStaff(r.Context(), cookie.Value)
		}
		return httpx.Principal{}, nil
	}))
	router.Get("/admin/login", users.LinkLogin(b.Service))
	api := httpx.NewAPI(router, "test", "1", "/api/v1", &httpx.Idempotency{
		Store: store, DB: connect(t, b.databaseURL, "shopd_users"), GuestKey: func(*http.Request) string { return "" },
	})
	users.RegisterHTTP(api, b.Service)
	users.RegisterAdminHTTP(api, b.Service)
	return router
}

// call makes a request; auth is a bearer token, or a cookie after "cookie ".
func call(t *testing.T, h http.Handler, auth, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if cookie, ok := strings.CutPrefix(auth, "cookie "); ok {
		r.AddCookie(&http.Cookie{Name: users.StaffCookie, Value: cookie})
	} else if auth != "" {
		r.Header.Set("Authorization", "Bearer "+auth)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func decode(t *testing.T, w *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	var body map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body), w.Body.String())
	return body
}

func TestHTTPCustomer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	h := site(t, b)
	const store = "/api/v1/store"
	signUp := fmt.Sprintf(`{"email":%q,"password":%q,"name":"Ada"}`, address, password)

	first := call(t, h, "", "POST", store+"/auth/register", signUp)
	require.Equal(t, 202, first.Code, first.Body.String())
	require.Equal(t, "accepted", decode(t, first)["status"])
	second := call(t, h, "", "POST", store+"/auth/register", signUp)
	require.Equal(t, first.Code, second.Code)
	require.Equal(t, first.Body.String(), second.Body.String())

	w := call(t, h, "", "POST", store+"/auth/login", fmt.Sprintf(`{"email":%q,"password":%q}`, address, password))
	require.Equal(t, 200, w.Code, w.Body.String())
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	login := decode(t, w)
	require.Equal(t, "Bearer", login["token_type"])
	require.EqualValues(t, 600, login["expires_in"])
	require.Equal(t, address, login["customer"].(map[string]any)["email"])
	refresh := login["refresh_token"].(string)

	w = call(t, h, "", "POST", store+"/auth/refresh", fmt.Sprintf(`{"refresh_token":%q}`, refresh))
	require.Equal(t, 200, w.Code)
	bearer := decode(t, w)["access_token"].(string)

	w = call(t, h, bearer, "GET", store+"/me", "")
	require.Equal(t, 200, w.Code)
	require.Equal(t, `"1"`, w.Header().Get("ETag"))
	me := decode(t, w)
	require.Equal(t, "Ada", me["name"])

	w = call(t, h, bearer, "PATCH", store+"/me", `{"phone":"+44 20 7946 0000"}`)
	require.Equal(t, 200, w.Code)
	require.Equal(t, "Ada", decode(t, w)["name"])
	for _, field := range []string{`"role":"owner"`, `"is_staff":true`, `"email_verified":true`, `"credit":5`, `"id":"cus_1"`} {
		w = call(t, h, bearer, "PATCH", store+"/me", `{"name":"Eve",`+field+`}`)
		require.Equal(t, 422, w.Code)
		require.Equal(t, "unknown_field", decode(t, w)["code"])
	}
	require.Equal(t, "Ada", decode(t, call(t, h, bearer, "GET", store+"/me", ""))["name"])

	const home = `{"name":"Ada","line1":"12 St James's Square","city":"London","postal_code":"SW1Y 4JH","country":"GB"}`
	w = call(t, h, bearer, "POST", store+"/me/addresses", home)
	require.Equal(t, 201, w.Code, w.Body.String())
	saved := decode(t, w)
	require.Equal(t, true, saved["is_default"])
	path := store + "/me/addresses/" + saved["id"].(string)
	w = call(t, h, bearer, "PATCH", path, `{"city":"Bath"}`)
	require.Equal(t, 200, w.Code, w.Body.String())
	require.Equal(t, "Bath", decode(t, w)["city"])
	require.Equal(t, "12 St James's Square", decode(t, w)["line1"])
	require.Equal(t, 200, call(t, h, bearer, "PUT", path, home).Code)
	require.Len(t, decode(t, call(t, h, bearer, "GET", store+"/me/addresses", ""))["items"], 1)
	require.Equal(t, 404, call(t, h, bearer, "GET", store+"/me/addresses/addr_none", "").Code)
	require.Equal(t, 422, call(t, h, bearer, "POST", store+"/me/addresses", `{"name":"Ada","line1":"x","city":"y","country":"Z9"}`).Code)

	w = call(t, h, bearer, "GET", store+"/me/export", "")
	require.Equal(t, 200, w.Code, w.Body.String())
	export := decode(t, w)
	require.Len(t, export["addresses"], 1)
	require.Len(t, export["orders"], 1)
	require.Equal(t, me["id"], export["customer"].(map[string]any)["id"])
	require.Equal(t, 204, call(t, h, bearer, "DELETE", path, "").Code)

	require.Equal(t, 204, call(t, h, bearer, "POST", store+"/auth/logout", "").Code)
	w = call(t, h, bearer, "GET", store+"/me", "")
	require.Equal(t, 401, w.Code)
	require.Equal(t, "session_revoked", decode(t, w)["code"])

	require.Equal(t, 401, call(t, h, "", "POST", store+"/auth/logout", "").Code)
	require.Equal(t, 401, call(t, h, "", "GET", store+"/me", "").Code)
}

func TestHTTPLogoutWithAnExpiredAccessToken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	h := site(t, b)
	b.register(t)
	tokens := b.login(t)
	b.clock.advance(11 * time.Minute)
	require.Equal(t, 204, call(t, h, "", "POST", "/api/v1/store/auth/logout", fmt.Sprintf(`{"refresh_token":%q}`, tokens.RefreshToken)).Code)
	w := call(t, h, "", "POST", "/api/v1/store/auth/refresh", fmt.Sprintf(`{"refresh_token":%q}`, tokens.RefreshToken))
	require.Equal(t, 401, w.Code)
	require.Equal(t, "session_revoked", decode(t, w)["code"])
}

func TestHTTPResetAndErase(t *testing.T) {
	t.Parallel()
	b := setup(t)
	h := site(t, b)
	b.register(t)
	const store = "/api/v1/store"
	known := call(t, h, "", "POST", store+"/auth/password-reset", fmt.Sprintf(`{"email":%q}`, address))
	unknown := call(t, h, "", "POST", store+"/auth/password-reset", `{"email":"nobody@example.com"}`)
	require.Equal(t, 202, known.Code)
	require.Equal(t, known.Code, unknown.Code)
	require.Equal(t, known.Body.String(), unknown.Body.String())

	token := b.mails.token(t, "password_reset")
	w := call(t, h, "", "POST", store+"/auth/password-reset/confirm", fmt.Sprintf(`{"token":%q,"password":"12345678"}`, token))
	require.Equal(t, 422, w.Code)
	require.Equal(t, "password_compromised", decode(t, w)["code"])
	confirm := fmt.Sprintf(`{"token":%q,"password":"another walk at dawn"}`, token)
	require.Equal(t, 204, call(t, h, "", "POST", store+"/auth/password-reset/confirm", confirm).Code)
	w = call(t, h, "", "POST", store+"/auth/password-reset/confirm", confirm)
	require.Equal(t, 400, w.Code)
	require.Equal(t, "invalid_or_expired_token", decode(t, w)["code"])

	tokens, _, err := b.Login(t.Context(), address, "another walk at dawn")
	require.NoError(t, err)
	require.Equal(t, 403, call(t, h, tokens.AccessToken, "DELETE", store+"/me", `{"password":"wrong"}`).Code)
	require.Equal(t, 204, call(t, h, tokens.AccessToken, "DELETE", store+"/me", `{"password":"another walk at dawn"}`).Code)
	require.Equal(t, 401, call(t, h, tokens.AccessToken, "GET", store+"/me", "").Code)
}

func TestHTTPLoginFailuresLookTheSame(t *testing.T) {
	t.Parallel()
	b := setup(t)
	h := site(t, b)
	b.register(t)
	wrong := call(t, h, "", "POST", "/api/v1/store/auth/login", fmt.Sprintf(`{"email":%q,"password":"not the password"}`, address))
	unknown := call(t, h, "", "POST", "/api/v1/store/auth/login", `{"email":"nobody@example.com","password":"not the password"}`)
	require.Equal(t, 401, wrong.Code)
	require.Equal(t, wrong.Code, unknown.Code)
	require.Equal(t, wrong.Body.String(), unknown.Body.String())
	require.Equal(t, wrong.Header(), unknown.Header())
}

func TestHTTPStaff(t *testing.T) {
	t.Parallel()
	b := setup(t)
	h := site(t, b)
	const admin = "/api/v1/admin"
	boss, err := b.CreateAdmin(t.Context(), "owner@example.com", staffPassword)
	require.NoError(t, err)

	w := call(t, h, "", "POST", admin+"/session", fmt.Sprintf(`{"email":"owner@example.com","password":%q}`, staffPassword))
	require.Equal(t, 204, w.Code, w.Body.String())
	cookies := w.Result().Cookies()
	require.Len(t, cookies, 1)
	require.True(t, cookies[0].HttpOnly)
	require.True(t, cookies[0].Secure)
	require.Equal(t, http.SameSiteStrictMode, cookies[0].SameSite)
	session := "cookie " + cookies[0].Value

	me := decode(t, call(t, h, session, "GET", admin+"/me", ""))
	require.Equal(t, string(boss), me["id"])
	require.Equal(t, "owner", me["role"])

	w = call(t, h, session, "POST", admin+"/staff", `{"email":"viewer@example.com","role":"viewer"}`)
	require.Equal(t, 201, w.Code, w.Body.String())
	viewer := decode(t, w)["id"].(string)
	require.Equal(t, 409, call(t, h, session, "POST", admin+"/staff", `{"email":"viewer@example.com","role":"viewer"}`).Code)
	require.Len(t, decode(t, call(t, h, session, "GET", admin+"/staff", ""))["items"], 2)
	w = call(t, h, session, "PATCH", admin+"/staff/"+string(boss), `{"role":"viewer"}`)
	require.Equal(t, 409, w.Code)
	require.Equal(t, "last_admin", decode(t, w)["code"])

	w = call(t, h, session, "POST", admin+"/api-keys", `{"name":"ERP","scopes":["staff:*"]}`)
	require.Equal(t, 201, w.Code, w.Body.String())
	key := decode(t, w)
	secret := key["secret"].(string)
	require.Equal(t, 200, call(t, h, secret, "GET", admin+"/staff", "").Code)
	require.Equal(t, 403, call(t, h, secret, "POST", admin+"/staff", `{"email":"x@example.com","role":"viewer"}`).Code, "a key makes no people")
	require.Equal(t, 403, call(t, h, secret, "GET", admin+"/audit-log", "").Code)
	require.NotContains(t, call(t, h, session, "GET", admin+"/api-keys", "").Body.String(), secret)
	require.Equal(t, 204, call(t, h, session, "DELETE", admin+"/api-keys/"+key["id"].(string), "").Code)
	require.Equal(t, 401, call(t, h, secret, "GET", admin+"/staff", "").Code)
	require.NotEmpty(t, decode(t, call(t, h, session, "GET", admin+"/audit-log?limit=2", ""))["next"])

	b.register(t)
	customer := b.login(t).AccessToken
	for _, path := range []string{"/me", "/staff", "/api-keys", "/audit-log"} {
		require.Equal(t, 403, call(t, h, customer, "GET", admin+path, "").Code, path)
		require.Equal(t, 401, call(t, h, "", "GET", admin+path, "").Code, path)
	}

	link, err := b.IssueLoginLink(t.Context(), users.StaffID(viewer), time.Hour)
	require.NoError(t, err)
	w = call(t, h, "", "GET", "/admin/login?token="+link, "")
	require.Equal(t, http.StatusSeeOther, w.Code)
	require.Equal(t, "/admin/", w.Header().Get("Location"))
	watching := "cookie " + w.Result().Cookies()[0].Value
	require.Equal(t, 200, call(t, h, watching, "GET", admin+"/me", "").Code)
	require.Equal(t, 403, call(t, h, watching, "GET", admin+"/staff", "").Code)
	again := call(t, h, "", "GET", "/admin/login?token="+link, "")
	require.Equal(t, "/admin/login?error=link_expired", again.Header().Get("Location"))
	require.Empty(t, again.Result().Cookies())

	w = call(t, h, session, "DELETE", admin+"/session", "")
	require.Equal(t, 204, w.Code)
	require.Negative(t, w.Result().Cookies()[0].MaxAge)
	require.Equal(t, 401, call(t, h, session, "GET", admin+"/me", "").Code)
}

func TestHTTPJWKS(t *testing.T) {
	t.Parallel()
	w := call(t, site(t, setup(t)), "", "GET", "/.well-known/jwks.json", "")
	require.Equal(t, 200, w.Code)
	require.Len(t, decode(t, w)["keys"], 1)
}

// TestHTTPDocument checks what generators of clients see: embedded bodies are flat, and every route has an answer.
func TestHTTPDocument(t *testing.T) {
	t.Parallel()
	w := call(t, site(t, setup(t)), "", "GET", "/api/v1/openapi.json", "")
	require.Equal(t, 200, w.Code)
	var document struct {
		Components struct {
			Schemas map[string]struct{ Properties map[string]any }
		}
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &document))
	for schema, properties := range map[string][]string{
		"LoginBody":          {"access_token", "token_type", "expires_in", "refresh_token", "customer"},
		"AddressRequestBody": {"name", "line1", "city", "country", "is_default"},
		"AddressBody":        {"id", "line1", "is_default"},
		"ApiKeyBody":         {"id", "scopes", "secret"},
		"MeStaffBody":        {"id", "role", "scopes"},
	} {
		for _, property := range properties {
			require.Contains(t, document.Components.Schemas[schema].Properties, property, schema)
		}
	}
}
