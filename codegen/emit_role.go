package codegen

import (
	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"mdlc/codegen/llir"
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
