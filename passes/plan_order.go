package passes

import (
	"fmt"
	"slices"

	"mdlc/ir"
)

// ordering puts launches in an order that respects data and after.
type ordering func(launches []*ir.Node, after map[*ir.Node][]*ir.Node) []*ir.Node

// inOrder takes the launch that was constructed first.
func inOrder(launches []*ir.Node, after map[*ir.Node][]*ir.Node) []*ir.Node {
	return schedule(launches, after, func(*waiting) int { return 0 })
}

// thrifty takes the launch that adds least to the memory in use.
func thrifty(launches []*ir.Node, after map[*ir.Node][]*ir.Node) []*ir.Node {
	return schedule(launches, after, func(w *waiting) int {
		grows := w.bytes
		for _, v := range w.needs {
			if v.left == 1 && v.dies {
				grows -= v.bytes
			}
		}
		return grows
	})
}

// waiting is a launch that has no place in the order yet.
type waiting struct {
	node   *ir.Node
	bytes  int // of what it makes
	needs  []*needed
	behind int        // launches that come first
	next   []*waiting // those that wait for it, once for each reason
	done   bool
}

// needed is a value that launches take.
type needed struct {
	bytes int
	dies  bool // its memory is free after the last of them
	left  int  // launches that still need it
}

// schedule lists the launches; among those that are ready it takes the one with the least price, the first of equals.
func schedule(launches []*ir.Node, after map[*ir.Node][]*ir.Node, price func(w *waiting) int) []*ir.Node {
	all := make([]*waiting, len(launches))
	here := map[*ir.Node]*waiting{}
	for i, n := range launches {
		all[i] = &waiting{node: n, bytes: n.Type.Bytes()}
		here[n] = all[i]
	}
	values := map[value]*needed{}
	for _, w := range all {
		for _, v := range argSet(w.node) {
			if values[v] == nil {
				values[v] = &needed{bytes: v.typ().Bytes(), dies: v.node.Op != ir.OpParam}
			}
			values[v].left++
			w.needs = append(w.needs, values[v])
			if first := here[v.node]; first != nil {
				w.behind++
				first.next = append(first.next, w)
			}
		}
		for _, n := range after[w.node] {
			w.behind++
			if first := here[n]; first != nil {
				first.next = append(first.next, w)
			}
		}
	}
	var out []*ir.Node
	for len(out) < len(all) {
		var best *waiting
		least := 0
		for _, w := range all {
			if w.done || w.behind > 0 {
				continue
			}
			if p := price(w); best == nil || p < least {
				best, least = w, p
			}
		}
		if best == nil {
			panic(fmt.Sprintf("pass plan: the order of %d launches is circular", len(all)-len(out)))
		}
		best.done = true
		for _, v := range best.needs {
			v.left--
		}
		for _, w := range best.next {
			w.behind--
		}
		out = append(out, best.node)
	}
	return out
}

// argSet is the different values that n takes.
func argSet(n *ir.Node) []value {
	var set []value
	for _, a := range n.Args {
		if v := valueOf(a); !slices.Contains(set, v) {
			set = append(set, v)
		}
	}
	return set
}
