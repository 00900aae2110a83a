package ir

import (
	"slices"
	"strconv"
	"strings"
)

// ParseGraph reads the text form of a graph. Errors start with line:column.
func ParseGraph(text string) (*Graph, error) {
	p := &AttrParser{text: text}
	g := p.graph()
	p.end()
	if p.err != nil {
		return nil, p.err
	}
	return g, nil
}

func (p *AttrParser) end() {
	if p.space(); p.err == nil && p.at < len(p.text) {
		p.fail("unexpected text after the end")
	}
}

func (p *AttrParser) graph() *Graph {
	if !p.eatWord("graph") {
		p.fail("graph expected")
		return nil
	}
	name := p.name("name of the graph")
	p.want("{")
	return p.body(NewBuilder(name))
}

// body reads a graph after its `{`.
func (p *AttrParser) body(b *Builder) *Graph {
	g := &graphParser{AttrParser: p, b: b, values: map[string]*Node{}}
	for p.err == nil && p.eatWord("sym") {
		g.symbol()
	}
	for p.err == nil && p.peek("%") {
		g.node()
	}
	var results []Result
	for p.err == nil && !p.eat("}") {
		results = append(results, g.result())
	}
	if p.err != nil {
		return nil
	}
	return b.Finish(results...)
}

type graphParser struct {
	*AttrParser
	b      *Builder
	values map[string]*Node // by text, with the generation
}

func (p *graphParser) symbol() {
	at := p.start()
	y := Sym{Name: p.name("symbol")}
	p.want("<=")
	y.Max = p.integer()
	if p.eat("=") {
		y.Def = p.expr()
	}
	if p.err != nil {
		return
	}
	if err := p.b.scope.checkSym(y); err != nil {
		p.failAt(at, "%s", err)
		return
	}
	p.b.scope.Syms = append(p.b.scope.Syms, y)
}

// value reads `%7` or `%7@1`: its text and generation.
func (p *graphParser) value() (text string, gen int) {
	at := p.start()
	p.want("%")
	p.digits()
	if strings.HasPrefix(p.text[p.at:], "@") && p.at+1 < len(p.text) && digit(p.text[p.at+1]) {
		p.at++
		gen, _ = strconv.Atoi(p.digits())
	}
	if p.err != nil {
		return "", 0
	}
	return p.text[at:p.at], gen
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func (p *graphParser) digits() string {
	end := p.at
	for end < len(p.text) && digit(p.text[end]) {
		end++
	}
	s := p.text[p.at:end]
	if s == "" || len(s) > 9 {
		p.fail("number of a value expected")
	}
	p.at = end
	return s
}

func (p *graphParser) use() *Node {
	at := p.start()
	text, _ := p.value()
	n := p.values[text]
	if n == nil && p.err == nil {
		p.failAt(at, "value %s is not defined", text)
	}
	return n
}

func (p *graphParser) node() {
	at := p.start()
	text, gen := p.value()
	if p.err == nil && p.values[text] != nil {
		p.failAt(at, "value %s is defined twice", text)
	}
	p.want("=")
	opAt := p.start()
	op := Lookup(p.word("op"))
	if op == nil {
		p.failAt(opAt, "there is no such op")
		return
	}
	var args []*Node
	for p.err == nil && p.peek("%") {
		args = append(args, p.use())
		if !p.eat(",") {
			break
		}
	}
	var attr Attr
	if op.ParseAttr != nil && p.err == nil {
		if attr, _ = op.ParseAttr(p.AttrParser); p.err != nil {
			return
		}
	}
	var regions []*Graph
	for p.err == nil && p.eat("{") {
		regions = append(regions, p.body(p.b.Region("")))
	}
	if p.err != nil {
		return
	}
	n := p.make(opAt, op, attr, regions, args, gen)
	if n == nil {
		return
	}
	if p.eat(":") {
		typeAt := p.start()
		if t := p.typ(); p.err == nil && !t.Equal(n.Type) {
			p.failAt(typeAt, "%s is %s, not %s", text, n.Type, t)
		}
	}
	if p.peek(`"`) {
		n.Name = p.str()
	}
	n.Pos = p.pos()
	p.values[text] = n
}

func (p *graphParser) make(at int, op *Op, attr Attr, regions []*Graph, args []*Node, gen int) *Node {
	if a, ok := attr.(ParamAttr); ok {
		for _, q := range p.b.params {
			if o := q.Attr.(ParamAttr); o.Kind == a.Kind && o.Name == a.Name {
				p.failAt(at, "parameter %s %s is declared twice", a.Kind, a.Name)
				return nil
			}
		}
		n, err := p.b.tryParam(a.Kind, a.Name, a.Type)
		if err != nil {
			p.failAt(at, "%s", err)
		}
		return n
	}
	p.b.Gen = gen
	n, err := p.b.TryMakeWith(op, attr, regions, args...)
	if err != nil {
		p.failAt(at, "%s", err)
		return nil
	}
	return n
}

func (p *graphParser) result() Result {
	at := p.start()
	k := slices.Index(resultKinds, p.word("result or }"))
	if k < 0 {
		p.failAt(at, "a result starts with one of %s", strings.Join(resultKinds, ", "))
		return Result{}
	}
	r := Result{Kind: ResultKind(k)}
	if !p.peek("%") && p.peekWord() != "as" && p.peekWord() != "axis" {
		r.Name = p.name("name of the result")
	}
	if p.eatWord("as") {
		r.As = p.name("format")
	}
	if p.eatWord("decode") {
		r.Decode = p.name("source")
	}
	if r.Kind == ResultBound {
		p.axis(&r)
	}
	r.Value = p.use()
	r.Pos = p.pos()
	return r
}

// axis is the axis that a bound is about.
func (p *AttrParser) axis(r *Result) {
	p.want("axis")
	r.Axis = p.integer()
	p.want("of")
	at := p.start()
	dims := p.dims()
	if len(dims) != 1 {
		p.failAt(at, "the length of one axis expected")
		return
	}
	r.Bound = dims[0]
}
