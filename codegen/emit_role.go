package codegen

import (
	"slices"

	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"mdlc/codegen/llir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// Roles. The warps that share the tile come first in a block, those of other roles after them; so whatever is computed of a thread's
// number is as without roles.

// role is where a role's warps are.
type role struct {
	from, warps int
}

const (
	fileRegisters = 64 << 10 // of a processor
	roleBarrier   = 1        // of those of a block: where the warps that share a tile meet
)

// rolesOf are the roles of a phase, and how many warps beside those that share a tile, of which there are some, they have.
func rolesOf(body []loop.Stmt, warps int) (roles map[*loop.Role]role, others int) {
	roles = map[*loop.Role]role{}
	for _, s := range body {
		if r, ok := s.(*loop.Role); ok && r.Warps == 0 {
			roles[r] = role{warps: warps}
		} else if ok {
			roles[r] = role{from: warps + others, warps: r.Warps}
			others += r.Warps
		}
	}
	return roles, others
}

// role emits what the warps of a role do.
func (e *emitter) role(s *loop.Role) {
	r := e.block.roles[s]
	in := func(pred enum.IPred, warp int) value.Value {
		return e.b.Block.NewICmp(pred, e.warp, llir.Int(types.I32, int64(warp)))
	}
	cond := value.Value(in(enum.IPredULT, r.from+r.warps))
	if r.from > 0 {
		cond = e.b.Block.NewAnd(cond, in(enum.IPredUGE, r.from))
	}
	e.inBranch(cond, func() {
		if s.Regs > 0 {
			e.b.SetRegisters(s.Regs, s.Regs > fileRegisters/((e.block.warps+e.block.others)*warpThreads)&^7)
		}
		e.inRole = &r
		asks := e.asks
		defer func() { e.inRole, e.asks = nil, asks }()
		if r.from == 0 {
			e.stmts(s.Body)
			return
		}
		e.asks = e.b.Block.NewICmp(enum.IPredEQ, e.thread, llir.Int(types.I32, int64(r.from*warpThreads)))
		if !asksOnly(s.Body) {
			e.stmts(s.Body)
			return
		}
		e.inBranch(e.asks, func() {
			e.asks = nil // as it is for all that stand here
			e.stmts(s.Body)
		})
	})
}

// asksOnly reports whether a role does nothing but fill rings: then all of it is for one thread.
func asksOnly(body []loop.Stmt) bool {
	only := true
	for _, s := range body {
		switch s := s.(type) {
		case *loop.For:
			only = only && len(s.Carry) == 0 && asksOnly(s.Body)
		case *loop.If:
			only = only && asksOnly(s.Body)
		case *loop.RingStep:
			only = only && s.Kind == loop.Fill
		default:
			only = false
		}
	}
	return only
}

// meet is where the warps that share a tile meet.
func (e *emitter) meet() {
	if e.inRole == nil {
		e.b.Barrier()
		return
	}
	e.b.Meet(roleBarrier, e.inRole.warps*warpThreads)
}

// divideOnce makes, where loop axis a begins a turn, what places of tiles are divided by that only the run knows: a division takes as long as some
// turns of a loop inside would otherwise wait for it. LLVM may not make it there.
func (e *emitter) divideOnce(a *loop.Axis) {
	var visit func(x *index.Expr)
	visit = func(x *index.Expr) {
		for _, y := range x.Args {
			visit(y)
		}
		if x.Op == index.Div || x.Op == index.Mod {
			if _, fixed := x.Args[1].Const(); !fixed {
				e.scope.text[x.String()] = e.b.Fixed(e.scalarExpr(x))
			}
		}
	}
	for _, d := range e.k.Axes {
		if d.Def == nil {
			continue
		}
		leaves := e.k.LeafAxes(d.Def)
		if loop.Has(leaves, a) && !slices.ContainsFunc(leaves, func(a *loop.Axis) bool { return a.IsOpen() || e.bind[a].v == nil }) {
			visit(e.indexOf(d.Def))
		}
	}
}

// sameLength is the load that stands for all of a length, so that what is computed of it in a role is remembered.
func (e *emitter) sameLength(v *loop.Value) *loop.Value {
	if e.inRole == nil || v.Op != loop.Load || v.Buf.Mode != loop.In || len(v.Args) > 0 || v.Guard != nil {
		return v
	}
	if e.lengths[v.Buf] == nil {
		e.lengths[v.Buf] = v
	}
	return e.lengths[v.Buf]
}
