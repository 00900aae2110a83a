//go:build cuda

package runtime

import (
	"fmt"
	"slices"

	"gorgonia.org/cu"

	"mdlc/runtime/cuda/sys"
	"mdlc/runtime/program"
)

// cudaGraph is launches and words to set that the driver knows as one thing.
type cudaGraph struct {
	device *cudaDevice
	graph  *sys.Graph
	has    cudaSteps // what it does
	want   cudaSteps // what it shall do
}

// cudaSteps is what was asked for, in order.
type cudaSteps struct {
	steps   []sys.Step
	args    []uint64 // of all of them
	kernels []int    // which each is of; -1: it sets a word
}

func (s *cudaSteps) kernel(kernel int, f cu.Function, blocks int, ph *program.Phase, args []uint64) {
	s.kernels = append(s.kernels, kernel)
	from := len(s.args)
	s.args = append(s.args, args...)
	s.steps = append(s.steps, sys.Step{Kernel: f, Blocks: blocks, Threads: ph.Threads, Shared: ph.Shared, Args: s.args[from:len(s.args):len(s.args)], Maps: len(ph.Maps)})
}

func (s *cudaSteps) word(at cu.DevicePtr, word uint32) {
	s.steps, s.kernels = append(s.steps, sys.Step{At: at, Word: word}), append(s.kernels, -1)
}

// note makes s what run asks for, none of which is done.
func (d *cudaDevice) note(s *cudaSteps, run func() error) error {
	s.steps, s.args, s.kernels = s.steps[:0], s.args[:0], s.kernels[:0]
	d.noting = s
	defer func() { d.noting = nil }()
	return run()
}

func (d *cudaDevice) keep(run func() error) (kept, error) {
	g := &cudaGraph{device: d}
	err := d.note(&g.has, run)
	if err == nil {
		err = g.make()
	}
	if err != nil {
		g.drop()
		return nil, err
	}
	d.graphs = append(d.graphs, g)
	return g, nil
}

// make makes the graph of the steps that it has. Of one that fails halfway there is something to drop.
func (g *cudaGraph) make() (err error) {
	if g.graph, err = sys.NewGraph(); err != nil {
		return g.failed(err)
	}
	for i, s := range g.has.steps {
		if err := g.graph.Add(s); err != nil {
			return g.failedAt(g.has.kernels[i], err)
		}
	}
	return g.failed(g.graph.Finish())
}

// failedAt is what the driver says of a step, which is of a kernel, or sets a word.
func (g *cudaGraph) failedAt(kernel int, err error) error {
	if kernel < 0 {
		return g.failed(err)
	}
	return kernelError(&g.device.program.Kernels[kernel], sys.Explain(err))
}

// failed is what the driver says of the graph as a whole.
func (g *cudaGraph) failed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("internal error: %s cannot do %d steps as one graph: %w\n  = help: the same run with --profile does them one by one", g.device.name, len(g.has.steps), sys.Explain(err))
}

// change tells the driver of the steps that differ. It keeps the nodes of a graph, so the same kernels must come in the same order.
func (g *cudaGraph) change(run func() error) (bool, error) {
	if err := g.device.note(&g.want, run); err != nil || len(g.want.steps) != len(g.has.steps) {
		return false, err
	}
	var differ []int
	for i := range g.want.steps {
		has, want := &g.has.steps[i], &g.want.steps[i]
		switch {
		case has.Kernel != want.Kernel || has.Threads != want.Threads || has.Shared != want.Shared:
			return false, nil
		case has.Blocks != want.Blocks || has.At != want.At || has.Word != want.Word || !slices.Equal(has.Args, want.Args):
			differ = append(differ, i)
		}
	}
	if 2*len(differ) > len(g.want.steps) {
		return false, nil
	}
	for _, i := range differ {
		if err := g.graph.Set(i, g.want.steps[i]); err != nil {
			return false, g.failedAt(g.want.kernels[i], err)
		}
	}
	g.has, g.want = g.want, g.has
	return true, nil
}

func (g *cudaGraph) launch() error {
	d := g.device
	d.launched = append(d.launched, -1, -1)[:2] // nobody knows which of the kernels an error is of
	return g.failed(g.graph.Launch(d.stream))
}

func (g *cudaGraph) drop() {
	g.device.graphs = slices.DeleteFunc(g.device.graphs, func(other *cudaGraph) bool { return other == g })
	if g.graph != nil {
		_ = g.graph.Destroy()
	}
}
