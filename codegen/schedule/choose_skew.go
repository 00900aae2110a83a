package schedule

import (
	"slices"

	"mdlc/ir/loop"
)

const (
	// storeCost is how many multiplications a core of AVX2 makes while memory takes a store past the caches.
	storeCost = 9
	leastRows = 4 // of a loop in which a row late pays for its code
)

// skews proposes to delay the last sweeps over rows that wait for memory, where an earlier sweep
// computes and leaves the memory idle: k is the kernel that is chosen for.
func (c *chooser) skews(k *loop.Kernel) {
	streamed := names(ofKind(c.opts, Stream))
	if len(streamed) == 0 || c.err != nil {
		return
	}
	steps, err := loops(k, c.opts)
	if err != nil {
		c.err = err
		return
	}
	n := steps[len(steps)-1].Kernel
	done := map[*loop.Axis]bool{}
	eachStmt(n.Body, func(s loop.Stmt, _ []*loop.Value) {
		f, ok := s.(*loop.For)
		if !ok || done[f.Axis] {
			return
		}
		done[f.Axis] = true
		if r, err := rowLoopOf(n, f); err == nil && f.Axis.Max >= leastRows && r.waits(streamed) && c.keepsTwo(r) {
			c.do(Skew, f.Axis.Name, 0, "")
		}
	})
}

// waits reports whether the late sweep waits for its stores, and the one that it joins for none.
func (r *rowLoop) waits(streamed []string) bool {
	for _, s := range r.late.fors[0].Body {
		if st, ok := s.(*loop.Store); ok && !slices.Contains(streamed, st.Buf.Name) {
			return false
		}
	}
	return r.late.cost() < storeCost && r.host.cost() >= storeCost
}

// keepsTwo reports whether two rows of each panel leave room in the second cache.
func (c *chooser) keepsTwo(r *rowLoop) bool {
	size := 0
	for _, b := range r.panels {
		size += 2 * b.Bytes()
	}
	return size <= c.m.L2/8
}
