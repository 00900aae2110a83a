package codegen

import (
	"slices"

	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"mdlc/codegen/llir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// copyAsync starts the copies of a thread, each of a chunk of the last axis, or of zeros where the load's guard fails.
func (e *emitter) copyAsync(s *loop.Store) {
	v := s.Val
	axes := e.union(append([]*loop.Value{v, s.Guard}, s.Index...)...)
	last := len(axes) - 1
	e.bind[axes[last]] = binding{}
	e.each(axes[:last], func() {
		copyChunk := func() {
			const bytes = 16
			to := e.pointer(s.Buf, e.offset(s.Buf, s.Index))
			from := e.pointer(v.Buf, e.offset(v.Buf, v.Args))
			var size value.Value = llir.Int(types.I32, bytes)
			if cond, _ := e.guard(v.Guard); cond != nil {
				from = e.b.Block.NewSelect(cond, from, e.buffer(v.Buf))
				size = e.b.Block.NewSelect(cond, size, llir.Int(types.I32, 0))
			}
			e.b.CopyAsync(to, from, size)
		}
		cond, _ := e.guard(s.Guard)
		if cond == nil {
			copyChunk()
			return
		}
		e.branch(cond, func() {
			e.push()
			copyChunk()
			e.pop()
		})
	})
	delete(e.bind, axes[last])
}

// alignment is of an access: that of an element, or where a thread has neighbours, of as many of these as lie
// on a multiple of their size, which LLVM makes one access.
func (e *emitter) alignment(axes []*loop.Axis, buf *loop.Buffer, at []*loop.Value) int {
	size := buf.Elem.Size()
	if !slices.ContainsFunc(axes, func(a *loop.Axis) bool { return a.Bind == loop.FragCol || a.Bind == loop.Thread }) && e.sideBySide(axes, buf, at) == nil {
		return size
	}
	offset := e.offset(buf, at)
	for n := wideBytes / size; n > 1; n /= 2 {
		if bufferBytes(buf)%(n*size) == 0 && index.Rem(offset, index.C(n)).SimplifyIn(e.boundOf).IsConst(0) {
			return n * size
		}
	}
	return size
}
