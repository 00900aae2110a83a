package codegen

import (
	"slices"

	"github.com/llir/llvm/ir"
	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"mdlc/codegen/llir"
	"mdlc/codegen/schedule"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// Rings. A slot has two barriers: one is complete when what a turn's fills copy is there, the other when all groups of warps have freed it. A
// turn is the (turn / Depth)-th of its slot, and waits for the phase of that number; the phase before the first counts as
// complete. One thread asks for the copies, and one of each group frees.
//
// Of a ring that the blocks of a cluster share each has slots and barriers of its own. What one copies to all of them is counted in each, and one is asked to fill
// a slot again when all have freed it. They begin together, so that barriers are there, and end together, so that nobody arrives at one that is no more.

const (
	barrierBytes = 8
	mapBytes     = 128 // of a tensor map
	mapAlign     = 64
)

// EmittedMap is a tensor map, which a phase takes after its other parameters.
type EmittedMap struct {
	*schedule.Box
	Arg int // which of the kernel's buffers the tensor is

	param *ir.Param
}

// ringsOf are the rings that body uses.
func ringsOf(k *loop.Kernel, body []loop.Stmt) []*loop.Ring {
	used := map[*loop.Ring]bool{}
	loop.Walk(body, func(s loop.Stmt) {
		if s, ok := s.(*loop.RingStep); ok {
			used[s.Ring] = true
		}
	})
	return slices.DeleteFunc(slices.Clone(k.Rings), func(r *loop.Ring) bool { return !used[r] })
}

// startRings makes the barriers of a phase's rings, behind its panels, and the conditions for threads that ask and free.
func (e *emitter) startRings(thread value.Value, b *block) {
	e.rings, e.maps = map[*loop.Ring]value.Value{}, nil
	if len(b.rings) == 0 {
		return
	}
	isZero := func(x value.Value) value.Value { return e.b.Block.NewICmp(enum.IPredEQ, x, llir.Int(types.I32, 0)) }
	e.asks = isZero(thread)
	e.frees = isZero(e.b.Block.NewAnd(thread, llir.Int(types.I32, groupWarps*warpThreads-1)))
	at := b.panelled
	for _, r := range b.rings {
		e.rings[r] = e.b.GEP(types.I8, llir.GlobalIn(llir.SharedPtr, sharedSymbol), llir.Int(types.I32, int64(at)))
		at += ringBytes(r)
	}
	e.branch(e.asks, func() {
		for _, r := range b.rings {
			for slot := range r.Depth {
				e.b.InitBarrier(e.full(r, index.C(slot)), 1)
				e.b.InitBarrier(e.empty(r, index.C(slot)), b.warps/groupWarps*max(r.Cluster, 1))
			}
		}
		e.b.FenceBarriers()
	})
	if b.cluster > 0 {
		e.b.ClusterBarrier()
	} else {
		e.b.Barrier()
	}
}

// ringBytes are what the barriers of a ring need.
func ringBytes(r *loop.Ring) int { return 2 * barrierBytes * r.Depth }

// full and empty are the barriers of a slot.
func (e *emitter) full(r *loop.Ring, slot *index.Expr) value.Value {
	return e.b.GEP(types.I64, e.rings[r], e.scalarExpr(slot))
}

func (e *emitter) empty(r *loop.Ring, slot *index.Expr) value.Value {
	return e.full(r, index.Sum(slot, index.C(r.Depth)))
}

// ringStep emits a step of a ring.
func (e *emitter) ringStep(s *loop.RingStep) {
	turn, depth := e.indexOf(s.Turn), index.C(s.Ring.Depth)
	simple := func(x *index.Expr) *index.Expr { return x.SimplifyIn(e.boundOf) }
	slot := simple(index.Rem(turn, depth))
	parity := func(of *index.Expr) value.Value {
		return e.b.Block.NewTrunc(e.widen(e.scalarExpr(simple(index.Rem(of, index.C(2)))), types.I64), types.I32)
	}
	round := index.Quo(turn, depth)
	switch s.Kind {
	case loop.Take:
		e.b.Await(e.full(s.Ring, slot), parity(round), false)
	case loop.Free:
		e.inBranch(e.frees, func() {
			empty := e.empty(s.Ring, slot)
			for rank := range s.Ring.Cluster {
				e.b.ArriveIn(rank, empty)
			}
			if s.Ring.Cluster == 0 {
				e.b.Arrive(empty, 0)
			}
		})
	case loop.Fill:
		fill := func() {
			if _, most := turn.Range(e.boundOf); most >= s.Ring.Depth { // others are the first of their slots
				e.b.Await(e.empty(s.Ring, slot), parity(index.Sum(round, index.C(1))), s.Ring.Cluster > 0)
			}
			e.fill(s, e.full(s.Ring, slot))
		}
		if e.asks == nil {
			fill()
			return
		}
		e.inBranch(e.asks, fill)
	}
}

// fill starts the copies of a turn. The bytes that come to the slot, those that other blocks copy too, a barrier is to count.
func (e *emitter) fill(f *loop.RingStep, full value.Value) {
	var stores []*loop.Store
	bytes := 0
	for _, s := range f.Body {
		if s, ok := s.(*loop.Store); ok {
			stores = append(stores, s)
			n := s.Buf.Elem.Size()
			for _, a := range e.union(append([]*loop.Value{s.Val}, s.Index...)...) {
				n *= a.Max
			}
			if s.Multicast {
				n *= f.Ring.Cluster
			}
			bytes += n
		}
	}
	e.b.Arrive(full, bytes)
	for _, s := range stores {
		e.copyBoxes(s, full)
	}
}

// send starts the copies of a Send, by one thread, to which they are a group.
func (e *emitter) send(s *loop.Send) {
	e.inBranch(e.asks, func() {
		for _, st := range s.Body {
			if st, ok := st.(*loop.Store); ok {
				e.copyBoxes(st, nil)
			}
		}
		e.b.CommitBoxes()
	})
}

// copyBoxes starts the copies of a store: a box for each register of the axes that are not the box's. A barrier counts those to shared memory.
func (e *emitter) copyBoxes(s *loop.Store, full value.Value) {
	box, err := schedule.BoxOf(s)
	if err != nil {
		e.fail("%v", err)
	}
	tensor := e.tensorMap(box)
	axes := e.union(append([]*loop.Value{s.Val}, s.Index...)...)
	var inBox []*loop.Axis
	for _, a := range axes {
		if a.Bind == loop.Box {
			inBox = append(inBox, a)
		}
	}
	defer e.rebind(inBox...)()
	for _, a := range inBox {
		e.bind[a] = binding{}
	}
	e.each(axes, func() {
		var at []value.Value
		for _, x := range box.At {
			at = append(at, e.b.Block.NewTrunc(e.widen(e.scalarIndex(x), types.I64), types.I32))
		}
		slot := e.unswizzled(box.Slot, e.offset(box.Slot, box.Place))
		if s.Buf == box.Slot {
			to := 0 // this block
			if s.Multicast {
				to = e.block.cluster
			}
			e.b.CopyBox(slot, tensor, at, full, to)
		} else {
			e.b.StoreBox(tensor, at, slot)
		}
	})
}

// tensorMap is the parameter with the map for boxes like box.
func (e *emitter) tensorMap(box *schedule.Box) value.Value {
	for _, m := range e.maps {
		if m.Same(box) {
			return m.param
		}
	}
	p := ir.NewParam("", llir.Ptr)
	p.Attrs = []ir.ParamAttribute{ir.Byval{Typ: types.NewArray(mapBytes, types.I8)}, ir.Align(mapAlign)}
	e.maps = append(e.maps, EmittedMap{Box: box, Arg: slices.Index(params(e.k), box.Buf), param: p})
	return p
}
