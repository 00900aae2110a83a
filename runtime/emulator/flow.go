package emulator

// reconverge finds for each branch in code[start:], one function, the
// instruction where control flow from both of its sides must meet again: the
// nearest one that every path to the function's end goes through. Lanes that a
// branch parts wait for each other there and nowhere else.
func reconverge(code []inst, start int32) {
	body := code[start:]
	n := len(body)
	// Blocks: leaders are targets and what follows a branch or an end.
	leader := make([]bool, n+1)
	leader[0] = true
	for i := range body {
		switch body[i].op {
		case opBranch:
			leader[body[i].target-start] = true
			leader[i+1] = true
		case opExit, opReturn:
			leader[i+1] = true
		}
	}
	blockOf := make([]int, n)
	var first []int
	for i := range n {
		if leader[i] {
			first = append(first, i)
		}
		blockOf[i] = len(first) - 1
	}
	exit := len(first) // one more node: the end
	succ := make([][]int, exit)
	pred := make([][]int, exit+1)
	edge := func(from, to int) {
		succ[from] = append(succ[from], to)
		pred[to] = append(pred[to], from)
	}
	for b := range first {
		last := n - 1
		if b+1 < exit {
			last = first[b+1] - 1
		}
		in := &body[last]
		guarded := in.guard != trueRow
		through := true
		switch in.op {
		case opBranch:
			edge(b, blockOf[in.target-start])
			through = guarded
		case opExit, opReturn:
			edge(b, exit)
			through = guarded
		}
		if through && b+1 < exit {
			edge(b, b+1)
		}
	}
	up := postDominators(succ, pred, exit)
	for i := range body {
		if in := &body[i]; in.op == opBranch {
			p := up[blockOf[i]]
			if p < 0 || p == exit {
				continue
			}
			// Lanes that meet only to end do not wait for each other: they end.
			if to := &body[first[p]]; to.op != opExit || to.guard != trueRow {
				in.reconv = start + int32(first[p])
			}
		}
	}
}

// postDominators gives each node's immediate post-dominator, -1 where no path
// leads to exit, after Cooper, Harvey and Kennedy.
func postDominators(succ, pred [][]int, exit int) []int {
	order := make([]int, 0, exit+1) // reverse of a depth-first post-order over pred
	number := make([]int, exit+1)
	for i := range number {
		number[i] = -1
	}
	type frame struct{ node, next int }
	stack := []frame{{exit, 0}}
	seen := make([]bool, exit+1)
	seen[exit] = true
	for len(stack) > 0 {
		f := &stack[len(stack)-1]
		if f.next < len(pred[f.node]) {
			p := pred[f.node][f.next]
			f.next++
			if !seen[p] {
				seen[p] = true
				stack = append(stack, frame{p, 0})
			}
			continue
		}
		number[f.node] = len(order)
		order = append(order, f.node)
		stack = stack[:len(stack)-1]
	}
	up := make([]int, exit+1)
	for i := range up {
		up[i] = -1
	}
	up[exit] = exit
	for changed := true; changed; {
		changed = false
		for i := len(order) - 2; i >= 0; i-- {
			b := order[i]
			to := -1
			for _, s := range succ[b] {
				if up[s] < 0 {
					continue
				}
				if to < 0 {
					to = s
					continue
				}
				for x := s; x != to; {
					for number[x] < number[to] {
						x = up[x]
					}
					for number[to] < number[x] {
						to = up[to]
					}
				}
			}
			if up[b] != to {
				up[b], changed = to, true
			}
		}
	}
	return up
}
