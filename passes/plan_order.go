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
	return schedule(launches, after, func(*ir.Node, map[value]int) int { return 0 })
}

// thrifty takes the launch that adds least to the memory in use.
func thrifty(launches []*ir.Node, after map[*ir.Node][]*ir.Node) []*ir.Node {
	return schedule(launches, after, func(n *ir.Node, left map[value]int) int {
		grows := n.Type.Bytes()
		for _, v := range argSet(n) {
			if left[v] == 1 && v.node.Op != ir.OpParam {
				grows -= v.typ().Bytes()
			}
		}
		return grows
	})
}

// schedule lists the launches; among those that are ready it takes the one with the least price, the first of equals.
// left is the number of launches that still need a value.
func schedule(launches []*ir.Node, after map[*ir.Node][]*ir.Node, price func(n *ir.Node, left map[value]int) int) []*ir.Node {
	here := map[*ir.Node]bool{}
	left := map[value]int{}
	needs := map[*ir.Node][]value{}
	for _, n := range launches {
		here[n] = true
		needs[n] = argSet(n)
		for _, v := range needs[n] {
			left[v]++
		}
	}
	done := map[*ir.Node]bool{}
	ready := func(n *ir.Node) bool {
		for _, v := range needs[n] {
			if here[v.node] && !done[v.node] {
				return false
			}
		}
		for _, b := range after[n] {
			if !done[b] {
				return false
			}
		}
		return true
	}
	var out []*ir.Node
	for len(out) < len(launches) {
		var best *ir.Node
		least := 0
		for _, n := range launches {
			if done[n] || !ready(n) {
				continue
			}
			if p := price(n, left); best == nil || p < least {
				best, least = n, p
			}
		}
		if best == nil {
			panic(fmt.Sprintf("pass plan: the order of %d launches is circular", len(launches)-len(out)))
		}
		done[best] = true
		for _, v := range needs[best] {
			left[v]--
		}
		out = append(out, best)
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
