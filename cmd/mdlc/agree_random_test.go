package main

import (
	"fmt"
	"math"
	"math/rand"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"
)

// named is a value of a random model. |x| <= bound. An exact value is the same
// in f32 and in float64, so that conditions may depend on it.
type named struct {
	name   string
	dims   []int
	bound  float64
	exact  bool
	whole  bool // i32
	source bool // a draw or a parameter, which gradients are taken by
}

// index is an index variable in scope: 0 <= name < size.
type indexVar struct {
	name string
	size int
}

// modelWriter writes random models: draws, whole-array operators, index notation
// with shifts and gathers, reducers, loops, branches, slots, gradients, minimize and
// `every`. What they compute ends in states and reports.
type modelWriter struct {
	r       *rand.Rand
	b       strings.Builder
	head    strings.Builder
	values  []named
	turns   []indexVar
	count   int
	indent  string
	states  []named
	forward bool // no gradients here
}

var modelSizes = []int{1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33}

func (w *modelWriter) line(format string, args ...any) {
	fmt.Fprintf(&w.b, w.indent+format+"\n", args...)
}

func (w *modelWriter) fresh(prefix string) string {
	w.count++
	return fmt.Sprint(prefix, w.count)
}

func (w *modelWriter) one(of ...string) string { return of[w.r.Intn(len(of))] }

func (w *modelWriter) size() int { return modelSizes[w.r.Intn(len(modelSizes))] }

func size(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

func dimsText(dims []int) string {
	return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(dims)), ", "), " ")
}

// pick is a value that fits, or nil.
func (w *modelWriter) pick(fits func(v *named) bool) *named {
	from := w.r.Intn(len(w.values))
	for i := range w.values {
		v := &w.values[(from+i)%len(w.values)]
		if fits(v) {
			return v
		}
	}
	return nil
}

func (w *modelWriter) float() *named { return w.pick(func(v *named) bool { return !v.whole }) }

func (w *modelWriter) add(v named, format string, args ...any) {
	v.name = w.fresh("v")
	expr := fmt.Sprintf(format, args...)
	if v.bound > 20 && !v.whole {
		expr, v.bound, v.exact = fmt.Sprintf("(%s) * %g", expr, 4/v.bound), 4, false
	}
	w.line("%s = %s", v.name, expr)
	w.values = append(w.values, v)
}

func (w *modelWriter) draw() {
	rank := w.r.Intn(4)
	var dims []int
	for range rank {
		dims = append(dims, w.size())
	}
	for size(dims) > 600 {
		dims[w.r.Intn(rank)] = 1 + w.r.Intn(4)
	}
	if rank == 0 {
		dims = []int{w.size() * 3}
	}
	name := w.fresh("v")
	switch w.r.Intn(5) {
	case 0:
		n := 1 + w.r.Intn(9)
		w.line("%s ~ integers(0, %d)%s", name, n, dimsText(dims))
		w.values = append(w.values, named{name: name, dims: dims, bound: float64(n), exact: true, whole: true})
	case 1:
		w.line("%s ~ normal%s", name, dimsText(dims))
		w.values = append(w.values, named{name: name, dims: dims, bound: 6, source: true})
	default:
		w.line("%s ~ uniform%s", name, dimsText(dims))
		w.values = append(w.values, named{name: name, dims: dims, bound: 1, exact: true, source: true})
	}
}

// unary is a function of one number; x is text.
func (w *modelWriter) unary(x string, v *named) {
	type f struct {
		text  string
		bound float64
		exact bool
	}
	all := []f{
		{"tanh(%s)", 1, false}, {"sigmoid(%s)", 1, false}, {"relu(%s)", v.bound, v.exact}, {"gelu(%s)", v.bound, false},
		{"softplus(%s)", v.bound + 1, false}, {"abs(%s)", v.bound, v.exact}, {"sin(%s)", 1, false}, {"cos(3 * %s)", 1, false},
		{"silu(%s)", v.bound, false}, {"(%s)^2", v.bound * v.bound, false}, {"sqrt(abs(%s) + 0.1)", math.Sqrt(v.bound + 0.1), false},
		{"rsqrt(%s^2 + 0.5)", 2, false}, {"1 / (1 + %s^2)", 1, false}, {"erf(%s)", 1, false}, {"log(1.5 + abs(%s))", v.bound + 1, false},
		{"-(%s)", v.bound, v.exact}, {"%s * 0.5", v.bound / 2, v.exact}, {"exp(-abs(%s))", 1, false}, {"%s^3", v.bound * v.bound * v.bound, false},
		{"leaky_relu(%s)", v.bound, false}, {"expm1(min(%s, 1))", 2, false},
	}
	if v.exact {
		all = append(all, f{"sign(%s - 0.5)", 1, true}, f{"floor(4 * %s)", 4 * v.bound, true}, f{"round(%s * 3)", 3*v.bound + 1, true})
	}
	c := all[w.r.Intn(len(all))]
	w.add(named{dims: v.dims, bound: c.bound, exact: c.exact}, c.text, x)
}

func sameDims(a, b []int) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

func (w *modelWriter) binary() {
	a := w.float()
	if a == nil {
		return
	}
	b := w.pick(func(v *named) bool { return sameDims(a.dims, v.dims) })
	text, dims := b.name, a.dims
	if w.r.Intn(3) == 0 { // broadcast one axis
		v := w.pick(func(v *named) bool { return len(v.dims) > 0 && len(v.dims) < len(a.dims) && !v.whole })
		if v != nil {
			for at := range len(a.dims) - len(v.dims) + 1 {
				if sameDims(a.dims[at:at+len(v.dims)], v.dims) {
					b = v
					text = v.name + "[" + strings.Repeat(":, ", len(v.dims))[:3*len(v.dims)-2] + strings.Repeat(", none", len(a.dims)-at-len(v.dims)) + "]"
				}
			}
		}
	}
	both := a.exact && b.exact
	switch w.r.Intn(8) {
	case 0, 1:
		w.add(named{dims: dims, bound: a.bound + b.bound}, "%s + %s", a.name, text)
	case 2, 3:
		w.add(named{dims: dims, bound: a.bound * b.bound}, "%s * %s", a.name, text)
	case 4:
		w.add(named{dims: dims, bound: a.bound + b.bound}, "%s - %s", a.name, text)
	case 5:
		w.add(named{dims: dims, bound: a.bound * 2}, "%s / (abs(%s) + 0.5)", a.name, text)
	case 6:
		w.add(named{dims: dims, bound: max(a.bound, b.bound), exact: both}, "%s(%s, %s)", w.one("max", "min"), a.name, text)
	default:
		if both {
			w.add(named{dims: dims, bound: max(a.bound, 1)}, "where %s %s %s then %s else 0.25", a.name, w.one("<", ">=", ">"), text, a.name)
		} else {
			w.add(named{dims: dims, bound: max(a.bound, b.bound)}, "lerp(%s, %s, 0.25)", a.name, text)
		}
	}
}

// at is an index expression in 0 .. n-1, or any one where it may be outside.
func (w *modelWriter) at(vars []indexVar, n int, outside bool) string {
	var fit, some []string
	for _, v := range vars {
		some = append(some, v.name)
		if v.size <= n {
			fit = append(fit, v.name, v.name, fmt.Sprintf("%d - %s", n-1, v.name))
		}
		if v.size < n {
			fit = append(fit, fmt.Sprintf("%s + %d", v.name, n-v.size))
		}
		if (v.size-1)/2 < n {
			fit = append(fit, v.name+" div 2")
		}
		if v.size*2-1 <= n {
			fit = append(fit, "2 * "+v.name)
		}
		fit = append(fit, fmt.Sprintf("%s %% %d", v.name, n), fmt.Sprintf("(%s + %d) %% %d", v.name, w.r.Intn(n+1), n))
	}
	if outside && len(some) > 0 {
		a, b := some[w.r.Intn(len(some))], some[w.r.Intn(len(some))]
		return []string{
			fmt.Sprintf("%s - %d", a, 1+w.r.Intn(3)), fmt.Sprintf("%s + %d", a, w.r.Intn(4)), fmt.Sprintf("%s + %s - 1", a, b),
			fmt.Sprintf("2 * %s + %s - 2", a, b), fmt.Sprintf("%s - %s", a, b), fmt.Sprintf("3 * %s - 1", a), fmt.Sprintf("(%s + 1 - %s) div 2", a, b),
			fmt.Sprintf("%d - %s", w.r.Intn(n+1), a),
		}[w.r.Intn(8)]
	}
	if w.r.Intn(6) == 0 { // a gather
		if k := w.pick(func(v *named) bool { return v.whole && len(v.dims) > 0 && v.bound <= float64(n) }); k != nil {
			text, _ := w.access(vars, k, false)
			return text
		}
	}
	if len(fit) == 0 || w.r.Intn(12) == 0 {
		return strconv.Itoa(w.r.Intn(n))
	}
	return fit[w.r.Intn(len(fit))]
}

func (w *modelWriter) access(vars []indexVar, v *named, outside bool) (string, bool) {
	if len(v.dims) == 0 {
		return v.name, v.exact
	}
	var parts []string
	for _, n := range v.dims {
		parts = append(parts, w.at(vars, n, outside && w.r.Intn(2) == 0))
	}
	text := v.name + "[" + strings.Join(parts, ", ")
	if outside {
		text += " | " + w.one("0", "0.5", "-1")
	}
	return text + "]", v.exact
}

func (w *modelWriter) condition(vars []indexVar) string {
	if len(vars) > 0 && w.r.Intn(3) > 0 {
		a, b := vars[w.r.Intn(len(vars))], vars[w.r.Intn(len(vars))]
		return []string{
			fmt.Sprintf("%s <= %s", a.name, b.name), fmt.Sprintf("%s != %d", a.name, w.r.Intn(a.size)), fmt.Sprintf("(%s + %s) %% 2 == 0", a.name, b.name),
			fmt.Sprintf("%s > %d", a.name, w.r.Intn(a.size)), fmt.Sprintf("%s < %s and %s != 1", a.name, b.name, a.name),
		}[w.r.Intn(5)]
	}
	if v := w.pick(func(v *named) bool { return v.whole }); v != nil && len(vars) > 0 && w.r.Intn(2) == 0 { // in a sum often a scatter
		text, _ := w.access(vars, v, false)
		return text + " == " + vars[w.r.Intn(len(vars))].name + w.one("", " and 1 < 2", " and "+vars[0].name+" > 0")
	}
	v := w.pick(func(v *named) bool { return v.exact })
	if v == nil {
		return "1 < 2"
	}
	text, _ := w.access(vars, v, false)
	return fmt.Sprintf("%s %s %s", text, w.one("<", ">"), w.one("0.5", "1", "0.3"))
}

// scalar is a number in index notation, with |x| <= its bound.
func (w *modelWriter) scalar(vars []indexVar, depth int) (string, float64) {
	if depth == 0 || w.r.Intn(4) == 0 {
		v := w.float()
		if v == nil || w.r.Intn(15) == 0 {
			return w.one("0.5", "1", "-0.25"), 1
		}
		text, _ := w.access(vars, v, w.r.Intn(4) == 0)
		return text, max(1, v.bound)
	}
	switch w.r.Intn(8) {
	case 0:
		a, x := w.scalar(vars, depth-1)
		b, y := w.scalar(vars, depth-1)
		return fmt.Sprintf("(%s %s %s)", a, w.one("+", "-"), b), x + y
	case 1, 2:
		a, x := w.scalar(vars, depth-1)
		b, y := w.scalar(vars, depth-1)
		return fmt.Sprintf("%s * %s", a, b), x * y
	case 3:
		a, x := w.scalar(vars, depth-1)
		b, y := w.scalar(vars, depth-1)
		return fmt.Sprintf("(where %s then %s else %s)", w.condition(vars), a, b), max(x, y)
	case 4:
		a, _ := w.scalar(vars, depth-1)
		return fmt.Sprintf("%s(%s)", w.one("tanh", "sigmoid", "sin"), a), 1
	default:
		return w.reduced(vars, depth)
	}
}

func (w *modelWriter) reduced(vars []indexVar, depth int) (string, float64) {
	n := 1
	var bounds []string
	inner := append([]indexVar{}, vars...)
	for range 1 + w.r.Intn(2) {
		k := indexVar{w.fresh("k"), w.size()}
		if n*k.size > 70 {
			k.size = 3
		}
		n *= k.size
		inner = append(inner, k)
		bounds = append(bounds, fmt.Sprintf("%s < %d", k.name, k.size))
	}
	list := strings.Join(bounds, ", ")
	where := ""
	if w.r.Intn(3) == 0 {
		where = " where " + w.condition(inner)
	}
	x, b := w.scalar(inner, depth-1)
	switch w.r.Intn(8) {
	case 0:
		return fmt.Sprintf("max(-1, max[%s%s] (%s))", list, where, x), b
	case 1:
		return fmt.Sprintf("min(1, min[%s%s] (%s))", list, where, x), b
	case 2:
		return fmt.Sprintf("mean[%s] (%s)", list, x), b
	case 3:
		return fmt.Sprintf("max(-2, logsumexp[%s%s] (%s))", list, where, x), b + 5
	case 4:
		y, _ := w.scalar(inner, 0)
		return fmt.Sprintf("sum[%s%s] (%s) * %s / %d", list, where, x, y, n), b * 6
	default:
		return fmt.Sprintf("sum[%s%s] (%s) / %d", list, where, x, n), b
	}
}

func (w *modelWriter) indexed() {
	var vars []indexVar
	var left []string
	var dims []int
	for range w.r.Intn(4) {
		v := indexVar{w.fresh("i"), w.size()}
		if size(dims)*v.size > 400 {
			v.size = 2
		}
		dims = append(dims, v.size)
		vars = append(vars, v)
		left = append(left, fmt.Sprintf("%s < %d", v.name, v.size))
	}
	if len(vars) == 0 {
		x, b := w.scalar(w.turns, 2)
		if !strings.Contains(x, "v") {
			return
		}
		w.add(named{bound: b}, "%s", x)
		return
	}
	all := append(append([]indexVar{}, vars...), w.turns...)
	x, b := w.scalar(all, 3)
	v := named{name: w.fresh("v"), dims: dims, bound: b}
	if w.r.Intn(6) == 0 {
		k := vars[len(vars)-1]
		where := ""
		if w.r.Intn(2) == 0 {
			where = " where " + w.condition(all)
		}
		kind := w.one("softmax", "softmax", "cumsum")
		if where == "" { // of nothing they are -inf
			kind = w.one(kind, "cummax", "cumlogsumexp")
		}
		w.line("%s[%s] = %s[%s%s] (%s)", v.name, strings.Join(left, ", "), kind, k.name, where, x)
		v.bound = map[string]float64{"softmax": 1, "cumsum": b * float64(k.size), "cummax": b, "cumlogsumexp": b + math.Log(float64(k.size))}[kind]
	} else {
		if v.bound > 20 {
			x, v.bound = fmt.Sprintf("(%s) * %g", x, 4/b), 4
		}
		w.line("%s[%s] = %s", v.name, strings.Join(left, ", "), x)
	}
	w.values = append(w.values, v)
}

func (w *modelWriter) whole() {
	a := w.pick(func(v *named) bool { return !v.whole && len(v.dims) > 0 })
	if a == nil {
		return
	}
	k := w.r.Intn(len(a.dims))
	n := a.dims[k]
	without := append(append([]int{}, a.dims[:k]...), a.dims[k+1:]...)
	switch w.r.Intn(12) {
	case 0:
		w.add(named{dims: without, bound: a.bound}, "mean(%s, axis: %d)", a.name, k)
	case 1:
		w.add(named{dims: without, bound: a.bound * float64(n)}, "sum(%s, axis: %d)", a.name, k)
	case 2:
		w.add(named{dims: without, bound: a.bound, exact: a.exact}, "%s(%s, axis: %d)", w.one("max", "min"), a.name, k)
	case 3:
		w.add(named{dims: a.dims, bound: a.bound * 2}, "%s - mean(%s, axis: %d, keep: true)", a.name, a.name, k)
	case 4:
		w.add(named{dims: a.dims, bound: 1}, "softmax(%s, axis: %d)", a.name, k)
	case 5:
		w.add(named{dims: without, bound: a.bound + 5}, "logsumexp(%s, axis: %d)", a.name, k)
	case 6:
		if len(a.dims) > 1 {
			perm := append([]int{}, a.dims...)
			perm[len(perm)-1], perm[len(perm)-2] = perm[len(perm)-2], perm[len(perm)-1]
			w.add(named{dims: perm, bound: a.bound, exact: a.exact}, "transpose(%s)", a.name)
		}
	case 7:
		flat := []int{size(a.dims)}
		if flat[0]%3 == 0 {
			flat = []int{flat[0] / 3, 3}
		}
		w.add(named{dims: flat, bound: a.bound, exact: a.exact}, "reshape(%s, %s)", a.name, dimsText(flat))
	case 8:
		b := w.pick(func(v *named) bool { return !v.whole && sameDims(v.dims, a.dims) })
		dims := append([]int{}, a.dims...)
		dims[k] *= 2
		if size(dims) < 800 {
			w.add(named{dims: dims, bound: max(a.bound, b.bound), exact: a.exact && b.exact}, "concat([%s, %s], axis: %d)", a.name, b.name, k)
		}
	case 9:
		if a.exact && k == len(a.dims)-1 {
			if w.r.Intn(2) == 0 {
				w.add(named{dims: a.dims, bound: a.bound, exact: true}, "sort(%s, axis: -1)", a.name)
			} else {
				w.add(named{dims: a.dims, bound: float64(n), exact: true, whole: true}, "argsort(%s, axis: -1)", a.name)
			}
		}
	case 10:
		if n > 1 {
			slice := append([]int{}, a.dims...)
			slice[k] = n - 1
			w.add(named{dims: slice, bound: a.bound, exact: a.exact}, "%s[%s%s]", a.name, strings.Repeat(":, ", k), w.one("1:", ":-1"))
		}
	default:
		b := w.pick(func(v *named) bool {
			return !v.whole && len(v.dims) == 2 && v.dims[0] == a.dims[len(a.dims)-1] && len(a.dims) > 1
		})
		if b != nil {
			dims := append(append([]int{}, a.dims[:len(a.dims)-1]...), b.dims[1])
			w.add(named{dims: dims, bound: a.bound * b.bound * float64(b.dims[0])}, "%s @ %s", a.name, b.name)
		}
	}
}

func (w *modelWriter) slots() {
	a := w.pick(func(v *named) bool { return !v.whole && len(v.dims) > 0 })
	if a == nil {
		return
	}
	v := *a
	v.name, v.exact, v.source, v.bound = w.fresh("v"), false, false, max(1, v.bound)
	w.line("%s = %s", v.name, a.name)
	for range 1 + w.r.Intn(2) {
		at := strconv.Itoa(w.r.Intn(v.dims[0]))
		if len(w.turns) > 0 && w.turns[0].size <= v.dims[0] && w.r.Intn(2) == 0 {
			at = w.turns[0].name
		}
		rest := strings.Repeat(", :", len(v.dims)-1)
		b := w.pick(func(x *named) bool { return !x.whole && sameDims(x.dims, v.dims[1:]) })
		if b == nil {
			w.line("%s[%s%s] = 0.5", v.name, at, rest)
			continue
		}
		v.bound = max(v.bound, b.bound)
		w.line("%s[%s%s] = %s", v.name, at, rest, b.name)
	}
	w.values = append(w.values, v)
}

// carries names one or two values anew, which a block may assign; nil: there is none.
func (w *modelWriter) carries() []named {
	var out []named
	for range 1 + w.r.Intn(2) {
		a := w.float()
		if a == nil {
			return nil
		}
		c := named{name: w.fresh("c"), dims: a.dims, bound: a.bound + 1}
		w.line("%s = %s", c.name, a.name)
		out = append(out, c)
	}
	return out
}

// block writes `head { body }`, whose own values end with it, and that assigns the carries.
func (w *modelWriter) block(head string, carries []named, body func()) {
	w.line("%s {", head)
	outer := w.values
	w.values = append(append([]named{}, outer...), carries...)
	w.indent += "  "
	body()
	if len(carries) == 2 && sameDims(carries[0].dims, carries[1].dims) && w.r.Intn(2) == 0 {
		w.line("%s, %s = %s, %s", carries[0].name, carries[1].name, carries[1].name, carries[0].name)
	}
	for _, c := range carries {
		// It has c's own shape at least.
		x := w.pick(func(v *named) bool { return sameDims(v.dims, c.dims) && !v.whole })
		w.line("%s = 0.5 * %s + 0.5 * tanh(%s)", c.name, c.name, x.name)
	}
	if len(w.states) > 0 && w.r.Intn(3) == 0 {
		w.update(w.states[w.r.Intn(len(w.states))])
	}
	w.indent = w.indent[2:]
	w.values = outer
	w.line("}")
}

// update writes a state.
func (w *modelWriter) update(s named) {
	if x := w.pick(func(v *named) bool { return !v.whole && sameDims(v.dims, s.dims) }); x != nil {
		w.line("%s <- 0.5 * %s + %s / %g", s.name, s.name, x.name, 2*x.bound)
	}
}

// loop carries one or two values and collects one.
func (w *modelWriter) loop() {
	n := 2 + w.r.Intn(5) // one turn would be unrolled, where an index is a constant that has to be inside
	carries := w.carries()
	if carries == nil {
		return
	}
	t := indexVar{w.fresh("t"), n}
	collected := named{}
	w.turns = append(w.turns, t)
	w.block(fmt.Sprintf("for %s in %s", t.name, w.one(strconv.Itoa(n), strconv.Itoa(n), fmt.Sprintf("range(0, %d)", n))), carries, func() {
		w.grow(2 + w.r.Intn(4))
		if y := w.pick(func(v *named) bool { return !v.whole && len(v.dims) < 3 }); y != nil {
			collected = named{name: w.fresh("v"), bound: y.bound}
			at := w.r.Intn(len(y.dims) + 1)
			collected.dims = append(append(append([]int{}, y.dims[:at]...), n), y.dims[at:]...)
			place := strings.Repeat(":, ", at) + t.name + strings.Repeat(", :", len(y.dims)-at)
			w.line("%s[%s] = %s", collected.name, place, y.name)
		}
	})
	w.turns = w.turns[:len(w.turns)-1]
	w.values = append(w.values, carries...)
	if collected.name != "" && size(collected.dims) < 1500 {
		w.values = append(w.values, collected)
	}
}

// while makes a number of turns that data says; no gradient passes through it.
func (w *modelWriter) while() {
	k := w.pick(func(v *named) bool { return v.whole && len(v.dims) > 0 })
	carries := w.carries()
	if k == nil || carries == nil || w.forward {
		return
	}
	n := w.fresh("n")
	at, _ := w.access(nil, k, false)
	w.line("%s = %s", n, at)
	states := w.states
	w.forward, w.states = true, nil // nor does it change a state
	w.block(fmt.Sprintf("while %s < %d", n, 1+w.r.Intn(int(k.bound)+3)), carries, func() {
		w.grow(1 + w.r.Intn(4))
		w.line("%s = %s + %d", n, n, 1+w.r.Intn(2))
	})
	w.forward, w.states = false, states
	for _, c := range carries {
		w.add(named{dims: c.dims, bound: c.bound}, "stop(%s)", c.name)
	}
}

// branch is an `if` that data decides.
func (w *modelWriter) branch() {
	carries := w.carries()
	if carries == nil {
		return
	}
	w.block("if "+w.condition(w.turns), carries, func() { w.grow(1 + w.r.Intn(3)) })
	if w.r.Intn(2) == 0 {
		w.block("else", carries, func() { w.grow(w.r.Intn(3)) })
	}
	w.values = append(w.values, carries...)
}

// every is a block that reports what it makes of values of the step and of new values of states.
func (w *modelWriter) every() {
	states := w.states
	w.states = nil // they do not change there
	w.block(fmt.Sprintf("every %d", 1+w.r.Intn(2)), nil, func() {
		w.grow(w.r.Intn(5))
		for range 1 + w.r.Intn(3) {
			if x := w.float(); x != nil {
				w.line("report %s = %s(%s)", w.fresh("r"), w.one("mean", "max", "mean"), x.name)
			}
		}
	})
	w.states = states
}

// gradient is by a draw of what was computed since.
func (w *modelWriter) gradient() {
	x := w.pick(func(v *named) bool { return v.source })
	if x == nil || w.forward {
		return
	}
	y := w.values[len(w.values)-1]
	z := w.float()
	if y.whole || z == nil {
		return
	}
	name := w.fresh("v")
	w.line("%s = grad(mean(%s^2) + mean(%s) + sum(%s * %s), %s)", name, y.name, z.name, x.name, x.name, x.name)
	w.add(named{dims: x.dims, bound: 1}, "tanh(%s)", name)
}

func (w *modelWriter) grow(n int) {
	for range n {
		switch w.r.Intn(16) {
		case 0, 1:
			w.draw()
		case 2, 3:
			if v := w.float(); v != nil {
				w.unary(v.name, v)
			}
		case 4, 5:
			w.binary()
		case 6, 7:
			w.whole()
		case 8:
			w.slots()
		case 9:
			if len(w.turns) < 2 {
				w.loop()
			}
		case 10:
			w.gradient()
		case 11:
			w.while()
		case 12:
			w.branch()
		default:
			w.indexed()
		}
	}
}

// model is the text of a model and the number of its steps.
func randomModel(seed int64) string {
	w := &modelWriter{r: rand.New(rand.NewSource(seed)), indent: "  "}
	w.head.WriteString("use optim\n")
	var params []named
	for range 1 + w.r.Intn(2) {
		p := named{name: w.fresh("p"), dims: []int{w.size(), w.size()}[:1+w.r.Intn(2)], bound: 3, source: true}
		fmt.Fprintf(&w.head, "param %s: f32%s ~ uniform(-1, 1)\n", p.name, dimsText(p.dims))
		params = append(params, p)
	}
	w.values = append(w.values, params...)
	for range w.r.Intn(3) {
		s := named{name: w.fresh("s"), dims: params[0].dims, bound: 2}
		fmt.Fprintf(&w.head, "state %s: f32%s = 0.5\n", s.name, dimsText(s.dims))
		w.states = append(w.states, s)
	}
	w.values = append(w.values, w.states...)
	w.draw()
	w.draw()
	w.grow(6 + w.r.Intn(8))
	for range w.r.Intn(3) {
		loss := w.fresh("loss")
		y, p := w.values[len(w.values)-1], params[w.r.Intn(len(params))]
		if y.whole {
			y = p
		}
		over := p.name
		if w.r.Intn(2) == 0 {
			over = ""
			for _, q := range params {
				over += ", " + q.name
			}
			over = over[2:]
		}
		w.line("%s = mean(%s)", loss, y.name)
		for _, q := range params {
			w.line("%s = %s + 0.1 * sum((%s - 0.25)^2)", loss, loss, q.name)
		}
		w.line("minimize %s over %s with optim.%s", loss, over, w.one("sgd(lr: 0.01)", "sgd(lr: 0.01, momentum: 0.9)", "adam(lr: 0.01, eps: 0.01)", "adamw(lr: 0.01, eps: 0.01, clip: 1)", "rmsprop(lr: 0.01, eps: 0.1)"))
		// What was computed from the parameters is old now.
		w.values = append(append([]named{}, params...), w.states...)
		w.draw()
		w.grow(w.r.Intn(6))
	}
	for range w.r.Intn(3) {
		w.every()
	}
	for i, s := range w.states {
		if w.r.Intn(2) == 0 {
			w.update(s)
		} else if i > 0 {
			w.line("%s <- %s", s.name, w.states[i-1].name)
		}
	}
	for range w.r.Intn(2) {
		w.every()
	}
	shown := 0
	for i, v := range w.values {
		last := i == len(w.values)-1
		if !strings.HasPrefix(v.name, "v") && !strings.HasPrefix(v.name, "c") || !last && w.r.Intn(3) > 0 {
			continue
		}
		shown++
		elem := "f32"
		if v.whole {
			elem = "i32"
		}
		fmt.Fprintf(&w.head, "state out%d: %s%s = 0\n", shown, elem, strings.Replace(dimsText(v.dims), "[]", "", 1))
		w.line("out%d <- %s", shown, v.name)
	}
	return w.head.String() + "train for 2 {\n" + w.b.String() + "}\n"
}

// Random models mean the same to the reference evaluator and to machine code.
// MDLC_AGREE_SECONDS is for how long (5), MDLC_AGREE_SEED where to start, and
// MDLC_AGREE_COUNT how many at most (40).
func TestRandomModelsAgree(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	setting := func(name string, or int) int {
		if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
			return n
		}
		return or
	}
	began, seed := time.Now(), setting("MDLC_AGREE_SEED", 1)
	last := seed + setting("MDLC_AGREE_COUNT", 40)
	ran := 0
	for ; seed < last && time.Since(began) < time.Duration(setting("MDLC_AGREE_SECONDS", 5))*time.Second; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			src := randomModel(int64(seed))
			defer func() {
				if p := recover(); p != nil {
					t.Fatalf("panic: %v\n%s\n%s", p, debug.Stack(), src)
				}
			}()
			agrees(t, src, 2, 2e-4)
		})
		ran++
	}
	t.Logf("%d models", ran)
}
