package schedule

import (
	"fmt"
	"slices"

	"mdlc/ir/loop"
)

// Evict, before: local E: f32[n] in panel   for … { E[j] = e }
// after Evict E: work E: f32[P,n]           for … { E[p,j] = e }, p: P par: a panel for each point.

// evicts proposes to keep the largest panels in memory where a point's panels are more than the machine has for them.
func (c *chooser) evicts(k *loop.Kernel) {
	if c.m.Shared == unlimited || c.err != nil {
		return
	}
	steps, err := loops(k, c.opts)
	if err != nil {
		c.err = err
		return
	}
	var panels []*loop.Buffer
	total := 0
	for _, b := range steps[len(steps)-1].Kernel.Bufs {
		if b.Mode == loop.Local {
			panels = append(panels, b)
			total += b.Bytes()
		}
	}
	slices.SortStableFunc(panels, func(a, b *loop.Buffer) int { return b.Bytes() - a.Bytes() })
	for _, b := range panels {
		if total <= c.m.Shared {
			return
		}
		c.do(Evict, b.Name, 0, "")
		total -= b.Bytes()
	}
}

// evict makes a panel a work buffer in place.
func evict(k *loop.Kernel, name string) error {
	var panel *loop.Buffer
	for _, b := range k.Bufs {
		if b.Name == name && b.Mode == loop.Local {
			panel = b
		}
	}
	if panel == nil {
		return fmt.Errorf("there is no panel %s", name)
	}
	for _, page := range everyPage(k.Body) {
		if !mentionsBuffer(page, panel) {
			continue
		}
		par := PointAxes(k, page)
		var at []*loop.Value
		var dims []int
		for _, a := range par {
			at = append(at, axisValue(a))
			dims = append(dims, a.Max)
		}
		eachAccess(page, panel, func(index *[]*loop.Value) { *index = append(slices.Clone(at), *index...) })
		panel.Dims = append(dims, panel.Dims...)
		break // a panel lives within a page
	}
	panel.Mode = loop.Work
	at := slices.Index(k.Bufs, panel)
	k.Bufs = slices.Delete(k.Bufs, at, at+1)
	first := slices.IndexFunc(k.Bufs, func(b *loop.Buffer) bool { return b.Mode == loop.Local })
	if first < 0 {
		first = len(k.Bufs)
	}
	k.Bufs = slices.Insert(k.Bufs, first, panel)
	return nil
}

// eachAccess calls f with the indices of all stores to and loads of b.
func eachAccess(body []loop.Stmt, b *loop.Buffer, f func(index *[]*loop.Value)) {
	loop.Walk(body, func(s loop.Stmt) {
		if st, ok := s.(*loop.Store); ok && st.Buf == b {
			f(&st.Index)
		}
	})
	walkBody(body, func(v *loop.Value) {
		if v.Op == loop.Load && v.Buf == b {
			f(&v.Args)
		}
	})
}

func mentionsBuffer(body []loop.Stmt, b *loop.Buffer) bool {
	found := false
	eachAccess(body, b, func(*[]*loop.Value) { found = true })
	return found
}
