package users

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"shopd/internal/platform/httpx"
)

type meResponse struct {
	CacheControl string `header:"Cache-Control"`
	ETag         string `header:"ETag"`
	Body         customerBody
}

func replyMe(c Customer, err error) (*meResponse, error) {
	if err != nil {
		return nil, err
	}
	return &meResponse{CacheControl: noStore, ETag: httpx.ETag(c.Version), Body: newCustomerBody(c)}, nil
}

type patchMeRequest struct {
	IfMatch string `header:"If-Match" doc:"The version you have seen; without it the newest is changed."`
	Body    struct {
		Name  *string `json:"name,omitempty"`
		Phone *string `json:"phone,omitempty"`
	}
}

type changeEmailRequest struct {
	Body struct {
		Email    string `json:"email" doc:"The new address."`
		Password string `json:"password"`
	}
}

type passwordRequest struct {
	Body struct {
		Password string `json:"password"`
	}
}

type exportBody struct {
	ExportedAt time.Time       `json:"exported_at"`
	Customer   customerBody    `json:"customer"`
	Addresses  []addressBody   `json:"addresses" nullable:"false"`
	Sessions   []SessionInfo   `json:"sessions" nullable:"false"`
	Orders     json.RawMessage `json:"orders" doc:"Array of the customer's orders."`
}

type exportResponse struct {
	CacheControl string `header:"Cache-Control"`
	Disposition  string `header:"Content-Disposition"`
	Body         exportBody
}

// meRoute is a route for a customer about themselves.
func meRoute(id, method, path, summary string, status int, errors ...int) httpx.Route {
	return httpx.Route{
		ID: id, Method: method, Path: storeBase + "/me" + path, Summary: summary, Tag: tagAuth,
		Access: httpx.CustomersOnly(), Status: status, Errors: append(errors, http.StatusUnauthorized),
	}
}

// caller is the customer who calls; the routes let nobody else in.
func caller(ctx context.Context) CustomerID { return CustomerID(httpx.PrincipalFrom(ctx).CustomerID()) }

func registerMe(api *httpx.API, s *Service) {
	httpx.Register(api, meRoute("get-me", http.MethodGet, "", "The customer who is signed in", 200),
		func(ctx context.Context, _ *struct{}) (*meResponse, error) {
			return replyMe(s.Customer(ctx, caller(ctx)))
		})
	httpx.Register(api, meRoute("update-me", http.MethodPatch, "", "Change name or phone", 200, 412, 422),
		func(ctx context.Context, in *patchMeRequest) (*meResponse, error) {
			version, err := httpx.IfMatch(in.IfMatch)
			if err != nil {
				return nil, err
			}
			return replyMe(s.UpdateProfile(ctx, caller(ctx), CustomerChange{Name: in.Body.Name, Phone: in.Body.Phone}, version))
		})
	httpx.Register(api, meRoute("change-email", http.MethodPost, "/email", "Ask for a link that changes the address", 202, 403, 422, 429),
		func(ctx context.Context, in *changeEmailRequest) (*answer[statusBody], error) {
			return reply(accepted, s.RequestEmailChange(ctx, caller(ctx), in.Body.Password, in.Body.Email))
		})
	httpx.Register(api, meRoute("export-me", http.MethodGet, "/export", "Everything the shop knows of the customer", 200),
		func(ctx context.Context, _ *struct{}) (*exportResponse, error) {
			e, err := s.Export(ctx, caller(ctx))
			if err != nil {
				return nil, err
			}
			return &exportResponse{
				CacheControl: noStore, Disposition: `attachment; filename="my-data.json"`,
				Body: exportBody{
					ExportedAt: e.ExportedAt, Customer: newCustomerBody(e.Customer), Addresses: newAddressBodies(e.Addresses),
					Sessions: e.Sessions, Orders: e.Orders,
				},
			}, nil
		})
	httpx.Register(api, meRoute("erase-me", http.MethodDelete, "", "Erase the account and all personal data", 204, 403, 429),
		func(ctx context.Context, in *passwordRequest) (*struct{}, error) {
			return nil, s.EraseMe(ctx, caller(ctx), in.Body.Password)
		})
}
