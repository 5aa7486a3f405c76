package app

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	firstModel  = "../../models/benchmarks/online-retail-v1"
	secondModel = "../../models/benchmarks/online-retail-v2"
)

func scored(t *testing.T, dir, histories string, k int) (string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "histories.jsonl")
	require.NoError(t, os.WriteFile(path, []byte(histories), 0o600))
	var out bytes.Buffer
	err := Program{Stdout: &out}.ScoreModel(t.Context(), dir, path, k)
	return out.String(), err
}

func TestEachHistoryIsAnsweredInItsLine(t *testing.T) {
	t.Parallel()
	const histories = `{"id":"a","history":["22423","85123A"]}

{"id":"","history":[]}
{"id":"c","history":["never heard of"],"more":1}`
	for _, dir := range []string{firstModel, secondModel} {
		out, err := scored(t, dir, histories, 5)
		require.NoError(t, err)
		var answers []scoreAnswer
		for line := range strings.Lines(out) {
			var a scoreAnswer
			require.NoError(t, json.Unmarshal([]byte(line), &a))
			require.Len(t, a.Items, 5)
			answers = append(answers, a)
		}
		require.Len(t, answers, 3)
		require.Equal(t, []string{"a", "", "c"}, []string{answers[0].ID, answers[1].ID, answers[2].ID})
		require.NotContains(t, answers[0].Items, "22423")
		require.Equal(t, answers[1].Items, answers[2].Items, "of both nothing is known")
	}
}

func TestUnreadableHistoryIsNamedAndEarlierAnswersAreKept(t *testing.T) {
	t.Parallel()
	for reason, line := range map[string]string{
		"unexpected end":   `{"id":"b","history":["22423"`,
		"there is no id":   `{"history":["22423"]}`,
		"cannot unmarshal": `{"id":7,"history":["22423"]}`,
	} {
		out, err := scored(t, secondModel, `{"id":"a","history":[]}`+"\n"+line, 3)
		require.ErrorContains(t, err, "line 2")
		require.ErrorContains(t, err, reason)
		require.Equal(t, 1, strings.Count(out, "\n"))
	}
}

func TestModelsAreListedAndVerified(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := Program{Stdout: &out}
	require.NoError(t, p.ListModels("../../models/benchmarks"))
	require.Contains(t, out.String(), "reranker")
	require.NoError(t, p.VerifyModel(t.Context(), secondModel, time.Minute))
	require.Contains(t, out.String(), "1000 golden histories")
	require.ErrorContains(t, p.VerifyModel(t.Context(), secondModel, time.Nanosecond), "too slow")

	require.ErrorContains(t, p.ListModels(t.TempDir()), "no model")
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(dir, "m"), os.DirFS(secondModel)))
	require.NoError(t, os.Truncate(filepath.Join(dir, "m", "items.bin"), 100))
	require.ErrorIs(t, p.ListModels(dir), ErrReported)
	require.Contains(t, out.String(), "truncated")
	require.ErrorContains(t, p.VerifyModel(t.Context(), filepath.Join(dir, "m"), 0), "truncated")
}
