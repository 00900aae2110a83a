package passes

import (
	"fmt"
	"slices"

	"mdlc/ir"
)

// align is the alignment of buffers in the arena, in bytes.
const align = 64

// lifetimes numbers the launches in order of execution and finds from where to where each buffer of the
// arena is live. A buffer that is used inside a loop, but does not belong to its body, is live for the whole loop.
func (p *planner) lifetimes() {
	pos := 0
	var around []*ir.PlanLoop
	var walk, number func(code []ir.PlanInstr)
	number = func(code []ir.PlanInstr) {
		for _, in := range code {
			if in.Launch != nil {
				in.Launch.Pos = pos
				pos++
				continue
			}
			in.Loop.Pos = pos
			pos++
			number(in.Loop.Code)
			in.Loop.End = pos
			pos++
		}
	}
	use := func(r ir.PlanRef, at int) {
		if r.Buf == ir.NoBuf {
			return
		}
		b := p.plan.Bufs[r.Buf]
		if b.Home != ir.PlanArena {
			return
		}
		first, last := at, at
		if l := outermost(around, p.owner[r.Buf]); l != nil {
			first, last = l.Pos, l.End
		}
		if b.First < 0 || first < b.First {
			b.First = first
		}
		b.Last = max(b.Last, last)
	}
	walk = func(code []ir.PlanInstr) {
		for _, in := range code {
			if in.Loop != nil {
				around = append(around, in.Loop)
				if in.Loop.While != nil {
					use(*in.Loop.While, in.Loop.Pos)
				}
				walk(in.Loop.Code)
				around = around[:len(around)-1]
				continue
			}
			for _, r := range in.Launch.Args {
				use(r, in.Launch.Pos)
			}
			for _, r := range in.Launch.Results {
				use(r, in.Launch.Pos)
			}
		}
	}
	number(p.plan.Code)
	walk(p.plan.Code)
	for _, r := range p.plan.Results {
		if b := p.plan.Bufs[r.Buf]; b.Home == ir.PlanArena {
			b.Last = pos
		}
	}
	for _, b := range p.fixed {
		p.plan.Bufs[b].First, p.plan.Bufs[b].Last = 0, pos
	}
}

// outermost is the outermost loop inside the body that owner stands for.
func outermost(around []*ir.PlanLoop, owner *ir.PlanLoop) *ir.PlanLoop {
	i := 0
	if owner != nil {
		i = slices.Index(around, owner) + 1
	}
	if i == len(around) {
		return nil
	}
	return around[i]
}

// arena gives each buffer its offset: the largest first, each into the
// smallest gap between those that are live at the same time, or behind them.
func (p *planner) arena() {
	var placed []*ir.PlanBuf // in order of offset
	place := func(b *ir.PlanBuf) {
		p.plan.Peak = max(p.plan.Peak, end(b))
		at, _ := slices.BinarySearchFunc(placed, b.Offset+1, func(o *ir.PlanBuf, offset int) int { return o.Offset - offset })
		placed = slices.Insert(placed, at, b)
	}
	for _, i := range p.fixed {
		place(p.plan.Bufs[i])
	}
	var todo []int
	for i, b := range p.plan.Bufs {
		if b.Home == ir.PlanArena && !slices.Contains(p.fixed, i) {
			todo = append(todo, i)
		}
	}
	slices.SortStableFunc(todo, func(x, y int) int { return p.plan.Bufs[y].Bytes - p.plan.Bufs[x].Bytes })
	for _, i := range todo {
		b := p.plan.Bufs[i]
		b.Offset = gap(b, placed)
		place(b)
	}
}

func roundUp(n int) int { return (n + align - 1) / align * align }

// end is the first byte behind b that another buffer may have.
func end(b *ir.PlanBuf) int { return b.Offset + roundUp(max(b.Bytes, 1)) }

func together(a, b *ir.PlanBuf) bool { return a.First <= b.Last && b.First <= a.Last }

// gap is where b fits among those that are placed.
func gap(b *ir.PlanBuf, placed []*ir.PlanBuf) int {
	need := roundUp(max(b.Bytes, 1))
	best, width, free := -1, 0, 0
	for _, o := range placed {
		if !together(b, o) {
			continue
		}
		if w := o.Offset - free; w >= need && (best < 0 || w < width) {
			best, width = free, w
		}
		free = max(free, end(o))
	}
	if best < 0 {
		return free
	}
	return best
}

// checkArena proves that no two buffers share memory while both are live.
func (p *planner) checkArena() {
	for i, a := range p.plan.Bufs {
		if a.Home != ir.PlanArena {
			continue
		}
		if a.Offset%align != 0 || end(a) > p.plan.Peak {
			panic(fmt.Sprintf("pass plan: graph %s: buffer %d %s at %d", p.plan.Graph.Name, i, a.Name, a.Offset))
		}
		for j, b := range p.plan.Bufs[:i] {
			if b.Home == ir.PlanArena && together(a, b) && a.Offset < end(b) && b.Offset < end(a) && !(slices.Contains(p.fixed, i) && slices.Contains(p.fixed, j)) {
				panic(fmt.Sprintf("pass plan: graph %s: buffers %d %s and %d %s overlap", p.plan.Graph.Name, j, b.Name, i, a.Name))
			}
		}
	}
}
