package codegen

import (
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"mdlc/codegen/llir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// Fragments of results of 16 bits on their way to swizzled memory. A thread has two neighbours of a row, which alone would be a store of
// four bytes. Instead a warp stores two fragments at once, which are four matrices of 8×8: thread l says where row l%8 of
// matrix l/8 goes (PTX ISA, stmatrix).

// matrixStore is a store of whole fragments.
type matrixStore struct {
	e        *emitter
	s        *loop.Store
	row, col *loop.Axis
	rest     []*loop.Axis
}

// matrices is s as a store of matrices; nil where it is none: fragments must be stored as a whole or not at all, in rows of 16 bytes.
func (e *emitter) matrices(s *loop.Store, axes []*loop.Axis) *matrixStore {
	if !s.Buf.Swizzle || s.Buf.Elem != loop.BF16 && s.Buf.Elem != loop.F16 {
		return nil
	}
	m := &matrixStore{e: e, s: s}
	for _, a := range axes {
		switch a.Bind {
		case loop.FragRow:
			m.row = a
		case loop.FragCol:
			m.col = a
		case loop.Lane, loop.Thread:
			return nil
		default:
			m.rest = append(m.rest, a)
		}
	}
	if m.row == nil || m.col == nil {
		return nil
	}
	defer e.rebind(m.row, m.col)()
	fits := true
	e.each(m.rest, func() {
		at := m.offset(0)
		for c := range loop.FragmentExtent(loop.FragCol) {
			fits = fits && index.Sub(m.offset(c), at).SimplifyIn(e.boundOf).IsConst(c)
		}
		fits = fits && index.Rem(at, index.C(wideBytes/s.Buf.Elem.Size())).SimplifyIn(e.boundOf).IsConst(0)
		first, ok := m.stored(0, 0)
		for r := range 2 {
			for c := range 2 {
				other, here := m.stored(r, c)
				fits = fits && ok && here && first == other
			}
		}
	})
	if !fits {
		return nil
	}
	return m
}

// offset is where a column of the row that a thread points to goes.
func (m *matrixStore) offset(col int) *index.Expr {
	m.e.bind[m.row] = binding{thread: index.Sum(index.V(rowName), index.Prod(index.V(firstName), index.C(8)))}
	m.e.bind[m.col] = binding{off: col}
	return m.e.offset(m.s.Buf, m.s.Index)
}

// at binds the register of a thread that is the r-th of rows and the c-th of columns.
func (m *matrixStore) at(r, c int) {
	m.e.bind[m.row], m.e.bind[m.col] = coordinates(m.row)[r], coordinates(m.col)[c]
}

// stored reports whether a register is, and whether that is known.
func (m *matrixStore) stored(r, c int) (yes, known bool) {
	m.at(r, c)
	cond, _ := m.e.guard(m.s.Guard)
	if cond == nil {
		return true, true
	}
	k, known := cond.(*llir.Const)
	return false, known && allFalse(k)
}

// emit stores all fragments, two at a time where the second lies at a fixed distance from the first.
func (m *matrixStore) emit() {
	e := m.e
	defer e.rebind(m.row, m.col)()
	var waits *index.Expr // where the fragment goes whose registers are
	var regs []value.Value
	flush := func() {
		if regs != nil {
			e.b.StoreMatrices(e.pointer(m.s.Buf, waits), regs)
		}
		waits, regs = nil, nil
	}
	e.each(m.rest, func() {
		if yes, _ := m.stored(0, 0); !yes {
			return
		}
		at := m.offset(0)
		var own []value.Value
		for r := range 2 {
			own = append(own, m.pair(r))
		}
		if regs != nil {
			if d, ok := index.Sub(at, waits).SimplifyIn(e.boundOf).Const(); ok {
				waits = index.Sum(waits, index.Prod(index.V(secondName), index.C(d))).SimplifyIn(e.boundOf)
				regs = append(regs, own...)
				flush()
				return
			}
			flush()
		}
		waits, regs = at, own
	})
	flush()
}

// pair is the register with a thread's two neighbours in the r-th of its rows.
func (m *matrixStore) pair(r int) value.Value {
	e, v := m.e, m.s.Val
	rounds := v.Op == loop.Cast && v.Elem == loop.BF16 && v.Args[0].Elem == loop.F32 // one instruction rounds both
	if rounds {
		v = v.Args[0]
	}
	m.at(r, 0)
	low := e.value(v)
	m.at(r, 1)
	high := e.value(v)
	if rounds {
		return e.b.RoundPair(low, high)
	}
	return e.b.Bitcast(e.packed(v.Elem, low, high), types.I32)
}
