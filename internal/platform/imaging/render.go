package imaging

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"

	"github.com/gen2brain/avif"
	"github.com/gen2brain/webp"
	"golang.org/x/image/draw"
)

// Encoding settings, chosen by the measurements in README.md. Change renditionVersion with them.
const (
	jpegQuality = 80
	webpQuality = 80
	webpMethod  = 2 // a third of the time of method 4 for 2–6 % more bytes
	avifQuality = 60
	avifSpeed   = 10
)

// render decodes data and returns it at most width pixels wide, upright, encoded in format.
func render(data []byte, width int, format Format, maxPixels int64) ([]byte, error) {
	info, err := inspect(data, maxPixels)
	if err != nil {
		return nil, err
	}
	src, err := info.decode(data)
	if err != nil {
		return nil, err
	}
	return encode(turn(scale(src, width, info.orientation), info.orientation), format)
}

// scale returns src so that it will be at most width pixels wide once it is turned upright; never enlarged.
// Transparent parts become white, as on the page.
func scale(src image.Image, width int, o orientation) *image.RGBA {
	b := src.Bounds()
	w, h := b.Dx(), b.Dy()
	if o.swapsSides() {
		if h > width {
			w, h = max(1, w*width/h), width
		}
	} else if w > width {
		w, h = width, max(1, h*width/w)
	}
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	op := draw.Src
	if opaque, ok := src.(interface{ Opaque() bool }); ok && !opaque.Opaque() {
		draw.Draw(dst, dst.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
		op = draw.Over
	}
	if w == b.Dx() && h == b.Dy() {
		draw.Draw(dst, dst.Bounds(), src, b.Min, op)
		return dst
	}
	draw.CatmullRom.Scale(dst, dst.Bounds(), src, b, op, nil)
	return dst
}

func encode(img *image.RGBA, format Format) ([]byte, error) {
	var out bytes.Buffer
	var err error
	switch format {
	case WebP:
		err = webp.Encode(&out, img, webp.Options{Quality: webpQuality, Method: webpMethod})
	case AVIF:
		err = avif.Encode(&out, img, avif.Options{Quality: avifQuality, Speed: avifSpeed, ChromaSubsampling: image.YCbCrSubsampleRatio420})
	default:
		err = jpeg.Encode(&out, img, &jpeg.Options{Quality: jpegQuality})
	}
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", format, err)
	}
	return out.Bytes(), nil
}

// turn returns img as it is to be looked at, given the orientation its file states.
func turn(img *image.RGBA, o orientation) *image.RGBA {
	if o <= upright {
		return img
	}
	w, h := img.Rect.Dx(), img.Rect.Dy()
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	if o.swapsSides() {
		dst = image.NewRGBA(image.Rect(0, 0, h, w))
	}
	for y := range h {
		for x := range w {
			tx, ty := o.target(x, y, w, h)
			copy(dst.Pix[dst.PixOffset(tx, ty):][:4], img.Pix[img.PixOffset(x, y):][:4])
		}
	}
	return dst
}
