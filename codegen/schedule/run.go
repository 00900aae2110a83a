package schedule

import (
	"fmt"
	"slices"

	"mdlc/ir/loop"
)

// Step is a kernel after a named step.
type Step struct {
	Name   string
	Kernel *loop.Kernel
}

// Run schedules k for m by Choose and returns the kernel after each step, "input" first.
func Run(k *loop.Kernel, m *Machine) ([]Step, error) {
	k, err := prepare(k)
	if err != nil {
		return nil, err
	}
	opts, err := Choose(k, m)
	if err != nil {
		return nil, fmt.Errorf("kernel %s: schedule: %w", k.Name, err)
	}
	return Apply(k, opts)
}

// Apply rewrites k by opts, step by step. An opt that is not legal is an error that names it.
func Apply(k *loop.Kernel, opts []loop.Opt) ([]Step, error) {
	steps := []Step{{"input", k}}
	fail := func(step string, o loop.Opt, err error) ([]Step, error) {
		return steps, fmt.Errorf("kernel %s: step %s: %s: %w", k.Name, step, o, err)
	}
	put := func(name string, n *loop.Kernel) {
		nameShared(n)
		k = n
		steps = append(steps, Step{name, n})
	}
	n := clone(k)
	for _, o := range ofKind(opts, Split, Pack, Fuse, Join, Swap) {
		if err := applySplit(n, o); err != nil {
			return fail("split", o, err)
		}
		finish(n)
	}
	put("split", finish(n))
	n = clone(n)
	for _, o := range ofKind(opts, Cut, Bind) {
		if err := applyAxes(n, o); err != nil {
			return fail("axes", o, err)
		}
	}
	for _, o := range ofKind(opts, Mma) {
		v, err := valueNamed(n, o.Axis)
		if err != nil {
			return fail("axes", o, err)
		}
		v.Instr = "fma"
	}
	simplifyIndices(n)
	put("axes", finish(n))
	n, err := sweep(n, names(ofKind(opts, Order)), names(ofKind(opts, Spill)), names(ofWord(ofKind(opts, Spill), "apart")))
	if err != nil {
		return steps, err
	}
	put("sweep", n)
	put("edge", edge(n))
	vecs := ofKind(opts, Vec)
	n, err = layout(k, vecs)
	if err != nil {
		return steps, fmt.Errorf("kernel %s: step layout: %w", k.Name, err)
	}
	n.Opts = opts
	put("layout", n)
	put("expand", Expand(n))
	return steps, nil
}

// ofKind are the opts of some kinds, in order.
func ofKind(opts []loop.Opt, kinds ...string) []loop.Opt {
	var out []loop.Opt
	for _, o := range opts {
		for _, k := range kinds {
			if o.Kind == k {
				out = append(out, o)
			}
		}
	}
	return out
}

// ofWord are the opts with a word.
func ofWord(opts []loop.Opt, word string) []loop.Opt {
	return slices.DeleteFunc(opts, func(o loop.Opt) bool { return o.Word != word })
}

func names(opts []loop.Opt) []string {
	var out []string
	for _, o := range opts {
		out = append(out, o.Axis)
	}
	return out
}
