package lang

import (
	"mdlc/ir"
)

// data evaluates `data name = source(…)`.
func (b *builder) data(d *Data) {
	at := Span{d.Pos, d.EndPos}
	v := b.eval(d.Value.term())
	src, ok := v.(DataSource)
	if !ok {
		b.failHelp(at, "`data d = bytes(\"input.txt\")`", "`data` wants a source, not %s", describe(v))
	}
	src.Source.Name = d.Name
	src.Source.Pos = posOf(at)
	b.module.Sources = append(b.module.Sources, src.Source)
	b.sc.define(d.Name, src)
}

// bytesBuiltin is bytes(path): a file, or the files of a folder, byte by byte.
func bytesBuiltin(b *builder, c *call) Value {
	v := b.take(c, 1, "path", "split", "holdout")
	s := &ir.Source{Kind: "bytes", Path: b.pathOf(v[0], c), Split: b.splitOf(v[1], c)}
	if v[2] != nil {
		n, ok := v[2].(Num)
		if !ok || !n.isWhole() || n.V < 2 {
			b.fail(c.span, "`holdout` holds out every nth file: a whole number from 2 on, not %s", describe(v[2]))
		}
		s.Holdout = int(n.V)
	}
	return DataSource{s}
}

// npyBuiltin is npy(path): arrays in NumPy's format; bits: rows of packed bits of that width.
func npyBuiltin(b *builder, c *call) Value {
	v := b.take(c, 1, "path", "bits", "split")
	s := &ir.Source{Kind: "npy", Path: b.pathOf(v[0], c), Split: b.splitOf(v[2], c)}
	if v[1] != nil {
		n, ok := v[1].(Num)
		if !ok || !n.isWhole() || n.V < 1 {
			b.fail(c.span, "`bits` is the number of bits of a row, not %s", describe(v[1]))
		}
		s.Bits = int(n.V)
	}
	return DataSource{s}
}

func (b *builder) pathOf(v Value, c *call) string {
	t, ok := v.(Text)
	if !ok || t == "" {
		b.fail(c.span, "`%s` takes the path of a file as a text, not %s", c.name, describe(v))
	}
	return string(t)
}

// splitOf reads `split: [0.9, 0.05, 0.05]`.
func (b *builder) splitOf(v Value, c *call) []float64 {
	if v == nil {
		return nil
	}
	l, ok := v.(List)
	var out []float64
	sum := 0.0
	if ok {
		for _, x := range l.Items {
			n, isNum := x.(Num)
			ok = ok && isNum && n.V >= 0
			out = append(out, n.V)
			sum += n.V
		}
	}
	if !ok || len(out) < 2 || len(out) > 3 || sum > 1+1e-9 {
		b.fail(c.span, "`split` lists the parts for train, valid and test, together at most 1")
	}
	return out
}

// windowsBuiltin is windows(d.train): cuts at random places, or in order with stride.
func windowsBuiltin(b *builder, c *call) Value {
	v := b.take(c, 1, "data", "stride")
	s, ok := v[0].(Split)
	if !ok {
		b.failHelp(c.span, "`windows(d.train)`", "`windows` cuts a part of a data source, not %s", describe(v[0]))
	}
	if s.Source.Kind != "bytes" {
		b.failHelp(c.span, "`each x: f32[batch, n] from "+s.Source.Name+"."+s.Part+"`", "`windows` cuts texts, and `%s` has rows", s.Source.Name)
	}
	f := FeedValue{Split: s, Kind: "windows"}
	if v[1] != nil {
		n, ok := v[1].(Num)
		if !ok || !n.isWhole() || n.V < 1 {
			b.fail(c.span, "`stride` is a whole number from 1 on, not %s", describe(v[1]))
		}
		f.Stride = int(n.V)
	}
	return f
}
