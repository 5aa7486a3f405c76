package users_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"shopd/internal/users"
)

func TestParseEmail(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]users.Email{
		"ada@example.com":        "ada@example.com",
		"  ADA@Example.COM ":     "ada@example.com", //nolint:gocritic // the spaces are the case
		"ada+shop@example.com":   "ada+shop@example.com",
		"a.b-c_d@sub.example.co": "a.b-c_d@sub.example.co",
		"o'neil@example.ie":      "o'neil@example.ie",
		"ada@bücher.example":     "ada@xn--bcher-kva.example",
		"ada@BÜCHER.example":     "ada@xn--bcher-kva.example",
		"ada@еxample.com":        "ada@xn--xample-2of.com", // a Cyrillic е is another domain, and looks it
		"owner@localhost":        "owner@localhost",
	} {
		got, err := users.ParseEmail(raw)
		require.NoError(t, err, raw)
		require.Equal(t, want, got, raw)
	}
	for _, raw := range []string{
		"", "@", "ada", "ada@", "@example.com", "ada@@example.com", "ada@example", "ada@example..com", "ada@.example.com",
		"ada@example.com\r\nBcc: eve@example.com", "ada\n@example.com", "\tada@example.com", "ada@example.com\x00", "a da@example.com",
		`"ada lovelace"@example.com`, "ada,eve@example.com", "ada@example.com,eve@example.com", "<ada@example.com>", "ada@[127.0.0.1]",
		"ada@127.0.0.1", ".ada@example.com", "ada.@example.com", "a..da@example.com", "аda@example.com", "ada@exa_mple.com", "ada@-example.com",
		strings.Repeat("a", 65) + "@example.com", "ada@" + strings.Repeat("a", 64) + ".com", "ada@" + strings.Repeat("a.", 130) + "com",
	} {
		got, err := users.ParseEmail(raw)
		require.ErrorIs(t, err, users.ErrInvalidEmail, "%q became %q", raw, got)
	}
}
