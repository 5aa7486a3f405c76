package users

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"shopd/internal/platform/httpx"
)

const (
	storeBase = "/api/v1/store"
	tagAuth   = "Accounts"
)

// answer is an answer that is personal or secret, and so is kept by no cache.
type answer[T any] struct {
	CacheControl string `header:"Cache-Control"`
	Body         T
}

const noStore = "no-store"

// reply is what a handler returns for body and err.
func reply[T any](body T, err error) (*answer[T], error) {
	if err != nil {
		return nil, err
	}
	return &answer[T]{CacheControl: noStore, Body: body}, nil
}

type statusBody struct {
	Status string `json:"status" enum:"accepted" doc:"The same whether or not the address has an account."`
}

var accepted = statusBody{Status: "accepted"}

type customerBody struct {
	ID            CustomerID `json:"id" example:"cus_06e5k3m8fqsmkpdv9gmf3l1m00"`
	Email         Email      `json:"email" example:"ada@example.com"`
	EmailVerified bool       `json:"email_verified" doc:"Whether the link in the welcome mail was followed."`
	Name          string     `json:"name"`
	Phone         string     `json:"phone"`
	Version       int64      `json:"version" doc:"Send it as If-Match to change what you have seen."`
	CreatedAt     time.Time  `json:"created_at"`
}

func newCustomerBody(c Customer) customerBody {
	return customerBody{
		ID: c.ID, Email: c.Email, EmailVerified: c.EmailVerified, Name: c.Name, Phone: c.Phone, Version: c.Version, CreatedAt: c.CreatedAt,
	}
}

type tokensBody struct {
	AccessToken  string `json:"access_token" doc:"JWT (EdDSA). Send it as Authorization: Bearer."`
	TokenType    string `json:"token_type" enum:"Bearer"`
	ExpiresIn    int    `json:"expires_in" doc:"Seconds the access token lives."`
	RefreshToken string `json:"refresh_token" doc:"Single use: every refresh answers with the next one."`
}

func newTokensBody(t Tokens) tokensBody {
	return tokensBody{AccessToken: t.AccessToken, TokenType: "Bearer", ExpiresIn: int(t.ExpiresIn.Seconds()), RefreshToken: t.RefreshToken}
}

type registerRequest struct {
	Body struct {
		Email    string `json:"email" example:"ada@example.com"`
		Password string `json:"password" doc:"At least 8 characters, not a common one, without the address."`
		Name     string `json:"name,omitempty"`
	}
}

type loginRequest struct {
	Body struct {
		Email    string `json:"email" example:"ada@example.com"`
		Password string `json:"password"`
	}
}

type loginBody struct {
	AccessToken  string       `json:"access_token" doc:"JWT (EdDSA). Send it as Authorization: Bearer."`
	TokenType    string       `json:"token_type" enum:"Bearer"`
	ExpiresIn    int          `json:"expires_in" doc:"Seconds the access token lives."`
	RefreshToken string       `json:"refresh_token" doc:"Single use: every refresh answers with the next one."`
	Customer     customerBody `json:"customer"`
}

func newLoginBody(t Tokens, c Customer) loginBody {
	b := newTokensBody(t)
	return loginBody{
		AccessToken: b.AccessToken, TokenType: b.TokenType, ExpiresIn: b.ExpiresIn, RefreshToken: b.RefreshToken, Customer: newCustomerBody(c),
	}
}

type refreshRequest struct {
	Body struct {
		RefreshToken string `json:"refresh_token"`
	}
}

type logoutRequest struct {
	Body *struct {
		RefreshToken string `json:"refresh_token,omitempty" doc:"Ends its session when the access token has expired."`
	}
}

type emailRequest struct {
	Body struct {
		Email string `json:"email" example:"ada@example.com"`
	}
}

type tokenRequest struct {
	Body struct {
		Token string `json:"token" doc:"From the mailed link."`
	}
}

type resetRequest struct {
	Body struct {
		Token    string `json:"token" doc:"From the mailed link."`
		Password string `json:"password" doc:"At least 8 characters, not a common one, without the address."`
	}
}

type jwksResponse struct {
	CacheControl string `header:"Cache-Control"`
	Body         json.RawMessage
}

// RegisterHTTP adds the routes of customers to api: signing up and in, their account, their addresses.
func RegisterHTTP(api *httpx.API, s *Service) {
	registerAuth(api, s)
	registerMe(api, s)
	registerAddresses(api, s)
}

// authRoute is a route for those who are not signed in yet.
func authRoute(id, path, summary string, status int, errors ...int) httpx.Route {
	return httpx.Route{
		ID: id, Method: http.MethodPost, Path: storeBase + "/auth/" + path, Summary: summary, Tag: tagAuth,
		Access: httpx.Public(), Status: status, Errors: append(errors, http.StatusTooManyRequests),
	}
}

func registerAuth(api *httpx.API, s *Service) {
	httpx.Register(api, authRoute("register", "register", "Open an account", 202, 422),
		func(ctx context.Context, in *registerRequest) (*answer[statusBody], error) {
			return reply(accepted, s.Register(ctx, Registration{Email: in.Body.Email, Password: in.Body.Password, Name: in.Body.Name}))
		})
	httpx.Register(api, authRoute("login", "login", "Sign in", 200, 401, 403),
		func(ctx context.Context, in *loginRequest) (*answer[loginBody], error) {
			tokens, customer, err := s.Login(ctx, in.Body.Email, in.Body.Password)
			return reply(newLoginBody(tokens, customer), err)
		})
	httpx.Register(api, authRoute("refresh", "refresh", "Change a refresh token for new tokens", 200, 401),
		func(ctx context.Context, in *refreshRequest) (*answer[tokensBody], error) {
			tokens, err := s.Refresh(ctx, in.Body.RefreshToken)
			return reply(newTokensBody(tokens), err)
		})
	httpx.Register(api, authRoute("logout", "logout", "End the session", 204, 401), s.handleLogout)
	httpx.Register(api, authRoute("request-password-reset", "password-reset", "Ask for a link to choose a new password", 202, 422),
		func(ctx context.Context, in *emailRequest) (*answer[statusBody], error) {
			return reply(accepted, s.RequestPasswordReset(ctx, in.Body.Email))
		})
	httpx.Register(api, authRoute("reset-password", "password-reset/confirm", "Choose a new password", 204, 400, 422),
		func(ctx context.Context, in *resetRequest) (*struct{}, error) {
			return nil, s.ResetPassword(ctx, in.Body.Token, in.Body.Password)
		})
	httpx.Register(api, authRoute("verify-email", "verify-email", "Confirm the address of an account", 204, 400),
		func(ctx context.Context, in *tokenRequest) (*struct{}, error) {
			return nil, s.VerifyEmail(ctx, in.Body.Token)
		})
	httpx.Register(api, authRoute("confirm-email-change", "email-change/confirm", "Confirm a new address", 204, 400),
		func(ctx context.Context, in *tokenRequest) (*struct{}, error) {
			return nil, s.ConfirmEmailChange(ctx, in.Body.Token)
		})
	jwks := httpx.Route{
		ID: "jwks", Method: http.MethodGet, Path: "/.well-known/jwks.json", Summary: "Public keys of access tokens",
		Tag: tagAuth, Access: httpx.Public(),
	}
	httpx.Register(api, jwks, func(context.Context, *struct{}) (*jwksResponse, error) {
		return &jwksResponse{CacheControl: "public, max-age=300", Body: s.JWKS()}, nil
	})
}

// handleLogout takes the access token, or the refresh token when that one has expired.
func (s *Service) handleLogout(ctx context.Context, in *logoutRequest) (*struct{}, error) {
	if p := httpx.PrincipalFrom(ctx); p.Kind == httpx.Customer {
		return nil, s.Logout(ctx, p.SessionID)
	}
	if in.Body == nil || in.Body.RefreshToken == "" {
		return nil, httpx.CustomersOnly().Check(httpx.PrincipalFrom(ctx))
	}
	return nil, s.LogoutByRefreshToken(ctx, in.Body.RefreshToken)
}
