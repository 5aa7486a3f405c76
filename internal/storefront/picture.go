package storefront

import (
	"fmt"
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
	if img == nil || img.URL == "" {
		return nil
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

func (p *picture) eager() *picture {
	if p != nil {
		p.Eager = true
	}
	return p
}

// Decorative leaves the picture out of what is read aloud, because the text beside it says the same.
func (p *picture) Decorative() *picture {
	c := *p
	c.Alt = ""
	return &c
}

// Thumb is the small form of the picture, below the large ones.
func (p *picture) Thumb() *picture {
	c := *p
	c.Sizes, c.Eager = sizesThumb, false
	return &c
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
