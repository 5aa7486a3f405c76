package embedded

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"

	"shopd/internal/catalog/search"
)

// The log of a generation is a file of records: four bytes of length, four of a checksum, and an entry. What was
// written last of a document counts.

// span is a place in the log.
type span struct {
	at     int64
	length uint32
}

const (
	headerBytes = 8
	// maxRecordBytes is more than any entry has; a longer record is a broken one.
	maxRecordBytes = 256 << 20
)

var checksums = crc32.MakeTable(crc32.Castagnoli)

// errBroken says that a file is not a log, or has a broken record in its middle.
var errBroken = errors.New("the search index is damaged")

// appendRecord appends a record of the entry.
func appendRecord(b []byte, e *search.Entry) []byte {
	begin := len(b)
	b = append(b, make([]byte, headerBytes)...)
	b = appendEntry(b, e)
	body := b[begin+headerBytes:]
	binary.LittleEndian.PutUint32(b[begin:], uint32(len(body)))
	binary.LittleEndian.PutUint32(b[begin+4:], crc32.Checksum(body, checksums))
	return b
}

// readLog calls f with the entries of a log in their order, and returns where the last whole record ends: what was
// being written when the process died is cut off. It fails with errBroken when something follows a broken record.
func readLog(file *os.File, f func(e *search.Entry, at span)) (end int64, err error) {
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	size := info.Size()
	in := bufio.NewReaderSize(file, 1<<20)
	var header [headerBytes]byte
	var body []byte
	for end < size {
		if _, err := io.ReadFull(in, header[:]); err != nil {
			return end, cutOff(err)
		}
		length := binary.LittleEndian.Uint32(header[:])
		next := end + headerBytes + int64(length)
		if length > maxRecordBytes {
			return end, errBroken
		}
		if next > size {
			return end, nil
		}
		if uint32(cap(body)) < length {
			body = make([]byte, length)
		}
		body = body[:length]
		if _, err := io.ReadFull(in, body); err != nil {
			return end, cutOff(err)
		}
		e, ok := readEntry(body)
		if crc32.Checksum(body, checksums) != binary.LittleEndian.Uint32(header[4:]) || !ok {
			if next == size {
				return end, nil
			}
			return end, errBroken
		}
		f(&e, span{at: end + headerBytes, length: length})
		end = next
	}
	return end, nil
}

// cutOff is no error when the file ends within a record.
func cutOff(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("read the search index: %w", err)
}

func appendEntry(b []byte, e *search.Entry) []byte {
	b = appendText(b, e.ID)
	b = binary.AppendVarint(b, e.Version)
	b = appendBool(b, e.Live)
	if !e.Live {
		return b
	}
	b = binary.AppendUvarint(b, uint64(len(e.Terms)))
	for _, t := range e.Terms {
		b = append(b, t.Weight)
		b = appendText(b, t.Text)
	}
	for _, list := range [][]string{e.Names, e.Vocabulary, e.Runs, e.Codes, e.Facets, e.Categories, e.CategoryIDs} {
		b = binary.AppendUvarint(b, uint64(len(list)))
		for _, s := range list {
			b = appendText(b, s)
		}
	}
	b = binary.AppendVarint(b, e.Price)
	b = appendBool(b, e.InStock)
	b = binary.AppendUvarint(b, math.Float64bits(e.Popularity))
	b = binary.AppendUvarint(b, math.Float64bits(e.Quality))
	b = binary.AppendVarint(b, e.CreatedAt)
	b = appendText(b, e.SortTitle)
	return append(b, e.Payload...) // to the end, so that it can be read alone
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// readEntry reads what appendEntry wrote.
func readEntry(b []byte) (search.Entry, bool) {
	d := decoder{rest: string(b)}
	e := search.Entry{ID: d.text(), Version: d.varint(), Live: d.byte() == 1}
	if !e.Live {
		return e, !d.failed && d.rest == ""
	}
	e.Terms = make([]search.Term, d.length())
	for i := range e.Terms {
		e.Terms[i] = search.Term{Weight: d.byte(), Text: d.text()}
	}
	for _, list := range []*[]string{&e.Names, &e.Vocabulary, &e.Runs, &e.Codes, &e.Facets, &e.Categories, &e.CategoryIDs} {
		*list = make([]string, d.length())
		for i := range *list {
			(*list)[i] = d.text()
		}
	}
	e.Price, e.InStock = d.varint(), d.byte() == 1
	e.Popularity, e.Quality = math.Float64frombits(d.uvarint()), math.Float64frombits(d.uvarint())
	e.CreatedAt, e.SortTitle = d.varint(), d.text()
	e.Payload = d.rest
	return e, !d.failed
}

// decoder reads from a record; after a failure it reads nothing.
type decoder struct {
	rest   string
	failed bool
}

func (d *decoder) fail() {
	d.failed, d.rest = true, ""
}

func (d *decoder) byte() byte {
	if d.rest == "" {
		d.fail()
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *decoder) uvarint() uint64 {
	var n uint64
	for shift := 0; shift < 64; shift += 7 {
		b := d.byte()
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return n
		}
	}
	d.fail()
	return 0
}

func (d *decoder) varint() int64 {
	u := d.uvarint()
	n := int64(u >> 1)
	if u&1 != 0 {
		n = ^n
	}
	return n
}

// length is a number of things of which each takes a byte at least.
func (d *decoder) length() int {
	n := d.uvarint()
	if n > uint64(len(d.rest)) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) text() string {
	n := d.length()
	s := d.rest[:n]
	d.rest = d.rest[n:]
	return s
}
