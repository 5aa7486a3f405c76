package imaging

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"

	webpdecoder "golang.org/x/image/webp"
)

// kind is what the first bytes of a file say it is. Names and declared content types are not asked.
type kind string

const (
	kindNone kind = ""
	kindJPEG kind = "jpeg"
	kindPNG  kind = "png"
	kindWebP kind = "webp"
	kindAVIF kind = "avif" // made, never read
)

func kindOf(f Format) kind { return kind(f) }

func sniff(data []byte) kind {
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xd8\xff")):
		return kindJPEG
	case bytes.HasPrefix(data, []byte(pngSignature)):
		return kindPNG
	case len(data) >= 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WEBP":
		return kindWebP
	case len(data) >= 12 && string(data[4:12]) == "ftypavif":
		return kindAVIF
	default:
		return kindNone
	}
}

// Info is what the headers of a picture say.
type Info struct {
	ContentType   string
	Width, Height int // in pixels, as the picture is to be looked at

	kind        kind
	orientation orientation
}

// Inspect reads the headers of a picture that came from outside and refuses what should not be kept: files over
// DefaultMaxBytes (ErrTooHeavy), other formats than JPEG, PNG and WebP (ErrUnsupported), more than DefaultMaxPixels
// (ErrTooManyPx), broken files, and files that are a picture and something else at once (ErrBroken). It decodes no
// pixels, so a picture that passes may still be cut off.
func Inspect(data []byte) (Info, error) {
	if len(data) > DefaultMaxBytes {
		return Info{}, ErrTooHeavy
	}
	return inspect(data, DefaultMaxPixels)
}

func inspect(data []byte, maxPixels int64) (Info, error) {
	k := sniff(data)
	meta, err := walk(k, data)
	if err != nil {
		return Info{}, err
	}
	cfg, err := config(k, data)
	if err != nil {
		return Info{}, ErrBroken.Wrap(err)
	}
	if cfg.Width <= 0 || cfg.Height <= 0 {
		return Info{}, ErrBroken.WithDetail("The picture has no pixels.")
	}
	if int64(cfg.Width)*int64(cfg.Height) > maxPixels {
		return Info{}, ErrTooManyPx.WithDetail("The picture is %d × %d pixels; %d megapixels are the most.", cfg.Width, cfg.Height, maxPixels/1_000_000)
	}
	info := Info{ContentType: "image/" + string(k), Width: cfg.Width, Height: cfg.Height, kind: k, orientation: upright}
	if meta.exif != nil {
		info.orientation = exifOrientationOf(meta.exif)
	}
	if info.orientation.swapsSides() {
		info.Width, info.Height = info.Height, info.Width
	}
	return info, nil
}

func config(k kind, data []byte) (image.Config, error) {
	switch k {
	case kindJPEG:
		return jpeg.DecodeConfig(bytes.NewReader(data))
	case kindPNG:
		return png.DecodeConfig(bytes.NewReader(data))
	default:
		return webpdecoder.DecodeConfig(bytes.NewReader(data))
	}
}

// decode returns the stored pixels, not yet turned upright. A decoder that panics over hostile input costs the
// picture, not the process.
func (i Info) decode(data []byte) (img image.Image, err error) {
	defer func() {
		if p := recover(); p != nil {
			img, err = nil, ErrBroken.Wrap(fmt.Errorf("decode %s: panic: %v", i.kind, p))
		}
	}()
	switch i.kind {
	case kindJPEG:
		img, err = jpeg.Decode(bytes.NewReader(data))
	case kindPNG:
		img, err = png.Decode(bytes.NewReader(data))
	default:
		img, err = webpdecoder.Decode(bytes.NewReader(data))
		fullRange(img)
	}
	if err != nil {
		return nil, ErrBroken.Wrap(fmt.Errorf("decode %s: %w", i.kind, err))
	}
	return img, nil
}

// fullRange spreads the pixels of a lossy WebP over all values. VP8 keeps luma in 16–235 and chroma in 16–240, while
// image.YCbCr means the 0–255 of JPEG and the decoder hands the pixels over as they are: white would come out grey.
func fullRange(img image.Image) {
	var ycc *image.YCbCr
	switch i := img.(type) {
	case *image.YCbCr:
		ycc = i
	case *image.NYCbCrA:
		ycc = &i.YCbCr
	default:
		return // lossless: RGB already
	}
	spread(ycc.Y, 16, 219, 0)
	spread(ycc.Cb, 128, 224, 128)
	spread(ycc.Cr, 128, 224, 128)
}

// spread maps centre to newCentre and what lies around it from a range of the given width to one of 255.
func spread(pix []byte, centre, width, newCentre int) {
	var to [256]byte
	for v := range to {
		to[v] = byte(min(255, max(0, (2*(v-centre)*255+width)/(2*width)+newCentre)))
	}
	for i, v := range pix {
		pix[i] = to[v]
	}
}
