package inventory

import (
	"context"

	"shopd/internal/platform/httpx"
)

type locationBody struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Priority int    `json:"priority" doc:"Orders are served from the lowest that has what they need."`
	Version  int64  `json:"version"`
}

type locationsOutput struct {
	Body struct {
		Items []locationBody `json:"items" nullable:"false"`
	}
}

func (h adminHandlers) locations(ctx context.Context, _ *struct{}) (*locationsOutput, error) {
	list, err := h.Locations(ctx)
	if err != nil {
		return nil, err
	}
	out := &locationsOutput{}
	out.Body.Items = make([]locationBody, len(list))
	for i, l := range list {
		out.Body.Items[i] = locationBody(l)
	}
	return out, nil
}

type locationOutput struct {
	ETag string `header:"ETag"`
	Body locationBody
}

func locationAnswer(l Location, err error) (*locationOutput, error) {
	if err != nil {
		return nil, err
	}
	return &locationOutput{httpx.ETag(l.Version), locationBody(l)}, nil
}

type addLocationInput struct {
	Body struct {
		ID       string `json:"id" minLength:"1" maxLength:"60" doc:"Small letters, digits, - and _; it stays for ever."`
		Name     string `json:"name" minLength:"1" maxLength:"200"`
		Priority int    `json:"priority,omitempty" minimum:"0" maximum:"1000000" default:"100"`
	}
}

func (h adminHandlers) addLocation(ctx context.Context, in *addLocationInput) (*locationOutput, error) {
	return locationAnswer(h.AddLocation(ctx, Location{ID: in.Body.ID, Name: in.Body.Name, Priority: in.Body.Priority}))
}

// LocationPath names a location. It is exported for huma, which fills it.
type LocationPath struct {
	ID string `path:"id" maxLength:"60"`
}

type updateLocationInput struct {
	LocationPath
	IfMatch string `header:"If-Match" maxLength:"40" doc:"The ETag of what you saw; left out, the change is made whatever is there."`
	Body    struct {
		Name     *string `json:"name,omitempty" minLength:"1" maxLength:"200"`
		Priority *int    `json:"priority,omitempty" minimum:"0" maximum:"1000000"`
	}
}

func (h adminHandlers) updateLocation(ctx context.Context, in *updateLocationInput) (*locationOutput, error) {
	version, err := httpx.IfMatch(in.IfMatch)
	if err != nil {
		return nil, err
	}
	return locationAnswer(h.UpdateLocation(ctx, in.ID, in.Body.Name, in.Body.Priority, version))
}
