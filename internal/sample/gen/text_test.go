package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCleanDescription(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ in, want string }{
		"dashes make a list":                  {"Big  enough. \n- Dual top handles. \n- L 29\"", "Big enough.\n\n- Dual top handles.\n- L 29\""},
		"so do bullets":                       {"Warm. \n • Two-tone.\n• Machine wash/dry.", "Warm.\n\n- Two-tone.\n- Machine wash/dry."},
		"bullets may share a line":            {"Loose. \n • Loose fit. • Flat seams.", "Loose.\n\n- Loose fit.\n- Flat seams."},
		"a dash beside bullets is no item":    {"Plain. \n • Black run shorts \n- cotton/spandex.\n• 5” inseam.", "Plain.\n\n- Black run shorts, cotton/spandex.\n- 5” inseam."},
		"text may follow the list":            {"One.\n- Two.\nThree.", "One.\n\n- Two.\n\nThree."},
		"entities become what they stand for": {"Lumaflex&trade; &amp; more", "Lumaflex™ & more"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, cleanDescription(tc.in))
		})
	}
}

func TestReviewTitle(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ title, text, want string }{
		"a title of its own stays":         {"Decent bag ", "I keep my stuff in it.", "Decent bag"},
		"one cut off becomes the sentence": {"They're tight!  Not cool - I took them b", "They're tight!  Not cool - I took them back fast!", "They're tight!"},
		"or the whole of a short text":     {"these were great for yoga but they also ", "these were great for yoga but they also stayed in place when I ran", "these were great for yoga but they also stayed in place when I ran"},
		"or what fits, up to a word's end": {"All winter long they keep my feet nice a", "All winter long they keep my feet nice and warm and I have three pairs and I wear them, every day", "All winter long they keep my feet nice and warm and I have three pairs and I…"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, reviewTitle(tc.title, tc.text))
		})
	}
}

func TestSlug(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Go-Get'r Pushup Grips": "go-getr-pushup-grips", "Advanced Pilates & Yoga (Strength)": "advanced-pilates-and-yoga-strength",
		"Quest Lumaflex™ Band": "quest-lumaflex-band", "Olivia 1/4 Zip Light Jacket": "olivia-quarter-zip-light-jacket",
	} {
		require.Equal(t, want, slug(in))
	}
}
