package users

import (
	"context"
	"net/http"
	"time"

	"shopd/internal/platform/httpx"
)

type addressBody struct {
	ID        AddressID `json:"id"`
	IsDefault bool      `json:"is_default"`
	PostalAddress
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

func newAddressBody(a Address) addressBody {
	return addressBody(a)
}

func newAddressBodies(addresses []Address) []addressBody {
	bodies := make([]addressBody, 0, len(addresses))
	for _, a := range addresses {
		bodies = append(bodies, newAddressBody(a))
	}
	return bodies
}

func replyAddress(a Address, err error) (*answer[addressBody], error) {
	return reply(newAddressBody(a), err)
}

type addressRequestBody struct {
	PostalAddress
	IsDefault bool `json:"is_default,omitempty" doc:"Makes it the default; false leaves the default where it is."`
}

type addAddressRequest struct {
	Body addressRequestBody
}

type oneAddressRequest struct {
	ID AddressID `path:"id"`
}

type putAddressRequest struct {
	ID   AddressID `path:"id"`
	Body addressRequestBody
}

type patchAddressRequest struct {
	ID   AddressID `path:"id"`
	Body struct {
		Name       *string `json:"name,omitempty"`
		Line1      *string `json:"line1,omitempty"`
		Line2      *string `json:"line2,omitempty"`
		City       *string `json:"city,omitempty"`
		Region     *string `json:"region,omitempty"`
		PostalCode *string `json:"postal_code,omitempty"`
		Country    *string `json:"country,omitempty"`
		Phone      *string `json:"phone,omitempty"`
		IsDefault  bool    `json:"is_default,omitempty" doc:"Makes it the default; false leaves the default where it is."`
	}
}

// over is a with what the request changes.
func (r *patchAddressRequest) over(a PostalAddress) PostalAddress {
	for _, f := range []struct{ from, to *string }{
		{r.Body.Name, &a.Name}, {r.Body.Line1, &a.Line1}, {r.Body.Line2, &a.Line2}, {r.Body.City, &a.City},
		{r.Body.Region, &a.Region}, {r.Body.PostalCode, &a.PostalCode}, {r.Body.Country, &a.Country}, {r.Body.Phone, &a.Phone},
	} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	return a
}

func registerAddresses(api *httpx.API, s *Service) {
	httpx.Register(api, meRoute("list-addresses", http.MethodGet, "/addresses", "The customer's addresses, the default first", 200),
		func(ctx context.Context, _ *struct{}) (*answer[httpx.List[addressBody]], error) {
			addresses, err := s.Addresses(ctx, caller(ctx))
			return reply(httpx.NewList(newAddressBodies(addresses), ""), err)
		})
	httpx.Register(api, meRoute("add-address", http.MethodPost, "/addresses", "Keep an address", 201, 422),
		func(ctx context.Context, in *addAddressRequest) (*answer[addressBody], error) {
			return replyAddress(s.AddAddress(ctx, caller(ctx), in.Body.PostalAddress, in.Body.IsDefault))
		})
	httpx.Register(api, meRoute("get-address", http.MethodGet, "/addresses/{id}", "One of the customer's addresses", 200, 404),
		func(ctx context.Context, in *oneAddressRequest) (*answer[addressBody], error) {
			return replyAddress(s.Address(ctx, caller(ctx), in.ID))
		})
	httpx.Register(api, meRoute("replace-address", http.MethodPut, "/addresses/{id}", "Replace an address", 200, 404, 422),
		func(ctx context.Context, in *putAddressRequest) (*answer[addressBody], error) {
			return replyAddress(s.UpdateAddress(ctx, caller(ctx), in.ID, in.Body.PostalAddress, in.Body.IsDefault))
		})
	httpx.Register(api, meRoute("update-address", http.MethodPatch, "/addresses/{id}", "Change parts of an address", 200, 404, 422),
		func(ctx context.Context, in *patchAddressRequest) (*answer[addressBody], error) {
			before, err := s.Address(ctx, caller(ctx), in.ID)
			if err != nil {
				return nil, err
			}
			return replyAddress(s.UpdateAddress(ctx, caller(ctx), in.ID, in.over(before.PostalAddress), in.Body.IsDefault))
		})
	httpx.Register(api, meRoute("delete-address", http.MethodDelete, "/addresses/{id}", "Forget an address", 204, 404),
		func(ctx context.Context, in *oneAddressRequest) (*struct{}, error) {
			return nil, s.DeleteAddress(ctx, caller(ctx), in.ID)
		})
}
