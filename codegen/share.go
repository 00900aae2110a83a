package codegen

import (
	"fmt"
	"slices"
	"strings"
)

// share makes functions of equal text one, and phases that differ in a few numbers only, which become
// arguments: kernels over other shapes often come to the same loops, and most products pack their operands in the
// same way.
func (b *Built) share() {
	first := map[string]string{} // names by text
	b.dropEqual(first)
	b.mergeNumbers()
	b.dropEqual(first) // entry points that call one function now
}

// dropEqual drops functions that have the text of another. Callees come before their callers.
func (b *Built) dropEqual(first map[string]string) {
	for _, k := range b.Kernels {
		e := k.Emitted
		named := map[string]string{} // what its functions are called now
		kept := e.funcs[:0]
		for _, f := range e.funcs {
			for i, callee := range f.calls {
				if now, ok := named[callee]; ok {
					f.text = strings.ReplaceAll(f.text, "@"+callee+"(", "@"+now+"(")
					f.calls[i] = now
				}
			}
			anonymous := strings.Replace(f.text, "@"+f.name+"(", "@(", 1)
			if _, ok := first[anonymous]; !ok {
				first[anonymous] = f.name
			}
			if named[f.name] = first[anonymous]; named[f.name] == f.name {
				kept = append(kept, f)
			}
		}
		e.funcs = kept
		for i, ph := range e.Phases {
			if now, ok := named[ph.Symbol]; ok {
				e.Phases[i].Symbol = now
			}
		}
	}
}

// maxNumbers is how many arguments a function may get, each of which LLVM keeps in a register or on the stack.
const maxNumbers = 12

// mergeNumbers merges phases that differ in numbers only.
func (b *Built) mergeNumbers() {
	var order []string
	groups := map[string][]*numbered{}
	for _, k := range b.Kernels {
		for i := range k.Emitted.funcs {
			if f := &k.Emitted.funcs[i]; f.phase {
				n := number(f)
				text := fmt.Sprint(f.streams) + strings.Replace(strings.Join(n.parts, "#"), "@"+f.name+"(", "@(", 1)
				if groups[text] == nil {
					order = append(order, text)
				}
				groups[text] = append(groups[text], n)
			}
		}
	}
	merged := map[string]*numbered{}
	for _, text := range order {
		merge(groups[text], merged)
	}
	for _, k := range b.Kernels {
		k.Emitted.funcs = slices.DeleteFunc(k.Emitted.funcs, func(f function) bool { return merged[f.name] != nil && merged[f.name].into != f.name })
		for i := range k.Emitted.funcs {
			f := &k.Emitted.funcs[i]
			for j, callee := range f.calls {
				if n := merged[callee]; n != nil {
					f.calls[j] = n.into
					f.text = n.call(f.text)
				}
			}
		}
	}
}

// numbered is a function, its text cut at the numbers that may be arguments.
type numbered struct {
	f       *function
	name    string // of f
	parts   []string
	numbers []string // between them
	into    string   // the function that has its code
	args    []string // the numbers that this one gets
}

// number cuts the text of f. What divides stays, since LLVM divides by a known number much faster, and so do
// distances in addresses, which are part of a load.
func number(f *function) *numbered {
	n := &numbered{f: f, name: f.name}
	rest, from := f.text, 0 // from: what of rest belongs to the present part and was looked at
	for at := 0; at < len(rest); {
		end := at + strings.IndexByte(rest[at:], '\n') + 1
		if line := rest[at:end]; countsIn(line) {
			for i := 1; i < len(line); i++ {
				if !isNumber(line, i) {
					continue
				}
				j := i + 1
				for line[j] >= '0' && line[j] <= '9' {
					j++
				}
				n.parts = append(n.parts, rest[from:at+i])
				n.numbers = append(n.numbers, line[i:j])
				from = at + j
				i = j
			}
		}
		at = end
	}
	n.parts = append(n.parts, rest[from:])
	return n
}

// countsIn reports whether a line is arithmetic of i64, a bound or a call of a micro-kernel.
func countsIn(line string) bool {
	_, op, ok := strings.Cut(line, " = ")
	if !ok {
		return false
	}
	for _, prefix := range []string{"add i64 ", "mul i64 ", "sub i64 ", "call i64 @llvm.smin.", "call i64 @llvm.smax.", "call x86_regcallcc "} {
		if strings.HasPrefix(op, prefix) {
			return true
		}
	}
	pred, ok := strings.CutPrefix(op, "icmp ")
	_, operands, _ := strings.Cut(pred, " ")
	return ok && strings.HasPrefix(operands, "i64 ")
}

// isNumber reports whether an operand that is an integer begins at line[i].
func isNumber(line string, i int) bool {
	c := line[i]
	return (c == '-' || c >= '0' && c <= '9') && (strings.HasSuffix(line[:i], "i64 ") || strings.HasSuffix(line[:i], ", "))
}

// merge makes a group one function, if its members differ in few numbers.
func merge(group []*numbered, merged map[string]*numbered) {
	if len(group) < 2 {
		return
	}
	param := map[string]string{} // names of arguments, by the numbers of all members
	first := group[0]
	text := first.parts[0]
	for i, k := range first.numbers {
		var all []string
		for _, n := range group {
			all = append(all, n.numbers[i])
		}
		if key := strings.Join(all, " "); slices.ContainsFunc(all, func(x string) bool { return x != k }) {
			if param[key] == "" {
				param[key] = fmt.Sprintf("%%n%d", len(param))
				for j, n := range group {
					n.args = append(n.args, all[j])
				}
			}
			k = param[key]
		}
		text += k + first.parts[i+1]
	}
	if len(param) > maxNumbers {
		return
	}
	var params, types strings.Builder
	for i := range len(param) {
		fmt.Fprintf(&params, ", i64 %%n%d", i)
		types.WriteString(", i64")
	}
	first.f.text = strings.Replace(text, ")", params.String()+")", 1)
	first.f.declare = strings.Replace(first.f.declare, ")", types.String()+")", 1)
	for _, n := range group {
		n.into = first.name
		merged[n.name] = n
	}
}

// call is the text of a caller that calls the merged function.
func (n *numbered) call(text string) string {
	before, after, _ := strings.Cut(text, "@"+n.name+"(")
	args, rest, _ := strings.Cut(after, ")")
	for _, k := range n.args {
		args += ", i64 " + k
	}
	return before + "@" + n.into + "(" + args + ")" + rest
}
