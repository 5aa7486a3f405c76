package imaging

import (
	"fmt"
	"image"

	"golang.org/x/image/draw"
)

// Dimensions returns the size in pixels of a picture as it is to be looked at. Errors are those of Inspect.
func Dimensions(data []byte) (width, height int, err error) {
	info, err := Inspect(data)
	return info.Width, info.Height, err
}

// DominantColour returns the colour that most of the picture has, as "#rrggbb": what to show while it loads.
// Errors are those of Inspect.
func DominantColour(data []byte) (string, error) {
	info, err := Inspect(data)
	if err != nil {
		return "", err
	}
	img, err := info.decode(data)
	if err != nil {
		return "", err
	}
	return dominant(img), nil
}

// dominant sorts the pixels of a small copy into 8 × 8 × 8 boxes of similar colours and takes the mean of the fullest.
func dominant(img image.Image) string {
	const side = 48
	small := image.NewRGBA(image.Rect(0, 0, side, side))
	draw.Draw(small, small.Bounds(), image.White, image.Point{}, draw.Src)
	draw.ApproxBiLinear.Scale(small, small.Bounds(), img, img.Bounds(), draw.Over, nil)

	type box struct{ n, r, g, b int }
	var boxes [512]box
	best := 0
	for p := 0; p < len(small.Pix); p += 4 {
		r, g, b := int(small.Pix[p]), int(small.Pix[p+1]), int(small.Pix[p+2])
		i := r>>5<<6 | g>>5<<3 | b>>5
		boxes[i] = box{boxes[i].n + 1, boxes[i].r + r, boxes[i].g + g, boxes[i].b + b}
		if boxes[i].n > boxes[best].n {
			best = i
		}
	}
	c := boxes[best]
	return fmt.Sprintf("#%02x%02x%02x", c.r/c.n, c.g/c.n, c.b/c.n)
}
