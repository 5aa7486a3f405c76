package storefront

import (
	"fmt"
	"html"
	"html/template"
	"strconv"
	"strings"

	"shopd/internal/catalog"
)

// widths are the renditions that /media makes, in pixels.
var widths = []int{160, 320, 480, 640, 800, 1200}

// picture is a responsive picture: an address for each width and format, and what to show until it is there.
type picture struct {
	URL    string
	Alt    string
	Width  int // of the original; what the browser keeps the room free by
	Height int
	Colour string // "#rrggbb"
	Sizes  string // how wide it is shown, as the sizes attribute says it
	Eager  bool   // in sight at once: load it first
	Cutout bool   // the thing stands on plain white, which may take the colour of the page
}

// Sizes of pictures by the place they are shown in.
const (
	sizesCard  = "(min-width: 75rem) 18rem, (min-width: 48rem) 30vw, 46vw"
	sizesMain  = "(min-width: 60rem) 40rem, 100vw"
	sizesThumb = "5rem"
	sizesDisc  = "(min-width: 48rem) 12rem, 34vw"
	sizesHero  = "(min-width: 60rem) 30rem, 80vw"
)

func newPicture(img *catalog.Image, alt, sizes string) *picture {
	if img == nil || !strings.HasPrefix(img.URL, "/") || strings.HasPrefix(img.URL, "//") {
		return nil // the policy of our pages lets no other picture in
	}
	p := &picture{URL: img.URL, Alt: img.Alt, Width: img.Width, Height: img.Height, Sizes: sizes, Cutout: nearWhite(img.Colour)}
	if p.Alt == "" {
		p.Alt = alt
	}
	if p.Width == 0 || p.Height == 0 {
		p.Width, p.Height = 4, 5 // the shape of our frames: it is the ratio that counts
	}
	if isColour(img.Colour) {
		p.Colour = img.Colour
	}
	return p
}

// Thumb is the small form of the picture, below the large ones, which have the text.
func (p *picture) Thumb() *picture {
	c := *p
	c.Sizes, c.Eager, c.Alt = sizesThumb, false, ""
	return &c
}

// emptyFrame stands where there is no picture.
const emptyFrame template.HTML = `<span class="frame frame--none" aria-hidden="true"></span>`

// HTML is the picture in its frame. Pages are full of pictures, and writing them here instead of in a template makes
// a list three times as fast. Everything that does not come from this file is escaped.
func (p *picture) HTML() template.HTML {
	var b strings.Builder
	b.Grow(1200)
	write := func(parts ...string) {
		for _, part := range parts {
			b.WriteString(part)
		}
	}
	if p.Cutout {
		write(`<span class="frame frame--cut">`)
	} else {
		write(`<span class="frame">`)
		if p.Colour != "" {
			write(`<svg class="frame__tone" aria-hidden="true" focusable="false"><rect width="100%" height="100%" fill="`, p.Colour, `"/></svg>`)
		}
	}
	write(`<picture><source type="image/webp" srcset="`, html.EscapeString(p.Srcset("webp")), `" sizes="`, p.Sizes, `"><img src="`,
		html.EscapeString(p.Src(640)), `" srcset="`, html.EscapeString(p.Srcset("jpeg")), `" sizes="`, p.Sizes, `" alt="`, html.EscapeString(p.Alt),
		`" width="`, strconv.Itoa(p.Width), `" height="`, strconv.Itoa(p.Height), `"`)
	if p.Eager {
		write(` fetchpriority="high"`)
	} else {
		write(` loading="lazy"`)
	}
	write(` decoding="async"></picture></span>`)
	return template.HTML(b.String()) //nolint:gosec // escaped above
}

// thumb is the small picture of a line of a cart or an order, which knows only its address.
func thumb(url string) template.HTML {
	p := newPicture(&catalog.Image{URL: url}, "", sizesThumb)
	if p == nil {
		return emptyFrame
	}
	p.Cutout = true // not known here, and hardly seen on a photograph this small
	return p.HTML()
}

// Src is the address of the rendition of a width, as JPEG.
func (p *picture) Src(width int) string { return rendition(p.URL, width, "jpeg") }

// Srcset lists the renditions of a format, up to the first one that is not smaller than the original.
func (p *picture) Srcset(format string) string {
	var b strings.Builder
	for i, w := range widths {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(rendition(p.URL, w, format))
		b.WriteByte(' ')
		b.WriteString(strconv.Itoa(w))
		b.WriteByte('w')
		if p.Width > 16 && w >= p.Width || p.Sizes == sizesThumb && w >= widths[1] {
			break
		}
	}
	return b.String()
}

func rendition(url string, width int, format string) string {
	return url + "?w=" + strconv.Itoa(width) + "&f=" + format
}

func isColour(c string) bool {
	_, ok := brightness(c)
	return ok
}

// nearWhite reports whether a picture's dominant colour is that of a cut-out on white paper.
func nearWhite(c string) bool {
	b, ok := brightness(c)
	return ok && b >= 243
}

// brightness is the darkest of the three channels of "#rrggbb".
func brightness(c string) (int, bool) {
	var r, g, b int
	if len(c) != 7 {
		return 0, false
	}
	if n, err := fmt.Sscanf(c, "#%02x%02x%02x", &r, &g, &b); err != nil || n != 3 {
		return 0, false
	}
	return min(r, g, b), true
}
