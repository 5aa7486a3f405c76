package embedded

import (
	"slices"
	"strings"
)

// key is a text of an order, with the document it belongs to where it is not looked up elsewhere.
type key struct {
	text string
	doc  uint32
}

// sorted is a growing order of texts, in a few lists of which each is sorted and more than twice as long as the next.
type sorted struct {
	lists [][]key
}

func (s *sorted) add(keys []key) {
	if len(keys) == 0 {
		return
	}
	slices.SortFunc(keys, func(a, b key) int { return strings.Compare(a.text, b.text) })
	for n := len(s.lists); n > 0 && len(s.lists[n-1]) < 2*len(keys); n-- {
		keys = merge(s.lists[n-1], keys)
		s.lists = s.lists[:n-1]
	}
	s.lists = append(s.lists, keys)
}

func merge(a, b []key) []key {
	out := make([]key, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0].text <= b[0].text {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// beginning calls f with the keys that begin with prefix.
func (s *sorted) beginning(prefix string, f func(*key)) {
	for _, list := range s.lists {
		i, _ := slices.BinarySearchFunc(list, prefix, func(k key, p string) int { return strings.Compare(k.text, p) })
		for ; i < len(list) && strings.HasPrefix(list[i].text, prefix); i++ {
			f(&list[i])
		}
	}
}
