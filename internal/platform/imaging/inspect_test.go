package imaging_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"testing"

	"github.com/stretchr/testify/require"

	"shopd/internal/platform/imaging"
)

func TestInspect(t *testing.T) {
	t.Parallel()
	picture := jpegOf(t, 300, 200)
	pngPicture := pngOf(t, quadrants(300, 200))
	webpPicture := webpOf(t, quadrants(300, 200))
	php := []byte("<?php system($_GET[0]);")

	for name, tc := range map[string]struct {
		data []byte
		want error // nil when accepted
	}{
		"a JPEG":                               {picture, nil},
		"a PNG":                                {pngPicture, nil},
		"a WebP":                               {webpPicture, nil},
		"a JPEG padded with zeros":             {concat(picture, make([]byte, 64)), nil},
		"a JPEG with a preview appended":       {concat(picture, jpegOf(t, 30, 20)), nil},
		"a JPEG with an ordinary comment":      {withSegment(picture, 0xfe, []byte("made by <hand>")), nil},
		"a JPEG with a broken EXIF block":      {withSegment(picture, 0xe1, []byte("Exif\x00\x00MM\x00*\xff\xff\xff\xff")), nil},
		"nothing":                              {nil, imaging.ErrUnsupported},
		"a page":                               {[]byte("<html><body>"), imaging.ErrUnsupported},
		"an SVG":                               {[]byte(`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`), imaging.ErrUnsupported},
		"a GIF that is a script":               {[]byte("GIF89a/*\x00*/=1;alert(1)"), imaging.ErrUnsupported},
		"the first bytes of a JPEG, then text": {concat([]byte("\xff\xd8\xff"), php), imaging.ErrBroken},
		"a JPEG with a script behind it":       {concat(picture, php), imaging.ErrBroken},
		"a JPEG with an archive behind it":     {concat(picture, []byte("PK\x03\x04")), imaging.ErrBroken},
		"a JPEG with a script as comment":      {withSegment(picture, 0xfe, php), imaging.ErrBroken},
		"a JPEG with markup in its EXIF":       {withSegment(picture, 0xe1, []byte("Exif\x00\x00<SCRIPT>")), imaging.ErrBroken},
		"a JPEG that is cut off":               {picture[:len(picture)/2], imaging.ErrBroken},
		"a JPEG with thousands of scans":       {manyScans(picture), imaging.ErrBroken},
		"a PNG with a script behind it":        {concat(pngPicture, php), imaging.ErrBroken},
		"a PNG with a script as text":          {withChunk(pngPicture, "tEXt", php), imaging.ErrBroken},
		"a PNG that is cut off":                {pngPicture[:len(pngPicture)-4], imaging.ErrBroken},
		"a PNG whose chunk has no end":         {concat(pngPicture[:33], []byte("\xff\xff\xff\xffIDAT    ")), imaging.ErrBroken},
		"a WebP with a script behind it":       {concat(webpPicture, php), imaging.ErrBroken},
		"a WebP that is cut off":               {webpPicture[:len(webpPicture)-4], imaging.ErrBroken},
		"a WebP without picture":               {[]byte("RIFF\x04\x00\x00\x00WEBP"), imaging.ErrBroken},
		"a PNG of 50,000 × 50,000":             {sized(pngPicture, 50_000, 50_000), imaging.ErrTooManyPx},
		"a JPEG of 65,000 × 65,000":            {sizedJPEG(picture, 65_000, 65_000), imaging.ErrTooManyPx},
		"a file over 20 MB":                    {concat(picture, make([]byte, 20<<20)), imaging.ErrTooHeavy},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			info, err := imaging.Inspect(tc.data)
			if tc.want != nil {
				require.ErrorIs(t, err, tc.want)
				return
			}
			require.NoError(t, err)
			require.Equal(t, image.Pt(300, 200), image.Pt(info.Width, info.Height))
			require.Contains(t, []string{"image/jpeg", "image/png", "image/webp"}, info.ContentType)
		})
	}
}

func TestDominantColourIsTheOneThatMostOfThePictureHas(t *testing.T) {
	t.Parallel()
	img := image.NewRGBA(image.Rect(0, 0, 400, 300))
	draw.Draw(img, img.Bounds(), image.NewUniform(color.RGBA{R: 0x33, G: 0x66, B: 0x99, A: 0xff}), image.Point{}, draw.Src)
	draw.Draw(img, image.Rect(100, 100, 200, 200), image.White, image.Point{}, draw.Src)
	got, err := imaging.DominantColour(pngOf(t, img))
	require.NoError(t, err)
	require.Equal(t, "#336699", got)

	_, err = imaging.DominantColour([]byte("no picture"))
	require.ErrorIs(t, err, imaging.ErrUnsupported)
}

func concat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// manyScans repeats an empty scan header before the end of a JPEG.
func manyScans(data []byte) []byte {
	scan := []byte{0xff, 0xda, 0x00, 0x08, 1, 1, 0, 0, 0, 0}
	return concat(data[:len(data)-2], bytes.Repeat(scan, 5000), data[len(data)-2:])
}

// withChunk puts a chunk after the header of a PNG.
func withChunk(data []byte, name string, body []byte) []byte {
	const headerEnd = 8 + 25
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	chunk = append(append(chunk, name...), body...)
	chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:]))
	return concat(data[:headerEnd], chunk, data[headerEnd:])
}

// sized changes the size in the header of a PNG.
func sized(data []byte, w, h uint32) []byte {
	out := bytes.Clone(data)
	binary.BigEndian.PutUint32(out[16:], w)
	binary.BigEndian.PutUint32(out[20:], h)
	binary.BigEndian.PutUint32(out[29:], crc32.ChecksumIEEE(out[12:29]))
	return out
}

// sizedJPEG changes the size in the frame header of a baseline JPEG.
func sizedJPEG(data []byte, w, h uint16) []byte {
	out := bytes.Clone(data)
	frame := bytes.Index(out, []byte{0xff, 0xc0})
	binary.BigEndian.PutUint16(out[frame+5:], h)
	binary.BigEndian.PutUint16(out[frame+7:], w)
	return out
}
