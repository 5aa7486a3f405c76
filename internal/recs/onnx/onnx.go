// Package onnx runs small ONNX graphs in pure Go. It hides onnx-go and its gorgonnx backend, whose graphs serve one
// caller at a time.
package onnx

import (
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/owulveryck/onnx-go"
	"github.com/owulveryck/onnx-go/backend/x/gorgonnx"
	"gorgonia.org/tensor"
)

// Tensor is the input or the output of a graph, as the file names it. Its shape is fixed.
type Tensor struct {
	Name  string
	Shape []int
}

// Graph is an ONNX graph with one input and one output of fixed shapes. It is safe for concurrent use: every run has a
// copy of the graph to itself. There are as many copies as processors; more would only wait for one another.
type Graph struct {
	file          []byte
	input, output Tensor
	// copies holds a place for each copy that may exist; nil is one that is not built yet.
	copies chan *instance
}

// instance is one copy of the graph.
type instance struct {
	backend *gorgonnx.Graph
	model   *onnx.Model
}

// Load reads a graph. A file with other names than these is refused; shapes show when it runs.
func Load(file []byte, input, output Tensor) (*Graph, error) {
	g := &Graph{file: file, input: input, output: output, copies: make(chan *instance, runtime.GOMAXPROCS(0))}
	first, err := g.build()
	if err != nil {
		return nil, err
	}
	g.copies <- first
	for range cap(g.copies) - 1 {
		g.copies <- nil
	}
	return g, nil
}

// Run computes the output for an input; both are row by row. It waits while all copies are busy.
func (g *Graph) Run(input []float32) ([]float32, error) {
	if len(input) != size(g.input.Shape) {
		return nil, fmt.Errorf("the graph takes %d numbers, not %d", size(g.input.Shape), len(input))
	}
	c := <-g.copies
	// A copy that failed may be half computed: its place stays, it does not.
	var keep *instance
	defer func() { g.copies <- keep }()
	if c == nil {
		var err error
		if c, err = g.build(); err != nil {
			return nil, err
		}
	}
	output, err := c.run(tensor.New(tensor.WithShape(g.input.Shape...), tensor.WithBacking(slices.Clone(input))), size(g.output.Shape))
	if err != nil {
		return nil, err
	}
	keep = c
	return output, nil
}

// build makes one more copy. The libraries panic on files they do not understand.
func (g *Graph) build() (c *instance, err error) {
	defer recovered("read the graph", &err)
	c = &instance{backend: gorgonnx.NewGraph()}
	c.model = onnx.NewModel(c.backend)
	if err := c.model.UnmarshalBinary(g.file); err != nil {
		return nil, fmt.Errorf("read the graph: %w", err)
	}
	if len(c.model.Input) != 1 || len(c.model.Output) != 1 {
		return nil, fmt.Errorf("the graph has %d inputs and %d outputs, not one of each", len(c.model.Input), len(c.model.Output))
	}
	for id, want := range map[int64]string{c.model.Input[0]: g.input.Name, c.model.Output[0]: g.output.Name} {
		if node, ok := c.model.GetNodeByName(want); !ok || node.ID() != id {
			return nil, fmt.Errorf("the graph does not call its input %q and its output %q", g.input.Name, g.output.Name)
		}
	}
	return c, nil
}

func (c *instance) run(input tensor.Tensor, want int) (output []float32, err error) {
	defer recovered("run the graph", &err)
	if err := c.model.SetInput(0, input); err != nil {
		return nil, fmt.Errorf("set the input: %w", err)
	}
	if err := c.backend.Run(); err != nil {
		return nil, fmt.Errorf("run the graph: %w", err)
	}
	tensors, err := c.model.GetOutputTensors()
	if err != nil {
		return nil, fmt.Errorf("read the output: %w", err)
	}
	numbers, ok := tensors[0].Data().([]float32)
	if !ok || len(numbers) != want {
		return nil, errors.New("the output is not of the type and size that the manifest tells")
	}
	// The next run of this copy writes over its output.
	return slices.Clone(numbers), nil
}

func recovered(doing string, err *error) {
	if cause := recover(); cause != nil {
		*err = fmt.Errorf("%s: %v", doing, cause)
	}
}

func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}
