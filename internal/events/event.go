// Package events is the published language of shopd: the facts that domains tell each other and the world.
//
// A payload carries ids and figures, never personal data. Fields are added freely; a new meaning is a new version
// of the event beside the old one. docs/events.md and testdata/*.json are made from these types.
package events

import (
	"encoding/json"
	"time"

	"shopd/internal/platform/id"
)

// Event is a payload that can be published.
type Event interface {
	// Type is the routing key, "<domain>.<thing_past>.v<version>".
	Type() string
	// Aggregate names the object the event speaks of, and which version of it the event left behind.
	// Versions of one aggregate grow; a consumer drops an event older than what it has seen.
	Aggregate() (id string, version int64)
}

// Envelope is an event as it travels. Trace is a W3C traceparent, empty when the change was not traced.
type Envelope struct {
	ID               string          `json:"id"`
	Type             string          `json:"type"`
	Version          int             `json:"version"`
	AggregateID      string          `json:"aggregate_id"`
	AggregateVersion int64           `json:"aggregate_version"`
	OccurredAt       time.Time       `json:"occurred_at"`
	Trace            string          `json:"trace,omitempty"`
	Data             json.RawMessage `json:"data"`
}

// Wrap puts ev into a new envelope.
func Wrap(ev Event, at time.Time, trace string) (Envelope, error) {
	data, err := json.Marshal(ev)
	if err != nil {
		return Envelope{}, err
	}
	aggregate, version := ev.Aggregate()
	return Envelope{
		ID: id.New("evt"), Type: ev.Type(), Version: typeVersion(ev.Type()),
		AggregateID: aggregate, AggregateVersion: version,
		OccurredAt: at.UTC(), Trace: trace, Data: data,
	}, nil
}

// Open reads the payload of env as T.
func Open[T Event](env Envelope) (T, error) {
	var ev T
	err := json.Unmarshal(env.Data, &ev)
	return ev, err
}

// typeVersion reads the number at the end of "orders.order_placed.v1".
func typeVersion(t string) int {
	v, scale := 0, 1
	for i := len(t) - 1; i >= 0 && t[i] >= '0' && t[i] <= '9'; i-- {
		v += int(t[i]-'0') * scale
		scale *= 10
	}
	return v
}
