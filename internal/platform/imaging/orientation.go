package imaging

import (
	"bytes"
	"encoding/binary"
)

// orientation is the EXIF tag of that name: how the stored picture has to be turned to stand upright.
type orientation int

const (
	upright           orientation = 1
	exifOrientation               = 0x0112
	exifTypeShort                 = 3
	exifEntrySize                 = 12
	firstSideSwapping orientation = 5
	lastOrientation   orientation = 8
)

// swapsSides reports whether width and height change places.
func (o orientation) swapsSides() bool { return o >= firstSideSwapping && o <= lastOrientation }

// target is where the stored pixel x, y of a w × h picture belongs when the picture stands upright.
func (o orientation) target(x, y, w, h int) (int, int) {
	switch o {
	case 2:
		return w - 1 - x, y
	case 3:
		return w - 1 - x, h - 1 - y
	case 4:
		return x, h - 1 - y
	case 5:
		return y, x
	case 6:
		return h - 1 - y, x
	case 7:
		return h - 1 - y, w - 1 - x
	case 8:
		return y, w - 1 - x
	default:
		return x, y
	}
}

// exifOrientationOf reads the tag from an EXIF block ("Exif\0\0" may precede the TIFF header). A block that cannot be
// read says nothing about the orientation: cameras write too many broken ones to refuse the picture for it.
func exifOrientationOf(block []byte) orientation {
	block = bytes.TrimPrefix(block, []byte("Exif\x00\x00"))
	if len(block) < 8 {
		return upright
	}
	var order binary.ByteOrder
	switch string(block[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return upright
	}
	at := int64(order.Uint32(block[4:]))
	if at+2 > int64(len(block)) {
		return upright
	}
	entries := block[at+2:]
	for range order.Uint16(block[at:]) {
		if len(entries) < exifEntrySize {
			return upright
		}
		if order.Uint16(entries) == exifOrientation && order.Uint16(entries[2:]) == exifTypeShort {
			if o := orientation(order.Uint16(entries[8:])); o >= upright && o <= lastOrientation {
				return o
			}
			return upright
		}
		entries = entries[exifEntrySize:]
	}
	return upright
}
