package schedule

import (
	"fmt"
	"slices"
	"sort"
	"sync"

	"mdlc/ir/loop"
)

// A page is the statements between two Phases. Pages share no axes.

// pages cuts a body at its Phases.
func pages(body []loop.Stmt) [][]loop.Stmt {
	out := [][]loop.Stmt{nil}
	for _, s := range body {
		if _, ok := s.(*loop.Phase); ok {
			out = append(out, nil)
			continue
		}
		out[len(out)-1] = append(out[len(out)-1], s)
	}
	return out
}

// everyPage are the pages of a body, those in rounds of launches too.
func everyPage(body []loop.Stmt) [][]loop.Stmt {
	var out [][]loop.Stmt
	for _, p := range pages(body) {
		if f := roundsOf(p); f != nil {
			out = append(out, pages(f.Body)...)
		} else {
			out = append(out, p)
		}
	}
	return out
}

// roundsOf is the loop around pages that a page is; nil where it is none.
func roundsOf(page []loop.Stmt) *loop.For {
	if len(page) != 1 {
		return nil
	}
	if f, ok := page[0].(*loop.For); ok && len(pages(f.Body)) > 1 {
		return f
	}
	return nil
}

// bind joins pages to a body.
func bind(ps [][]loop.Stmt) []loop.Stmt {
	var out []loop.Stmt
	for i, p := range ps {
		if i > 0 {
			out = append(out, &loop.Phase{})
		}
		out = append(out, p...)
	}
	return out
}

// equations returns the stores of a page of Lets and Stores; ok is false where
// the page has loops already (a kernel that came scheduled).
func equations(page []loop.Stmt) (stores []*loop.Store, ok bool) {
	for _, s := range page {
		switch s := s.(type) {
		case *loop.Store:
			stores = append(stores, s)
		case *loop.Let:
		default:
			return nil, false
		}
	}
	return stores, true
}

// operands are the values that s evaluates itself.
func operands(s *loop.Store) []*loop.Value {
	out := append([]*loop.Value{s.Val}, s.Index...)
	if s.Guard != nil {
		out = append(out, s.Guard)
	}
	return out
}

// walk calls f once with each value below roots, arguments first.
func walk(roots []*loop.Value, f func(v *loop.Value)) { walkUnknown(roots, nil, f) }

// walkUnknown is walk, not entering known values.
func walkUnknown(roots []*loop.Value, known map[*loop.Value]bool, f func(v *loop.Value)) {
	if len(roots) == 1 && isLeaf(roots[0]) { // as extents are
		if v := roots[0]; v != nil && !known[v] {
			f(v)
		}
		return
	}
	seen := visited.Get().(map[*loop.Value]bool)
	var visit func(v *loop.Value)
	visit = func(v *loop.Value) {
		if v == nil || seen[v] || known[v] {
			return
		}
		seen[v] = true
		for _, a := range v.Args {
			visit(a)
		}
		visit(v.Guard)
		f(v)
	}
	for _, v := range roots {
		visit(v)
	}
	if len(seen) < 1000 { // to clear a large one takes long, and most are small
		clear(seen)
		visited.Put(seen)
	}
}

func isLeaf(v *loop.Value) bool { return v == nil || len(v.Args) == 0 && v.Guard == nil }

// visited are empty sets that have grown already: most of what walks took was growing theirs.
var visited = sync.Pool{New: func() any { return map[*loop.Value]bool{} }}

// roots are the values of all stores.
func roots(stores []*loop.Store) []*loop.Value {
	var out []*loop.Value
	for _, s := range stores {
		out = append(out, operands(s)...)
	}
	return out
}

// bodyLets prepends to each statement the Lets of values that have a name or that are
// used more than once: without them the text would repeat a shared value. results are
// used after the statements; values in known are defined already.
func bodyLets(body []loop.Stmt, results []*loop.Value, known map[*loop.Value]bool) []loop.Stmt {
	uses := map[*loop.Value]int{}
	all := slices.Clone(results)
	written := map[*loop.Buffer]bool{}
	for _, s := range body {
		all = append(all, stmtValues(s)...)
		if st, ok := s.(*loop.Store); ok {
			written[st.Buf] = true
		}
	}
	for _, v := range all {
		uses[v]++
	}
	walk(all, func(v *loop.Value) {
		for _, a := range v.Args {
			uses[a]++
		}
		if v.Guard != nil {
			uses[v.Guard]++
		}
	})
	var out []loop.Stmt
	define := func(v *loop.Value) {
		if v.Name == "" {
			v.Name = "v"
		}
		known[v] = true
		out = append(out, &loop.Let{Val: v})
	}
	walkUnknown(all, known, func(v *loop.Value) { // read before it is overwritten
		if v.Op == loop.Load && written[v.Buf] {
			define(v)
		}
	})
	place := func(vs []*loop.Value) {
		walkUnknown(vs, known, func(v *loop.Value) {
			if needsLet(v, uses[v]) {
				define(v)
			}
		})
	}
	for _, s := range body {
		place(stmtValues(s))
		out = append(out, s)
	}
	place(results)
	return out
}

// needsLet reports whether v, used n times, is worth a name.
func needsLet(v *loop.Value, n int) bool {
	switch v.Op.Info().Class {
	case loop.ClassLeaf:
		return v.Op == loop.Load && (n > 1 || v.Name != "")
	case loop.ClassDot, loop.ClassReduce:
		return true
	}
	return (n > 1 && v.Elem != loop.I64) || v.Name != ""
}

// stmtValues are the values that a simple statement evaluates.
func stmtValues(s loop.Stmt) []*loop.Value {
	switch s := s.(type) {
	case *loop.Let:
		return []*loop.Value{s.Val}
	case *loop.Store:
		return operands(s)
	case *loop.Settle:
		return []*loop.Value{s.Val}
	case *loop.If:
		out := []*loop.Value{s.Cond}
		for _, t := range s.Body {
			out = append(out, stmtValues(t)...)
		}
		return out
	}
	panic(fmt.Sprintf("schedule: %T is no simple statement", s))
}

// freshName is stem, or stem with the first number that no axis or buffer of k has.
func freshName(k *loop.Kernel, stem string) string {
	return unused(usedNames(k), stem)
}

func unused(used map[string]bool, stem string) string {
	if !used[stem] {
		return stem
	}
	for i := 1; ; i++ {
		if n := fmt.Sprintf("%s_%d", stem, i); !used[n] {
			return n
		}
	}
}

func usedNames(k *loop.Kernel) map[string]bool {
	used := map[string]bool{}
	for _, r := range k.Rings {
		used[r.Name] = true
	}
	for _, a := range k.Axes {
		used[a.Name] = true
	}
	for _, b := range k.Bufs {
		used[b.Name] = true
	}
	return used
}

// depends finds the leaf axes that values depend on, bound ones too, without those summed over.
type depends struct{ memo map[*loop.Value][]*loop.Axis }

func newDepends() *depends { return &depends{map[*loop.Value][]*loop.Axis{}} }

// axis gives the leaves of a: itself, or all of its definition's.
func (d *depends) axis(a *loop.Axis) []*loop.Axis {
	if a.Def == nil {
		return []*loop.Axis{a}
	}
	return d.value(a.Def)
}

// value gives all leaf axes that v depends on, in order of discovery.
func (d *depends) value(v *loop.Value) []*loop.Axis {
	if v == nil || v.Op == loop.Const {
		return nil
	}
	if out, ok := d.memo[v]; ok {
		return out
	}
	var out []*loop.Axis
	add := func(axes []*loop.Axis) {
		for _, a := range axes {
			if !loop.Has(out, a) {
				out = append(out, a)
			}
		}
	}
	if v.Op == loop.AxisIndex {
		add(d.axis(v.Axis))
	}
	for i, a := range v.Args {
		if v.Op == loop.Dot && i == 2 {
			out = minus(out, d.over(v))
		}
		add(d.value(a))
	}
	add(d.value(v.Guard))
	if v.Op != loop.Dot || len(v.Args) < 3 {
		out = minus(out, d.over(v))
	}
	if v.Op == loop.At {
		out = minus(out, d.axis(v.Axis))
		add(d.value(v.Args[0]))
	}
	d.memo[v] = out
	return out
}

// over gives the leaves that v sums over.
func (d *depends) over(v *loop.Value) []*loop.Axis {
	var out []*loop.Axis
	for _, a := range v.Over {
		for _, l := range d.axis(a) {
			if !loop.Has(out, l) {
				out = append(out, l)
			}
		}
	}
	return out
}

// store gives the leaves that s depends on.
func (d *depends) store(s *loop.Store) []*loop.Axis {
	var out []*loop.Axis
	for _, v := range operands(s) {
		for _, a := range d.value(v) {
			if !loop.Has(out, a) {
				out = append(out, a)
			}
		}
	}
	return out
}

func minus(axes, gone []*loop.Axis) []*loop.Axis {
	var out []*loop.Axis
	for _, a := range axes {
		if !loop.Has(gone, a) {
			out = append(out, a)
		}
	}
	return out
}

// inOrder sorts axes by their place in k.
func inOrder(k *loop.Kernel, axes []*loop.Axis) []*loop.Axis {
	place := map[*loop.Axis]int{}
	for i, a := range k.Axes {
		place[a] = i
	}
	out := append([]*loop.Axis(nil), axes...)
	sort.SliceStable(out, func(i, j int) bool { return place[out[i]] < place[out[j]] })
	return out
}

// PointAxes are the par axes that a page mentions, in the order of k: they tell its points apart.
func PointAxes(k *loop.Kernel, page []loop.Stmt) []*loop.Axis {
	deps := newDepends()
	found := map[*loop.Axis]bool{}
	var look func(v *loop.Value)
	look = func(v *loop.Value) {
		for _, a := range deps.value(v) {
			found[a] = true
		}
		for _, a := range v.Over {
			walk([]*loop.Value{a.Extent}, look)
		}
	}
	var all []*loop.Value // walked at once: statements share most of what they read
	eachStmt(page, func(s loop.Stmt, vs []*loop.Value) {
		all = append(all, vs...)
		if f, ok := s.(*loop.For); ok && f.Hi == nil {
			all = append(all, f.Axis.Extent)
		}
	})
	walk(all, look)
	var out []*loop.Axis
	for _, a := range k.Axes {
		if a.Bind == loop.Par && found[a] {
			out = append(out, a)
		}
	}
	return out
}

// Phases is a kernel of phases of k, with those of its buffers that bufs has, by the mode that they have in it.
func Phases(k *loop.Kernel, name string, phases []loop.Segment, bufs map[*loop.Buffer]loop.Mode) *loop.Kernel {
	var ps [][]loop.Stmt
	for _, s := range phases {
		p := s.Body
		if s.Loop != nil {
			p = []loop.Stmt{s.Loop}
		}
		ps = append(ps, p)
	}
	part := *k
	part.Name, part.Body, part.Bufs = name, bind(ps), nil
	for _, b := range k.Bufs {
		if _, ok := bufs[b]; ok {
			part.Bufs = append(part.Bufs, b)
		}
	}
	out := clone(&part)
	for i, b := range part.Bufs {
		out.Bufs[i].Mode = bufs[b]
	}
	finish(out)
	return out
}
