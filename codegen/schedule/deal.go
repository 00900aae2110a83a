package schedule

import (
	"fmt"
	"slices"

	"mdlc/ir/loop"
)

// Deal, before: a scatter adds in the order of its source, which one point must do:
//
//	for n { Y[tok[n],j] = Y[tok[n],j] + D[n,j] }
//
// after Deal Y 64, each of 64 points goes through the source and adds what goes to its own rows:
//
//	for n { if tok[n] % 64 == p { Y[tok[n],j] = Y[tok[n],j] + D[n,j] } }, p: 64 par

// dealMost is how many points a scatter is dealt to: about where looking at an index for nothing takes each as long as
// what it adds.
const dealMost = 64

// deal deals the rows of buffer name to n points.
func deal(k *loop.Kernel, name string, n int) error {
	for _, page := range pages(k.Body) {
		s, row := dealt(page)
		if s == nil || s.Buf.Name != name {
			continue
		}
		p := &loop.Axis{Name: freshName(k, "p"), Extent: intValue(n), Max: n, Bind: loop.Par}
		k.Axes = append(k.Axes, p)
		mine := binary(loop.Eq, rest(row, n), axisValue(p))
		loop.Walk(page, func(st loop.Stmt) {
			if f, ok := st.(*loop.For); ok {
				if i := slices.Index(f.Body, loop.Stmt(s)); i >= 0 {
					f.Body[i] = &loop.If{Cond: mine, Body: []loop.Stmt{s}}
				}
			}
		})
		return nil
	}
	return fmt.Errorf("no scatter adds to rows of %s", name)
}

// dealt is the store of a page that is a scatter in loops, and the row that it goes to, which data say.
func dealt(page []loop.Stmt) (store *loop.Store, row *loop.Value) {
	only := true
	loop.Walk(page, func(s loop.Stmt) {
		switch s := s.(type) {
		case *loop.Store:
			only = only && store == nil
			store = s
		case *loop.For:
			only = only && len(s.Carry) == 0
		default:
			only = only && isIndexLet(s)
		}
	})
	if store == nil || !only {
		return nil, nil
	}
	for d, v := range store.Index {
		data := false
		loop.Visit(v, func(x *loop.Value) { data = data || x.Op == loop.Load && x.Buf != store.Buf })
		if data && len(openAxes(newDepends().value(v))) == 0 && store.Buf.Dims[d] > 1 {
			return store, v
		}
	}
	return nil, nil
}

// isIndexLet reports whether s names a value that is no tile: an index or a condition.
func isIndexLet(s loop.Stmt) bool {
	l, ok := s.(*loop.Let)
	return ok && !l.Val.Elem.IsFloat() && len(openAxes(newDepends().value(l.Val))) == 0
}

// deals shares a scatter among points where the machine wants thousands, and what passes through it too.
func (c *chooser) deals(page []loop.Stmt) {
	s, row := dealt(page)
	if c.m.Processors == 0 || s == nil {
		return
	}
	n := dealMost // a power of two, for the remainder
	for rows := s.Buf.Dims[slices.Index(s.Index, row)]; n > rows; {
		n /= 2
	}
	c.do(Deal, s.Buf.Name, n, "")
}
