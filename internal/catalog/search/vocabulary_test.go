package search_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"shopd/internal/catalog/search"
)

func TestCorrect(t *testing.T) {
	t.Parallel()
	v, err := search.NewVocabulary([]search.WordCount{
		{Word: "jacket", Count: 40}, {Word: "packet", Count: 400}, {Word: "racket", Count: 3}, {Word: "blue", Count: 50}, {Word: "bluetooth", Count: 9}, {Word: "cable", Count: 20}, {Word: "cables", Count: 5},
		{Word: "network", Count: 30}, {Word: "keyboard", Count: 12}, {Word: "backpack", Count: 7}, {Word: "crème", Count: 1}, {Word: "watch", Count: 60}, {Word: "aa", Count: 5}, {Word: "éclairage", Count: 2}, {Word: "print", Count: 60}, {Word: "printer", Count: 30},
	})
	require.NoError(t, err)
	cases := map[string]struct {
		word string
		want []string
	}{
		"one letter missing":                     {"keybord", []string{"keyboard"}},
		"one letter too many":                    {"keyyboard", []string{"keyboard"}},
		"neighbours swapped are one mistake":     {"wacth", []string{"watch"}},
		"the same first letter before frequency": {"jakcet", []string{"jacket"}},
		"frequency among the same first letter":  {"cablee", []string{"cable", "cables"}},
		"a wrong first letter":                   {"vackpack", []string{"backpack"}},
		"two mistakes in a long word":            {"bluettoht", []string{"bluetooth"}},
		"two mistakes in a shorter word":         {"kebord", nil},
		"fewer than five letters are left alone": {"bleu", nil},
		"but not when five were meant":           {"cabe", []string{"cable"}},
		"rather left out than added":             {"printr", []string{"printer", "print"}},
		"a letter typed twice":                   {"packket", []string{"packet"}},
		"letters count, not bytes":               {"éclairgs", nil},
		"codes are left alone":                   {"jacke1", nil},
		"numbers are left alone":                 {"12345", nil},
		"two words written together":             {"networkcable", []string{"network cable"}},
		"two words of which one is not known":    {"networkzebra", nil},
		"nothing near":                           {"zzzzzzzz", nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := v.Correct(c.word, 3)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
	require.Equal(t, 40, v.Frequency("jacket"))
	require.Equal(t, 20, v.Frequency("cabl"), "by the stem")
	require.Zero(t, v.Frequency("nothing"))
	require.Equal(t, 16, v.Len())
}

func TestNoVocabulary(t *testing.T) {
	t.Parallel()
	var none *search.Vocabulary
	got, err := none.Correct("jakcet", 3)
	require.NoError(t, err)
	require.Empty(t, got)
	require.Zero(t, none.Frequency("jacket"))
	require.Zero(t, none.Len())
	has, err := none.Has("jacket")
	require.NoError(t, err)
	require.False(t, has)

	empty, err := search.NewVocabulary(nil)
	require.NoError(t, err)
	got, err = empty.Correct("jakcet", 3)
	require.NoError(t, err)
	require.Empty(t, got)
}

func BenchmarkCorrect(b *testing.B) {
	counts := make([]search.WordCount, 50_000)
	for i := range counts {
		counts[i] = search.WordCount{Word: fmt.Sprintf("%c%c%x", 'a'+i%26, 'a'+i/26%26, i*7919), Count: i}
	}
	v, err := search.NewVocabulary(append(counts, search.WordCount{Word: "bluetooth", Count: 1}))
	require.NoError(b, err)
	for b.Loop() {
		if _, err := v.Correct("bluettoht", 3); err != nil {
			b.Fatal(err)
		}
	}
}
