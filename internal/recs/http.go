package recs

import (
	"context"
	"net/http"

	"shopd/internal/platform/httpx"
	"shopd/internal/platform/id"
)

// RegisterStore adds recommendations to api.
func RegisterStore(api *httpx.API, s *Service) {
	httpx.Register(api, httpx.Route{
		ID: "recommend", Method: http.MethodGet, Path: "/api/v1/store/recommendations", Summary: "Recommend products", Tag: "Recommendations",
		Access: httpx.Public(), Errors: []int{422},
	}, s.serve)
}

type recommendInput struct {
	Placement string   `query:"placement" enum:"home,product,cart" default:"home"`
	ProductID []string `query:"product_id,explode" maxItems:"100" doc:"Of the page that the recommendations are for; once for each product in a cart."`
	Limit     int      `query:"limit" default:"8" minimum:"1" maximum:"50"`
}

type recommendOutput struct {
	Body struct {
		Items        []Recommendation `json:"items"`
		Experiment   *string          `json:"experiment" doc:"null while none runs."`
		Variant      *string          `json:"variant"`
		ModelVersion string           `json:"model_version"`
		ExposureID   string           `json:"exposure_id" doc:"Names this showing."`
	}
}

func (s *Service) serve(ctx context.Context, in *recommendInput) (*recommendOutput, error) {
	answer, err := s.Recommend(ctx, Request{Placement: Placement(in.Placement), ProductIDs: in.ProductID, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	out := &recommendOutput{}
	out.Body.ModelVersion, out.Body.ExposureID = answer.ModelVersion, id.New("exp")
	out.Body.Items = answer.Items
	if answer.Items == nil {
		out.Body.Items = []Recommendation{}
	}
	return out, nil
}
