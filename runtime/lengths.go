package runtime

import (
	"fmt"
	"slices"
	"strings"

	"mdlc/ir/index"
	"mdlc/runtime/program"
)

// checkLengths tells what the file asks for that is not there with the lengths that flags have set, as `a[:N]` of an `a` that
// is shorter. Kernels do not look: they take for granted that it is there.
func (r *Runner) checkLengths(e *entry) error {
	length := func(name string) int { return e.block.slots[e.block.names[name]] }
	for i := range e.Needs {
		n := &e.Needs[i]
		if text, broken := n.Broken(length); broken {
			return r.failed(e.block, n.Pos, -1, text+lengthsIn(n, e.Block.Inputs, length), n.Help)
		}
	}
	return nil
}

// lengthsIn says how long the flags are that n is of.
func lengthsIn(n *program.Need, inputs []program.Input, length func(string) int) string {
	var told []string
	for _, in := range inputs {
		used := false
		n.Exprs(func(e *index.Expr) { e.Vars(func(name string) { used = used || name == in.Len }) })
		if used {
			told = append(told, fmt.Sprintf("`%s` has the length %d", in.Name, length(in.Len)))
		}
	}
	slices.Sort(told)
	if told = slices.Compact(told); told == nil {
		return ""
	}
	return "; " + strings.Join(told, ", ")
}
