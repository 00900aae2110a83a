package lang

import (
	"mdlc/ir"
	"mdlc/ir/loop"
)

// Decoded is d.decode(x): tokens that are shown as the text that they stand for.
type Decoded struct {
	Tokens Tensor
	Source *ir.Source
}

func (Decoded) what() string { return "a decoded text" }

// textField is d.encode or d.decode. The elements of a text of bytes are the text itself.
func (b *builder) textField(s *ir.Source, name string, at Span) Value {
	switch {
	case s.Kind == "tokens" && s.Tokenizer == "":
		b.failHelp(at, "`tokens(\"input.txt\", tokenizer: \"gpt2.tiktoken\")`", "`%s` reads numbers: what text they stand for is not known", s.Name)
	case s.Kind != "tokens" && s.Kind != "bytes" && s.Kind != "lines":
		b.fail(at, "`%s` is no text, so it has no `%s`", s.Name, name)
	}
	return Func{Name: s.Name + "." + name, Builtin: func(b *builder, c *call) Value {
		v := b.take(c, 1, "text")[0]
		if text, ok := v.(Text); ok && s.Kind != "tokens" {
			v = b.textTensor(string(text))
		}
		x, ok := v.(Tensor)
		switch {
		case ok && x.N.Type.Elem == loop.I32 && s.Kind != "tokens":
			return x
		case ok && x.N.Type.Elem == loop.I32 && name == "decode":
			return Decoded{x, s}
		case name == "decode":
			b.fail(c.span, "`decode` takes tokens, i32[B, T], not %s", describe(v))
		}
		return b.encode(v, s, c)
	}}
}

// encode is a text parameter of the sample as tokens: another parameter of the graph, filled from the same flag.
func (b *builder) encode(v Value, s *ir.Source, c *call) Value {
	x, ok := v.(Tensor)
	if ok && b.entry != nil && b.f == b.entry.f {
		for _, f := range b.entry.flags {
			if a, is := x.N.Attr.(ir.ParamAttr); is && f.Kind == "text" && a.Kind == ir.ParamFlag && a.Name == f.Name {
				name := ir.EncodedFlag(f.Name, s.Name)
				x, made := b.entry.encoded[name]
				if !made {
					length := b.f.b.Sym(ir.FlagLength(name), promptCapacity, nil)
					x = b.tensor(b.f.b.Param(ir.ParamFlag, name, ir.OfDims(loop.I32, []ir.Dim{{Size: 1}, ir.DynDim(length, promptCapacity)})))
					b.entry.encoded[name] = x
				}
				return x
			}
		}
	}
	b.failHelp(c.span, "`sample text(prompt: text = \"\\n\") { generate tok: i32[1, T] from "+s.Name+".encode(prompt) for n { … } }`",
		"`encode` takes a text that is a parameter of the sample, outside of loops, not %s", describe(v))
	return nil
}
