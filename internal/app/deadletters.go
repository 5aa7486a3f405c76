package app

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"shopd/internal/platform/broker"
	"shopd/internal/platform/httpx"
)

// registerDeadLetters adds the events that consumers gave up on to the merchant's api: what shopd dlq does.
func registerDeadLetters(api *httpx.API, table *broker.DeadLetters) {
	h := deadLetterHandlers{table}
	httpx.Register(api, httpx.Route{
		ID: "list-dead-letters", Method: http.MethodGet, Path: "/api/v1/admin/dead-letters", Summary: "List events that a consumer gave up on, the last first",
		Tag: "Operations", Access: httpx.StaffWith("dead_letters:read"), Errors: []int{422},
	}, h.list)
	httpx.Register(api, httpx.Route{
		ID: "get-dead-letter", Method: http.MethodGet, Path: "/api/v1/admin/dead-letters/{id}", Summary: "Get one with its error and its event",
		Tag: "Operations", Access: httpx.StaffWith("dead_letters:read"), Errors: []int{404},
	}, h.get)
	httpx.Register(api, httpx.Route{
		ID: "redrive-dead-letter", Method: http.MethodPost, Path: "/api/v1/admin/dead-letters/{id}/redrive", Summary: "Hand one to its consumer again",
		Tag: "Operations", Access: httpx.StaffWith("dead_letters:write"), Status: http.StatusAccepted, Errors: []int{404, 409},
	}, h.redrive)
}

type deadLetterHandlers struct{ table *broker.DeadLetters }

// DeadLetterPath names a dead letter. It is exported for huma, which fills it.
type DeadLetterPath struct {
	ID string `path:"id" maxLength:"60"`
}

// deadLetterBody is a dead letter on the wire. Events carry no personal data.
type deadLetterBody struct {
	ID          string          `json:"id"`
	Consumer    string          `json:"consumer"`
	EventID     string          `json:"event_id,omitempty" doc:"Missing for a message that could not be read."`
	Type        string          `json:"type,omitempty"`
	Error       string          `json:"error"`
	Attempts    int             `json:"attempts"`
	FirstFailed time.Time       `json:"first_failed_at"`
	LastFailed  time.Time       `json:"last_failed_at"`
	RedrivenAt  *time.Time      `json:"redriven_at,omitempty"`
	Redrives    int             `json:"redrives"`
	Event       json.RawMessage `json:"event,omitempty" doc:"The whole event, when asked for one letter."`
	Raw         []byte          `json:"raw,omitempty" doc:"What came instead of an event, when asked for one letter."`
}

func newDeadLetterBody(d broker.DeadLetter) deadLetterBody {
	b := deadLetterBody{
		ID: d.ID, Consumer: d.Consumer, Error: d.Error, Attempts: d.Attempts, FirstFailed: d.FirstFailed, LastFailed: d.LastFailed, Redrives: d.Redrives,
	}
	if !d.RedrivenAt.IsZero() {
		b.RedrivenAt = &d.RedrivenAt
	}
	if d.Event != nil {
		b.EventID, b.Type = d.Event.ID, d.Event.Type
	}
	return b
}

type deadLettersInput struct {
	httpx.Page
	Consumer string `query:"consumer" maxLength:"100" doc:"Only of this consumer."`
	Redriven bool   `query:"redriven" doc:"Those that were sent again instead of those that wait."`
}

type deadLettersOutput struct {
	Body httpx.List[deadLetterBody]
}

func (h deadLetterHandlers) list(ctx context.Context, in *deadLettersInput) (*deadLettersOutput, error) {
	letters, err := h.table.List(ctx, broker.DeadLetterFilter{Consumer: in.Consumer, Redriven: in.Redriven, After: in.After, Limit: in.Limit + 1})
	if err != nil {
		return nil, err
	}
	next := ""
	if len(letters) > in.Limit {
		letters = letters[:in.Limit]
		next = letters[in.Limit-1].ID
	}
	items := make([]deadLetterBody, len(letters))
	for i, d := range letters {
		items[i] = newDeadLetterBody(d)
	}
	return &deadLettersOutput{httpx.NewList(items, next)}, nil
}

type deadLetterOutput struct{ Body deadLetterBody }

func (h deadLetterHandlers) get(ctx context.Context, in *DeadLetterPath) (*deadLetterOutput, error) {
	d, err := h.table.Show(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := &deadLetterOutput{newDeadLetterBody(d)}
	out.Body.Raw = d.Raw
	if d.Event != nil {
		if out.Body.Event, err = json.Marshal(d.Event); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (h deadLetterHandlers) redrive(ctx context.Context, in *DeadLetterPath) (*deadLetterOutput, error) {
	if err := h.table.Redrive(ctx, in.ID); err != nil {
		return nil, err
	}
	return h.get(ctx, in)
}
