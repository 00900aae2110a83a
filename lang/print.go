package lang

import "mdlc/ir"

// printBuiltin is `print(x)`: what the compiler knows is told when it compiles, a tensor each time it is computed. In
// `print("x is", x, y)` a text names the value behind it, as one at the end that before it.
func printBuiltin(b *builder, c *call) Value {
	if len(c.args) == 0 || len(c.named) > 0 {
		v := b.take(c, 1, "x", "name")
		name, _ := v[1].(Text)
		b.print(c, string(name), v[0], c.spans[0])
		return Tuple{}
	}
	label, last := "", -1
	for i, v := range c.args {
		text, isText := v.(Text)
		switch {
		case !isText:
			if last = i; label == "" && i+2 == len(c.args) {
				if text, named := c.args[i+1].(Text); named {
					b.print(c, string(text), v, c.spans[i])
					return Tuple{}
				}
			}
			b.print(c, label, v, c.spans[i])
			label = ""
		case i+1 == len(c.args) && last < 0:
			b.note(c.span, "the compiler tells a text alone, once; `print(\"at\", step)` is told each time", "%s", text)
		default:
			label = string(text)
		}
	}
	return Tuple{}
}

// print tells a value under a name, or under its source.
func (b *builder) print(c *call, name string, v Value, at Span) {
	if name == "" {
		name = b.src.text(at)
	}
	x, ok := v.(Tensor)
	if !ok {
		b.note(c.span, "", "%s = %s", name, describe(v))
		return
	}
	b.tell(notice{what: "print", at: c.span, values: []*ir.Node{b.node(x)}, results: []ir.Result{{Kind: ir.ResultShow, Name: name, As: "print"}},
		join: func(_ *builder, turns []*ir.Node) []*ir.Node { return turns }})
}
