package search

import (
	"cmp"
	"slices"
	"strings"
)

// maxFacets and maxValues bound what a result lists: the names that most hits have, and the most frequent values.
// Selected names and values are always listed.
const (
	maxFacets = 30
	maxValues = 50
)

// facets groups the counted terms by name.
func facets(p *Page, selected map[string][]string) []Facet {
	byName := make(map[string]*Facet)
	for _, tc := range p.Facets {
		if name, _, ok := strings.Cut(tc.Term, separator); ok && selected[name] == nil {
			addValue(byName, tc)
		}
	}
	for name, values := range selected {
		f := &Facet{Name: name}
		byName[name] = f
		for _, tc := range p.Selected[name] {
			addValue(byName, tc)
		}
		f.selectValues(values)
	}
	all := make([]Facet, 0, len(byName))
	for _, f := range byName {
		f.order()
		all = append(all, *f)
	}
	slices.SortFunc(all, func(a, b Facet) int {
		chosenA, chosenB := selected[a.Name] != nil, selected[b.Name] != nil
		if chosenA != chosenB {
			if chosenA {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(b.hits(), a.hits()), strings.Compare(a.Name, b.Name))
	})
	return all[:min(len(all), maxFacets)]
}

func addValue(byName map[string]*Facet, tc TermCount) {
	name, value, ok := strings.Cut(tc.Term, separator)
	if !ok {
		return
	}
	f := byName[name]
	if f == nil {
		f = &Facet{Name: name}
		byName[name] = f
	}
	f.Values = append(f.Values, FacetValue{Value: value, Count: tc.Count})
}

// selectValues marks the selected values, and adds those that no hit has.
func (f *Facet) selectValues(values []string) {
	for _, v := range values {
		i := slices.IndexFunc(f.Values, func(fv FacetValue) bool { return fv.Value == v })
		if i < 0 {
			f.Values = append(f.Values, FacetValue{Value: v, Selected: true})
			continue
		}
		f.Values[i].Selected = true
	}
}

func (f *Facet) order() {
	slices.SortFunc(f.Values, func(a, b FacetValue) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Value, b.Value))
	})
	kept := 0
	f.Values = slices.DeleteFunc(f.Values, func(v FacetValue) bool {
		kept++
		return kept > maxValues && !v.Selected
	})
}

// hits is how many hits have the facet, if each has one value.
func (f *Facet) hits() int {
	n := 0
	for _, v := range f.Values {
		n += v.Count
	}
	return n
}

func categories(counts []TermCount) []CategoryCount {
	all := make([]CategoryCount, 0, len(counts))
	for _, tc := range counts {
		if id, name, ok := strings.Cut(tc.Term, separator); ok {
			all = append(all, CategoryCount{ID: id, Name: name, Count: tc.Count})
		}
	}
	slices.SortFunc(all, func(a, b CategoryCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.ID, b.ID))
	})
	return all
}
