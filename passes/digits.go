package passes

import (
	"sort"

	"mdlc/ir/index"
)

// digit is a piece of a variable in mixed radix: (v / cut) % n.
type digit struct {
	v      string
	cut, n int
	top    bool // the most significant digit of v
}

// place is a digit with its weight in a sum.
type place struct {
	weight, digit int
}

// linear is offset + the sum of its places.
type linear struct {
	offset int
	places []place
	solved bool // by invert
}

// radix is a list of index expressions, each a weighted sum of digits of the
// variables: (i/8, i%8) has the digits (i/8)%n and i%8 of i. It is how the
// passes look into maps: which are bijections, which can be inverted.
type radix struct {
	digits []digit
	sums   []linear
}

// variable is a map's variable and its size.
type variable struct {
	name  string
	size  int
	whole bool  // its runtime length forbids taking it apart
	cuts  []int // at which to take it apart even if no map does
}

// newRadix takes maps apart. It fails on products of variables, min, max,
// data-dependent indices, and digits that do not nest.
func newRadix(maps []*index.Expr, vars []variable) (*radix, bool) {
	r := &radix{}
	pieces := make([][]piece, len(maps))
	cuts := map[string][]int{}
	for _, v := range vars {
		cuts[v.name] = append([]int{1}, v.cuts...)
	}
	for i, e := range maps {
		p, ok := piecesOf(e)
		if !ok {
			return nil, false
		}
		pieces[i] = p
		for _, x := range p {
			if x.v == "" {
				continue
			}
			if _, known := cuts[x.v]; !known {
				return nil, false
			}
			cuts[x.v] = append(cuts[x.v], x.cut)
			if x.n > 0 {
				cuts[x.v] = append(cuts[x.v], x.cut*x.n)
			}
		}
	}
	first := map[string]int{}
	for _, v := range vars {
		first[v.name] = len(r.digits)
		if !r.cut(v, cuts[v.name]) {
			return nil, false
		}
	}
	for _, ps := range pieces {
		var l linear
		for _, x := range ps {
			if x.v == "" {
				l.offset += x.weight
				continue
			}
			for d := first[x.v]; d < len(r.digits) && r.digits[d].v == x.v; d++ {
				if r.digits[d].n == 1 {
					continue // always 0
				}
				if c := r.digits[d].cut; c >= x.cut && (x.n == 0 || c < x.cut*x.n) {
					l.places = append(l.places, place{x.weight * (c / x.cut), d})
				}
			}
		}
		l.collect()
		r.sums = append(r.sums, l)
	}
	return r, true
}

// cut adds the digits of v, least significant first.
func (r *radix) cut(v variable, cuts []int) bool {
	sort.Ints(cuts)
	kept := cuts[:1]
	for _, c := range cuts[1:] {
		last := kept[len(kept)-1]
		if c == last || c >= v.size {
			continue
		}
		if c%last != 0 {
			return false
		}
		kept = append(kept, c)
	}
	if v.whole && len(kept) > 1 {
		return false
	}
	for i, c := range kept {
		d := digit{v: v.name, cut: c, top: i == len(kept)-1}
		if d.top {
			d.n = (v.size + c - 1) / c
		} else {
			d.n = kept[i+1] / c
		}
		r.digits = append(r.digits, d)
	}
	return true
}

// collect adds up equal digits.
func (l *linear) collect() {
	sort.SliceStable(l.places, func(i, j int) bool { return l.places[i].digit < l.places[j].digit })
	var out []place
	for _, p := range l.places {
		if n := len(out); n > 0 && out[n-1].digit == p.digit {
			out[n-1].weight += p.weight
			continue
		}
		out = append(out, p)
	}
	l.places = out[:0]
	for _, p := range out {
		if p.weight != 0 {
			l.places = append(l.places, p)
		}
	}
}

// piece is weight * ((v / cut) % n), n = 0: no remainder is taken; v = "": the constant weight.
type piece struct {
	v      string
	cut, n int
	weight int
}

func piecesOf(e *index.Expr) ([]piece, bool) {
	terms := []*index.Expr{e}
	if e.Op == index.Add {
		terms = e.Args
	}
	var out []piece
	for _, t := range terms {
		if k, ok := t.Const(); ok {
			out = append(out, piece{weight: k})
			continue
		}
		w := 1
		if t.Op == index.Mul {
			k, ok := t.Args[1].Const()
			if !ok {
				return nil, false
			}
			w, t = k, t.Args[0]
		}
		p, ok := pieceOf(t)
		if !ok {
			return nil, false
		}
		p.weight = w
		out = append(out, p)
	}
	return out, true
}

func pieceOf(e *index.Expr) (piece, bool) {
	switch e.Op {
	case index.Var:
		return piece{v: e.Name, cut: 1}, true
	case index.Div, index.Mod:
		d, ok := e.Args[1].Const()
		p, ok2 := pieceOf(e.Args[0])
		if !ok || !ok2 || d <= 0 || p.n%d != 0 {
			return piece{}, false
		}
		if e.Op == index.Mod {
			p.n = d
			return p, true
		}
		p.cut *= d
		p.n /= d
		return p, true
	}
	return piece{}, false
}

// bijective reports whether the sums, as indices into an array of the given
// sizes, visit each of its elements exactly once.
func (r *radix) bijective(vars []variable, sizes []int) bool {
	points, volume := 1, 1
	for _, v := range vars {
		points *= v.size
	}
	for _, n := range sizes {
		volume *= n
	}
	if points != volume {
		return false
	}
	seen := make([]bool, len(r.digits))
	for i, l := range r.sums {
		places := append([]place(nil), l.places...)
		sort.SliceStable(places, func(i, j int) bool { return places[i].weight < places[j].weight })
		span := 1
		for _, p := range places {
			if seen[p.digit] || p.weight != span {
				return false
			}
			seen[p.digit] = true
			span *= r.digits[p.digit].n
		}
		if l.offset != 0 || span != sizes[i] {
			return false
		}
	}
	return true
}
