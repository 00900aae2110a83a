package ir

import (
	"slices"
	"strconv"
	"strings"

	"mdlc/ir/index"
	"mdlc/ir/loop"
)

func parseElem(s string) (Elem, error) { return loop.ParseElem(s) }

func parseParam(p *AttrParser) (Attr, error) {
	kind := ParamKind(p.oneOf(paramKinds, "kind of parameter"))
	return ParamAttr{kind, p.name("name"), p.typ()}, p.err
}

// oneOf reads a word and gives its place among names.
func (p *AttrParser) oneOf(names []string, what string) int {
	at := p.start()
	k := slices.Index(names, p.word(what))
	if k < 0 {
		p.failAt(at, "no such %s", what)
	}
	return max(k, 0)
}

func parseConst(p *AttrParser) (Attr, error) {
	a := ConstAttr{Type: p.typ()}
	if p.peek("{") {
		a.Bits = []uint64{}
		p.list("{", "}", func() { a.Bits = append(a.Bits, p.bits(a.Type.Elem)) })
	} else {
		a.Bits = []uint64{p.bits(a.Type.Elem)}
	}
	return a, p.err
}

// bits is a number as the bits of a constant.
func (p *AttrParser) bits(e Elem) uint64 {
	if e.IsFloat() {
		return FloatBits(e, p.float(floatWidth(e)))
	}
	at, s := p.start(), p.number()
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil && p.err == nil {
		p.failAt(at, "%q is no %s", s, e)
	}
	return uint64(v)
}

func parseIota(p *AttrParser) (Attr, error) {
	a := IotaAttr{Dims: p.dims()}
	p.want("axis")
	a.Axis = p.integer()
	return a, p.err
}

func parseCast(p *AttrParser) (Attr, error) { return CastAttr{p.elem()}, p.err }

func parseIndex(p *AttrParser) (Attr, error) {
	a := IndexAttr{}
	p.want("{")
	p.list("(", ")", func() {
		at := p.start()
		if v := p.word("index variable"); v != "i"+strconv.Itoa(a.Vars) {
			p.failAt(at, "index variable i%d expected, not %s", a.Vars, v)
		}
		a.Vars++
	})
	p.want("->")
	p.list("(", ")", func() { a.Out = append(a.Out, p.expr()) })
	p.want("}")
	a.Shape = p.dims()
	if p.eatWord("outside") {
		v := p.float(64)
		a.Outside = &v
	}
	return a, p.err
}

func parseReduce(p *AttrParser) (Attr, error) {
	at := p.start()
	k, err := ParseReduceKind(p.word("kind of reduction"))
	if err != nil {
		p.failAt(at, "%s", err)
	}
	return ReduceAttr{k, p.ints()}, p.err
}

func parseDot(p *AttrParser) (Attr, error) {
	p.want("{")
	end := p.at
	for end < len(p.text) && strings.IndexByte("}\n", p.text[end]) < 0 {
		end++
	}
	a, err := ParseDot(p.text[p.at:end])
	if err != nil {
		p.fail("%s", err)
	}
	p.at = end
	p.want("}")
	return a, p.err
}

func parseBits(p *AttrParser) (Attr, error)  { return BitsAttr{p.str(), p.dims()}, p.err }
func parseTopK(p *AttrParser) (Attr, error)  { return TopKAttr{p.integer()}, p.err }
func parseDigit(p *AttrParser) (Attr, error) { return DigitAttr{p.integer()}, p.err }

func parseSolve(p *AttrParser) (Attr, error) {
	return SolveAttr{SolveKind(p.oneOf(solveNames, "kind of matrix"))}, p.err
}

func parseGet(p *AttrParser) (Attr, error) { return GetAttr{p.integer()}, p.err }

func parseCluster(p *AttrParser) (Attr, error) { return ClusterAttr{p.name("kind of cluster")}, p.err }

func parseLoop(p *AttrParser) (Attr, error) {
	a := LoopAttr{}
	p.want("count")
	p.want("(")
	a.Count = p.expr()
	p.want(")")
	p.want("carry")
	a.Carry = p.integer()
	p.want("xs")
	a.Xs = p.integer()
	a.Reverse = p.eatWord("reverse")
	if p.eatWord("turn") {
		a.Sym = p.name("symbol")
	}
	a.While = p.eatWord("while")
	if p.eatWord("made") {
		a.Made = p.name("symbol")
	}
	return a, p.err
}

// wellFormed reports whether a name of a symbol can stand in an index expression.
func wellFormed(name string) bool {
	e, err := index.Parse(name)
	return err == nil && e.Op == index.Var && e.Name == name
}
