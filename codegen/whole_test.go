package codegen

import (
	"fmt"
	"hash/fnv"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
	"mdlc/ir"
	"mdlc/ir/loop"
	"mdlc/passes"
)

// moduleOf wraps a graph: its states, feeds and flags become declarations; those with a # in their names are of the modules of a list.
func moduleOf(g *ir.Graph) *ir.Module {
	e := &ir.Entry{Kind: ir.EntryTrain, Graph: g}
	m := &ir.Module{Source: g.Name, Entries: []*ir.Entry{e}}
	declared := map[string]bool{}
	state := func(name string, t ir.Type) {
		if !declared[name] {
			declared[name] = true
			x := &ir.State{Name: name, Type: t}
			if strings.Contains(name, "#") {
				x.Stack = []int{t.Dims[0].Size}
			}
			m.States = append(m.States, x)
		}
	}
	for _, p := range g.Params {
		switch a := p.Attr.(ir.ParamAttr); a.Kind {
		case ir.ParamState:
			state(a.Name, a.Type)
		case ir.ParamFeed:
			e.Feeds = append(e.Feeds, ir.Feed{Name: a.Name})
		case ir.ParamFlag:
			e.Flags = append(e.Flags, ir.Flag{Name: a.Name})
		}
	}
	for _, r := range g.Results {
		if r.Kind == ir.ResultState {
			state(r.Name, r.Value.Type)
		}
	}
	return m
}

// randomTensor depends on the name, the turn and nothing else.
func randomTensor(name string, turn int, e ir.Elem, dims []int) *ir.Tensor {
	h := fnv.New64a()
	fmt.Fprint(h, name, turn)
	r := rand.New(rand.NewSource(int64(h.Sum64())))
	x := ir.NewTensor(e, dims...)
	for i := range x.F {
		x.F[i] = r.NormFloat64()
	}
	for i := range x.I {
		x.I[i] = int64(r.Intn(4))
		if e == loop.Bool {
			x.I[i] &= 1
		}
	}
	return x
}

// comparison runs a graph by the reference evaluator and its program by the kernel
// evaluator; after schedule, of the scheduled kernels.
type comparison struct {
	t      *testing.T
	g      *ir.Graph   // as written
	every  []*ir.Graph // as written, the `every` blocks after it
	built  *Built
	lens   map[string]int
	states map[string]*ir.Tensor
	m      *Machine
	what   string // for messages
}

func comparisonOf(t *testing.T, g *ir.Graph, m *ir.Module, lens map[string]int) *comparison {
	require.NoError(t, passes.Plan(m))
	b, err := Pages(m)
	require.NoError(t, err)
	require.NoError(t, b.Program.Check())
	c := &comparison{t: t, g: g, built: b, lens: lens, states: map[string]*ir.Tensor{}, m: NewMachine(b)}
	c.m.Lens = lens
	for i, s := range m.States {
		c.states[s.Name] = randomTensor(s.Name, 0, s.Type.Elem, c.lengths(s.Type))
		c.m.States[i] = spread(c.states[s.Name], s.Type)
	}
	return c
}

// schedule makes c run scheduled kernels, in which updates in place and races can go wrong.
func (c *comparison) schedule() { c.scheduleFor(schedule.AVX2) }

func (c *comparison) scheduleFor(m *schedule.Machine) {
	require.NoError(c.t, c.built.Schedule(m), c.what)
	states := c.m.States
	c.m = NewMachine(c.built)
	c.m.Lens, c.m.States, c.m.Step = c.lens, states, "layout"
}

func (c *comparison) lengths(t ir.Type) []int {
	out := make([]int, len(t.Dims))
	for i, d := range t.Dims {
		out[i] = d.Length().Eval(func(name string) int { return c.lens[name] })
	}
	return out
}

// step runs both once, with the `every` blocks of the module, and compares results and states.
func (c *comparison) step(turn int) {
	entry := &c.built.Program.Entries[0]
	kept := c.block(c.g, nil, turn, func(inputs map[string]*loop.Data) ([]*loop.Data, error) {
		return c.m.Run(&entry.Block, inputs)
	})
	for i, g := range c.every {
		c.block(g, kept, turn, func(inputs map[string]*loop.Data) ([]*loop.Data, error) {
			return c.m.Continue(&entry.Every[i].Block, inputs)
		})
	}
}

// block runs g, which may read values of the step, and by run its program. It gives the results that are no states, by name.
func (c *comparison) block(g *ir.Graph, step map[string]*ir.Tensor, turn int, run func(map[string]*loop.Data) ([]*loop.Data, error)) map[string]*ir.Tensor {
	t := c.t
	inputs := map[string]*loop.Data{}
	e := &ir.Evaluator{Lens: c.lens, Params: func(kind ir.ParamKind, name string) *ir.Tensor {
		switch kind {
		case ir.ParamState:
			return c.states[name]
		case ir.ParamValueOf:
			return step[name]
		}
		for _, p := range g.Params {
			if a := p.Attr.(ir.ParamAttr); a.Kind == kind && a.Name == name {
				x := randomTensor(name, turn, a.Type.Elem, c.lengths(a.Type))
				if kind == ir.ParamStep || kind == ir.ParamSeed {
					name = kind.String()
				}
				inputs[name] = spread(x, a.Type)
				return x
			}
		}
		return nil
	}}
	want, err := e.Run(g)
	require.NoError(t, err, c.what)
	got, err := run(inputs)
	require.NoError(t, err, c.what)
	out, results := 0, map[string]*ir.Tensor{}
	for i, r := range g.Results {
		switch r.Kind {
		case ir.ResultState:
			c.states[r.Name] = want[i]
			continue
		case ir.ResultKept:
		default:
			same(t, want[i], gather(got[out], want[i].Dims), c.what+r.Name)
			out++
		}
		results[r.Name] = want[i]
	}
	for i, s := range c.built.Program.States {
		same(t, c.states[s.Name], gather(c.m.States[i], c.states[s.Name].Dims), fmt.Sprintf("%sstate %s after step %d", c.what, s.Name, turn))
	}
	return results
}

// fusions are the ways to come to kernels: each op on its own, without and with cluster nodes, and fused.
var fusions = []struct {
	name string
	pass func(*ir.Graph) (*ir.Graph, error)
}{
	{"bare", func(g *ir.Graph) (*ir.Graph, error) { return g, nil }},
	{"separate", passes.Separate},
	{"fused", passes.Fuse},
}

func graphOf(t *testing.T, file string) *ir.Graph {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	g, err := ir.ParseGraph(string(text))
	require.NoError(t, err, file)
	require.NoError(t, ir.Verify(g), file)
	return g
}

// lensOf are lengths below the bounds of the graph's symbols.
func lensOf(g *ir.Graph) map[string]int {
	lens := map[string]int{}
	for k, y := range g.Syms {
		if y.Def == nil {
			lens[y.Name] = max(0, y.Max-k-1)
		} else {
			lens[y.Name] = y.Def.Eval(func(name string) int { return lens[name] })
		}
	}
	return lens
}

// Whole graphs: plan and lowering against the reference, over several steps, in poisoned memory.
func TestWholeGraphs(t *testing.T) {
	files, err := filepath.Glob("../testdata/plan/*.graph")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	clusters, err := filepath.Glob("../testdata/plan/clusters/*.graph")
	require.NoError(t, err)
	for _, file := range append(files, clusters...) {
		for _, f := range fusions {
			if f.name != "bare" && slices.Contains(clusters, file) {
				continue // fused already
			}
			t.Run(filepath.Base(file)+" "+f.name, func(t *testing.T) {
				g := graphOf(t, file)
				kernels, err := f.pass(g)
				require.NoError(t, err)
				c := comparisonOf(t, g, moduleOf(kernels), lensOf(g))
				c.step(9)
				c.schedule()
				for turn := range 3 {
					c.step(turn)
				}
			})
		}
	}
}

// Training steps through all passes, against the graph as pass grad left it.
func TestWholePipeline(t *testing.T) {
	files, err := filepath.Glob("../testdata/lower/*.graph")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		for _, noFusion := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s separate=%t", filepath.Base(file), noFusion), func(t *testing.T) {
				reference := moduleOf(graphOf(t, file))
				require.NoError(t, passes.Run(reference, passes.Options{StopAfter: "grad"}))
				m := moduleOf(graphOf(t, file))
				require.NoError(t, passes.Run(m, passes.Options{NoFusion: noFusion}))
				g := reference.Entries[0].Graph
				c := comparisonOf(t, g, m, lensOf(g))
				c.step(9)
				c.schedule()
				for turn := range 3 {
					c.step(turn)
				}
			})
		}
	}
}
