package onnx_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"shopd/internal/recs/onnx"
)

func TestFilesThatAreNoGraphsAreErrors(t *testing.T) {
	t.Parallel()
	in, out := onnx.Tensor{Name: "input", Shape: []int{300, 61}}, onnx.Tensor{Name: "scores", Shape: []int{300, 1}}
	whole, err := os.ReadFile("../../../models/benchmarks/online-retail-v2/model.onnx")
	require.NoError(t, err)
	for name, file := range map[string][]byte{"nothing": nil, "text": []byte("not a graph"), "cut off": whole[:len(whole)/3]} {
		_, err := onnx.Load(file, in, out)
		require.Error(t, err, name)
	}
	_, err = onnx.Load(whole, onnx.Tensor{Name: "scores", Shape: in.Shape}, onnx.Tensor{Name: "input", Shape: out.Shape})
	require.ErrorContains(t, err, "does not call")

	g, err := onnx.Load(whole, in, out)
	require.NoError(t, err)
	_, err = g.Run(make([]float32, 7))
	require.ErrorContains(t, err, "takes 18300 numbers, not 7")
	scores, err := g.Run(make([]float32, 300*61))
	require.NoError(t, err)
	require.Len(t, scores, 300)

	wrong, err := onnx.Load(whole, in, onnx.Tensor{Name: "scores", Shape: []int{300, 2}})
	require.NoError(t, err)
	_, err = wrong.Run(make([]float32, 300*61))
	require.ErrorContains(t, err, "not of the type and size")
}
