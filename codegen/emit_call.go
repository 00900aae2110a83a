package codegen

import (
	"fmt"
	"strings"

	"github.com/llir/llvm/ir"
	"github.com/llir/llvm/ir/constant"
	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"mdlc/codegen/llir"
	"mdlc/codegen/schedule"
	"mdlc/ir/loop"
)

// sharedFunction is a function that is finished: kernels share it.
type sharedFunction struct {
	f    *ir.Func
	code function
}

// callee is the function of a name, which the first that calls it makes.
func (e *emitter) callee(name string, write func() sharedFunction) *ir.Func {
	f := e.callees[name]
	if f == nil {
		made := e.made.Get(name, write)
		f = made.f
		e.callees[name] = f
		e.written = append(e.written, made.code)
	}
	return f
}

// hidden makes f, just begun, one that only kernels call, with vectors in registers.
func hidden(f *ir.Func, result types.Type, attrs ...ir.FuncAttribute) {
	f.Sig.RetType = result
	f.Visibility, f.CallingConv = enum.VisibilityHidden, enum.CallingConvX86RegCall
	f.FuncAttrs = append(append(f.FuncAttrs, enum.FuncAttrNoInline), attrs...)
}

// callOf calls the function of v's op for a register of it.
func (e *emitter) callOf(v *loop.Value) value.Value {
	return e.b.Block.NewExtractValue(e.callAll(v, e.args(v, v.Args...), ""), 0)
}

// callAll calls the function of v's op with registers for its first arguments, and a result for each text that ends the call.
func (e *emitter) callAll(v *loop.Value, regs []value.Value, ends ...string) value.Value {
	if !schedule.IsCall(v) || e.t.GPU {
		e.bug(v, "not expanded")
	}
	n := e.lanes(v)
	name := fmt.Sprintf("mdlc.%s.%d", v.Op, n)
	f := e.callee(name, func() sharedFunction { return e.opFunc(v, n, name, v.Args[:len(regs)], ends) })
	return e.b.Call(f, regs...)
}

// opFunc writes the function of v's op of some arguments for n lanes, a result for each text that ends the call: it is
// a kernel of one register, with parameters instead of loads.
func (e *emitter) opFunc(v *loop.Value, n int, name string, args []*loop.Value, ends []string) sharedFunction {
	dims, at, text := "", "", ""
	if n > 0 {
		dims, at, text = fmt.Sprint(n), "i", fmt.Sprintf("axis i: %d lane\n", n)
	}
	var bufs, loads []string
	for i, a := range args {
		bufs = append(bufs, fmt.Sprintf("in a%d: %s[%s]", i, a.Elem, dims))
		loads = append(loads, fmt.Sprintf("a%d[%s]", i, at))
	}
	for i, end := range ends {
		bufs = append(bufs, fmt.Sprintf("out y%d: %s[%s]", i, v.Elem, dims))
		text += fmt.Sprintf("y%d[%s] = %s(%s%s)\n", i, at, v.Op, strings.Join(loads, ", "), end)
	}
	kernels, err := loop.Parse(name, fmt.Sprintf("kernel op(%s) guarded {\n%s}", strings.Join(bufs, ", "), text))
	if err != nil {
		panic(err)
	}
	k := schedule.Expand(kernels[0])
	in := &emitter{k: k, t: e.t, b: llir.NewBuilder(), uses: newUses(k), bounds: map[*loop.Value][2]int{}}
	in.reset()
	given := map[*loop.Buffer]value.Value{}
	var params []*ir.Param
	for _, b := range k.Bufs[:len(args)] {
		p := ir.NewParam("", llir.Vec(n, regType(b.Elem)))
		params = append(params, p)
		given[b] = p
	}
	seen := map[*loop.Value]bool{}
	var bind func(x *loop.Value)
	bind = func(x *loop.Value) {
		if seen[x] {
			return
		}
		seen[x] = true
		if x.Op == loop.Load {
			in.scope.memo[in.key(x)] = given[x.Buf]
		} else {
			operands(x, bind)
		}
	}
	t := llir.Vec(n, regType(v.Elem))
	result := types.NewArray(uint64(len(ends)), t)
	f := in.b.Start(name, params...)
	hidden(f, result, enum.FuncAttrReadNone)
	var all value.Value = constant.NewUndef(result)
	i := uint64(0)
	for _, s := range k.Body {
		if s, ok := s.(*loop.Store); ok {
			bind(s.Val)
			all = in.b.Block.NewInsertValue(all, in.as(s.Val, s.Val), i)
			i++
		}
	}
	in.b.Block.NewRet(all)
	return sharedFunction{f, in.function(f)}
}
