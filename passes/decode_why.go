package passes

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"mdlc/ir"
)

// Recomputes says why a generation computes from the whole prefix in each turn, or much of it for all elements so far.
type Recomputes struct {
	Pos   ir.Pos // in the file of the generation, where there is such a place
	What  string // of a turn
	Notes []string
	Help  string // "": there is none

	at *ir.Node // what has to be made again
	s  *settler // nil: what is wrong is at Pos
}

// whole is that every turn computes from the whole prefix, because of what stands at a place.
func whole(at ir.Pos, why string) *Recomputes {
	return &Recomputes{Pos: at, What: "computes from the whole prefix: " + why}
}

func (r *Recomputes) Error() string { return fmt.Sprintf("%s: %s", r.Pos, r.What) }

// Text is a warning: a line, and others that begin with `  = `.
func (r *Recomputes) Text() string {
	text := fmt.Sprintf("%s: warning: each turn of `generate` %s", r.Pos, r.What)
	for _, n := range r.Notes {
		text += "\n  = " + n
	}
	if r.Help != "" {
		text += "\n  = help: " + r.Help
	}
	return text
}

// explain finds what r.at has its later elements from, and where the model's file comes to it. What stands
// in other files, as the library does, is told in a note.
func (r *Recomputes) explain(file string) {
	if r.s == nil {
		return
	}
	made, cause := r.Pos, r.s.cause(r.at, map[*ir.Node]bool{})
	what, help := whyUnsettled(cause)
	r.Notes, r.Help = append(r.Notes, what), help
	users := r.s.users()
	here, ok := placeIn(file, r.at, users)
	if from, found := placeIn(file, cause, users); found && from != here {
		r.Notes[len(r.Notes)-1] += fmt.Sprintf(", at %s", from)
	}
	if ok && here != made {
		r.Pos = here
		r.Notes = append(r.Notes, fmt.Sprintf("the place in the library is %s", made))
	}
}

// whyUnsettled says what it is in n, whose operands are settled, that changes as elements come, and what to write instead.
func whyUnsettled(n *ir.Node) (what, help string) {
	const upTo = "what an element has of those up to it stays as it is: `mean[s where s <= t] x[b, s, d]`, causal attention (`causal: true`), a loop `for t in T`"
	switch a := n.Attr.(type) {
	case ir.ReduceAttr:
		return fmt.Sprintf("the %s of all elements so far changes with each that comes", a.Kind), upTo
	case ir.DotAttr:
		return "the sum of products over all elements so far changes with each that comes", upTo
	case ir.IndexAttr:
		return "a later element is read", "read earlier ones, as in `x[b, t - 1, d | 0]`: what an element has of those up to it stays as it is"
	case ir.BitsAttr:
		return "each turn draws anew", "draw once, before the `generate`"
	case ir.LoopAttr:
		return "a loop goes over all elements so far", upTo
	}
	return n.Op.Name + " changes with each element that comes", upTo
}

// cause is what makes n change as elements come: it, or the first of what it is made of, that does and whose operands do not.
func (s *settler) cause(n *ir.Node, seen map[*ir.Node]bool) *ir.Node {
	seen[n] = true
	for _, x := range s.madeOf(n) {
		if !seen[x] && !x.Type.IsTuple() && !s.settled(x) {
			return s.cause(x, seen)
		}
	}
	return n
}

// madeOf is what n is computed from, through loops.
func (s *settler) madeOf(n *ir.Node) []*ir.Node {
	switch a := n.Attr.(type) {
	case ir.GetAttr:
		if l := n.Args[0]; isLoop(l) {
			return []*ir.Node{l.Regions[0].Results[a.I].Value}
		}
	case ir.ParamAttr:
		r := s.origins[n]
		if r.of == nil || r.of == s.loop || r.arg == nil {
			return nil
		}
		if r.kind == fromCarry {
			return []*ir.Node{r.arg, r.of.Regions[0].Results[r.i].Value}
		}
		return []*ir.Node{r.arg}
	}
	return n.Args
}

// users is what each value of the body goes into, through loops.
func (s *settler) users() map[*ir.Node][]*ir.Node {
	out := map[*ir.Node][]*ir.Node{}
	eachNode(s.loop.Regions[0], func(n *ir.Node) {
		for _, x := range s.madeOf(n) {
			out[x] = append(out[x], n)
		}
	})
	return out
}

// placeIn is the first place in a file that n stands at or goes into.
func placeIn(file string, n *ir.Node, users map[*ir.Node][]*ir.Node) (ir.Pos, bool) {
	seen := map[*ir.Node]bool{n: true}
	for next := []*ir.Node{n}; len(next) > 0; next = next[1:] {
		if strings.TrimSpace(file) != "" && next[0].Pos.File == file {
			return next[0].Pos, true
		}
		for _, u := range users[next[0]] {
			if !seen[u] {
				seen[u] = true
				next = append(next, u)
			}
		}
	}
	return ir.Pos{}, false
}

// work is what those operations of a step take, as the op table has it, that take longer the more elements there are: of values that
// change as elements come, which are made for all elements so far in every turn, and of all others.
type work struct {
	anew, rest float64
	most       float64  // of one value made anew,
	n          *ir.Node // which is this
}

// count adds the work of v, a part of n.
func (f *frame) count(n *ir.Node, at axes, v *ir.Node) {
	if v.Type.IsTuple() || !f.goesOverRows(n, at) {
		return
	}
	took := f.times() * n.Op.Cost(n) * float64(v.Type.Size())
	if n.Op.Class == ir.ClassDot || at != 0 || f.along || f.rows(n.Type) == 0 || f.settled(n) {
		f.work.rest += took
		return
	}
	f.work.anew += took
	if took > f.work.most {
		f.work.most, f.work.n = took, n
	}
}

// goesOverRows reports whether n at the row, along the axes at, is made of all rows, or is a value for all of them.
func (f *frame) goesOverRows(n *ir.Node, at axes) bool {
	own := f.rows(n.Type)
	return own&^at != 0 || slices.ContainsFunc(n.Args, func(x *ir.Node) bool {
		return !x.Type.IsTuple() && bits.OnesCount64(uint64(f.rows(x.Type))) > bits.OnesCount64(uint64(own))
	})
}

// times is how often a step runs the operations of f: once for each layer around.
func (f *frame) times() float64 {
	n := 1.0
	for g := f; g.loop != nil; g = g.outer {
		if turns, ok := g.loop.Attr.(ir.LoopAttr).Count.Const(); ok && !g.along {
			n *= float64(turns)
		}
	}
	return n
}

// mostlyAnew is that of what a step at full length does for all elements so far far the most is made anew. Some of it
// is in many steps that are worth it, as the weights that one query gives to all keys.
func (d *decoder) mostlyAnew() *Recomputes {
	if d.work.anew <= 2*d.work.rest {
		return nil
	}
	return &Recomputes{Pos: d.work.n.Pos, What: "computes this for all elements so far", at: d.work.n, s: d.settler}
}
