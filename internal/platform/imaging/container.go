package imaging

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// metadata is what stands in a picture file beside the picture.
type metadata struct{ exif []byte }

var (
	errCutOff   = errors.New("the file ends early")
	errTrailing = errors.New("data after the end of the picture")
	errMarkup   = errors.New("markup or code among the metadata")
	errScans    = errors.New("too many scans")
)

// walk goes through the parts of a picture file without decoding them. It refuses a file that carries anything after
// the picture, or program text in its metadata: such a file is made to be taken for something else.
func walk(k kind, data []byte) (metadata, error) {
	var m metadata
	var err error
	switch k {
	case kindJPEG:
		err = walkJPEG(data, &m)
	case kindPNG:
		err = walkPNG(data, &m)
	case kindWebP:
		err = walkWebP(data, &m)
	default:
		return m, ErrUnsupported
	}
	if err != nil {
		return m, ErrBroken.WithDetail("This is not a picture that can be accepted: %v.", err).Wrap(err)
	}
	return m, nil
}

// markup are beginnings of what a web server or a browser would run. Pictures have no use for them; the XML of XMP
// starts otherwise.
var markup = [][]byte{[]byte("<?php"), []byte("<script"), []byte("<html"), []byte("<!doctype"), []byte("<svg"), []byte("<iframe")}

func checkText(segment []byte) error {
	lower := bytes.ToLower(segment)
	for _, m := range markup {
		if bytes.Contains(lower, m) {
			return errMarkup
		}
	}
	return nil
}

// JPEG markers, each after a byte 0xff.
const (
	jpegSOI   = 0xd8
	jpegEOI   = 0xd9
	jpegSOS   = 0xda
	jpegAPP0  = 0xe0
	jpegAPP1  = 0xe1
	jpegAPP15 = 0xef
	jpegCOM   = 0xfe
	jpegTEM   = 0x01
	jpegRST0  = 0xd0
	jpegRST7  = 0xd7
)

// maxScans is far above what encoders write (about ten). A scan can be a few bytes long and still makes the decoder
// visit every block, so that a small file with thousands of them keeps a core busy for minutes.
const maxScans = 64

// walkJPEG accepts a JPEG that is followed by zeros or by more JPEGs: phones append gain maps and previews that way.
func walkJPEG(data []byte, m *metadata) error {
	first := true
	for len(bytes.TrimLeft(data, "\x00")) > 0 {
		if !bytes.HasPrefix(data, []byte{0xff, jpegSOI, 0xff}) {
			return errTrailing
		}
		found := m
		if !first {
			found = &metadata{}
		}
		end, err := walkOneJPEG(data, found)
		if err != nil {
			return err
		}
		data, first = data[end:], false
	}
	return nil
}

// walkOneJPEG returns the offset after the end-of-image marker.
func walkOneJPEG(data []byte, m *metadata) (int, error) {
	at, scans := 2, 0
	for {
		if at+2 > len(data) {
			return 0, errCutOff
		}
		if data[at] != 0xff {
			return 0, errors.New("a marker is missing")
		}
		marker := data[at+1]
		switch {
		case marker == 0xff: // fill byte
			at++
			continue
		case marker == jpegEOI:
			return at + 2, nil
		case marker == jpegTEM || marker >= jpegRST0 && marker <= jpegRST7:
			at += 2
			continue
		}
		if at+4 > len(data) {
			return 0, errCutOff
		}
		next := at + 2 + int(binary.BigEndian.Uint16(data[at+2:]))
		if next < at+4 || next > len(data) {
			return 0, errCutOff
		}
		if err := jpegSegment(marker, data[at+4:next], m); err != nil {
			return 0, err
		}
		at = next
		if marker == jpegSOS {
			if scans++; scans > maxScans {
				return 0, errScans
			}
			at = skipEntropy(data, at)
		}
	}
}

func jpegSegment(marker byte, body []byte, m *metadata) error {
	if marker != jpegCOM && (marker < jpegAPP0 || marker > jpegAPP15) {
		return nil
	}
	if marker == jpegAPP1 && m.exif == nil && bytes.HasPrefix(body, []byte("Exif\x00\x00")) {
		m.exif = body
	}
	return checkText(body)
}

// skipEntropy returns the offset of the marker that ends the compressed data at at: a 0xff that is followed neither
// by a stuffed zero nor by a restart marker.
func skipEntropy(data []byte, at int) int {
	for {
		i := bytes.IndexByte(data[at:], 0xff)
		if i < 0 || at+i+1 >= len(data) {
			return len(data)
		}
		at += i
		next := data[at+1]
		if next != 0 && (next < jpegRST0 || next > jpegRST7) {
			return at
		}
		at += 2
	}
}

const pngSignature = "\x89PNG\r\n\x1a\n"

func walkPNG(data []byte, m *metadata) error {
	const overhead = 12 // length, type, checksum
	at := len(pngSignature)
	for {
		if at+overhead > len(data) {
			return errCutOff
		}
		size := int64(binary.BigEndian.Uint32(data[at:]))
		name := string(data[at+4 : at+8])
		if size > int64(len(data)-at-overhead) {
			return errCutOff
		}
		body := data[at+8 : at+8+int(size)]
		at += overhead + int(size)
		switch name {
		case "IEND":
			if at != len(data) {
				return errTrailing
			}
			return nil
		case "IDAT", "fdAT":
			continue
		case "eXIf":
			m.exif = body
		}
		if err := checkText(body); err != nil {
			return err
		}
	}
}

func walkWebP(data []byte, m *metadata) error {
	const header = 12 // RIFF, size, WEBP
	size := int64(binary.LittleEndian.Uint32(data[4:])) + 8
	switch {
	case size > int64(len(data)) || size < header:
		return errCutOff
	case size < int64(len(data)):
		return errTrailing
	}
	for rest := data[header:]; len(rest) > 0; {
		if len(rest) < 8 {
			return errCutOff
		}
		name, n := string(rest[:4]), int64(binary.LittleEndian.Uint32(rest[4:]))
		padded := n + n%2
		if padded > int64(len(rest)-8) {
			return errCutOff
		}
		body := rest[8 : 8+n]
		rest = rest[8+padded:]
		switch name {
		case "VP8 ", "VP8L", "ALPH", "ANMF":
			continue
		case "EXIF":
			m.exif = body
		}
		if err := checkText(body); err != nil {
			return err
		}
	}
	return nil
}
