package model_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shopd/internal/recs/model"
	"shopd/internal/recs/onnx"
)

const benchmarks = "../../../models/benchmarks"

var versions = []string{"online-retail-v1", "online-retail-v2"}

func load(file []byte, input, output model.Tensor) (model.Graph, error) {
	return onnx.Load(file, onnx.Tensor(input), onnx.Tensor(output))
}

func open(t *testing.T, version string) *model.Model {
	t.Helper()
	m, err := model.Open(filepath.Join(benchmarks, version), load)
	require.NoError(t, err)
	return m
}

func TestModelsComputeWhatTheirTrainerDid(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			report, err := open(t, version).Verify(t.Context(), 0)
			require.NoError(t, err)
			require.Equal(t, 1000, report.Histories)
			require.Less(t, report.Worst, 1e-4)
		})
	}
}

// broken is a graph that is wrong in some way.
type broken struct {
	model.Graph
	spoil func([]float32)
}

func (b broken) Run(input []float32) ([]float32, error) {
	output, err := b.Graph.Run(input)
	if err == nil {
		b.spoil(output)
	}
	return output, err
}

func TestVerifyRefusesWhatIsComputedWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil  func([]float32)
		limit  time.Duration
		reason string
	}{
		"off by little": {func(v []float32) {
			for i := range v {
				v[i] += 0.001
			}
		}, 0, "the trainer had"},
		"no number": {func(v []float32) { v[len(v)/2] = float32(math.NaN()) }, 0, model.ErrNotFinite.Error()},
		"infinite":  {func(v []float32) { v[0] = float32(math.Inf(1)) }, 0, model.ErrNotFinite.Error()},
		"slow":      {func([]float32) { time.Sleep(2 * time.Millisecond) }, time.Millisecond, "too slow"},
	} {
		for _, version := range versions {
			t.Run(name+" "+version, func(t *testing.T) {
				t.Parallel()
				m, err := model.Open(filepath.Join(benchmarks, version), func(file []byte, input, output model.Tensor) (model.Graph, error) {
					g, err := load(file, input, output)
					return broken{g, c.spoil}, err
				})
				require.NoError(t, err)
				_, err = m.Verify(t.Context(), c.limit)
				require.ErrorContains(t, err, c.reason)
			})
		}
	}
}

// spoiled is a copy of a model in which files can be changed.
type spoiled struct {
	testing.TB
	dir string
}

func spoil(t *testing.T, version string) spoiled {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join(benchmarks, version))))
	return spoiled{t, dir}
}

func (s spoiled) change(name string, with func([]byte) []byte) {
	s.Helper()
	path := filepath.Join(s.dir, name)
	raw, err := os.ReadFile(path)
	require.NoError(s, err)
	require.NoError(s, os.WriteFile(path, with(raw), 0o600))
}

// sign writes the checksum of a changed file into the manifest, as one would who swaps files on purpose.
func (s spoiled) sign(name string) {
	s.Helper()
	raw, err := os.ReadFile(filepath.Join(s.dir, name))
	require.NoError(s, err)
	sum := sha256.Sum256(raw)
	s.manifest(func(m map[string]any) {
		files, ok := m["files"].(map[string]any)
		require.True(s, ok)
		files[name] = map[string]any{"bytes": len(raw), "sha256": hex.EncodeToString(sum[:])}
	})
}

func (s spoiled) manifest(with func(map[string]any)) {
	s.Helper()
	s.change(model.ManifestFile, func(raw []byte) []byte {
		m := map[string]any{}
		require.NoError(s, json.Unmarshal(raw, &m))
		with(m)
		raw, err := json.Marshal(m)
		require.NoError(s, err)
		return raw
	})
}

// exchange lets two items of the vocabulary change places.
func (s spoiled) exchange() {
	s.Helper()
	s.change("vocabulary.json", func(raw []byte) []byte {
		v := struct {
			Items []string  `json:"items"`
			Sales []float64 `json:"sales"`
		}{}
		require.NoError(s, json.Unmarshal(raw, &v))
		slices.Reverse(v.Items)
		raw, err := json.Marshal(v)
		require.NoError(s, err)
		return raw
	})
	s.sign("vocabulary.json")
}

func TestDamagedModelsAreNotOpened(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil  func(spoiled)
		reason string
	}{
		"nothing there": {func(s spoiled) { s.change(model.ManifestFile, func([]byte) []byte { return nil }) }, "manifest.json"},
		"graph cut off": {func(s spoiled) { s.change("model.onnx", func(b []byte) []byte { return b[:len(b)/2] }) }, "truncated"},
		"one bit":       {func(s spoiled) { s.change("model.onnx", func(b []byte) []byte { b[len(b)/2] ^= 1; return b }) }, "checksum"},
		"items cut off": {func(s spoiled) {
			s.change("items.bin", func(b []byte) []byte { return b[:len(b)-4] })
			s.sign("items.bin")
		}, "too short"},
		"items are something": {func(s spoiled) {
			s.change("items.bin", func([]byte) []byte { return []byte("x") })
			s.sign("items.bin")
		}, "not a file of items"},
		"graph is something": {func(s spoiled) {
			s.change("model.onnx", func([]byte) []byte { return []byte("x") })
			s.sign("model.onnx")
		}, "graph"},
		"golden is something": {func(s spoiled) {
			s.change("golden.jsonl.gz", func([]byte) []byte { return []byte("x") })
			s.sign("golden.jsonl.gz")
		}, "golden"},
		"other vocabulary":     {spoiled.exchange, "another vocabulary"},
		"shorter vocabulary":   {func(s spoiled) { s.manifest(func(m map[string]any) { m["data"] = map[string]any{"items": 7} }) }, "manifest speaks of 7"},
		"later format":         {func(s spoiled) { s.manifest(func(m map[string]any) { m["format"] = 99 }) }, "reads format"},
		"unknown kind":         {func(s spoiled) { s.manifest(func(m map[string]any) { m["kind"] = "oracle" }) }, "oracle"},
		"fewer features":       {func(s spoiled) { s.manifest(func(m map[string]any) { m["features"] = []any{} }) }, "features"},
		"file from elsewhere":  {func(s spoiled) { s.manifest(func(m map[string]any) { m["vocabulary"] = "../vocabulary.json" }) }, "not among the files"},
		"graph not named like": {func(s spoiled) { s.change("model.onnx", renamed); s.sign("model.onnx") }, "does not call"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := spoil(t, "online-retail-v2")
			c.spoil(s)
			_, err := model.Open(s.dir, load)
			require.ErrorContains(t, err, c.reason)
		})
	}
}

// renamed calls the output by a name of the same length.
func renamed(b []byte) []byte { return bytes.ReplaceAll(b, []byte("scores"), []byte("scorez")) }

// A factorisation has nothing but numbers of items: only its golden outputs tell that the vocabulary is another.
func TestVerifyRefusesAnotherVocabulary(t *testing.T) {
	t.Parallel()
	s := spoil(t, "online-retail-v1")
	s.exchange()
	m, err := model.Open(s.dir, load)
	require.NoError(t, err)
	_, err = m.Verify(t.Context(), 0)
	require.ErrorContains(t, err, "the trainer had")
}

func TestStrangeHistoriesGetItems(t *testing.T) {
	t.Parallel()
	long := make([]string, 0, 10_000)
	for len(long) < cap(long) {
		long = append(long, "22423", "85123A", "never heard of", "47566", "20725")
	}
	for _, version := range versions {
		m := open(t, version)
		popular, err := m.Recommend(nil, 20)
		require.NoError(t, err)
		require.Len(t, popular, 20)
		for name, history := range map[string][]string{"unknown": {"never heard of", ""}, "empty": {}} {
			list, err := m.Recommend(history, 20)
			require.NoError(t, err)
			require.Equal(t, popular, list, "%s: %s", version, name)
		}
		short, err := m.Recommend([]string{"22423", "85123A", "47566", "20725"}, 20)
		require.NoError(t, err)
		require.NotEqual(t, popular, short)
		list, err := m.Recommend(long, 20)
		require.NoError(t, err)
		require.Equal(t, short, list, "%s: repetitions and unknown items change nothing", version)
		for _, s := range list {
			require.NotContains(t, long, s.Item)
		}
	}
}

func TestMoreThanThereAreCandidatesIsFilledWithWhatSells(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		m := open(t, version)
		list, err := m.Recommend([]string{"22423"}, 100_000)
		require.NoError(t, err)
		require.Len(t, list, m.Data.Items-1)
		seen := map[string]bool{"22423": true}
		for i, s := range list {
			require.False(t, seen[s.Item], "%s comes twice", s.Item)
			seen[s.Item] = true
			require.True(t, i == 0 || s.Score <= list[i-1].Score, "place %d", i+1)
		}
	}
}

func TestManyAskAtOnce(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		m := open(t, version)
		histories := [][]string{{"22423"}, {"85123A", "47566"}, {"20725", "22423", "84879"}}
		var want [][]model.Scored
		for _, h := range histories {
			list, err := m.Recommend(h, 20)
			require.NoError(t, err)
			want = append(want, list)
		}
		var all sync.WaitGroup
		for worker := range 8 {
			all.Go(func() {
				for i := range 30 {
					k := (worker + i) % len(histories)
					list, err := m.Recommend(histories[k], 20)
					if err != nil || !slices.Equal(want[k], list) {
						t.Errorf("%s: %v: %v instead of %v", version, err, list, want[k])
					}
				}
			})
		}
		all.Wait()
	}
}

func BenchmarkRecommend(b *testing.B) {
	for _, version := range versions {
		m, err := model.Open(filepath.Join(benchmarks, version), load)
		require.NoError(b, err)
		b.Run(version, func(b *testing.B) {
			for b.Loop() {
				if _, err := m.Recommend([]string{"22423", "85123A", "47566", "20725", "84879"}, 20); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
