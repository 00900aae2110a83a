package lang

import (
	"fmt"
	"strconv"

	"mdlc/ir"
	"mdlc/ir/loop"
)

// each binds names to the next batch.
func (b *builder) each(s *Each, at Span) {
	v := b.eval(s.From.term())
	var feed FeedValue
	switch v := v.(type) {
	case Split:
		feed = FeedValue{Split: v, Kind: "rows"}
	case FeedValue:
		feed = v
	case DataSource:
		b.failHelp(s.From.term().Span(), "`"+v.Source.Name+".train`", "batches come from a part of a data source")
	default:
		b.failHelp(s.From.term().Span(), "`windows(d.train)`, or `d.train` for its rows", "batches do not come from %s", describe(v))
	}
	if b.entry.kind == ir.EntrySample {
		b.failHelp(at, "an `eval` goes through a part of the data and can `show`; what a sample is given are its parameters, as in `sample s(x: f32[N, 4])`", "`each` stands in train and eval")
	}
	if feed.Kind == "rows" && isText(feed.Split.Source) {
		b.failHelp(s.From.term().Span(), "`windows("+feed.Split.Source.Name+"."+feed.Split.Part+")`", "a text has no rows")
	}
	columns := map[string]int{"windows": 1, "streams": 1, "clips": 3}[feed.Kind]
	if src := feed.Split.Source; feed.Kind == "rows" && src.Labels == "" && (src.Kind == "lines" || src.Kind == "csv") {
		columns = 1
	} else if feed.Kind == "rows" && src.Kind != "npy" {
		columns = 2
	}
	if columns > 0 && len(s.Vars) > columns {
		help := ""
		if src := feed.Split.Source; src.Kind == "csv" && src.Labels == "" {
			help = "`data " + src.Name + " = csv(" + strconv.Quote(src.Path) + ", labels: \"NAME\")` makes the column of that name the second array"
		}
		b.failHelp(at, help, "%s of `%s` %s, not %d", map[bool]string{true: "the rows", false: "the " + feed.Kind}[feed.Kind == "rows"], feed.Split.Source.Name, "have "+plural(columns, "array"), len(s.Vars))
	}
	site := b.site[0] + "/" + s.Vars[0].Name // arrays of one `each` come from the same rows
	for column, x := range s.Vars {
		typ := b.staticType(x.Type)
		if len(typ.Dims) == 0 {
			b.fail(typeSpan(x.Type), "a batch has at least one axis, the first")
		}
		if typ.Dims[0].Size == 0 {
			b.failHelp(typeSpan(x.Type), "the first axis is how many examples a step takes: 1 or more", "a batch of no examples: %s", typeText(typ))
		}
		if why := feed.misfit(column, typ); why != "" {
			b.fail(typeSpan(x.Type), "%s, not %s", why, typeText(typ))
		}
		name := x.Name
		for n := 2; b.entry.hasFeed(name); n++ {
			name = x.Name + strconv.Itoa(n)
		}
		b.entry.feeds = append(b.entry.feeds, ir.Feed{Name: name, Source: feed.Split.Source.Name, Split: feed.Split.Part, Kind: feed.Kind, Stride: feed.Stride, Past: feed.Past, Future: feed.Future,
			Site: site, Column: column, Group: b.entry.groups, Pos: posOf(at)})
		b.sc.assign(x.Name, b.mark(b.tensor(b.entry.f.b.Param(ir.ParamFeed, name, typ)), x.Type))
	}
	b.entry.groups++
}

// misfit says what type column k of a batch has, where typ is another.
func (f FeedValue) misfit(k int, typ ir.Type) string {
	label := typ.Elem.IsInt() && len(typ.Dims) == 1
	switch src := f.Split.Source; {
	case f.Kind == "windows" || f.Kind == "streams":
		if len(typ.Dims) != 2 || typ.Elem != loop.I32 {
			return f.Kind + " of a text are i32[batch, length]"
		}
	case f.Kind == "clips" && k == 0:
		if len(typ.Dims) < 3 || typ.Dims[1].Size != f.Past {
			return fmt.Sprintf("the rows of clips are f32[batch, %d, …]", f.Past)
		}
	case f.Kind == "clips" && k == 2:
		if len(typ.Dims) != 2 || typ.Dims[1].Size != f.Future || !typ.Elem.IsInt() {
			return fmt.Sprintf("the labels after a clip are i32[batch, %d]", f.Future)
		}
	case f.Kind == "clips" || k == 1 && isPictures(src):
		if !label {
			return "labels are i32[batch]"
		}
	case isPictures(src):
		size, colors, flat := "height, width", "1", ""
		ok := len(typ.Dims) == 2 && src.Kind != "images" || len(typ.Dims) == 4 && typ.Dims[1].Size == 1
		if src.Kind == "images" {
			colors, ok = "3", ok || len(typ.Dims) == 4 && typ.Dims[1].Size == 3
		}
		if src.Size > 0 {
			size = fmt.Sprintf("%d, %d", src.Size, src.Size)
			ok = ok && (len(typ.Dims) == 2 && typ.Dims[1].Size == src.Size*src.Size || len(typ.Dims) == 4 && typ.Dims[2].Size == src.Size && typ.Dims[3].Size == src.Size)
		}
		if src.Kind != "images" {
			flat = " or, as rows, f32[batch, pixels]"
		}
		if !ok || !typ.Elem.IsFloat() {
			return fmt.Sprintf("the pictures of `%s` are f32[batch, %s, %s]%s", src.Name, colors, size, flat)
		}
	}
	return ""
}

// isPictures reports whether a source has pictures, with labels.
func isPictures(s *ir.Source) bool {
	return s.Kind == "mnist" || s.Kind == "glyphs" || s.Kind == "images"
}

func (e *entry) hasFeed(name string) bool {
	for _, f := range e.feeds {
		if f.Name == name {
			return true
		}
	}
	return false
}
