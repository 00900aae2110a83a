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

// A sourceForm is a function that makes a data source, and how its batches look.
type sourceForm struct {
	name   string
	params []string // after the path; each is a field of ir.Source
	text   bool     // one long text, for windows and streams
}

// sourceForms are the sources that there are:
//
//	bytes(path, holdout, split)         a file, or the files of a folder, byte by byte
//	tokens(path, bits, split)           a file of whole numbers of 16 or 32 bits
//	tokens(path, tokenizer, split)      a text, encoded by a vocabulary in tiktoken's format
//	lines(path, ends, holdout, split)   the lines of a text; each begins and ends with `ends`
//	npy(path, bits, labels, split)      rows of an array, and of a second one
//	csv(path, labels, split)            rows of a table of numbers, and the column of labels
//	mnist(path, scale, split)           pictures in MNIST's format, with their labels
//	images(path, size, scale, split)    the pictures of a folder, cut and scaled to a square; the folders in it are the labels
//	glyphs(size, count, scale)          drawn letters and digits, with their labels; needs no file
var sourceForms = []sourceForm{
	{"bytes", []string{"split", "holdout"}, true},
	{"tokens", []string{"bits", "tokenizer", "split"}, true},
	{"lines", []string{"ends", "split", "holdout"}, false},
	{"npy", []string{"bits", "labels", "split"}, false},
	{"csv", []string{"labels", "split"}, false},
	{"mnist", []string{"scale", "split"}, false},
	{"images", []string{"size", "scale", "split"}, false},
	{"glyphs", []string{"size", "count", "scale"}, false},
}

func (f sourceForm) builtin(b *builder, c *call) Value {
	names, required := append([]string{"path"}, f.params...), 1
	if f.name == "glyphs" {
		names, required = f.params, 0
	}
	v := b.take(c, required, names...)
	s := &ir.Source{Kind: f.name}
	for i, n := range names {
		if v[i] != nil {
			b.sourceField(s, n, v[i], c)
		}
	}
	switch {
	case f.name == "images" && s.Size == 0:
		b.failHelp(c.span, "`images(path, size: 64)`", "`images` needs the size of its pictures")
	case f.name == "glyphs" && s.Size == 0:
		s.Size = 28
	}
	if f.name == "glyphs" && s.Count == 0 {
		s.Count = 60000
	}
	if s.Tokenizer != "" && s.Bits != 0 {
		b.fail(c.span, "`bits` is for files of numbers, and with `tokenizer` the file is a text")
	}
	if f.name == "tokens" && s.Bits == 0 && s.Tokenizer == "" {
		s.Bits = 16
	}
	return DataSource{s}
}

// sourceField sets one argument of a source.
func (b *builder) sourceField(s *ir.Source, name string, v Value, c *call) {
	switch name {
	case "path":
		s.Path = b.pathOf(v, c)
	case "labels":
		s.Labels = b.pathOf(v, c)
	case "tokenizer":
		s.Tokenizer = b.pathOf(v, c)
	case "ends":
		t, ok := v.(Text)
		if !ok {
			b.failHelp(c.span, "`ends: \"\\n\"`", "`ends` is what lines begin and end with, a text, not %s", describe(v))
		}
		s.Ends = string(t)
	case "bits":
		if s.Bits = b.wholeArg(v, 1, c, "`bits` is the number of bits of a row"); s.Kind == "tokens" && s.Bits != 16 && s.Bits != 32 {
			b.fail(c.span, "a token has 16 or 32 bits, not %d", s.Bits)
		}
	case "holdout":
		s.Holdout = b.wholeArg(v, 2, c, "`holdout` holds out every nth file: a whole number from 2 on")
	case "size":
		s.Size = b.wholeArg(v, 1, c, "`size` is the height and width in pixels")
	case "count":
		s.Count = b.wholeArg(v, 1, c, "`count` is how many there are")
	case "scale":
		s.Scale = b.scaleOf(v, c)
	case "split":
		s.Split = b.splitOf(v, c)
	}
}

// wholeArg is an argument that is a whole number from least on.
func (b *builder) wholeArg(v Value, least float64, c *call, what string) int {
	n, ok := v.(Num)
	if !ok || !n.isWhole() || n.V < least {
		b.failHelp(c.span, wholeHelp(v), "%s, not %s", what, describe(v))
	}
	return int(n.V)
}

// scaleOf reads `scale: [-1, 1]`.
func (b *builder) scaleOf(v Value, c *call) []float64 {
	l, ok := v.(List)
	var out []float64
	if ok {
		for _, x := range l.Items {
			n, isNum := x.(Num)
			ok = ok && isNum
			out = append(out, n.V)
		}
	}
	if !ok || len(out) != 2 || out[0] >= out[1] {
		b.failHelp(c.span, "`scale: [-1, 1]`", "`scale` is what black and white become, two numbers")
	}
	return out
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
	if !ok || len(out) < 1 || len(out) > 3 || sum > 1+1e-9 {
		b.failHelp(c.span, "`split: [0.8, 0.1, 0.1]`; `split: [1]` leaves all for training", "`split` lists the parts for train, valid and test: up to three numbers, together at most 1")
	}
	return out
}

// isText reports whether a source is one long text, for windows and streams.
func isText(s *ir.Source) bool {
	for _, f := range sourceForms {
		if f.name == s.Kind {
			return f.text
		}
	}
	return false
}

// windowsBuiltin is windows(d.train): cuts at random places, or in order with stride.
func windowsBuiltin(b *builder, c *call) Value {
	v := b.take(c, 1, "data", "stride")
	f := b.textFeed(v[0], c)
	if v[1] != nil {
		f.Stride = b.wholeArg(v[1], 1, c, "`stride` is a whole number from 1 on")
	}
	return f
}

// streamsBuiltin is streams(d.train): row b goes on where its last cut ended. Without a stride the last
// element of a cut begins the next: it was predicted, but not yet read.
func streamsBuiltin(b *builder, c *call) Value { return windowsBuiltin(b, c) }

func (b *builder) textFeed(v Value, c *call) FeedValue {
	s := b.part(v, c)
	if !isText(s.Source) {
		b.failHelp(c.span, "`each x: f32[batch, n] from "+s.Source.Name+"."+s.Part+"`", "`%s` cuts texts, and `%s` has rows", c.name, s.Source.Name)
	}
	return FeedValue{Split: s, Kind: c.name}
}

// part is a part of a data source as an argument.
func (b *builder) part(v Value, c *call) Split {
	s, ok := v.(Split)
	if !ok {
		b.failHelp(c.span, "`"+c.name+"(d.train)`", "`%s` cuts a part of a data source, not %s", c.name, describe(v))
	}
	return s
}

// clipsBuiltin is clips(d.train, past: n, future: m): the rows up to a place, the label there, and the labels after it.
func clipsBuiltin(b *builder, c *call) Value {
	v := b.take(c, 2, "data", "past", "future")
	s := b.part(v[0], c)
	if isText(s.Source) || s.Source.Labels == "" {
		b.failHelp(c.span, "`npy(path, labels: path)`", "`clips` cuts rows with labels, and `%s` has none", s.Source.Name)
	}
	f := FeedValue{Split: s, Kind: "clips", Past: b.wholeArg(v[1], 1, c, "`past` is the number of rows up to now")}
	if v[2] != nil {
		f.Future = b.wholeArg(v[2], 1, c, "`future` is the number of labels after now")
	}
	return f
}
