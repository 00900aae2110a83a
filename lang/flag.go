package lang

import (
	"strings"

	"mdlc/ir"
	"mdlc/ir/loop"
)

// flag declares a parameter of a sample: a text or tensor arrives at run time, a setting makes a new program.
func (b *builder) flag(p *Param) {
	at := Span{p.Pos, p.EndPos}
	if p.Type == nil || p.Type.Tuple != nil {
		help := "`" + p.Name + ": int = 1`"
		if p.Default != nil {
			value := b.src.text(p.Default.term().Span())
			typ := "int"
			switch {
			case strings.HasPrefix(value, `"`):
				typ = "text"
			case value == "true" || value == "false":
				typ = "bool"
			case strings.ContainsAny(value, ".e"):
				typ = "f32"
			}
			help = "`" + p.Name + ": " + typ + " = " + value + "`"
		}
		b.failHelp(at, help, "a parameter of a sample needs a type")
	}
	if p.Type.Array && len(p.Type.Dims) > 0 {
		b.arrayFlag(p, at)
		return
	}
	if p.Default == nil {
		b.failHelp(at, "`"+p.Name+": "+b.src.text(typeSpan(p.Type))+" = …`", "a parameter of a sample needs a default")
	}
	v := b.eval(p.Default.term())
	e := b.entry
	flag := ir.Flag{Name: p.Name, Kind: p.Type.Name, Default: settingText(v)}
	switch {
	case p.Type.Name == "text" && !p.Type.Array:
		if _, ok := v.(Text); !ok {
			b.fail(at, "the default of `%s` is %s, not a text", p.Name, describe(v))
		}
		flag.Len = ir.FlagLength(p.Name)
		length := e.f.b.Sym(flag.Len, promptCapacity, nil)
		typ := ir.OfDims(loop.I32, []ir.Dim{{Size: 1}, ir.DynDim(length, promptCapacity)})
		b.sc.define(p.Name, b.tensor(e.f.b.Param(ir.ParamFlag, p.Name, typ)))
	case elements[p.Type.Name] != loop.Bool:
		n, ok := v.(Num)
		if !ok {
			b.fail(at, "the default of `%s` is %s, not a number", p.Name, describe(v))
		}
		b.accept(p.Type, n, p.Name, at)
		b.sc.define(p.Name, b.tensor(e.f.b.Param(ir.ParamFlag, p.Name, ir.TensorOf(b.element(p.Type)))))
	default:
		flag.Static = true
		if text, ok := b.opts.Flags[p.Name]; ok && (b.opts.Of == "" || b.opts.Of == e.name) {
			v = b.flagSetting(p.Name, text, v)
		}
		b.sc.define(p.Name, b.accept(p.Type, v, p.Name, at))
	}
	e.flags = append(e.flags, flag)
}

// flagSetting is a setting that the command line gives as a flag, "" where that has no value.
func (b *builder) flagSetting(name, text string, otherwise Value) Value {
	if _, ok := otherwise.(Bool); ok && text == "" {
		return Bool(true)
	}
	return b.setting(strings.TrimSpace("--"+name+" "+text), text, otherwise)
}

// arrayFlag declares an array, which arrives as a file. One axis may have the length that the file says.
func (b *builder) arrayFlag(p *Param, at Span) {
	if p.Default != nil {
		b.fail(at, "an array as a parameter of a sample is a file and has no default")
	}
	e := b.entry
	flag := ir.Flag{Name: p.Name, Kind: "file"}
	typ := ir.OfDims(b.element(p.Type), nil)
	for k, d := range p.Type.Dims {
		name := dimName(d)
		if !upper(name) || b.sc.bound(name) != nil {
			if d.Rest {
				b.fail(typeSpan(p.Type), "`..` stands for nothing here")
			}
			typ.Dims = append(typ.Dims, b.dim(d))
			continue
		}
		if flag.Len != "" {
			b.failHelp(Span{d.Pos, d.EndPos}, "give it a size", "only one axis may have the length that the file says")
		}
		flag.Len, flag.Axis = ir.FlagLength(p.Name), k
		length := e.f.b.Sym(flag.Len, fileCapacity, nil)
		typ.Dims = append(typ.Dims, ir.DynDim(length, fileCapacity))
		b.sc.define(name, Size{length})
	}
	b.sc.define(p.Name, b.mark(b.tensor(e.f.b.Param(ir.ParamFlag, p.Name, typ)), p.Type))
	e.flags = append(e.flags, flag)
}

// fileCapacity bounds the length of an array that a sample takes.
const fileCapacity = 4096

// promptCapacity bounds the texts that a sample takes, in bytes.
const promptCapacity = 1024
