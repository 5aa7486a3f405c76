package main

import (
	"html"
	"regexp"
	"strings"
)

var (
	anySpaces  = regexp.MustCompile(`\s+`)
	dashBreaks = regexp.MustCompile(`\s*\n- `)
	sentence   = regexp.MustCompile(`^.+?[.!?]+(\s|$)`)
	notSlug    = regexp.MustCompile(`[^a-z0-9]+`)
)

// spaces trims s and makes every run of white space one space.
func spaces(s string) string { return strings.TrimSpace(anySpaces.ReplaceAllString(s, " ")) }

// cleanDescription returns paragraphs and "- " lists with blank lines between them. The source marks list items by
// "•" or, where there is none, by a dash at the beginning of a line; beside "•" such a dash breaks a sentence.
func cleanDescription(s string) string {
	s = html.UnescapeString(s)
	if strings.Contains(s, "•") {
		s = dashBreaks.ReplaceAllString(s, ", ")
		s = strings.ReplaceAll(s, "•", "\n- ")
	}
	var out strings.Builder
	inList := false
	for line := range strings.SplitSeq(s, "\n") {
		line = spaces(line)
		if line == "" || line == "-" {
			continue
		}
		item := strings.HasPrefix(line, "- ")
		switch {
		case out.Len() == 0:
		case item && inList:
			out.WriteString("\n")
		default:
			out.WriteString("\n\n")
		}
		out.WriteString(line)
		inList = item
	}
	return out.String()
}

// cutTitle is the length at which the source cut off titles that it took from the text.
const cutTitle = 40

// reviewTitle is the title, or the first sentence of the text where the source cut the title off.
func reviewTitle(title, text string) string {
	const longest = 80
	title = html.UnescapeString(title)
	text = spaces(html.UnescapeString(text))
	if len(title) < cutTitle || !strings.HasPrefix(text, spaces(title)) {
		return spaces(title)
	}
	if first := spaces(sentence.FindString(text)); first != "" && len(first) <= longest {
		return first
	}
	if len(text) <= longest {
		return text
	}
	short := text[:strings.LastIndexByte(text[:longest-3], ' ')]
	return strings.TrimRight(short, " ,;:-") + "…"
}

// slug is s for use in URLs.
func slug(s string) string {
	s = strings.NewReplacer("&", " and ", "'", "", "’", "", "1/4", "quarter").Replace(strings.ToLower(s))
	return strings.Trim(notSlug.ReplaceAllString(s, "-"), "-")
}
