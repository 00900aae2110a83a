package ir

import (
	"fmt"
	"strconv"
	"strings"
)

// The module around graphs. Every item is one line, entries are blocks:
//
//	module  = "module" string [ "compute" elem ] [ "product" elem { "keep" name } ] [ "weights" elem ] { setting } { source } { state } { entry }
//	setting = "setting" name string
//	source  = "source" name kind string [ "bits" int ] [ "split" "[" floats "]" ] [ "holdout" int ] [ pos ]
//	state   = ( "param" | "state" | "moment" ) name type [ "stack" "[" ints "]" ] [ pos ]
//	entry   = "entry" kind name [ "count" "(" expr ")" ] [ pos ] "{" { flag } { need } { feed } [ graph ] { every } "}"
//	flag    = "flag" name kind [ "default" string ] [ "doc" string ] [ "static" ] [ "len" symbol ]
//	need    = "need" "(" expr ")" { "when" "(" expr ")" } { "turn" symbol "(" expr ")" } string { "value" "(" expr ")" } [ "help" string ] [ pos ]
//	feed    = "feed" name source split kind string(site) [ "stride" int ] [ "column" int ] "group" int [ pos ]
//	every   = "every" int "{" { feed } [ graph ] { "eval" name } "}"

var (
	stateKinds = []string{"param", "state", "moment"}
	entryKinds = []EntryKind{EntryInit, EntryTrain, EntryEval, EntrySample}
)

func (k StateKind) String() string { return stateKinds[k] }

// String is the text form of the module.
func (m *Module) String() string {
	p := &printer{}
	p.line("module %s", strconv.Quote(m.Source))
	if m.Compute != 0 {
		p.b.WriteString(" compute " + m.Compute.String())
	}
	if m.Product != 0 {
		p.b.WriteString(" product " + m.Product.String())
		for _, name := range m.Keep {
			p.b.WriteString(" keep " + quoteName(name))
		}
	}
	if m.Weights != 0 {
		p.b.WriteString(" weights " + m.Weights.String())
	}
	p.b.WriteByte('\n')
	for _, s := range m.Settings {
		p.line("setting %s %s\n", quoteName(s.Name), strconv.Quote(s.Value))
	}
	for _, s := range m.Sources {
		p.source(s)
	}
	for _, s := range m.States {
		p.line("%s %s %s", s.Kind, quoteName(s.Name), s.Type)
		if len(s.Stack) > 0 {
			p.b.WriteString(" stack " + intsText(s.Stack))
		}
		p.b.WriteString(posText(s.Pos) + "\n")
	}
	for _, e := range m.Entries {
		p.entry(e)
	}
	return p.b.String()
}

func (p *printer) source(s *Source) {
	p.line("source %s %s %s", quoteName(s.Name), quoteName(s.Kind), strconv.Quote(s.Path))
	if s.Bits != 0 {
		fmt.Fprintf(&p.b, " bits %d", s.Bits)
	}
	if s.Labels != "" {
		p.b.WriteString(" labels " + strconv.Quote(s.Labels))
	}
	if s.Tokenizer != "" {
		p.b.WriteString(" tokenizer " + strconv.Quote(s.Tokenizer))
	}
	if s.Ends != "" {
		p.b.WriteString(" ends " + strconv.Quote(s.Ends))
	}
	if s.Size != 0 {
		fmt.Fprintf(&p.b, " size %d", s.Size)
	}
	if s.Count != 0 {
		fmt.Fprintf(&p.b, " count %d", s.Count)
	}
	if s.Scale != nil {
		p.b.WriteString(" scale " + floatsText(s.Scale))
	}
	if s.Split != nil {
		p.b.WriteString(" split " + floatsText(s.Split))
	}
	if s.Holdout != 0 {
		fmt.Fprintf(&p.b, " holdout %d", s.Holdout)
	}
	p.b.WriteString(posText(s.Pos) + "\n")
}

func floatsText(fs []float64) string {
	parts := make([]string, len(fs))
	for i, f := range fs {
		parts[i] = floatText(f, 64)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func (p *printer) entry(e *Entry) {
	p.line("entry %s %s", e.Kind, quoteName(e.Name))
	if e.Count != nil {
		p.b.WriteString(" count(" + e.Count.String() + ")")
	}
	p.b.WriteString(posText(e.Pos) + " {\n")
	p.depth++
	for _, f := range e.Flags {
		p.flag(f)
	}
	for _, n := range e.Needs {
		p.need(n)
	}
	for _, f := range e.Feeds {
		p.feed(f)
	}
	if e.Graph != nil {
		p.graph(e.Graph)
	}
	for _, v := range e.Every {
		p.line("every %d {\n", v.N)
		p.depth++
		for _, f := range v.Feeds {
			p.feed(f)
		}
		if v.Graph != nil {
			p.graph(v.Graph)
		}
		for _, name := range v.Evals {
			p.line("eval %s\n", quoteName(name))
		}
		p.depth--
		p.line("}\n")
	}
	p.depth--
	p.line("}\n")
}

func (p *printer) flag(f Flag) {
	p.line("flag %s %s", quoteName(f.Name), quoteName(f.Kind))
	if f.Default != "" {
		p.b.WriteString(" default " + strconv.Quote(f.Default))
	}
	if f.Doc != "" {
		p.b.WriteString(" doc " + strconv.Quote(f.Doc))
	}
	if f.Static {
		p.b.WriteString(" static")
	}
	if f.Len != "" {
		p.b.WriteString(" len " + quoteName(f.Len))
	}
	if f.Axis != 0 {
		fmt.Fprintf(&p.b, " axis %d", f.Axis)
	}
	p.b.WriteByte('\n')
}

func (p *printer) need(n Need) {
	p.line("need (%s)", n.E)
	for _, e := range n.When {
		fmt.Fprintf(&p.b, " when (%s)", e)
	}
	for _, t := range n.Turns {
		fmt.Fprintf(&p.b, " turn %s (%s)", quoteName(t.Name), t.Count)
	}
	p.b.WriteString(" " + strconv.Quote(n.Text))
	for _, e := range n.Values {
		fmt.Fprintf(&p.b, " value (%s)", e)
	}
	if n.Help != "" {
		p.b.WriteString(" help " + strconv.Quote(n.Help))
	}
	p.b.WriteString(posText(n.Pos) + "\n")
}

func (p *printer) feed(f Feed) {
	p.line("feed %s %s %s %s %s", quoteName(f.Name), quoteName(f.Source), quoteName(f.Split), quoteName(f.Kind), strconv.Quote(f.Site))
	if f.Stride != 0 {
		fmt.Fprintf(&p.b, " stride %d", f.Stride)
	}
	if f.Past != 0 {
		fmt.Fprintf(&p.b, " past %d", f.Past)
	}
	if f.Future != 0 {
		fmt.Fprintf(&p.b, " future %d", f.Future)
	}
	if f.Column != 0 {
		fmt.Fprintf(&p.b, " column %d", f.Column)
	}
	fmt.Fprintf(&p.b, " group %d%s\n", f.Group, posText(f.Pos))
}
