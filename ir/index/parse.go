package index

import (
	"fmt"
	"strconv"
)

// Parse reads the text of an expression: + - * / % min( ) max( ), numbers and
// names. A name starts with a letter, `_` or `$` and may hold digits and dots.
func Parse(s string) (*Expr, error) {
	p := &parser{s: s}
	e := p.sum()
	p.space()
	if p.err == nil && p.i < len(s) {
		p.fail("unexpected %q", s[p.i:])
	}
	if p.err != nil {
		return nil, p.err
	}
	return e, nil
}

type parser struct {
	s   string
	i   int
	err error
}

func (p *parser) fail(format string, a ...any) *Expr {
	if p.err == nil {
		p.err = fmt.Errorf("index expression %q: "+format, append([]any{p.s}, a...)...)
	}
	p.i = len(p.s)
	return C(0)
}

func (p *parser) space() {
	for p.i < len(p.s) && (p.s[p.i] == ' ' || p.s[p.i] == '\n' || p.s[p.i] == '\t') {
		p.i++
	}
}

func (p *parser) eat(c byte) bool {
	p.space()
	if p.i < len(p.s) && p.s[p.i] == c {
		p.i++
		return true
	}
	return false
}

func (p *parser) sum() *Expr {
	e := p.product()
	for {
		switch {
		case p.eat('+'):
			e = Sum(e, p.product())
		case p.eat('-'):
			e = Sub(e, p.product())
		default:
			return e
		}
	}
}

func (p *parser) product() *Expr {
	e := p.unary()
	for {
		switch {
		case p.eat('*'):
			e = Prod(e, p.unary())
		case p.eat('/'):
			e = p.divide(e, Quo)
		case p.eat('%'):
			e = p.divide(e, Rem)
		default:
			return e
		}
	}
}

func (p *parser) divide(a *Expr, f func(a, b *Expr) *Expr) *Expr {
	b := p.unary()
	if b.IsConst(0) {
		return p.fail("division by zero")
	}
	return f(a, b)
}

func (p *parser) unary() *Expr {
	if p.eat('-') {
		return Prod(p.unary(), C(-1))
	}
	if p.eat('(') {
		e := p.sum()
		if !p.eat(')') {
			return p.fail("missing )")
		}
		return e
	}
	p.space()
	start := p.i
	for p.i < len(p.s) && nameByte(p.s[p.i]) {
		p.i++
	}
	word := p.s[start:p.i]
	switch {
	case word == "":
		return p.fail("operand missing at %d", start)
	case word[0] >= '0' && word[0] <= '9':
		k, err := strconv.Atoi(word)
		if err != nil {
			return p.fail("bad number %s", word)
		}
		return C(k)
	case (word == "min" || word == "max") && p.eat('('):
		a := p.sum()
		if !p.eat(',') {
			return p.fail("missing ,")
		}
		b := p.sum()
		if !p.eat(')') {
			return p.fail("missing )")
		}
		if word == "min" {
			return Least(a, b)
		}
		return Most(a, b)
	}
	return V(word)
}

func nameByte(c byte) bool {
	return c == '_' || c == '$' || c == '.' || c == '#' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
