package elastic

import (
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"shopd/internal/catalog/search"
)

// schema is part of all names: programs with another layout of the fields use another index beside this one.
const schema = "v2"

// names are the names under which an engine keeps its indices.
type names struct{ prefix string }

// live is the alias that is searched and written.
func (n names) live() string { return n.prefix + "-products-" + schema }

// building is the alias of the index that a rebuild fills; there is none at other times.
func (n names) building() string { return n.live() + "-building" }

// index is the name of an index; the first one is made by whoever comes first.
func (n names) index(suffix string) string { return n.live() + "-" + suffix }

const firstIndex = "000000"

// definition is how an index is made, with the alias it gets.
func definition(alias string, settings object) object {
	keyword := object{"type": "keyword", "doc_values": false}
	counted := object{"type": "keyword"}
	number := func(kind string) object { return object{"type": kind} }
	properties := object{
		search.FieldTerms: object{
			"type": "text", "analyzer": "standard", "index_options": "freqs", "norms": false, "similarity": similarity,
		},
		search.FieldNames:       keyword,
		search.FieldVocabulary:  counted,
		search.FieldRuns:        keyword,
		search.FieldCodes:       keyword,
		search.FieldFacets:      counted,
		search.FieldCategories:  counted,
		search.FieldCategoryIDs: keyword,
		search.FieldPrice:       number("long"),
		search.FieldInStock:     object{"type": "boolean"},
		search.FieldPopularity:  number("double"),
		search.FieldQuality:     number("double"),
		search.FieldCreatedAt:   number("long"),
		search.FieldSortTitle:   counted,
		search.FieldID:          counted,
		search.FieldLive:        object{"type": "boolean"},
		search.FieldPayload:     object{"type": "text", "index": false, "norms": false, "store": true},
	}
	return object{
		"settings": object{"index": settings},
		"mappings": object{"dynamic": "strict", "_source": object{"enabled": false}, "properties": properties},
		"aliases":  object{alias: object{}},
	}
}

// similarity scores idf × weight: a term stands in its field as often as it weighs.
const similarity = "weights"

// refreshInterval is how long a write may stay unseen.
const refreshInterval = "200ms"

// settings of an index that is searched.
func settings() object {
	return object{
		"number_of_shards": 1, "auto_expand_replicas": "0-1", "refresh_interval": refreshInterval,
		"similarity": object{similarity: object{"type": "BM25", "k1": search.Saturation, "b": 0}},
	}
}

// source is the document that is indexed for an entry. Of one that is not live only the version counts.
func source(e *search.Entry) object {
	if !e.Live {
		return object{search.FieldLive: false}
	}
	return object{
		search.FieldTerms:       terms(e.Terms),
		search.FieldNames:       beginnings(e.Names),
		search.FieldVocabulary:  e.Vocabulary,
		search.FieldRuns:        e.Runs,
		search.FieldCodes:       e.Codes,
		search.FieldFacets:      e.Facets,
		search.FieldCategories:  e.Categories,
		search.FieldCategoryIDs: e.CategoryIDs,
		search.FieldPrice:       e.Price,
		search.FieldInStock:     e.InStock,
		search.FieldPopularity:  e.Popularity,
		search.FieldQuality:     e.Quality,
		search.FieldCreatedAt:   e.CreatedAt,
		search.FieldSortTitle:   e.SortTitle,
		search.FieldID:          e.ID,
		search.FieldLive:        true,
		search.FieldPayload:     e.Payload,
	}
}

// terms joins terms to a text that the standard analyzer takes apart into the same terms, each as often as it weighs.
func terms(all []search.Term) string {
	var b strings.Builder
	for _, t := range all {
		text := term(t.Text)
		for range t.Weight {
			b.WriteString(text)
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// maxBeginning is the length, in letters, of the longest beginning that is indexed; longer ones are cut when asked for.
const maxBeginning = 12

// beginnings are the words and all that they begin with.
func beginnings(words []string) []string {
	seen := make(map[string]struct{}, maxBeginning*len(words))
	var all []string
	for _, w := range words {
		for i := range w {
			if i == 0 {
				continue
			}
			all = appendNew(all, seen, w[:i])
			if utf8.RuneCountInString(w[:i]) == maxBeginning {
				break
			}
		}
		all = appendNew(all, seen, beginning(w))
	}
	return all
}

func appendNew(all []string, seen map[string]struct{}, s string) []string {
	if _, ok := seen[s]; ok {
		return all
	}
	seen[s] = struct{}{}
	return append(all, s)
}

// beginning is what is indexed of the beginning of a word.
func beginning(w string) string {
	if utf8.RuneCountInString(w) <= maxBeginning {
		return w
	}
	return string([]rune(w)[:maxBeginning])
}

// term is how a term of a text field is indexed. The only analyzer at hand has ideas of its own about signs, other
// scripts and emoji, but none about Latin letters and digits: everything else is written in hexadecimal.
func term(t string) string {
	for i := range len(t) {
		if c := t[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return "0x" + hex.EncodeToString([]byte(t))
		}
	}
	return t
}
