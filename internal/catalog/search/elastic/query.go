package elastic

import (
	"regexp"

	"shopd/internal/catalog/search"
)

// planned is a plan in the query language.
func planned(p *search.Plan) object {
	if p.All() {
		return object{"term": object{search.FieldLive: true}}
	}
	found := object{"must": clauses(p.Clauses)}
	if p.Least < len(p.Clauses) {
		found = object{"should": clauses(p.Clauses), "minimum_should_match": p.Least}
		if required := required(p.Clauses); len(required) > 0 {
			found["filter"] = required
		}
	}
	if len(p.Bonuses) > 0 {
		found = object{"must": object{"bool": found}, "should": clauses(p.Bonuses)}
	}
	return object{"function_score": object{
		"query":              object{"bool": found},
		"field_value_factor": object{"field": search.FieldQuality, "missing": 1},
		"boost_mode":         "multiply",
	}}
}

func clauses(of []search.Clause) []object {
	out := make([]object, len(of))
	for i := range of {
		alternatives := make([]object, len(of[i].Alternatives))
		for j := range of[i].Alternatives {
			alternatives[j] = alternative(&of[i].Alternatives[j])
		}
		out[i] = best(alternatives)
	}
	return out
}

func required(of []search.Clause) []object {
	var out []object
	for i := range of {
		if of[i].Required {
			out = append(out, clauses(of[i:i+1])...)
		}
	}
	return out
}

// alternative adds what the terms say to the score of an alternative.
func alternative(a *search.Alternative) object {
	matches := make([]object, len(a.Terms))
	for i, t := range a.Terms {
		matches[i] = match(a.Match, t)
	}
	met := object{"constant_score": object{"filter": all(matches), "boost": a.Base}}
	if a.Match != search.Words {
		return met
	}
	said := make([]object, len(a.Terms), len(a.Terms)+1)
	for i, t := range a.Terms {
		said[i] = object{"term": object{search.FieldTerms: object{"value": term(t), "boost": a.Boost / float64(len(a.Terms))}}}
	}
	if a.Base > 0 {
		said = append(said, met)
	}
	return all(said)
}

func match(m search.Match, t string) object {
	switch m {
	case search.Code:
		return object{"term": object{search.FieldCodes: t}}
	case search.CodePrefix:
		return object{"prefix": object{search.FieldCodes: t}}
	case search.Run:
		return object{"prefix": object{search.FieldRuns: t}}
	case search.Name:
		return object{"term": object{search.FieldNames: beginning(t)}}
	default:
		return object{"term": object{search.FieldTerms: term(t)}}
	}
}

// all needs every query, and adds their scores.
func all(queries []object) object {
	if len(queries) == 1 {
		return queries[0]
	}
	return object{"bool": object{"must": queries}}
}

// best needs one query, and takes the highest score.
func best(queries []object) object {
	if len(queries) == 1 {
		return queries[0]
	}
	return object{"dis_max": object{"queries": queries}}
}

// always are the conditions of a filter that hold for everything a page tells.
func always(f *search.Filter) []object {
	filters := []object{}
	if f.CategoryID != "" {
		filters = append(filters, object{"term": object{search.FieldCategoryIDs: f.CategoryID}})
	}
	if f.InStockOnly {
		filters = append(filters, object{"term": object{search.FieldInStock: true}})
	}
	return filters
}

// selected are the conditions that some counts of a page leave out: facet values and prices.
func selected(f *search.Filter) []object {
	filters := []object{}
	for name, values := range f.Facets {
		terms := make([]string, len(values))
		for i, v := range values {
			terms[i] = search.FacetTerm(name, v)
		}
		filters = append(filters, object{"terms": object{search.FieldFacets: terms}})
	}
	if f.PriceMin != nil || f.PriceMax != nil {
		bounds := object{}
		if f.PriceMin != nil {
			bounds["gte"] = *f.PriceMin
		}
		if f.PriceMax != nil {
			bounds["lte"] = *f.PriceMax
		}
		filters = append(filters, object{"range": object{search.FieldPrice: bounds}})
	}
	return filters
}

func filtered(query object, filters []object) object {
	if len(filters) == 0 {
		return query
	}
	return object{"bool": object{"must": query, "filter": filters}}
}

// searchBody is a request in the query language. With facets, the selection is applied after the counting, so that
// each count can leave out its own part of it.
func searchBody(r *search.Request) object {
	body := object{
		"size":             r.Limit,
		"track_total_hits": search.MaxTotal,
		"_source":          false,
	}
	if r.Limit > 0 {
		order := r.Order()
		body["stored_fields"] = []string{search.FieldPayload}
		body["sort"] = sortedBy(order)
		if r.After != nil {
			body["search_after"] = searchAfter(order, r.After)
		}
	}
	query, filters := planned(r.Plan), always(&r.Filter)
	if !r.Facets {
		body["query"] = filtered(query, append(filters, selected(&r.Filter)...))
		return body
	}
	body["query"] = filtered(query, filters)
	if s := selected(&r.Filter); len(s) > 0 {
		body["post_filter"] = object{"bool": object{"filter": s}}
	}
	body["aggs"] = aggregations(&r.Filter)
	return body
}

func sortedBy(order search.Sorted) []object {
	direction := "asc"
	if order.Descending {
		direction = "desc"
	}
	first := order.By
	if first == "" {
		first = "_score"
	}
	return []object{{first: direction}, {search.FieldID: "asc"}}
}

func searchAfter(order search.Sorted, p *search.Position) []any {
	switch {
	case order.Text:
		return []any{p.Text, p.ID}
	case order.By == search.FieldPrice || order.By == search.FieldCreatedAt:
		return []any{int64(p.Number), p.ID}
	default:
		return []any{p.Number, p.ID}
	}
}

// The names of aggregations.
const (
	aggHits       = "hits"
	aggFacets     = "facets"
	aggCategories = "categories"
	aggUnpriced   = "unpriced"
	aggMin        = "min"
	aggMax        = "max"
	aggSelected   = "selected:" // and the name of a facet
	aggWords      = "words"
)

func aggregations(f *search.Filter) object {
	unpriced := f.WithoutPrice()
	aggs := object{
		aggHits: within(selected(f), object{
			aggFacets:     counted(search.FieldFacets, search.MaxFacetTerms, ""),
			aggCategories: counted(search.FieldCategories, search.MaxCategoryTerms, ""),
		}),
		aggUnpriced: within(selected(&unpriced), object{
			aggMin: object{"min": object{"field": search.FieldPrice}},
			aggMax: object{"max": object{"field": search.FieldPrice}},
		}),
	}
	for name := range f.Facets {
		other := f.WithoutFacet(name)
		aggs[aggSelected+name] = within(selected(&other), object{
			aggFacets: counted(search.FieldFacets, search.MaxFacetTerms, search.FacetPrefix(name)),
		})
	}
	return aggs
}

func within(filters []object, aggs object) object {
	return object{"filter": object{"bool": object{"filter": filters}}, "aggs": aggs}
}

// counted counts the terms of a field that begin with prefix.
func counted(field string, limit int, prefix string) object {
	terms := object{"field": field, "size": limit}
	if prefix != "" {
		terms["include"] = quoted(prefix) + ".*"
	}
	return object{"terms": terms}
}

// operators are the signs that mean something in a regular expression of Lucene.
var operators = regexp.MustCompile(`[.?+*|{}\[\]()"\\#@&<>~^$/-]`)

func quoted(s string) string { return operators.ReplaceAllString(s, `\$0`) }

func completionBody(c *search.Completion) object {
	return object{
		"size":             c.Limit,
		"track_total_hits": false,
		"_source":          false,
		"stored_fields":    []string{search.FieldPayload},
		"sort":             sortedBy(search.Sorted{Descending: true}),
		"query":            planned(c.Plan),
		"aggs": object{
			aggWords:      counted(search.FieldVocabulary, search.MaxCompletedWords, c.Prefix),
			aggCategories: counted(search.FieldCategories, search.MaxCompletedCategories, ""),
		},
	}
}
