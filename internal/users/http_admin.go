package users

import (
	"context"
	"net/http"
	"strings"
	"time"

	"shopd/internal/platform/httpx"
)

const (
	adminBase = "/api/v1/admin"
	tagStaff  = "Staff"
	// StaffCookie holds the session of a member of staff.
	StaffCookie = "shopd_staff"
)

type staffBody struct {
	ID          StaffID   `json:"id"`
	Email       Email     `json:"email"`
	Name        string    `json:"name"`
	Role        Role      `json:"role" enum:"owner,manager,support,viewer"`
	HasPassword bool      `json:"has_password"`
	Disabled    bool      `json:"disabled"`
	Version     int64     `json:"version"`
	CreatedAt   time.Time `json:"created_at"`
}

func newStaffBody(m Staff) staffBody {
	return staffBody{
		ID: m.ID, Email: m.Email, Name: m.Name, Role: m.Role, HasPassword: m.HasPassword, Disabled: m.Disabled,
		Version: m.Version, CreatedAt: m.CreatedAt,
	}
}

func replyStaff(m Staff, err error) (*answer[staffBody], error) { return reply(newStaffBody(m), err) }

type meStaffBody struct {
	ID       StaffID  `json:"id"`
	Email    Email    `json:"email"`
	Name     string   `json:"name"`
	Role     Role     `json:"role" enum:"owner,manager,support,viewer"`
	Scopes   []string `json:"scopes" nullable:"false" doc:"What the role may do."`
	ShopName string   `json:"shop_name"`
}

type cookieResponse struct {
	CacheControl string      `header:"Cache-Control"`
	SetCookie    http.Cookie `header:"Set-Cookie"`
}

type addStaffRequest struct {
	Body struct {
		Email    string `json:"email"`
		Name     string `json:"name,omitempty"`
		Role     Role   `json:"role" enum:"owner,manager,support,viewer"`
		Password string `json:"password,omitempty" doc:"Without one the account signs in by link."`
	}
}

type patchStaffRequest struct {
	ID   StaffID `path:"id"`
	Body struct {
		Role     *Role `json:"role,omitempty" enum:"owner,manager,support,viewer"`
		Disabled *bool `json:"disabled,omitempty"`
	}
}

type apiKeyBody struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Hint       string     `json:"hint" doc:"The last characters of the secret."`
	Scopes     []string   `json:"scopes" nullable:"false"`
	CreatedAt  time.Time  `json:"created_at"`
	CreatedBy  string     `json:"created_by"`
	LastUsedAt *time.Time `json:"last_used_at"`
	RevokedAt  *time.Time `json:"revoked_at"`
	Secret     string     `json:"secret,omitempty" doc:"The key itself, shown this once: when it is made."`
}

type addAPIKeyRequest struct {
	Body struct {
		Name   string   `json:"name"`
		Scopes []string `json:"scopes" maxItems:"50" doc:"Such as orders:read, catalog:*, or * for everything."`
	}
}

func newAPIKeyBody(k APIKey) apiKeyBody {
	return apiKeyBody{
		ID: k.ID, Name: k.Name, Hint: k.Hint, Scopes: k.Scopes, CreatedAt: k.CreatedAt, CreatedBy: k.CreatedBy,
		LastUsedAt: k.LastUsedAt, RevokedAt: k.RevokedAt,
	}
}

type idRequest struct {
	ID string `path:"id"`
}

type auditBody struct {
	ID     string         `json:"id"`
	At     time.Time      `json:"at"`
	Actor  string         `json:"actor"`
	Action string         `json:"action"`
	Object string         `json:"object"`
	Detail map[string]any `json:"detail"`
}

// adminRoute is a route for staff and API keys with a scope.
func adminRoute(id, method, path, summary, scope string, status int, errors ...int) httpx.Route {
	return httpx.Route{
		ID: id, Method: method, Path: adminBase + path, Summary: summary, Tag: tagStaff,
		Access: httpx.StaffWith(scope), Status: status, Errors: append(errors, http.StatusUnauthorized, http.StatusForbidden),
	}
}

// RegisterAdminHTTP adds the routes of staff to api: their sessions, who they are, API keys and the audit log.
func RegisterAdminHTTP(api *httpx.API, s *Service) {
	registerStaffSession(api, s)
	registerStaff(api, s)
	registerAPIKeys(api, s)
	audit := adminRoute("list-audit-log", http.MethodGet, "/audit-log", "Who did what, the newest first", "audit:read", 200)
	httpx.Register(api, audit, func(ctx context.Context, in *httpx.Page) (*answer[httpx.List[auditBody]], error) {
		entries, err := s.AuditLog(ctx, in.After, in.Limit)
		if err != nil {
			return nil, err
		}
		bodies, next := make([]auditBody, 0, len(entries)), ""
		for _, e := range entries {
			bodies = append(bodies, auditBody(e))
		}
		if len(entries) == in.Limit {
			next = entries[len(entries)-1].ID
		}
		return reply(httpx.NewList(bodies, next), nil)
	})
}

func registerStaffSession(api *httpx.API, s *Service) {
	login := httpx.Route{
		ID: "admin-login", Method: http.MethodPost, Path: adminBase + "/session", Summary: "Sign in with a password",
		Tag: tagStaff, Access: httpx.Public(), Status: 204, Errors: []int{401, 429},
	}
	httpx.Register(api, login, func(ctx context.Context, in *loginRequest) (*cookieResponse, error) {
		session, err := s.LoginStaff(ctx, in.Body.Email, in.Body.Password)
		if err != nil {
			return nil, err
		}
		return &cookieResponse{CacheControl: noStore, SetCookie: s.staffCookie(session.Token)}, nil
	})
	logout := adminRoute("admin-logout", http.MethodDelete, "/session", "Sign out", scopeSelf, 204)
	httpx.Register(api, logout, func(ctx context.Context, _ *struct{}) (*cookieResponse, error) {
		if err := s.LogoutStaff(ctx, httpx.PrincipalFrom(ctx).SessionID); err != nil {
			return nil, err
		}
		return &cookieResponse{CacheControl: noStore, SetCookie: s.staffCookie("")}, nil
	})
	me := adminRoute("admin-me", http.MethodGet, "/me", "The member of staff who is signed in", scopeSelf, 200)
	httpx.Register(api, me, func(ctx context.Context, _ *struct{}) (*answer[meStaffBody], error) {
		m, err := s.Staff(ctx, StaffID(httpx.PrincipalFrom(ctx).ID))
		return reply(meStaffBody{ID: m.ID, Email: m.Email, Name: m.Name, Role: m.Role, Scopes: m.Role.Scopes(), ShopName: s.config.ShopName}, err)
	})
}

// staffCookie is the cookie that holds token; an empty one takes the cookie away.
func (s *Service) staffCookie(token string) http.Cookie {
	c := http.Cookie{ //nolint:gosec // Secure wherever the shop is reached by https
		Name: StaffCookie, Value: token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: strings.HasPrefix(s.config.BaseURL, "https://"),
	}
	if token == "" {
		c.MaxAge = -1
	}
	return c
}

// LinkLogin is the page behind a one-time login link: it takes ?token=, sets the cookie and goes on to the admin
// application, or to its login page when the link is not good any more.
func LinkLogin(s *Service) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Referrer-Policy", "no-referrer")
		session, err := s.LoginWithLink(r.Context(), r.URL.Query().Get("token"))
		switch status := httpx.StatusOf(err); {
		case err == nil:
			cookie := s.staffCookie(session.Token) //nolint:gosec // Secure wherever the shop is reached by https
			// The link is followed from a terminal or a mail: with Strict the browser would keep the cookie back
			// on the redirect that follows.
			cookie.SameSite = http.SameSiteLaxMode
			http.SetCookie(w, &cookie)
			http.Redirect(w, r, "/admin/", http.StatusSeeOther)
		case status < http.StatusInternalServerError:
			http.Redirect(w, r, "/admin/login?error=link_expired", http.StatusSeeOther)
		default:
			httpx.WriteError(w, r, err)
		}
	}
}

func registerStaff(api *httpx.API, s *Service) {
	httpx.Register(api, adminRoute("list-staff", http.MethodGet, "/staff", "Everybody on the staff", "staff:read", 200),
		func(ctx context.Context, _ *struct{}) (*answer[httpx.List[staffBody]], error) {
			staff, err := s.ListStaff(ctx)
			if err != nil {
				return nil, err
			}
			bodies := make([]staffBody, 0, len(staff))
			for _, m := range staff {
				bodies = append(bodies, newStaffBody(m))
			}
			return reply(httpx.NewList(bodies, ""), nil)
		})
	httpx.Register(api, adminRoute("add-staff", http.MethodPost, "/staff", "Add a member of staff", "staff:write", 201, 409, 422),
		func(ctx context.Context, in *addStaffRequest) (*answer[staffBody], error) {
			return replyStaff(s.AddStaff(ctx, httpx.PrincipalFrom(ctx), NewStaff{
				Email: in.Body.Email, Name: in.Body.Name, Role: in.Body.Role, Password: in.Body.Password,
			}))
		})
	httpx.Register(api, adminRoute("update-staff", http.MethodPatch, "/staff/{id}", "Change a role, or keep somebody out", "staff:write", 200, 404, 409),
		func(ctx context.Context, in *patchStaffRequest) (*answer[staffBody], error) {
			actor := httpx.PrincipalFrom(ctx)
			if in.Body.Role != nil {
				if err := s.SetStaffRole(ctx, actor, in.ID, *in.Body.Role); err != nil {
					return nil, err
				}
			}
			if in.Body.Disabled != nil {
				if err := s.SetStaffActive(ctx, actor, in.ID, !*in.Body.Disabled); err != nil {
					return nil, err
				}
			}
			return replyStaff(s.Staff(ctx, in.ID))
		})
}

func registerAPIKeys(api *httpx.API, s *Service) {
	httpx.Register(api, adminRoute("list-api-keys", http.MethodGet, "/api-keys", "All API keys, the newest first", "api_keys:read", 200),
		func(ctx context.Context, _ *struct{}) (*answer[httpx.List[apiKeyBody]], error) {
			keys, err := s.APIKeys(ctx)
			if err != nil {
				return nil, err
			}
			bodies := make([]apiKeyBody, 0, len(keys))
			for _, k := range keys {
				bodies = append(bodies, newAPIKeyBody(k))
			}
			return reply(httpx.NewList(bodies, ""), nil)
		})
	httpx.Register(api, adminRoute("add-api-key", http.MethodPost, "/api-keys", "Make an API key", "api_keys:write", 201, 422),
		func(ctx context.Context, in *addAPIKeyRequest) (*answer[apiKeyBody], error) {
			key, secret, err := s.CreateAPIKey(ctx, httpx.PrincipalFrom(ctx).Actor(), in.Body.Name, in.Body.Scopes)
			body := newAPIKeyBody(key)
			body.Secret = secret
			return reply(body, err)
		})
	httpx.Register(api, adminRoute("revoke-api-key", http.MethodDelete, "/api-keys/{id}", "Revoke an API key", "api_keys:write", 204, 404),
		func(ctx context.Context, in *idRequest) (*struct{}, error) {
			return nil, s.RevokeAPIKey(ctx, httpx.PrincipalFrom(ctx).Actor(), in.ID)
		})
}
