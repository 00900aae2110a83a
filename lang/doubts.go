package lang

import (
	"fmt"
	"maps"
	"slices"

	"mdlc/ir"
)

// What is allowed and rarely meant: params that nothing trains, dimensions that are always 1, probabilities for logits. Values that are
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
	trains bool // a train calls it
}

// noteSize remembers what a dimension of the model file is bound to in a call.
func (b *builder) noteSize(d *Dim, name string, have ir.Dim) {
	if b.entry == nil || d.Pos.Filename != b.path || len(b.calls) == 0 {
		return
	}
	trains := b.entry.kind == ir.EntryTrain
	one := have.Len == nil && have.Size == 1
	for _, u := range b.ones {
		if u.dim == d {
			u.always, u.trains = u.always && one, u.trains || trains
			return
		}
	}
	b.ones = append(b.ones, &dimensionUse{d, name, b.calls[len(b.calls)-1].name, one, trains})
}

// alwaysOne warns of dimensions that stand for 1 in every call, where a train calls: of a sample's call only, 1 may be one of many.
func (b *builder) alwaysOne() {
	for _, u := range b.ones {
		if u.always && u.trains {
			b.warn(Span{u.dim.Pos, u.dim.EndPos}, "write 1 in the type if that is meant", "the dimension `%s` of `%s` is 1 in every call", u.name, u.fn)
		}
	}
}

// doubtLogits warns where a function's parameter `logits` is given probabilities: then a sigmoid or a softmax is taken twice, and what is
// learnt is wrong without a word.
func (b *builder) doubtLogits(parameter string, a arg, function string) {
	x, ok := a.value.(Tensor)
	if parameter != "logits" || !ok || a.span.Pos.Filename != b.path {
		return
	}
	made := ""
	switch n := x.N; {
	case n.Op.Name == "sigmoid":
		made = "sigmoid"
	case isSoftmax(n):
		made = "softmax"
	}
	if made != "" && !slices.ContainsFunc(b.diags, func(d Diagnostic) bool { return d.Span == a.span }) {
		b.warn(a.span, "leave the `"+made+"` out", "`%s` takes logits, and these are a `%s`: it would be taken twice", function, made)
	}
}

// isSoftmax reports whether n is e divided by the sum of e, which are powers.
func isSoftmax(n *ir.Node) bool {
	if n.Op != ir.OpDiv || n.Args[0].Op.Name != "exp" {
		return false
	}
	sum := n.Args[1]
	for sum.Op == ir.OpIndex {
		sum = sum.Args[0]
	}
	return sum.Op == ir.OpReduce && sum.Args[0] == n.Args[0]
}

// manyTurns is how many turns of a loop may be written out that need not be, without a word.
const manyTurns = 64

// A writtenLoop is a loop that is written out turn by turn because something must be known to the compiler.
type writtenLoop struct {
	turns int
	why   Diagnostic
}

func (b *builder) noteTurns(at Span, turns int, why Diagnostic) {
	if at.Pos.Filename == b.path {
		b.written[at] = writtenLoop{b.written[at].turns + turns, why}
	}
}

// writtenOut warns of loops of many such turns: each is code of its own.
func (b *builder) writtenOut() {
	places := slices.SortedFunc(maps.Keys(b.written), func(x, y Span) int { return x.Pos.Offset - y.Pos.Offset })
	for _, at := range places {
		w := b.written[at]
		if w.turns <= manyTurns {
			continue
		}
		b.warn(at, w.why.Help, "this loop is written out, %d turns in all, and takes long to compile: %s", w.turns, w.why.Message)
	}
}
