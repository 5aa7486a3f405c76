package elastic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"shopd/internal/catalog/search"
)

type searchAnswer struct {
	TimedOut bool `json:"timed_out"`
	Shards   struct {
		Failed int `json:"failed"`
	} `json:"_shards"`
	Hits struct {
		Total struct {
			Value    int    `json:"value"`
			Relation string `json:"relation"`
		} `json:"total"`
		Hits []struct {
			ID     string            `json:"_id"`
			Score  *float64          `json:"_score"`
			Sort   []json.RawMessage `json:"sort"`
			Fields struct {
				Payload []string `json:"payload"`
			} `json:"fields"`
		} `json:"hits"`
	} `json:"hits"`
	Aggregations map[string]aggregation `json:"aggregations"`
}

// aggregation is a filter with counts within it, or a count by itself.
type aggregation struct {
	Buckets    []bucket                 `json:"buckets"`
	Facets     buckets                  `json:"facets"`
	Categories buckets                  `json:"categories"`
	Min        struct{ Value *float64 } `json:"min"`
	Max        struct{ Value *float64 } `json:"max"`
}

type buckets struct {
	Buckets []bucket `json:"buckets"`
}

type bucket struct {
	Key   string `json:"key"`
	Count int    `json:"doc_count"`
}

func termCounts(all []bucket) []search.TermCount {
	counts := make([]search.TermCount, len(all))
	for i, b := range all {
		counts[i] = search.TermCount{Term: b.Key, Count: b.Count}
	}
	return counts
}

// search sends a search; once more when the index behind the alias was exchanged in that moment. Without an index it
// fails, so that the caller falls back instead of finding nothing.
func (e *Engine) search(ctx context.Context, body object, steady string) (*searchAnswer, error) {
	answer, err := e.searchOnce(ctx, body, steady)
	// A search that was under way in the old index when it went ends without any of its shards.
	if !isKind(err, kindNoIndex) && !isKind(err, kindNoShards) {
		return answer, err
	}
	if exists, aliasErr := e.aliasExists(ctx, e.names.live()); aliasErr != nil || !exists {
		return nil, err
	}
	return e.searchOnce(ctx, body, steady)
}

// searchOnce sends a search. With the same value of steady it goes to the same copy of the index, so that scores
// do not differ between pages.
func (e *Engine) searchOnce(ctx context.Context, body object, steady string) (*searchAnswer, error) {
	b, err := encoded(body)
	if err != nil {
		return nil, err
	}
	partial := false
	var answer searchAnswer
	err = e.client.do(ctx, esapi.SearchRequest{
		Index: []string{e.names.live()}, Body: b, AllowPartialSearchResults: &partial, Preference: steady,
		FilterPath: []string{"timed_out", "_shards.failed", "hits.total", "hits.hits._id", "hits.hits._score",
			"hits.hits.sort", "hits.hits.fields", "aggregations"},
	}, &answer)
	if err != nil {
		return nil, err
	}
	if answer.TimedOut || answer.Shards.Failed > 0 {
		return nil, errors.New("elasticsearch answered for a part of the index")
	}
	return &answer, nil
}

// Execute implements search.Backend.
func (e *Engine) Execute(ctx context.Context, r *search.Request) (*search.Page, error) {
	answer, err := e.search(ctx, searchBody(r), preference(r.Plan))
	if err != nil {
		return nil, err
	}
	page := &search.Page{Total: answer.Hits.Total.Value, Exact: answer.Hits.Total.Relation == "eq"}
	if page.Hits, err = answer.hits(r.Order()); err != nil || !r.Facets {
		return page, err
	}
	hits, unpriced := answer.Aggregations[aggHits], answer.Aggregations[aggUnpriced]
	page.Facets, page.Categories = termCounts(hits.Facets.Buckets), termCounts(hits.Categories.Buckets)
	if unpriced.Min.Value != nil && unpriced.Max.Value != nil {
		page.Price = &search.PriceRange{Min: int64(*unpriced.Min.Value), Max: int64(*unpriced.Max.Value)}
	}
	page.Selected = make(map[string][]search.TermCount, len(r.Filter.Facets))
	for name := range r.Filter.Facets {
		page.Selected[name] = termCounts(answer.Aggregations[aggSelected+name].Facets.Buckets)
	}
	return page, nil
}

// preference names a plan, without the characters that Elasticsearch gives a meaning.
func preference(p *search.Plan) string {
	h := fnv.New64a()
	for _, c := range p.Clauses {
		fmt.Fprint(h, c.Alternatives[0].Terms)
	}
	return "q" + strconv.FormatUint(h.Sum64(), 36)
}

func (a *searchAnswer) hits(order search.Sorted) ([]search.PageHit, error) {
	hits := make([]search.PageHit, len(a.Hits.Hits))
	for i, h := range a.Hits.Hits {
		hit := &hits[i]
		hit.ProductID, hit.Position.ID = h.ID, h.ID
		if len(h.Fields.Payload) > 0 {
			hit.Payload = search.RawPayload(h.Fields.Payload[0])
		}
		if len(h.Sort) == 0 {
			return nil, errors.New("elasticsearch answered no sort values")
		}
		var err error
		if order.Text {
			err = json.Unmarshal(h.Sort[0], &hit.Position.Text)
		} else {
			hit.Position.Number, err = strconv.ParseFloat(string(h.Sort[0]), 64)
		}
		if err != nil {
			return nil, fmt.Errorf("read the sort value of %s: %w", h.ID, err)
		}
		if order.By == "" {
			hit.Score = hit.Position.Number
		}
	}
	return hits, nil
}

// Complete implements search.Backend.
func (e *Engine) Complete(ctx context.Context, c *search.Completion) (*search.Completed, error) {
	answer, err := e.search(ctx, completionBody(c), preference(c.Plan))
	if err != nil {
		return nil, err
	}
	hits, err := answer.hits(search.Sorted{})
	if err != nil {
		return nil, err
	}
	done := &search.Completed{
		Words:      termCounts(answer.Aggregations[aggWords].Buckets),
		Categories: termCounts(answer.Aggregations[aggCategories].Buckets),
	}
	for i := range hits {
		done.Hits = append(done.Hits, hits[i].Hit)
	}
	return done, nil
}

// maxVocabulary is how many words are known, the most frequent first; more buckets than that Elasticsearch refuses.
const maxVocabulary = 60_000

// readVocabulary reads the words of the index. Elasticsearch keeps the answer until the index changes.
func (e *Engine) readVocabulary(ctx context.Context) error {
	answer, err := e.search(ctx, object{
		"size": 0, "track_total_hits": false,
		"aggs": object{aggWords: counted(search.FieldVocabulary, maxVocabulary, "")},
	}, "vocabulary")
	if err != nil {
		return err
	}
	found := answer.Aggregations[aggWords].Buckets
	h := fnv.New64a()
	counts := make([]search.WordCount, len(found))
	for i, b := range found {
		counts[i] = search.WordCount{Word: strings.Clone(b.Key), Count: b.Count}
		fmt.Fprintf(h, "%s %d\n", b.Key, b.Count)
	}
	if sum := h.Sum64(); e.vocabularySum.Swap(sum) == sum && e.vocabulary.Load() != nil {
		return nil
	}
	v, err := search.NewVocabulary(counts)
	if err != nil {
		return err
	}
	e.vocabulary.Store(v)
	return nil
}
