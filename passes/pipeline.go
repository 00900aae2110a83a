// Package passes rewrites the graph IR: one pass a file, each a function from
// graph to graph. Pipeline is their order.
package passes

import (
	"fmt"
	"math/rand"
	"runtime"
	"slices"
	"time"

	"mdlc/ir"
	"mdlc/ir/loop"
	"mdlc/ir/parallel"
)

// Pass is one rewriting of a graph.
type Pass struct {
	Name string
	Fn   func(*ir.Graph) (*ir.Graph, error)
	Why  string // it stands where it stands
}

// Types are those that products compute in; 0: as the graph says.
type Types struct {
	Compute ir.Elem         // operands and results of all
	Product ir.Elem         // operands, with a param
	Params  map[string]bool // of these, the names
	Triple  bool            // operands of f32, in two halves of bf16
	Keep    map[string]bool // params that no product takes so, the names
	Weights ir.Elem         // what is stored where nothing changes it
}

// typesOf are those of an entry of m.
func typesOf(m *ir.Module, kind ir.EntryKind) Types {
	t := Types{Compute: m.Compute}
	switch {
	case m.Compute == loop.F64: // for all
	case m.Product == loop.BF16:
		// Samples generate element by element what they could compute at once: by small products what is large then, with the same bits.
		t.Triple, t.Keep = kind != ir.EntrySample, map[string]bool{}
		for _, name := range m.Keep {
			t.Keep[name] = true
		}
	case m.Product != 0:
		t.Product, t.Params = m.Product, narrowParams(m)
	}
	if kind == ir.EntryEval || kind == ir.EntrySample { // nothing is trained
		t.Weights = m.Weights
	}
	return t
}

// Pipeline is the passes in order, for an entry whose products compute in these types. Pass plan comes after it: it needs whole entries.
func Pipeline(t Types) []Pass {
	return []Pass{
		{"bounds", Bounds, "first: it tells of what the user wrote, by its names and places, and a gradient repeats every index"},
		{"pin", Pin, "before simplify, which would look through the values that gradients are taken by"},
		{"simplify", Simplify, "early: what the front end spells out should not be differentiated or matched"},
		{"contract", Contract, "before grad, so that matrix products are differentiated as matrix products"},
		{"precision", Precision(t.Compute), "after contract, which finds the products; before grad, which then rounds cotangents as it rounds values"},
		{"grad", Grad, "while the graph is what the user wrote, and in few ops"},
		{"unstop", Unstop, "after grad, which alone reads stop; before anything that stop would be in the way of"},
		{"simplify.grad", Simplify, "turns the scatters of gradients into index and reduce"},
		{"contract.grad", Contract, "gradients of element-wise products become matrix products"},
		{"product", Product(t.Product, t.Params), "after grad and all that makes products, of whose operands scales are; before passes that move products, or put them into kernels"},
		{"expand", Expand, "after grad, which knows sorting and matrices; before what needs kernels' ops only"},
		{"decode", Decode, "after expand, so that it meets few ops; before passes that make loops of one turn, or of stacked values, hard to read"},
		{"unloop", Unloop, "after grad, whose loops over stacked parameters are often element-wise"},
		{"hoist", Hoist, "what a turn does not change leaves the loop, before fusion puts it into the body's kernels"},
		{"batch", Batch, "after hoist, which tells what no turn changes; before decompose and fuse, which take products as they are"},
		{"weights", Weights(t.Weights), "after hoist, which would move the numbers that are stored in few bits out of loops as f32 again; before fuse, which makes them part of products"},
		{"simplify.last", Simplify, "cleans up after expand, unloop and hoist"},
		{"decompose", Decompose, "after the last simplify: it fixes the order of additions that kernels keep"},
		{"deadcode", DeadCode, "late: dead loop values would be stored"},
		{"triple", Triple(t.Triple, t.Keep), "after all that looks for products, whose operands it halves, and just before fusion, which tells what products it keeps in one kernel"},
		{"groups", Groups, "after passes that move, batch and halve products, which know dot alone; just before fusion, which makes kernels of the order of rows, too"},
		{"fuse", Fuse, "one kernel each; nothing but plan knows clusters"},
	}
}

// Options of Run. The zero value runs everything.
type Options struct {
	NoFusion  bool                               // every computed value gets its own kernel; the bits are the same
	NoDecode  bool                               // generations compute from the whole prefix in each turn
	StopAfter string                             // the name of a pass, or "": run all
	Dump      func(pass string, g *ir.Graph)     // called with every graph after every pass, where not nil
	Shuffle   *rand.Rand                         // for tests: shuffles the construction order of nodes before each pass
	Timing    func(pass string, d time.Duration) // called with what a pass took over a graph, by several goroutines, where not nil
}

// workers is how many graphs are worked on at a time: one where chance orders their nodes.
func (o Options) workers() int {
	if o.Shuffle != nil {
		return 1
	}
	return runtime.GOMAXPROCS(0)
}

// timed runs f, which is a pass over a graph.
func (o Options) timed(pass string, f func()) {
	start := time.Now()
	f()
	if o.Timing != nil {
		o.Timing(pass, time.Since(start))
	}
}

// Run runs the pipeline over all graphs of a module, in place, several graphs at a time.
func Run(m *ir.Module, opt Options) error {
	if opt.StopAfter != "" && !slices.Contains(PassNames(), opt.StopAfter) {
		return fmt.Errorf("there is no pass %q; the passes are %v", opt.StopAfter, PassNames())
	}
	return runOver(spots(m, m.Entries), opt)
}

// Entry runs the pipeline over the graphs of one entry of m and plans them, all in place. Entries of a
// module may be worked on side by side.
func Entry(m *ir.Module, e *ir.Entry, opt Options) error {
	if err := runOver(spots(m, []*ir.Entry{e}), opt); err != nil {
		return err
	}
	opt.timed("plan", func() { planEntry(e) })
	return nil
}

// spot is where an entry has a graph, and its pipeline.
type spot struct {
	graph    **ir.Graph
	pipeline []Pass
}

// runOver runs the pipelines of graphs, each for itself: the passes over a large one take as long as those over all
// others. What is dumped comes pass by pass.
func runOver(spots []spot, opt Options) error {
	after := make([][]*ir.Graph, len(spots)) // the passes, for dumps
	err := parallel.Each(len(spots), opt.workers(), func(i int) error {
		g := spots[i].graph
		for _, p := range spots[i].pipeline {
			switch {
			case p.Name == "fuse" && opt.NoFusion:
				p.Fn = Separate
			case p.Name == "decode" && opt.NoDecode:
				p.Fn = func(g *ir.Graph) (*ir.Graph, error) { return g, nil }
			}
			var err error
			opt.timed(p.Name, func() { *g, err = runPass(p, *g, opt) })
			if err != nil {
				return err
			}
			if opt.Dump != nil {
				after[i] = append(after[i], *g)
			}
			if p.Name == opt.StopAfter {
				break
			}
		}
		return nil
	})
	for k, name := range PassNames() {
		for _, gs := range after {
			if k < len(gs) {
				opt.Dump(name, gs[k])
			}
		}
	}
	return err
}

// PassNames is the names of the pipeline's passes, in order.
func PassNames() []string {
	var names []string
	for _, p := range Pipeline(Types{}) {
		names = append(names, p.Name)
	}
	return names
}

// spots are where some entries of m have graphs.
func spots(m *ir.Module, entries []*ir.Entry) []spot {
	var out []spot
	for _, e := range entries {
		p := spot{&e.Graph, Pipeline(typesOf(m, e.Kind))}
		if e.Graph != nil {
			out = append(out, p)
		}
		for _, v := range e.Every {
			if v.Graph != nil {
				out = append(out, spot{&v.Graph, p.pipeline})
			}
		}
	}
	return out
}

// runPass runs and verifies one pass. A graph that does not verify is a bug of the pass.
func runPass(p Pass, g *ir.Graph, opt Options) (*ir.Graph, error) {
	if opt.Shuffle != nil {
		g = shuffle(g, opt.Shuffle)
	}
	out, err := p.Fn(g)
	if err != nil || out == g {
		return out, err
	}
	if err := ir.Verify(out); err != nil {
		panic(fmt.Sprintf("passes: after pass %s: %v\n%s", p.Name, err, out))
	}
	return out, nil
}

// shuffle rebuilds a graph in a random order of construction. No pass may depend on it.
func shuffle(g *ir.Graph, r *rand.Rand) *ir.Graph {
	b := ir.Reopen(g, nil)
	m := ir.Mapping{}
	for i, p := range g.Params {
		m[p] = b.Params()[i]
	}
	left := map[*ir.Node]int{} // arguments not made yet
	users := map[*ir.Node][]*ir.Node{}
	var ready []*ir.Node
	for _, n := range order(g) {
		if m[n] != nil {
			continue
		}
		for _, a := range n.Args {
			if m[a] == nil {
				left[n]++
				users[a] = append(users[a], n)
			}
		}
		if left[n] == 0 {
			ready = append(ready, n)
		}
	}
	for len(ready) > 0 {
		i := r.Intn(len(ready))
		n := ready[i]
		ready = append(ready[:i], ready[i+1:]...)
		if _, err := m.Copy(b, n, nil); err != nil {
			panic(fmt.Sprintf("passes: shuffle: %v", err))
		}
		for _, u := range users[n] {
			if left[u]--; left[u] == 0 {
				ready = append(ready, u)
			}
		}
	}
	results := append([]ir.Result(nil), g.Results...)
	for i := range results {
		results[i].Value = m[results[i].Value]
	}
	return b.Finish(results...)
}
