package lang

import (
	"math"

	"mdlc/ir"
	"mdlc/ir/loop"
)

// report records scalars and short vectors.
func (b *builder) report(s *Report) {
	for _, item := range s.Items {
		b.guard(func() { b.reportItem(item) }, func() {})
	}
}

func (b *builder) reportItem(item *ReportItem) {
	at := Span{item.Pos, item.EndPos}
	t := item.Value.term()
	name := item.Name
	if _, text := t.(*TextTerm); text && name == "" {
		b.failHelp(at, "`report loss`, or `report name = …` for what has no name", "a report is a number, not the text %s", b.src.text(t.Span()))
	}
	v := b.eval(t)
	if name == "" {
		n, ok := t.(*NameTerm)
		if !ok {
			b.failHelp(at, "`report name = "+b.src.text(t.Span())+"`", "a reported expression needs a name")
		}
		name = n.Name
	}
	b.at(at)
	x, ok := b.tensorLike(v, b.float)
	if !ok {
		b.fail(at, "a report is a number, not %s", describe(v))
	}
	if typ := x.N.Type; typ.Rank() > 1 || typ.Size() > 64 {
		b.failHelp(at, "`mean(x)` reduces it", "a report is a scalar or a short vector, not %s", typeText(typ))
	}
	b.addReport(name, b.node(x), at)
}

// addReport records a value of this frame; the last of a name counts.
func (b *builder) addReport(name string, n *ir.Node, at Span) {
	if b.f.outer != nil {
		for i, r := range b.f.reports {
			if r.name == name {
				b.f.reports = append(b.f.reports[:i], b.f.reports[i+1:]...)
				break
			}
		}
		b.f.reports = append(b.f.reports, branchReport{name, b.tensor(n), at})
		return
	}
	for i, r := range b.entry.results {
		if r.Kind == ir.ResultReport && r.Name == name {
			b.entry.results = append(b.entry.results[:i], b.entry.results[i+1:]...)
			break
		}
	}
	b.entry.results = append(b.entry.results, ir.Result{Kind: ir.ResultReport, Name: name, Value: n, Pos: posOf(at)})
}

// reported is the value of a report so far in frame f: not a number, or 0, where there is none.
func (b *builder) reported(f *frame, name string, t ir.Type) *ir.Node {
	for _, r := range f.reports {
		if r.name == name && r.value.N.Type.Equal(t) {
			return r.value.N
		}
	}
	for _, r := range b.entry.results {
		if f == b.entry.f && r.Kind == ir.ResultReport && r.Name == name && r.Value.Type.Equal(t) {
			return r.Value
		}
	}
	if t.Elem.IsFloat() {
		return f.b.Const(t, math.NaN())
	}
	return f.b.Const(t, 0)
}

var showFormats = []string{"images", "text", "audio", "points", "histogram", "table"}

func (b *builder) show(s *Show, at Span) {
	v := b.eval(s.Value.term())
	b.at(at)
	if text, ok := v.(Text); ok {
		v = b.textTensor(string(text))
	}
	if _, none := v.(None); none {
		b.failHelp(at, "a function without `return` gives nothing", "there is nothing to show")
	}
	decode := ""
	if d, ok := v.(Decoded); ok {
		if s.As != "text" {
			b.failHelp(at, "`show … as text`", "what is decoded is a text")
		}
		v, decode = d.Tokens, d.Source.Name
	}
	x, ok := b.tensorLike(v, b.float)
	if !ok {
		b.fail(at, "`show` shows tensors, not %s", describe(v))
	}
	if s.As != "" && !contains(showFormats, s.As) {
		b.failHelp(at, DidYouMean(s.As, showFormats), "`show` has no format `%s`", s.As)
	}
	if s.As == "text" && x.N.Type.Elem != loop.I32 {
		b.fail(at, "a text is i32[B, T], not %s", typeText(x.N.Type))
	}
	rank := x.N.Type.Rank()
	if s.As == "images" && rank != 4 && rank != 5 {
		b.failHelp(at, "`reshape(x, [n, 1, height, width])`", "images are f32[n, channels, height, width] or f32[rows, columns, channels, height, width], not %s", typeText(x.N.Type))
	}
	if s.As == "points" && (rank != 2 && rank != 3 || x.N.Type.Dims[rank-1].Size != 2) {
		b.fail(at, "points are f32[n, 2] or f32[groups, n, 2], not %s", typeText(x.N.Type))
	}
	if s.As == "audio" && rank != 1 && rank != 2 {
		b.fail(at, "audio is f32[samples] or f32[clips, samples], not %s", typeText(x.N.Type))
	}
	name := s.As
	if n, ok := s.Value.term().(*NameTerm); ok {
		name = n.Name
	}
	b.entry.results = append(b.entry.results, ir.Result{Kind: ir.ResultShow, Name: name, As: s.As, Decode: decode, Value: b.node(x), Pos: posOf(at)})
}
