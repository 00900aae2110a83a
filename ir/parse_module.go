package ir

import (
	"slices"

	"mdlc/ir/index"
)

// ParseModule reads the text form of a module. Errors start with line:column.
func ParseModule(text string) (*Module, error) {
	p := &AttrParser{text: text}
	m := &Module{}
	if !p.eatWord("module") {
		p.fail("module expected")
	}
	m.Source = p.str()
	if p.eatWord("compute") {
		m.Compute = p.elem()
	}
	if p.eatWord("product") {
		m.Product = p.elem()
		for p.err == nil && p.eatWord("keep") {
			m.Keep = append(m.Keep, p.name("name of the state"))
		}
	}
	if p.eatWord("weights") {
		m.Weights = p.elem()
	}
	for p.err == nil && p.eatWord("setting") {
		m.Settings = append(m.Settings, Setting{p.name("name of the setting"), p.str()})
	}
	for p.err == nil && p.eatWord("source") {
		m.Sources = append(m.Sources, p.source())
	}
	for p.err == nil && slices.Contains(stateKinds, p.peekWord()) {
		m.States = append(m.States, p.state())
	}
	for p.err == nil && p.eatWord("entry") {
		m.Entries = append(m.Entries, p.entry())
	}
	p.end()
	if p.err != nil {
		return nil, p.err
	}
	return m, nil
}

func (p *AttrParser) source() *Source {
	s := &Source{Name: p.name("name of the source"), Kind: p.name("kind of source"), Path: p.str()}
	if p.eatWord("bits") {
		s.Bits = p.integer()
	}
	if p.eatWord("labels") {
		s.Labels = p.str()
	}
	if p.eatWord("tokenizer") {
		s.Tokenizer = p.str()
	}
	if p.eatWord("ends") {
		s.Ends = p.str()
	}
	if p.eatWord("size") {
		s.Size = p.integer()
	}
	if p.eatWord("count") {
		s.Count = p.integer()
	}
	if p.eatWord("scale") {
		p.list("[", "]", func() { s.Scale = append(s.Scale, p.float(64)) })
	}
	if p.eatWord("split") {
		s.Split = []float64{}
		p.list("[", "]", func() { s.Split = append(s.Split, p.float(64)) })
	}
	if p.eatWord("holdout") {
		s.Holdout = p.integer()
	}
	s.Pos = p.pos()
	return s
}

func (p *AttrParser) state() *State {
	s := &State{Kind: StateKind(slices.Index(stateKinds, p.word("kind of state")))}
	s.Name = p.name("name of the state")
	s.Type = p.typ()
	if p.eatWord("stack") {
		s.Stack = p.ints()
	}
	s.Pos = p.pos()
	return s
}

func (p *AttrParser) entry() *Entry {
	at := p.start()
	e := &Entry{Kind: EntryKind(p.word("kind of entry"))}
	if !slices.Contains(entryKinds, e.Kind) {
		p.failAt(at, "%q is no kind of entry", e.Kind)
	}
	e.Name = p.name("name of the entry")
	if p.eatWord("count") {
		p.want("(")
		e.Count = p.expr()
		p.want(")")
	}
	e.Pos = p.pos()
	p.want("{")
	for p.err == nil && p.eatWord("flag") {
		e.Flags = append(e.Flags, p.flag())
	}
	for p.err == nil && p.eatWord("need") {
		e.Needs = append(e.Needs, p.need())
	}
	for p.err == nil && p.eatWord("feed") {
		e.Feeds = append(e.Feeds, p.feed())
	}
	if p.peekWord() == "graph" {
		e.Graph = p.graph()
	}
	for p.err == nil && p.eatWord("every") {
		e.Every = append(e.Every, p.every())
	}
	p.want("}")
	return e
}

func (p *AttrParser) every() *Every {
	v := &Every{N: p.integer()}
	p.want("{")
	for p.err == nil && p.eatWord("feed") {
		v.Feeds = append(v.Feeds, p.feed())
	}
	if p.peekWord() == "graph" {
		v.Graph = p.graph()
	}
	for p.err == nil && p.eatWord("eval") {
		v.Evals = append(v.Evals, p.name("name of an eval"))
	}
	p.want("}")
	return v
}

func (p *AttrParser) flag() Flag {
	f := Flag{Name: p.name("name of the flag"), Kind: p.name("kind of flag")}
	if p.eatWord("default") {
		f.Default = p.str()
	}
	if p.eatWord("doc") {
		f.Doc = p.str()
	}
	f.Static = p.eatWord("static")
	if p.eatWord("len") {
		f.Len = p.name("symbol")
	}
	if p.eatWord("axis") {
		f.Axis = p.integer()
	}
	return f
}

func (p *AttrParser) need() (n Need) {
	expr := func() *index.Expr {
		p.want("(")
		defer p.want(")")
		return p.expr()
	}
	n.E = expr()
	for p.err == nil && p.eatWord("when") {
		n.When = append(n.When, expr())
	}
	for p.err == nil && p.eatWord("turn") {
		n.Turns = append(n.Turns, index.Turn{Name: p.name("symbol"), Count: expr()})
	}
	n.Text = p.str()
	for p.err == nil && p.eatWord("value") {
		n.Values = append(n.Values, expr())
	}
	if p.eatWord("help") {
		n.Help = p.str()
	}
	n.Pos = p.pos()
	return n
}

func (p *AttrParser) feed() Feed {
	f := Feed{Name: p.name("name of the feed"), Source: p.name("source"), Split: p.name("split"), Kind: p.name("kind of feed"), Site: p.str()}
	if p.eatWord("stride") {
		f.Stride = p.integer()
	}
	if p.eatWord("past") {
		f.Past = p.integer()
	}
	if p.eatWord("future") {
		f.Future = p.integer()
	}
	if p.eatWord("column") {
		f.Column = p.integer()
	}
	p.want("group")
	f.Group = p.integer()
	f.Pos = p.pos()
	return f
}
