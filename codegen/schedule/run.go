package schedule

import (
	"fmt"
	"slices"
	"strings"

	"mdlc/ir/loop"
)

// Step is a kernel after a named step.
type Step struct {
	Name   string
	Kernel *loop.Kernel
}

// Run schedules k for m by Choose and returns the kernel after each step, "input" first.
func Run(k *loop.Kernel, m *Machine) ([]Step, error) {
	k, err := prepare(k, m)
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
	steps, err := loops(k, opts)
	if err != nil {
		return steps, err
	}
	n := steps[len(steps)-1].Kernel
	if skews := ofKind(opts, Skew); len(skews) > 0 {
		n = clone(n)
		for _, o := range skews {
			if err := skew(n, o.Axis); err != nil {
				return steps, illegal(k, "skew", o, err)
			}
		}
		finish(n)
	}
	steps = put(steps, "skew", n)
	if evicts := ofKind(opts, Evict); len(evicts) > 0 {
		n = clone(n)
		for _, o := range evicts {
			if err := evict(n, o.Axis); err != nil {
				return steps, illegal(k, "layout", o, err)
			}
		}
		finish(n)
	}
	if stages := ofKind(opts, Stage, Bulk, Roles, Persist, Cluster, Via); len(stages) > 0 {
		n = clone(n)
		if err := stage(n, stages); err != nil {
			return steps, fmt.Errorf("kernel %s: step stage: %w", k.Name, err)
		}
		finish(n)
	}
	if descends := ofKind(opts, Descend); len(descends) > 0 {
		n = clone(n)
		for _, o := range descends {
			if err := descend(n, o.Axis); err != nil {
				return steps, illegal(k, "stage", o, err)
			}
		}
		simplifyIndices(n)
		finish(n)
	}
	steps = put(steps, "stage", n)
	n, err = layout(n, ofKind(opts, Vec))
	if err != nil {
		return steps, fmt.Errorf("kernel %s: step layout: %w", k.Name, err)
	}
	n.Opts = opts
	steps = put(steps, "layout", n)
	return put(steps, "expand", expand(n, IsCall)), nil
}

// loops are the steps that make the loops of k, "input" to "edge".
func loops(k *loop.Kernel, opts []loop.Opt) ([]Step, error) {
	steps := []Step{{"input", k}}
	n := clone(k)
	for _, o := range ofKind(opts, splitting...) {
		if err := applySplit(n, o); err != nil {
			return steps, illegal(k, "split", o, err)
		}
		finish(n)
	}
	steps = put(steps, "split", finish(n))
	n = clone(n)
	for _, o := range ofKind(opts, cutting...) {
		if err := applyAxes(n, o); err != nil {
			return steps, illegal(k, "axes", o, err)
		}
	}
	for _, o := range ofKind(opts, Mma) {
		v, err := valueNamed(n, o.Axis)
		if err != nil {
			return steps, illegal(k, "axes", o, err)
		}
		v.Instr = "fma"
		for _, row := range []string{loop.MMA, loop.WGMMA} {
			if strings.HasPrefix(o.Word, row) {
				v.Instr = row
			}
		}
	}
	simplifyIndices(n)
	steps = put(steps, "axes", finish(n))
	n, err := sweep(n, opts)
	if err != nil {
		return steps, err
	}
	steps = put(steps, "sweep", n)
	if blocks := ofKind(opts, Block); len(blocks) > 0 {
		n = clone(n)
		if err := block(n, blocks, names(ofKind(opts, Rounds))); err != nil {
			return steps, err
		}
		finish(n)
	}
	steps = put(steps, "block", n)
	n = edge(n)
	if all := ofKind(opts, Ends, Begins); len(all) > 0 {
		n = clone(n)
		for _, o := range all {
			if err := ends(n, o); err != nil {
				return steps, illegal(k, "edge", o, err)
			}
		}
		finish(n)
	}
	return put(steps, "edge", n), nil
}

func put(steps []Step, name string, k *loop.Kernel) []Step {
	nameShared(k)
	return append(steps, Step{name, k})
}

func illegal(k *loop.Kernel, step string, o loop.Opt, err error) error {
	return fmt.Errorf("kernel %s: step %s: %s: %w", k.Name, step, o, err)
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
