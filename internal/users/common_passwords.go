package users

import (
	_ "embed"
	"strconv"
	"strings"
	"sync"
)

//go:embed common_passwords.txt
var commonSource string

// commonSuffixes are what people put behind a word when a digit or a sign is asked for.
var commonSuffixes = []string{
	"", "1", "2", "3", "7", "9", "0", "00", "01", "07", "10", "11", "12", "13", "21", "22", "23", "33", "42", "44", "55", "66",
	"69", "77", "88", "99", "111", "123", "321", "666", "777", "007", "1234", "4321", "12345", "123456", "123456789",
	"!", "!!", "1!", "12!", "123!", "1234!", "@1", "@12", "@123", "@1234", "#1", "#123", ".", ".1", "?", "$", "*", "_1", "-1",
}

// The years people put behind a word: when they were born, and when they were asked to change their password.
const (
	firstYear = 1950
	lastYear  = 2035
)

// commonPasswords is the set of passwords, in lower case, that are refused because they are tried first.
var commonPasswords = sync.OnceValue(func() map[string]bool {
	set := map[string]bool{}
	add := func(password string) {
		if len(password) >= minPassword {
			set[password] = true
		}
	}
	for line := range strings.Lines(commonSource) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") {
			continue
		}
		whole, isWhole := strings.CutPrefix(line, "=")
		for word := range strings.FieldsSeq(whole) {
			if isWhole {
				add(word)
				continue
			}
			addVariants(word, add)
		}
	}
	for digit := range 10 {
		for length := minPassword; length <= 16; length++ {
			add(strings.Repeat(strconv.Itoa(digit), length))
		}
	}
	for letter := 'a'; letter <= 'z'; letter++ {
		for length := minPassword; length <= 16; length++ {
			add(strings.Repeat(string(letter), length))
		}
	}
	return set
})

// addVariants adds what people make of a word: doubled, with letters as digits, with something behind it.
func addVariants(word string, add func(string)) {
	leet := strings.NewReplacer("a", "4", "e", "3", "i", "1", "o", "0", "s", "5").Replace(word)
	signs := strings.NewReplacer("a", "@", "o", "0", "s", "$").Replace(word)
	add(word + word)
	for _, form := range []string{word, leet, signs} {
		for _, suffix := range commonSuffixes {
			add(form + suffix)
		}
	}
	for year := firstYear; year <= lastYear; year++ {
		y := strconv.Itoa(year)
		add(word + y)
		add(word + y + "!")
		add(y + word)
	}
	for _, prefix := range []string{"my", "the", "i", "123", "1234", "abc", "!"} {
		add(prefix + word)
		add(prefix + word + "1")
	}
}
