package lang

import (
	"fmt"

	"mdlc/ir"
)

// What is allowed and rarely meant: params that nothing trains, dimensions that are always 1. Values that are
// never used are in unused.go, params that a loss does not reach in minimize.go.

// paramsAt are params of one place in the model file.
type paramsAt struct {
	at   Span
	text string // names one, counts the others
}

// byPlace groups params by the place in the model file that made them.
func byPlace(params []*stateDecl) []paramsAt {
	var out []paramsAt
	count := map[Span]int{}
	for _, p := range params {
		count[p.at]++
		if count[p.at] == 1 {
			out = append(out, paramsAt{at: p.at, text: "the param `" + p.name + "`"})
		}
	}
	for i, g := range out {
		if n := count[g.at]; n > 1 {
			out[i].text = fmt.Sprintf("%s and %d more", g.text, n-1)
		}
	}
	return out
}

// untrained warns of params that no minimize names and nothing assigns, in a file that trains.
func (b *builder) untrained() {
	if !b.minimizes {
		return
	}
	var left []*stateDecl
	for _, s := range b.states {
		if s.kind == ir.KindParam && !b.trained[s] {
			left = append(left, s)
		}
	}
	for _, g := range byPlace(left) {
		b.warn(g.at, "name it after `over`; what is not trained is a `state`", "no `minimize` trains %s", g.text)
	}
}

// dimensionUse is a dimension that a function's parameter binds, in the steps of train.
type dimensionUse struct {
	dim    *Dim
	name   string
	fn     string
	always bool // it was 1 in every call
}

// noteSize remembers what a dimension of the model file is bound to in a call.
func (b *builder) noteSize(d *Dim, name string, have ir.Dim) {
	if b.entry == nil || b.entry.kind != ir.EntryTrain || d.Pos.Filename != b.path || len(b.calls) == 0 {
		return
	}
	one := have.Len == nil && have.Size == 1
	for _, u := range b.ones {
		if u.dim == d {
			u.always = u.always && one
			return
		}
	}
	b.ones = append(b.ones, &dimensionUse{d, name, b.calls[len(b.calls)-1].name, one})
}

// alwaysOne warns of dimensions that stand for 1 in every call.
func (b *builder) alwaysOne() {
	for _, u := range b.ones {
		if u.always {
			b.warn(Span{u.dim.Pos, u.dim.EndPos}, "write 1 in the type if that is meant", "the dimension `%s` of `%s` is 1 in every call", u.name, u.fn)
		}
	}
}
