package catalog

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"sync"
)

// page is a product's JSON as the HTTP API answers it. The product itself is read from it when somebody first asks: a
// replica that only answers the API never does, although it takes pages from Redis all the time.
type page struct {
	body  []byte
	etag  string
	parse func() (*Product, error)
}

func newPage(p *Product) (page, error) {
	body, err := json.Marshal(p)
	if err != nil {
		return page{}, fmt.Errorf("write product %s: %w", p.ID, err)
	}
	return page{body: body, etag: etagOf(body), parse: func() (*Product, error) { return p, nil }}, nil
}

// etagOf names the bytes, so that whatever is in an answer, the cards of related products too, changes its tag.
func etagOf(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:15]) + `"`
}

// MarshalJSON is the product's JSON.
func (p page) MarshalJSON() ([]byte, error) { return p.body, nil }

// UnmarshalJSON keeps the bytes.
func (p *page) UnmarshalJSON(body []byte) error {
	p.body = bytes.Clone(body)
	p.etag = etagOf(p.body)
	p.parse = sync.OnceValues(func() (*Product, error) {
		product := &Product{}
		if err := json.Unmarshal(p.body, product); err != nil {
			return nil, fmt.Errorf("read a product from the cache: %w", err)
		}
		return product, nil
	})
	return nil
}
