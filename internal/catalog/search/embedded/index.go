package embedded

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/analysis"
	"github.com/blevesearch/bleve/v2/analysis/tokenizer/character"
	"github.com/blevesearch/bleve/v2/analysis/tokenizer/single"
	"github.com/blevesearch/bleve/v2/document"
	"github.com/blevesearch/bleve/v2/numeric"
	index "github.com/blevesearch/bleve_index_api"

	"shopd/internal/catalog/search"
)

// The analysis is done before a document comes here: terms are only taken apart at the spaces between them.
var (
	byTerm  = &analysis.DefaultAnalyzer{Tokenizer: character.NewCharacterTokenizer(func(r rune) bool { return r != ' ' })}
	asWhole = &analysis.DefaultAnalyzer{Tokenizer: single.NewSingleTokenTokenizer()}
)

// countable values are read for every hit. Stored plainly, one document after the other, that is several times faster
// than out of compressed chunks. One of the two options alone would lose values when segments are merged (zapx 17.2).
const countable = index.DocValues | index.SkipDVCompression | index.SkipDVChunking

const (
	scored   = index.IndexField
	filtered = index.IndexField | index.SkipFreqNorm
	counted  = filtered | countable
)

// fieldVersion holds the version as text, because numbers of this index are floating and would lose its last digits.
const fieldVersion = search.FieldVersion

// write stores the entries whose versions are not older than what is there, in one batch.
func write(idx bleve.Index, entries []search.Entry) error {
	newest := make(map[string]*search.Entry, len(entries))
	for i := range entries {
		e := &entries[i]
		if known := newest[e.ID]; known == nil || e.Version >= known.Version {
			newest[e.ID] = e
		}
	}
	stored, err := versions(idx, newest)
	if err != nil {
		return err
	}
	batch := idx.NewBatch()
	for _, id := range slices.Sorted(maps.Keys(newest)) {
		e := newest[id]
		if v, ok := stored[id]; ok && v > e.Version {
			continue
		}
		if err := batch.IndexAdvanced(newDocument(e)); err != nil {
			return fmt.Errorf("add %s to the batch: %w", id, err)
		}
	}
	if batch.Size() == 0 {
		return nil
	}
	if err := idx.Batch(batch); err != nil {
		return fmt.Errorf("write %d documents: %w", batch.Size(), err)
	}
	return nil
}

// versions returns the versions that are stored of these documents.
func versions(idx bleve.Index, of map[string]*search.Entry) (found map[string]int64, err error) {
	advanced, err := idx.Advanced()
	if err != nil {
		return nil, fmt.Errorf("open the index: %w", err)
	}
	reader, err := advanced.Reader()
	if err != nil {
		return nil, fmt.Errorf("read the index: %w", err)
	}
	defer func() {
		if cerr := reader.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("end reading the index: %w", cerr)
		}
	}()
	values, err := reader.DocValueReader([]string{fieldVersion})
	if err != nil {
		return nil, fmt.Errorf("read versions: %w", err)
	}
	found = make(map[string]int64, len(of))
	for id := range of {
		at, err := reader.InternalID(id)
		if err != nil {
			return nil, fmt.Errorf("find %s: %w", id, err)
		}
		if at == nil {
			continue
		}
		var decodeErr error
		err = values.VisitDocValues(at, func(_ string, term []byte) {
			found[id], decodeErr = numeric.PrefixCoded(term).Int64()
		})
		if err != nil || decodeErr != nil {
			return nil, fmt.Errorf("read the version of %s: %w", id, cmp.Or(err, decodeErr))
		}
	}
	return found, nil
}

func newDocument(e *search.Entry) *document.Document {
	d := document.NewDocument(e.ID)
	version := numeric.MustNewPrefixCodedInt64(e.Version, 0)
	d.AddField(document.NewTextFieldCustom(fieldVersion, nil, version, counted, asWhole))
	if !e.Live {
		return d
	}
	addTerms(d, search.FieldTitle, e.Title)
	addTerms(d, search.FieldLabel, e.Label)
	addTerms(d, search.FieldAttributes, e.Attributes)
	addTerms(d, search.FieldText, e.Text)
	addValues(d, search.FieldPrefixes, e.Prefixes, filtered)
	addValues(d, search.FieldVocabulary, e.Vocabulary, counted)
	addValues(d, search.FieldCodes, e.Codes, filtered)
	addValues(d, search.FieldFacets, e.Facets, counted)
	addValues(d, search.FieldCategories, e.Categories, counted)
	addValues(d, search.FieldCategoryIDs, e.CategoryIDs, filtered)
	addValues(d, search.FieldSortTitle, []string{e.SortTitle}, counted)
	addValues(d, search.FieldLive, []string{yes}, filtered)
	if e.InStock {
		addValues(d, search.FieldInStock, []string{yes}, filtered)
	}
	addNumber(d, search.FieldPrice, float64(e.Price))
	addNumber(d, search.FieldCreatedAt, float64(e.CreatedAt))
	addNumber(d, search.FieldPopularity, e.Popularity)
	addNumber(d, search.FieldQuality, e.Quality)
	d.AddField(document.NewTextFieldCustom(search.FieldPayload, nil, []byte(e.Payload), index.StoreField, asWhole))
	return d
}

// yes is the one value of a field that is true.
const yes = "y"

func addTerms(d *document.Document, field string, terms []string) {
	if len(terms) > 0 {
		d.AddField(document.NewTextFieldCustom(field, nil, []byte(strings.Join(terms, " ")), scored, byTerm))
	}
}

func addValues(d *document.Document, field string, values []string, options index.FieldIndexingOptions) {
	for i, v := range values {
		d.AddField(document.NewTextFieldCustom(field, []uint64{uint64(i)}, []byte(v), options, asWhole)) //nolint:gosec // an index of a slice
	}
}

func addNumber(d *document.Document, field string, n float64) {
	d.AddField(document.NewNumericFieldWithIndexingOptions(field, nil, n, index.IndexField|countable))
}

// decodeNumber reads a number from the doc values of a field; false for the coarser terms that serve ranges.
func decodeNumber(term []byte) (float64, bool) {
	valid, shift := numeric.ValidPrefixCodedTermBytes(term)
	if !valid || shift != 0 {
		return 0, false
	}
	i, err := numeric.PrefixCoded(term).Int64()
	if err != nil {
		return 0, false
	}
	return numeric.Int64ToFloat64(i), true
}
