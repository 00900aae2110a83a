package llir

import (
	"fmt"
	"strconv"

	"github.com/llir/llvm/ir"
	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"
)

// Text prints a finished function: the text that llir itself prints, in a tenth of the time.
func Text(f *ir.Func) string {
	if err := f.AssignIDs(); err != nil {
		panic(fmt.Sprintf("llir: %s: %v", f.Name(), err))
	}
	size := 0
	for _, b := range f.Blocks {
		size += 64 * (len(b.Insts) + 2) // most lines are shorter
	}
	p := &printer{make([]byte, 0, size)}
	p.put("define ")
	if f.Linkage != enum.LinkageNone {
		p.put(f.Linkage.String(), " ")
	}
	if f.Visibility != enum.VisibilityNone {
		p.put(f.Visibility.String(), " ")
	}
	p.convention(f.CallingConv)
	p.put(f.Sig.RetType.String(), " ", f.Ident(), "(")
	for i, x := range f.Params {
		if i > 0 {
			p.put(", ")
		}
		p.put(x.LLString())
	}
	p.put(")")
	for _, a := range f.FuncAttrs {
		p.put(" ", a.String())
	}
	p.put(" {\n")
	for i, b := range f.Blocks {
		if i > 0 {
			p.put("\n")
		}
		p.put(b.Name(), ":\n")
		for _, in := range b.Insts {
			p.put("\t")
			p.instruction(in)
			p.put("\n")
		}
		p.put("\t", b.Term.LLString(), "\n")
	}
	p.put("}\n")
	return string(p.text)
}

// printer appends to a text.
type printer struct{ text []byte }

func (p *printer) put(parts ...string) {
	for _, s := range parts {
		p.text = append(p.text, s...)
	}
}

// instruction prints one of those that mdlc emits often; llir prints the others, and those with flags or metadata.
func (p *printer) instruction(in ir.Instruction) {
	switch in := in.(type) {
	case *ir.InstGetElementPtr:
		if !in.InBounds && len(in.Metadata) == 0 {
			p.define(in, "getelementptr")
			p.typ(in.ElemType)
			p.put(", ")
			p.value(in.Src)
			for _, i := range in.Indices {
				p.put(", ")
				p.value(i)
			}
			return
		}
	case *ir.InstLoad:
		if !in.Atomic && !in.Volatile && len(in.Metadata) == 0 {
			p.define(in, "load")
			p.typ(in.ElemType)
			p.put(", ")
			p.value(in.Src)
			p.align(in.Align)
			return
		}
	case *ir.InstStore:
		if !in.Atomic && !in.Volatile && len(in.Metadata) == 0 {
			p.put("store ")
			p.values(in.Src, in.Dst)
			p.align(in.Align)
			return
		}
	case *ir.InstCall:
		if p.call(in) {
			return
		}
	case *ir.InstPhi:
		if len(in.FastMathFlags)+len(in.Metadata) == 0 {
			p.phi(in)
			return
		}
	case *ir.InstShuffleVector:
		if len(in.Metadata) == 0 {
			p.define(in, "shufflevector")
			p.values(in.X, in.Y, in.Mask)
			return
		}
	case *ir.InstInsertElement:
		if len(in.Metadata) == 0 {
			p.define(in, "insertelement")
			p.values(in.X, in.Elem, in.Index)
			return
		}
	case *ir.InstSelect:
		if len(in.FastMathFlags)+len(in.Metadata) == 0 {
			p.define(in, "select")
			p.values(in.Cond, in.ValueTrue, in.ValueFalse)
			return
		}
	case *ir.InstBitCast:
		if len(in.Metadata) == 0 {
			p.define(in, "bitcast")
			p.value(in.From)
			p.put(" to ")
			p.typ(in.To)
			return
		}
	case *ir.InstICmp:
		if len(in.Metadata) == 0 {
			p.define(in, "icmp")
			p.put(in.Pred.String(), " ")
			p.value(in.X)
			p.put(", ")
			p.ident(in.Y)
			return
		}
	default:
		if p.binary(in) {
			return
		}
	}
	p.put(in.LLString())
}

// binary prints arithmetic of two operands; false: it is none.
func (p *printer) binary(in ir.Instruction) bool {
	var x, y value.Value
	var op string
	var extras int
	switch in := in.(type) {
	case *ir.InstAdd:
		op, x, y, extras = "add", in.X, in.Y, len(in.OverflowFlags)+len(in.Metadata)
	case *ir.InstMul:
		op, x, y, extras = "mul", in.X, in.Y, len(in.OverflowFlags)+len(in.Metadata)
	case *ir.InstAnd:
		op, x, y, extras = "and", in.X, in.Y, len(in.Metadata)
	case *ir.InstOr:
		op, x, y, extras = "or", in.X, in.Y, len(in.Metadata)
	case *ir.InstFAdd:
		op, x, y, extras = "fadd", in.X, in.Y, len(in.FastMathFlags)+len(in.Metadata)
	case *ir.InstFSub:
		op, x, y, extras = "fsub", in.X, in.Y, len(in.FastMathFlags)+len(in.Metadata)
	case *ir.InstFMul:
		op, x, y, extras = "fmul", in.X, in.Y, len(in.FastMathFlags)+len(in.Metadata)
	}
	if op == "" || extras > 0 {
		return false
	}
	p.define(in.(value.Value), op)
	p.value(x)
	p.put(", ")
	p.ident(y)
	return true
}

// call prints a call without attributes; false: it has some.
func (p *printer) call(in *ir.InstCall) bool {
	if in.Tail != enum.TailNone || len(in.FastMathFlags)+len(in.ReturnAttrs)+len(in.FuncAttrs)+len(in.OperandBundles)+len(in.Metadata) > 0 {
		return false
	}
	if t := in.Type(); t.Equal(types.Void) {
		p.put("call ")
	} else {
		p.define(in, "call")
	}
	p.convention(in.CallingConv)
	p.typ(in.Type())
	p.put(" ", in.Callee.Ident(), "(")
	p.values(in.Args...)
	p.put(")")
	return true
}

// convention prints a calling convention that is not C's.
func (p *printer) convention(c enum.CallingConv) {
	if c != enum.CallingConvNone {
		p.put(c.String(), " ")
	}
}

func (p *printer) phi(in *ir.InstPhi) {
	p.define(in, "phi")
	p.typ(in.Type())
	for i, x := range in.Incs {
		if i > 0 {
			p.put(",")
		}
		p.put(" [ ")
		p.ident(x.X)
		p.put(", ")
		p.ident(x.Pred)
		p.put(" ]")
	}
}

// define starts an instruction with a result.
func (p *printer) define(in value.Value, op string) {
	p.ident(in)
	p.put(" = ", op, " ")
}

func (p *printer) align(a ir.Align) {
	if a != 0 {
		p.put(", align ")
		p.text = strconv.AppendUint(p.text, uint64(a), 10)
	}
}

// values prints operands with their types.
func (p *printer) values(vs ...value.Value) {
	for i, v := range vs {
		if i > 0 {
			p.put(", ")
		}
		p.value(v)
	}
}

func (p *printer) value(v value.Value) {
	p.typ(v.Type())
	p.put(" ")
	p.ident(v)
}

// ident prints the name of v: most often the number of an instruction.
func (p *printer) ident(v value.Value) {
	if n, ok := v.(interface {
		IsUnnamed() bool
		ID() int64
	}); ok && n.IsUnnamed() {
		p.text = strconv.AppendInt(append(p.text, '%'), n.ID(), 10)
		return
	}
	p.put(v.Ident())
}

func (p *printer) typ(t types.Type) {
	switch t := t.(type) {
	case *types.VectorType:
		p.put("<")
		p.text = strconv.AppendUint(p.text, t.Len, 10)
		p.put(" x ")
		p.typ(t.ElemType)
		p.put(">")
	case *types.IntType:
		p.text = strconv.AppendUint(append(p.text, 'i'), t.BitSize, 10)
	default:
		p.put(t.String())
	}
}
