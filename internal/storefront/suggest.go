package storefront

import (
	"net/http"
	"strings"

	"shopd/internal/catalog"
)

// suggestBody is the list under the search field while somebody types.
type suggestBody struct {
	Queries    []string
	Categories []catalog.CategoryRef
	Products   []card
}

const minSuggest = 2 // characters from which on suggestions say something

// suggest answers the options of the search field as a piece of HTML. When the search engine does not answer there
// is nothing to suggest, and the search itself will say why.
func (s *Storefront) suggest(w http.ResponseWriter, r *http.Request) error {
	text := truncate(strings.TrimSpace(r.Form.Get("q")), maxQuery)
	var body suggestBody
	if len([]rune(text)) >= minSuggest {
		found, err := s.Catalog.Suggest(r.Context(), text)
		if err != nil {
			s.Log.WarnContext(r.Context(), "no suggestions", "error", err)
		} else {
			body = suggestBody{Queries: found.Queries, Categories: found.Categories}
			for _, item := range found.Products {
				body.Products = append(body.Products, newCard(item, sizesThumb, false))
			}
		}
	}
	w.Header().Set("X-Robots-Tag", "noindex")
	return s.piece(w, r, http.StatusOK, "suggest", "suggest", body)
}
