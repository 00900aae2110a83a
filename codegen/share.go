package codegen

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"mdlc/ir/parallel"
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
	var phases []*function
	for _, k := range b.Kernels {
		for i := range k.Emitted.funcs {
			if f := &k.Emitted.funcs[i]; f.phase {
				phases = append(phases, f)
			}
		}
	}
	numbers, texts := make([]*numbered, len(phases)), make([]string, len(phases))
	parallel.Each(len(phases), runtime.GOMAXPROCS(0), func(i int) error {
		f := phases[i]
		numbers[i] = number(f)
		texts[i] = fmt.Sprint(f.tier) + strings.Replace(strings.Join(numbers[i].parts, "#"), "@"+f.name+"(", "@(", 1)
		return nil
	})
	var order []string
	groups := map[string][]*numbered{}
	for i, text := range texts {
		if groups[text] == nil {
			order = append(order, text)
		}
		groups[text] = append(groups[text], numbers[i])
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
	numbers []typed // between them
	into    string  // the function that has its code
	args    []typed // the numbers that this one gets
}

// typed is a number and its type, as LLVM writes them.
type typed struct{ typ, text string }

// number cuts the text of f. What divides in loops stays, since LLVM divides by a known number much faster, and so do
// distances in addresses, which are part of a load.
func number(f *function) *numbered {
	n := &numbered{f: f, name: f.name}
	from := 0  // what of the text is in no part yet
	block := 0 // 1: the entry, 2: what is done once a point
	for at := 0; at < len(f.text); {
		end := at + strings.IndexByte(f.text[at:], '\n') + 1
		line := f.text[at:end]
		if strings.HasSuffix(line, ":\n") {
			block++
		}
		if typ := numbersIn(line, block <= 2); typ != "" {
			for i := 1; i < len(line); i++ {
				j := numberAt(line, i, typ)
				if j == i {
					continue
				}
				n.parts = append(n.parts, f.text[from:at+i])
				n.numbers = append(n.numbers, typed{typ, line[i:j]})
				from = at + j
				i = j
			}
		}
		at = end
	}
	n.parts = append(n.parts, f.text[from:])
	return n
}

// numbersIn is the type of the numbers of a line that may be arguments: those of sizes, which are arithmetic of i64, bounds and
// calls of micro-kernels, and numbers of shares that a point is divided by, once; of the counters of random numbers; of factors and terms. "": none.
func numbersIn(line string, once bool) string {
	_, op, ok := strings.Cut(line, " = ")
	if !ok {
		return ""
	}
	if once && (strings.HasPrefix(op, "urem i64 ") || strings.HasPrefix(op, "udiv i64 ")) {
		return "i64"
	}
	for _, x := range []struct{ prefix, typ string }{{"add i64 ", "i64"}, {"mul i64 ", "i64"}, {"sub i64 ", "i64"}, {"call i64 @llvm.smin.", "i64"}, {"call i64 @llvm.smax.", "i64"},
		{"call x86_regcallcc ", "i64"}, {"xor i32 ", "i32"}, {"fmul <8 x float> ", "<8 x float>"}, {"fadd <8 x float> ", "<8 x float>"},
		{"fmul <16 x float> ", "<16 x float>"}, {"fadd <16 x float> ", "<16 x float>"}} {
		if strings.HasPrefix(op, x.prefix) {
			return x.typ
		}
	}
	pred, ok := strings.CutPrefix(op, "icmp ")
	if _, operands, _ := strings.Cut(pred, " "); ok && strings.HasPrefix(operands, "i64 ") {
		return "i64"
	}
	return ""
}

// numberAt is the end of the operand of a type that begins at line[i] and is a number; i if there is none.
func numberAt(line string, i int, typ string) int {
	if !strings.HasSuffix(line[:i], typ+" ") && !strings.HasSuffix(line[:i], ", ") {
		return i
	}
	j := i
	if strings.HasPrefix(typ, "<") {
		if strings.HasPrefix(line[i:], "splat (") {
			j += strings.IndexByte(line[i:], ')') + 1
		}
		return j
	}
	if line[j] == '-' {
		j++
	}
	for line[j] >= '0' && line[j] <= '9' {
		j++
	}
	return j
}

// merge makes a group one function, if its members differ in few numbers.
func merge(group []*numbered, merged map[string]*numbered) {
	if len(group) < 2 {
		return
	}
	param := map[string]string{} // names of arguments, by the numbers of all members
	var text, params, types strings.Builder
	first := group[0]
	text.WriteString(first.parts[0])
	for i, k := range first.numbers {
		put := k.text
		if slices.ContainsFunc(group, func(n *numbered) bool { return n.numbers[i].text != k.text }) {
			key := k.typ
			for _, n := range group {
				key += " " + n.numbers[i].text
			}
			if param[key] == "" {
				if len(param) == maxNumbers {
					return
				}
				param[key] = fmt.Sprintf("%%n%d", len(param))
				fmt.Fprintf(&params, ", %s %s", k.typ, param[key])
				fmt.Fprintf(&types, ", %s", k.typ)
				for _, n := range group {
					n.args = append(n.args, n.numbers[i])
				}
			}
			put = param[key]
		}
		text.WriteString(put)
		text.WriteString(first.parts[i+1])
	}
	first.f.text = strings.Replace(text.String(), ")", params.String()+")", 1)
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
		args += ", " + k.typ + " " + k.text
	}
	return before + "@" + n.into + "(" + args + ")" + rest
}
