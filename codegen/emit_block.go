package codegen

import (
	"slices"

	"mdlc/codegen/schedule"
	"mdlc/ir/loop"
)

// block is how the points of a phase become blocks of threads.
type block struct {
	warps    int // of a block, but for those of roles of their own
	others   int // these
	roles    map[*loop.Role]role
	points   int          // of a block
	parts    []*loop.Axis // that the warps of a point share, which then is a block's only one
	panels   map[*loop.Buffer]int
	scratch  int // bytes of the panels of a point, and behind them of the barriers of rings
	rings    []*loop.Ring
	panelled int // bytes of the panels alone
	cluster  int // blocks that share rings; 0: each has its own
	threaded []*loop.Axis
	resident int // blocks that a processor is to hold at least; 0: ptxas decides
}

// blockOf decides on the blocks of a phase.
func (e *emitter) blockOf(body []loop.Stmt, par []*loop.Axis) *block {
	b := &block{points: blockPoints, panels: map[*loop.Buffer]int{}}
	var values []*loop.Value
	loop.Walk(body, func(s loop.Stmt) {
		loop.Values(s, func(v *loop.Value) { values = append(values, v) })
	})
	b.place(body)
	b.panelled = b.scratch
	for _, r := range ringsOf(e.k, body) {
		b.rings = append(b.rings, r)
		b.scratch += ringBytes(r)
		b.cluster = max(b.cluster, r.Cluster)
	}
	warps := 1
	for _, a := range e.k.LeafAxes(values...) {
		switch a.Bind {
		case loop.Warp:
			b.parts = append(b.parts, a)
			warps *= a.Max
		case loop.Thread:
			b.threaded = append(b.threaded, a)
		}
	}
	gemv := readsAhead(values)
	if gemv { // few points are to be on as many processors
		b.points = min(blockPoints, max(pointsOf(par)/e.t.Machine.Processors, 1))
	}
	switch most := e.t.Machine.Shared; {
	case b.parts != nil:
		b.points = 1
	case b.scratch > most:
		e.fail("a warp needs %d bytes of shared memory, of which there are %d", b.scratch, most)
	case b.scratch > 0:
		b.points = min(b.points, most/b.scratch)
	}
	if b.warps = b.points; b.parts != nil {
		b.warps = warps
	}
	b.roles, b.others = rolesOf(body, b.warps)
	if b.others > 0 { // how many registers a thread begins with is known then
		b.resident = 1
	}
	if resident := gemvResident; gemv { // products of few rows have no roles
		if each := (pointsOf(par) + e.t.Machine.Processors - 1) / e.t.Machine.Processors; each <= schedule.FewWarps {
			resident = each
		}
		b.resident = resident / b.warps
	}
	return b
}

// pointsOf is how many points par axes have at most.
func pointsOf(par []*loop.Axis) int {
	n := 1
	for _, a := range par {
		n *= a.Max
	}
	return n
}

// readsAhead reports whether there is a product that reads the operands of many steps at once.
func readsAhead(values []*loop.Value) bool {
	found := false
	for _, v := range values {
		loop.Visit(v, func(v *loop.Value) {
			found = found || v.Op == loop.Dot && !v.IsTensor() && slices.ContainsFunc(v.Over, hasRegisters)
		})
	}
	return found
}

// place finds room for the panels of a point. Two share memory where all threads meet between the last statement that uses
// one and the first that uses the other.
func (b *block) place(body []loop.Stmt) {
	body = oneRole(body)
	type life struct {
		buf         *loop.Buffer
		first, last int
	}
	var lives []*life
	of := map[*loop.Buffer]*life{}
	met := make([]int, len(body)) // before a statement: how often
	for i, s := range body {
		if _, wait := s.(*loop.Wait); i > 0 {
			met[i] = met[i-1]
			if wait {
				met[i]++
			}
		}
		use := func(buf *loop.Buffer) {
			if buf.Mode != loop.Local {
				return
			}
			if of[buf] == nil {
				of[buf] = &life{buf: buf, first: i}
				lives = append(lives, of[buf])
			}
			of[buf].last = i
		}
		loop.Walk([]loop.Stmt{s}, func(s loop.Stmt) {
			if st, ok := s.(*loop.Store); ok {
				use(st.Buf)
			}
		})
		eachValue([]loop.Stmt{s}, func(v *loop.Value) {
			if v.Op == loop.Load {
				use(v.Buf)
			}
		})
	}
	for n, l := range lives {
		at := 0
		for _, o := range lives[:n] { // the first place beyond all that may still be read
			if o.last >= l.first || met[o.last] == met[l.first] {
				at = max(at, b.panels[o.buf]+panelBytes(o.buf))
			}
		}
		if l.buf.Swizzle {
			at = (at + atomBytes - 1) / atomBytes * atomBytes
		}
		b.panels[l.buf] = at
		b.scratch = max(b.scratch, at+panelBytes(l.buf))
	}
}

// oneRole is body with the statements of roles in place of these: what one role fills another has read before all of its warps meet.
func oneRole(body []loop.Stmt) []loop.Stmt {
	var out []loop.Stmt
	for _, s := range body {
		if r, ok := s.(*loop.Role); ok {
			out = append(out, r.Body...)
		} else {
			out = append(out, s)
		}
	}
	return out
}

func panelBytes(buf *loop.Buffer) int { return (bufferBytes(buf) + 63) / 64 * 64 }
