package codegen

import (
	"fmt"
	"slices"

	"mdlc/codegen/schedule"
	"mdlc/ir/index"
	"mdlc/ir/loop"
	"mdlc/runtime/program"
)

// A product of few rows reads its matrix in place: packing would take longer than it spares. Where the matrix is the same in all turns of a loop
// that is another matter, since it is packed once for all of them. A schedule is made before it is known where a kernel runs, so the
// hoister asks for another, of a page whose buffers say that they stand still, and takes that if what it packs has room before the loop.

// stillGain is what share of a product of few rows packed operands spare, at the least: on Zen 5 a tenth, on Zen 3 up to a half.
// (On a GPU what counts is Machine.ReadGain.)
const stillGain = 1.0 / 8

// still is the kernel that does what l does and packs more, of what all turns of loop n find alike; -1 if there is none that pays.
func (h *hoister) still(l *program.Launch, n int) int {
	k := h.Kernels[l.Kernel]
	if h.Program.Kernels[l.Kernel].Products == 0 {
		return -1
	}
	names := map[string]bool{}
	for buf, ok := range h.fixed(k, l, n) {
		if ok && len(buf.Dims) > 0 {
			names[buf.Name] = true
		}
	}
	if len(names) == 0 {
		return -1
	}
	key := fmt.Sprint(l.Kernel, names)
	if _, ok := h.packing[key]; !ok {
		h.packing[key] = h.scheduleStill(l.Kernel, names)
	}
	if v := h.packing[key]; v >= 0 && h.pays(v, n) {
		return v
	}
	return -1
}

// scheduleStill is the number of a kernel like k whose buffers of some names stand still; -1 if it packs nothing more, and nothing that
// points of k pack for themselves.
func (h *hoister) scheduleStill(k int, names map[string]bool) int {
	of := h.Kernels[k]
	page := schedule.Still(of.Page, names)
	scheduled, err := scheduleOf(page, h.machine)
	packed := func(o loop.Opt) bool {
		return o.Kind == schedule.Pack && !slices.ContainsFunc(of.Scheduled.Opts, func(x loop.Opt) bool { return x.Kind == schedule.Pack && x.Axis == o.Axis })
	}
	apart := len(loop.Segments(scheduled.Body)) > len(loop.Segments(of.Scheduled.Body)) // what points packed for themselves, too
	if err != nil || !apart && !slices.ContainsFunc(scheduled.Opts, packed) {
		return -1
	}
	h.Kernels = append(h.Kernels, &BuiltKernel{Page: page, Scheduled: scheduled, args: of.args})
	h.Program.Kernels = append(h.Program.Kernels, h.Program.Kernels[k])
	return len(h.Kernels) - 1
}

// pays reports whether loop n has as many turns as make up for what kernel k packs once, or may have, where only the run knows.
func (h *hoister) pays(k, n int) bool {
	_, turns := h.turns(h.loops[n], h.loops[:n])
	elements := 0
	for _, buf := range h.Kernels[k].Scheduled.Bufs {
		if buf.Mode == loop.Work {
			elements += bufferBytes(buf) / buf.Elem.Size()
		}
	}
	gain := max(h.Program.Kernels[k].Products/2*stillGain, float64(elements*h.machine.ReadGain))
	return float64(turns)*gain >= float64(elements*h.machine.PackCost)
}

// turns are how many turns l has at least and at most in the first turn of the loops around it.
func (h *hoister) turns(l *program.Loop, around []*program.Loop) (least, most int) {
	capacity, first := map[string]int{}, map[string]*index.Expr{}
	lengths := func(lens []program.Len) {
		for _, n := range lens {
			if capacity[n.Name] = n.Max; n.Def != nil {
				first[n.Name] = n.Def
			}
		}
	}
	lengths(h.block.Lens)
	for _, x := range around {
		lengths(x.Lens)
		first[x.Turn] = index.C(0)
	}
	count := l.Count
	for range first { // which follow from each other
		count = count.Subst(func(name string) *index.Expr { return first[name] })
	}
	return count.Range(func(name string) (lo, hi int) {
		if n, ok := capacity[name]; ok {
			return 0, n
		}
		return 0, unknownLength
	})
}

// unknownLength is more than any length.
const unknownLength = 1 << 40

// isBranch reports whether the number of turns of l is known to the run alone.
func isBranch(l *program.Loop) bool {
	_, known := l.Count.Const()
	return !known
}
