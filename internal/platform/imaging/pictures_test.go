package imaging_test

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"testing"
	"time"

	"github.com/gen2brain/webp"
	"github.com/stretchr/testify/require"
)

const (
	patience = 10 * time.Second
	tick     = 5 * time.Millisecond
)

var (
	red   = color.RGBA{R: 0xd0, G: 0x20, B: 0x20, A: 0xff}
	green = color.RGBA{R: 0x20, G: 0xb0, B: 0x20, A: 0xff}
	blue  = color.RGBA{R: 0x20, G: 0x20, B: 0xd0, A: 0xff}
	white = color.RGBA{R: 0xff, G: 0xff, B: 0xff, A: 0xff}
)

// quadrants is a picture with red and green above blue and white.
func quadrants(w, h int) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for i, c := range []color.Color{red, green, blue, white} {
		x, y := i%2*w/2, i/2*h/2
		draw.Draw(img, image.Rect(x, y, x+w/2, y+h/2), image.NewUniform(c), image.Point{}, draw.Src)
	}
	return img
}

// requireColour looks at the pixel at fx and fy of the width and height; lossy encoders get some leave.
func requireColour(t *testing.T, img image.Image, fx, fy float64, want color.RGBA) {
	t.Helper()
	b := img.Bounds()
	r, g, bl, _ := img.At(b.Min.X+int(fx*float64(b.Dx())), b.Min.Y+int(fy*float64(b.Dy()))).RGBA()
	require.InDelta(t, int(want.R), int(r>>8), 24, "red")
	require.InDelta(t, int(want.G), int(g>>8), 24, "green")
	require.InDelta(t, int(want.B), int(bl>>8), 24, "blue")
}

func jpegOf(t *testing.T, w, h int) []byte {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, jpeg.Encode(&out, quadrants(w, h), &jpeg.Options{Quality: 90}))
	return out.Bytes()
}

func pngOf(t *testing.T, img image.Image) []byte {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, png.Encode(&out, img))
	return out.Bytes()
}

func webpOf(t *testing.T, img image.Image) []byte {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, webp.Encode(&out, img, webp.Options{Quality: 90, Method: 0}))
	return out.Bytes()
}

// withSegment puts a marker segment at the beginning of a JPEG.
func withSegment(data []byte, marker byte, body []byte) []byte {
	head := []byte{0xff, 0xd8, 0xff, marker}
	head = binary.BigEndian.AppendUint16(head, uint16(len(body)+2))
	return append(append(head, body...), data[2:]...)
}

// exif is an EXIF block with nothing but the orientation.
func exif(orientation int) []byte {
	b := []byte("Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01")
	b = binary.BigEndian.AppendUint16(b, uint16(orientation))
	return append(b, 0, 0, 0, 0, 0, 0)
}
