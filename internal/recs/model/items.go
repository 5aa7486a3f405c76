package model

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
)

// relation has the strongest neighbours of every item. strength*scale is the value: whole numbers add up to the same
// sum in whatever order, here as in the trainer.
type relation struct {
	keep     int
	scale    float64
	neighbor []uint16 // keep for each item
	strength []int16
}

// The relations, in the order of the file.
const (
	together = iota
	lately
	recentMonth
	recentTwoMonths
	following
	beside
	similar
	relations
)

// The numbers about each item, and which of them choose candidates.
const (
	statCount = 10
	soldMonth = 2
	months    = 13
)

// items is what a Reranker knows of items.
type items struct {
	count     int
	relations [relations]relation
	stats     []float32 // statCount for each item
	logPrice  []float64
	season    []float64 // months for each item: log of its share of a month by the shop's
	seasonExp []float64 // the share itself
}

var itemsMagic = []byte("SHOPRECS")

// readItems reads the file of relations and numbers: little endian, magic, format, number of items, checksum of the
// vocabulary that the numbers of items refer to; then each relation as kept neighbours, scale, neighbours, strengths;
// then stats, log prices and seasons.
func readItems(raw, vocabulary []byte, count int) (*items, error) {
	r := &reader{rest: raw}
	if !bytes.Equal(r.take(len(itemsMagic)), itemsMagic) || r.uint32() != Format {
		return nil, fmt.Errorf("not a file of items of format %d", Format)
	}
	n := int(r.uint32())
	if sum := sha256.Sum256(vocabulary); n != count || !bytes.Equal(r.take(len(sum)), sum[:]) {
		return nil, fmt.Errorf("made for another vocabulary")
	}
	it := &items{count: n}
	for i := range it.relations {
		rel := &it.relations[i]
		rel.keep, rel.scale = int(r.uint32()), float64(r.float32())
		if rel.keep < 1 || rel.keep > n || !(rel.scale > 0) || math.IsInf(rel.scale, 0) {
			return nil, fmt.Errorf("relation %d keeps %d of %d neighbours with scale %v", i, rel.keep, n, rel.scale)
		}
		rel.neighbor, rel.strength = make([]uint16, n*rel.keep), make([]int16, n*rel.keep)
		r.into(rel.neighbor)
		r.into(rel.strength)
		for _, j := range rel.neighbor {
			if int(j) >= n {
				return nil, fmt.Errorf("relation %d knows an item %d of %d", i, j, n)
			}
		}
	}
	it.stats = r.float32s(n * statCount)
	it.logPrice, it.season = widen(r.float32s(n)), widen(r.float32s(n*months))
	if r.short || len(r.rest) > 0 {
		return nil, fmt.Errorf("the file is too short or too long")
	}
	for _, list := range [][]float64{widen(it.stats), it.logPrice, it.season} {
		for _, v := range list {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("a number of an item is %v", v)
			}
		}
	}
	it.seasonExp = make([]float64, len(it.season))
	for i, v := range it.season {
		it.seasonExp[i] = math.Exp(v)
	}
	return it, nil
}

// reader takes bytes off the front; short says that there were too few.
type reader struct {
	rest  []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if n > len(r.rest) {
		r.short, r.rest = true, nil
		return make([]byte, n)
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) uint32() uint32   { return binary.LittleEndian.Uint32(r.take(4)) }
func (r *reader) float32() float32 { return math.Float32frombits(r.uint32()) }

func (r *reader) into(list any) {
	if _, err := binary.Decode(r.take(binary.Size(list)), binary.LittleEndian, list); err != nil {
		r.short = true
	}
}

func (r *reader) float32s(n int) []float32 {
	list := make([]float32, n)
	r.into(list)
	return list
}

func widen(list []float32) []float64 {
	wide := make([]float64, len(list))
	for i, v := range list {
		wide[i] = float64(v)
	}
	return wide
}

// sums adds up for every item what the history says for it, in units of scale.
func (r *relation) sums(history []int, into []int64) {
	clear(into)
	for _, h := range history {
		strengths := r.strength[h*r.keep : (h+1)*r.keep]
		for k, j := range r.neighbor[h*r.keep : (h+1)*r.keep] {
			into[j] += int64(strengths[k])
		}
	}
}

// fading is sums with the history counting less the older it is.
func (r *relation) fading(history []int, fade float64, into []float64) {
	clear(into)
	for i, h := range history {
		weight := math.Pow(fade, float64(len(history)-1-i))
		strengths := r.strength[h*r.keep : (h+1)*r.keep]
		for k, j := range r.neighbor[h*r.keep : (h+1)*r.keep] {
			into[j] += float64(weight * float64(strengths[k]))
		}
	}
}

// best is for every item the most that one item of the history says for it, in units of scale; 0 where none does.
func (r *relation) best(history []int, into []int64) {
	clear(into)
	for _, h := range history {
		strengths := r.strength[h*r.keep : (h+1)*r.keep]
		for k, j := range r.neighbor[h*r.keep : (h+1)*r.keep] {
			into[j] = max(into[j], int64(strengths[k]))
		}
	}
}
