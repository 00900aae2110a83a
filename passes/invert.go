package passes

import (
	"fmt"
	"slices"
	"sort"

	"mdlc/ir/index"
)

// inverse is the preimage of a map: the element at t of the source lands at r
// exactly if t = source(r, free) is inside the source for some value of the
// free variables, each of which runs over 0..size-1.
//
//	t -> t + d (a window)     : source r - d, free d
//	t -> t*2 + d              : source r/2 - f0 and f0*2 + r%2, free f0
//	t -> t*2 + d*4            : source r/2 - d*2 outside unless r%2 = 0, free d
//	t -> t/8, t%8 (a reshape) : source r0*8 + r1
//	t -> 0                    : source f0, free f0 (a broadcast; valid only at r = 0)
//	t -> (t + d)/2            : source 2*r + f0 - d, free d and f0 (a window over what was upsampled)
type inverse struct {
	source []*index.Expr // one for each variable of the map
	free   []variable    // named free.0, …
	of     []int         // for each free variable the map's variable that it is all of, or -1
}

// invert finds the preimage of the map vars -> maps into an array of the given
// sizes; at holds the names of the result's indices.
func invert(maps []*index.Expr, vars []variable, sizes []int, at []string) (*inverse, bool) {
	in := &inverse{}
	maps, targets, guards := in.lift(maps, at, sizes)
	r, ok := newRadix(maps, vars)
	if !ok {
		return nil, false
	}
	owner := r.owners()
	if finer, ok := newRadix(maps, r.residues(vars, owner)); ok {
		r, owner = finer, finer.owners()
	}
	value := make([]*index.Expr, len(r.digits)) // of each digit
	for d, g := range r.digits {
		if g.n == 1 {
			value[d] = index.C(0)
		} else if owner[d] < 0 {
			name := fmt.Sprintf("free.%d", len(in.free))
			value[d] = index.V(name)
			in.free = append(in.free, variable{name: name, size: g.n})
			in.of = append(in.of, r.wholeVariable(d, vars))
		}
	}
	bound := bounds(in.free, at, sizes)
	for left := len(r.sums); left > 0; left-- { // a sum waits for the digits that others determine
		i := r.ready(owner, value)
		if i < 0 {
			return nil, false
		}
		rest := index.Sub(targets[i], index.C(r.sums[i].offset))
		var mine []place
		for _, p := range r.sums[i].places {
			if owner[p.digit] == i {
				mine = append(mine, p)
			} else {
				rest = index.Sub(rest, index.Prod(value[p.digit], index.C(p.weight)))
			}
		}
		guards = append(guards, r.solve(mine, rest, value, bound)...)
		r.sums[i].solved = true
	}
	in.source = make([]*index.Expr, len(vars))
	for i, v := range vars {
		e := index.C(0)
		for d, g := range r.digits {
			if g.v == v.name {
				e = index.Sum(e, index.Prod(value[d], index.C(g.cut)))
			}
		}
		in.source[i] = e.SimplifyIn(bound)
	}
	return in, in.guard(guards, vars, bound)
}

// lift replaces quotients of sums, which have no digits: the map (t + d)/m + c is at r exactly if t + d is m*(r - c)
// plus its remainder, which another map gives, or else a free variable runs over. guards are not negative; a point is in
// the preimage where all are 0.
func (in *inverse) lift(maps []*index.Expr, at []string, sizes []int) (lifted, targets, guards []*index.Expr) {
	remainders := map[string]int{}
	for i, e := range maps {
		remainders[e.String()] = i
	}
	gone := map[int]bool{}
	targets = make([]*index.Expr, len(maps))
	lifted = append(lifted, maps...)
	for i, e := range maps {
		targets[i] = index.V(at[i])
		sum, m, c := quotientOfSum(e)
		if sum == nil {
			continue
		}
		j, given := remainders[index.Rem(sum, index.C(m)).String()]
		var rest *index.Expr
		if given {
			rest = index.V(at[j])
			gone[j] = true
			if sizes[j] > m {
				guards = append(guards, index.Quo(rest, index.C(m)))
			}
		} else {
			rest = index.V(fmt.Sprintf("free.%d", len(in.free)))
			in.free = append(in.free, variable{name: rest.Name, size: m})
			in.of = append(in.of, -1)
		}
		lifted[i] = sum
		targets[i] = index.Sum(index.Prod(index.Sub(targets[i], index.C(c)), index.C(m)), rest)
	}
	n := 0
	for i := range maps {
		if !gone[i] {
			lifted[n], targets[n] = lifted[i], targets[i]
			n++
		}
	}
	return lifted[:n], targets[:n], guards
}

// quotientOfSum takes sum/m + c apart, where the sum has several terms; nil where e is something else.
func quotientOfSum(e *index.Expr) (sum *index.Expr, m, c int) {
	if e.Op == index.Add && len(e.Args) == 2 {
		if k, ok := e.Args[1].Const(); ok {
			e, c = e.Args[0], k
		}
	}
	if e.Op != index.Div || e.Args[0].Op != index.Add {
		return nil, 0, 0
	}
	m, ok := e.Args[1].Const()
	if !ok || m < 1 {
		return nil, 0, 0
	}
	return e.Args[0], m, c
}

// ready gives the first sum not solved that needs no digit without a value, or -1.
func (r *radix) ready(owner []int, value []*index.Expr) int {
	for i, l := range r.sums {
		wait := l.solved
		for _, p := range l.places {
			wait = wait || owner[p.digit] != i && value[p.digit] == nil
		}
		if !wait {
			return i
		}
	}
	return -1
}

// owners gives for each digit the sum that determines it, or -1 where it has to
// be enumerated: it is in no sum, or its sum would not be injective with it.
// Of digits that overlap the one with fewer values to enumerate is, or the one with the smaller weight.
func (r *radix) owners() []int {
	owner := make([]int, len(r.digits))
	for d := range owner {
		owner[d] = -1
	}
	for i, l := range r.sums {
		var ps []place
		for _, p := range l.places {
			if owner[p.digit] < 0 {
				ps = append(ps, p)
			}
		}
		sort.SliceStable(ps, func(a, b int) bool { return abs(ps[a].weight) < abs(ps[b].weight) })
		for bad := r.overlap(ps); bad >= 0; bad = r.overlap(ps) {
			least := bad
			for j := range ps[:bad] {
				if r.terms(ps[:bad+1], j) <= r.terms(ps[:bad+1], least) && r.inTheWay(ps[:bad+1], j) {
					least = j
				}
			}
			ps = append(ps[:least:least], ps[least+1:]...)
		}
		for _, p := range ps {
			owner[p.digit] = i
		}
	}
	return owner
}

// terms is how many values of the digit at the j-th of the places are to be enumerated, where residues leaves only steps of the others to it.
func (r *radix) terms(ps []place, j int) int {
	n, most := r.digits[ps[j].digit].n, 1
	for _, q := range ps {
		if step := abs(q.weight) / abs(ps[j].weight); q.weight%ps[j].weight == 0 && step < n {
			most = max(most, step)
		}
	}
	return (n + most - 1) / most
}

// inTheWay reports whether the last of the places (ascending weights) is reached by the j-th alone, or by none of them alone.
func (r *radix) inTheWay(ps []place, j int) bool {
	last := abs(ps[len(ps)-1].weight)
	reaches := func(p place) bool { return abs(p.weight)*(r.digits[p.digit].n-1) >= last }
	return reaches(ps[j]) || !slices.ContainsFunc(ps[:len(ps)-1], reaches)
}

// residues cuts variables whose digits would be enumerated where another digit of their sum steps over several of their
// values: the sum's remainder tells which of these it is, and only the steps are left to enumerate. Of the sum t*2 + d, where d
// has 5 values, d is f*2 + r%2, and t is r/2 - f: so 3 terms are left, where (r - d)/2 has 5, half of them outside.
func (r *radix) residues(vars []variable, owner []int) []variable {
	vars = slices.Clone(vars)
	for i, l := range r.sums {
		for _, p := range l.places {
			for _, q := range l.places {
				step, g := abs(q.weight)/abs(p.weight), r.digits[p.digit]
				if owner[p.digit] >= 0 || owner[q.digit] != i || q.weight%p.weight != 0 || step == 1 || step >= g.n {
					continue
				}
				at := slices.IndexFunc(vars, func(v variable) bool { return v.name == g.v })
				vars[at].cuts = append(vars[at].cuts, g.cut*step)
			}
		}
	}
	return vars
}

// overlap gives the first place (ascending weights) that the ones before it reach, or -1.
func (r *radix) overlap(ps []place) int {
	span := 1
	for i, p := range ps {
		w := abs(p.weight)
		if w < span {
			return i
		}
		span += w * (r.digits[p.digit].n - 1)
	}
	return -1
}

// solve gives value to the digits of the places, whose weighted sum is rest.
func (r *radix) solve(ps []place, rest *index.Expr, value []*index.Expr, bound func(string) (int, int)) (guards []*index.Expr) {
	sort.SliceStable(ps, func(a, b int) bool { return abs(ps[a].weight) > abs(ps[b].weight) })
	for _, p := range ps { // weight*t = weight*(n-1) + |weight|*(n-1-t) for a negative weight
		if p.weight < 0 {
			rest = index.Sum(rest, index.C(-p.weight*(r.digits[p.digit].n-1)))
		}
	}
	for _, p := range ps {
		n, w := r.digits[p.digit].n, index.C(abs(p.weight))
		t := index.Quo(rest, w).SimplifyIn(bound)
		rest = index.Rem(rest, w).SimplifyIn(bound)
		// The top digit of a variable is checked by the bounds of the source, unless a smaller
		// digit of the same variable is out of range with it.
		if lo, hi := t.Range(bound); (lo < 0 || hi >= n) && !r.digits[p.digit].top {
			over := index.Quo(t, index.C(n))
			guards = append(guards, index.Most(over, index.Prod(over, index.C(-1))))
		}
		if p.weight < 0 {
			t = index.Sub(index.C(n-1), t)
		}
		value[p.digit] = t
	}
	if lo, hi := rest.Range(bound); lo != 0 || hi != 0 {
		guards = append(guards, index.Most(rest, index.Prod(rest, index.C(-1))))
	}
	return guards
}

// guard moves the source outside where a guard is not 0.
func (in *inverse) guard(guards []*index.Expr, vars []variable, bound func(string) (int, int)) bool {
	if len(guards) == 0 {
		return true
	}
	best := -1
	for i, v := range vars {
		if !v.whole && (best < 0 || in.source[best].Op == index.Var) {
			best = i
		}
	}
	if best < 0 {
		return false
	}
	in.source[best] = pushOutside(in.source[best], vars[best].size, index.Sum(guards...), bound)
	return true
}

// pushOutside gives an index that is e where g is 0 and outside 0..n-1 where g
// is positive: the way to say "nothing here" in a map.
func pushOutside(e *index.Expr, n int, g *index.Expr, bound func(string) (int, int)) *index.Expr {
	g = g.SimplifyIn(bound)
	if g.IsConst(0) {
		return e
	}
	lo, _ := e.Range(bound)
	return index.Sum(e, index.Prod(g, index.C(n-min(lo, 0))))
}

func (r *radix) wholeVariable(d int, vars []variable) int {
	for i, v := range vars {
		if g := r.digits[d]; v.name == g.v && g.cut == 1 && g.top {
			return i
		}
	}
	return -1
}

// bounds gives the ranges of free variables and of the result's indices.
func bounds(free []variable, at []string, sizes []int) func(string) (int, int) {
	size := map[string]int{}
	for _, v := range free {
		size[v.name] = v.size
	}
	for i, name := range at {
		size[name] = sizes[i]
	}
	return func(name string) (int, int) {
		if n, ok := size[name]; ok {
			return 0, n - 1
		}
		return -1 << 40, 1 << 40
	}
}

func abs(x int) int { return max(x, -x) }
