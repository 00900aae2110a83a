package index

import (
	"fmt"
	"slices"
)

// Need is what must hold of some lengths: E is not negative, in all turns of some loops in which nothing of When is negative.
// Text says what is wrong where E is, with a %v for each of Values.
type Need struct {
	E      *Expr
	When   []*Expr `json:",omitempty"`
	Turns  []Turn  `json:",omitempty"` // the loops, outermost first
	Text   string
	Values []*Expr `json:",omitempty"`
}

// Turn is the turn of a loop, 0 to Count - 1.
type Turn struct {
	Name  string
	Count *Expr
}

// Broken looks for turns in which n does not hold, and says what is wrong in the first. Of lengths that are no turns env knows the values.
func (n *Need) Broken(env func(name string) int) (text string, broken bool) {
	return n.brokenIn(n.Turns, env)
}

func (n *Need) brokenIn(turns []Turn, env func(string) int) (string, bool) {
	if n.sure(turns, env) {
		return "", false
	}
	if len(turns) > 0 {
		turn := 0
		inner := func(name string) int {
			if name == turns[0].Name {
				return turn
			}
			return env(name)
		}
		for count := turns[0].Count.Eval(env); turn < count; turn++ {
			if text, broken := n.brokenIn(turns[1:], inner); broken {
				return text, true
			}
		}
		return "", false
	}
	for _, e := range n.When {
		if e.Eval(env) < 0 {
			return "", false
		}
	}
	if n.E.Eval(env) >= 0 {
		return "", false
	}
	values := make([]any, len(n.Values))
	for i, e := range n.Values {
		values[i] = e.Eval(env)
	}
	return fmt.Sprintf(n.Text, values...), true
}

// sure reports whether n is seen to hold in all of turns without a look at each of them, of which there may be many.
func (n *Need) sure(turns []Turn, env func(string) int) bool {
	last := map[string]int{}
	bound := func(name string) (lo, hi int) {
		if k, ok := last[name]; ok {
			return 0, k
		}
		k := env(name)
		return k, k
	}
	for _, t := range turns {
		_, most := t.Count.Range(bound)
		last[t.Name] = max(most-1, 0)
	}
	least, _ := n.E.Range(bound)
	return least >= 0 || slices.ContainsFunc(n.When, func(e *Expr) bool {
		_, most := e.Range(bound)
		return most < 0
	})
}

// Equal reports whether n and o say the same of the same turns.
func (n *Need) Equal(o *Need) bool {
	sameTurn := func(t, u Turn) bool { return t.Name == u.Name && Equal(t.Count, u.Count) }
	return n.Text == o.Text && Equal(n.E, o.E) && slices.EqualFunc(n.When, o.When, Equal) && slices.EqualFunc(n.Turns, o.Turns, sameTurn) && slices.EqualFunc(n.Values, o.Values, Equal)
}

// Subst puts e for a variable of n.
func (n *Need) Subst(name string, e *Expr) {
	put := func(x *Expr) *Expr {
		return x.Subst(func(v string) *Expr {
			if v == name {
				return e
			}
			return nil
		})
	}
	all := func(xs []*Expr) []*Expr {
		var out []*Expr
		for _, x := range xs {
			out = append(out, put(x))
		}
		return out
	}
	n.E, n.When, n.Values = put(n.E), all(n.When), all(n.Values)
	n.Turns = append([]Turn(nil), n.Turns...)
	for i, t := range n.Turns {
		n.Turns[i].Count = put(t.Count)
	}
}

// Exprs calls f with every expression of n, the counts of its loops among them.
func (n *Need) Exprs(f func(*Expr)) {
	f(n.E)
	for _, e := range n.When {
		f(e)
	}
	for _, t := range n.Turns {
		f(t.Count)
	}
	for _, e := range n.Values {
		f(e)
	}
}
