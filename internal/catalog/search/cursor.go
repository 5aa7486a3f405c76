package search

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"slices"

	"shopd/internal/platform/errs"
)

// Position is where a page ends: the sort value of its last hit and that hit's id. Number or Text is set, by the sort.
type Position struct {
	Number float64 `json:"n,omitempty"`
	Text   string  `json:"t,omitempty"`
	ID     string  `json:"i"`
}

// cursor is what Result.Next holds: besides the position all that was found out on the first page, so that the
// following pages answer the same question even if the vocabulary has changed.
type cursor struct {
	Query    uint64   `json:"q"` // fingerprint of the query it belongs to
	Position Position `json:"p"`
	Text     string   `json:"x,omitempty"` // the corrected text, empty when it was searched as typed
	Dropped  []string `json:"d,omitempty"`
	Near     bool     `json:"a,omitempty"`
	Matching int      `json:"m,omitempty"`
	Total    int      `json:"n"`
	Exact    bool     `json:"e,omitempty"`
}

const maxCursorBytes = 4096

func (c *cursor) encode() (string, error) {
	b, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("encode the cursor: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

// decodeCursor reads a cursor given out for q.
func decodeCursor(q *Query) (*cursor, error) {
	c, err := parseCursor(q.After)
	if err != nil || c.Query != q.fingerprint() || !c.Position.fits(q.Sort) || c.Total < 0 || c.Matching < 0 {
		return nil, invalid("after", "This is not a cursor of this search. Begin without one.")
	}
	return c, nil
}

func parseCursor(s string) (*cursor, error) {
	if len(s) > maxCursorBytes {
		return nil, fmt.Errorf("cursor of %d bytes", len(s))
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return nil, err
	}
	var c cursor
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return nil, err
	}
	return &c, nil
}

// fits reports whether the position can be one in this order.
func (p *Position) fits(s Sort) bool {
	if p.ID == "" || len(p.ID) > 200 || math.IsInf(p.Number, 0) {
		return false
	}
	return s == SortTitle || p.Text == ""
}

// fingerprint tells queries apart by everything that decides the order of their hits.
func (q *Query) fingerprint() uint64 {
	h := fnv.New64a()
	write := func(parts ...string) {
		for _, p := range parts {
			fmt.Fprintf(h, "%d:%s", len(p), p)
		}
	}
	write(cut(q.Text, MaxTextBytes), q.CategoryID, string(q.Sort), fmt.Sprint(q.InStockOnly), bound(q.PriceMin), bound(q.PriceMax))
	for _, name := range slices.Sorted(maps.Keys(q.Facets)) {
		write(name)
		write(slices.Sorted(slices.Values(q.Facets[name]))...)
	}
	return h.Sum64()
}

func bound(p *int64) string {
	if p == nil {
		return ""
	}
	return fmt.Sprint(*p)
}

// invalid is an ErrInvalidParameter that names the parameter.
func invalid(parameter, detail string) error {
	return ErrInvalidParameter.WithFields(errs.Field{Pointer: "query/" + parameter, Code: "invalid_parameter", Detail: detail})
}
