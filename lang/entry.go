package lang

import (
	"strings"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// An entry is an item of the file that runs, being built.
type entry struct {
	kind       ir.EntryKind
	name       string
	f          *frame
	current    map[*stateDecl]Tensor
	changed    map[*stateDecl]Span // where a state was assigned last
	writes     []Span              // the places of all assignments of states, in order
	evals      []evalPlace
	results    []ir.Result
	kept       []ir.Result // values that `every` blocks read
	feeds      []ir.Feed
	every      []*ir.Every
	flags      []ir.Flag
	needs      []ir.Need
	made       map[string]int     // symbols of turns made, and how many there are at least
	holds      map[*ir.Node]cases // when comparisons of lengths are true
	encoded    map[string]Tensor  // text flags as tokens, by the parameter's name
	groups     int
	minimizers []*Minimize
	local      map[*stateDecl]bool // states of the optimizer's copy that runs: as they are in this turn
	stepped    bool                // inside `every`: values of the step are out of reach
}

func newEntry(kind ir.EntryKind, name string) *entry {
	title := string(kind)
	if name != "" {
		title += " " + name
	}
	return &entry{kind: kind, name: name, f: newFrame(title), current: map[*stateDecl]Tensor{}, changed: map[*stateDecl]Span{}, encoded: map[string]Tensor{}, made: map[string]int{}, holds: map[*ir.Node]cases{}}
}

// training reports whether states change: in the step of a train.
func (e *entry) training() bool { return e.kind == ir.EntryTrain && !e.stepped }

// training is whether the code that is built trains: not in eval and sample, and not under `frozen`.
func (b *builder) training() bool { return b.entry != nil && b.frozen == 0 && b.entry.training() }

// assigns reports whether `<-` takes effect: in a train and what it calls, and in an `every`, but not in what that calls.
func (b *builder) assigns() bool {
	return b.training() || b.entry != nil && b.entry.stepped && len(b.calls) == 0
}

// value is the newest value of a state, with its stack axes.
func (e *entry) value(s *stateDecl) Tensor {
	v, ok := e.current[s]
	if !ok {
		n := e.f.b.Param(ir.ParamState, s.name, s.full())
		v = Tensor{N: n, F: e.f}
		e.current[s] = v
	}
	return v
}

func (e *entry) seed() Tensor {
	return Tensor{N: e.f.b.Param(ir.ParamSeed, "seed", ir.TensorOf(loop.U32, 2)), F: e.f}
}

func (e *entry) step(b *builder) Tensor {
	return Tensor{N: e.f.b.Param(ir.ParamStep, "step", ir.TensorOf(loop.I32)), F: e.f}
}

// stepOrZero is the step that keys random numbers.
func (e *entry) stepOrZero(b *builder) Tensor {
	if e.kind == ir.EntryTrain {
		return e.step(b)
	}
	return b.tensor(b.f.b.I32(0))
}

// keep makes a value of the step a result that `every` blocks read, and gives its name.
func (e *entry) keep(n *ir.Node) string {
	for _, r := range e.kept {
		if r.Value == n {
			return r.Name
		}
	}
	name := "kept." + itoa(len(e.kept)+1)
	e.kept = append(e.kept, ir.Result{Kind: ir.ResultKept, Name: name, Value: n, Pos: n.Pos})
	return name
}

// statesOnce wants states to have different names: those of two modules that a file binds to one name would not, and files of weights tell them apart
// by these.
func (b *builder) statesOnce() {
	seen := map[string]*stateDecl{}
	told := map[Span]bool{}
	for _, s := range b.states {
		if first := seen[s.name]; first == nil {
			seen[s.name] = s
		} else if at := (Span{s.decl.Pos, s.decl.EndPos}); !told[s.at] && !HasErrors(b.diags) {
			if told[s.at] = true; s.at.Pos.Line > 0 {
				at = s.at
			}
			name, _, _ := strings.Cut(s.name, ".")
			b.diags = append(b.diags, b.diagnostic(at, "give one of them another name", "`%s` is bound twice, on line %d too: `%s` would be there twice", name, first.at.Pos.Line, s.name))
		}
	}
}

// entries builds the train, eval and sample items, then init, which gives all
// states that they brought their first values.
func (b *builder) entries(f *File) {
	b.checkEntries(f)
	for _, it := range f.Items {
		b.guard(func() {
			switch {
			case it.Train != nil:
				b.train(it.Train)
			case it.Eval != nil:
				b.run(newEntry(ir.EntryEval, it.Eval.Name), it.Eval.Body, nil, nil, Span{it.Eval.Pos, it.Eval.EndPos})
			case it.Sample != nil:
				b.run(newEntry(ir.EntrySample, it.Sample.Name), it.Sample.Body, it.Sample.Params, nil, Span{it.Sample.Pos, it.Sample.EndPos})
			}
		}, func() {})
		b.entry, b.f = nil, nil
	}
	b.guard(b.initEntry, func() {})
	b.entry, b.f = nil, nil
	b.statesOnce()
	for _, s := range b.states {
		var stack []int
		for _, l := range s.stack {
			stack = append(stack, l.n)
		}
		b.module.States = append(b.module.States, &ir.State{Name: s.name, Type: s.full(), Stack: stack, Kind: s.kind, Pos: posOf(Span{s.decl.Pos, s.decl.EndPos})})
	}
}

func posOf(s Span) ir.Pos {
	return ir.Pos{File: s.Pos.Filename, Line: s.Pos.Line, Col: s.Pos.Column}
}

// checkEntries wants names to be unique, and every `eval name` to exist.
func (b *builder) checkEntries(f *File) {
	seen := map[string]bool{}
	for _, it := range f.Items {
		word, name := "", ""
		switch {
		case it.Train != nil:
			word, name = "train", it.Train.Name
		case it.Eval != nil:
			word, name = "eval", it.Eval.Name
		case it.Sample != nil:
			word, name = "sample", it.Sample.Name
		default:
			continue
		}
		key := strings.TrimSpace(word + " " + name)
		if seen[key] {
			help := "a name tells them apart: `" + word + " second"
			if word == "train" {
				help += " for n"
			}
			help += " { … }`"
			b.diags = append(b.diags, b.diagnostic(Span{it.Pos, it.EndPos}, help, "there are two `%s`", key))
		}
		seen[key] = true
	}
	for _, it := range f.Items {
		if it.Eval != nil {
			b.evals = append(b.evals, it.Eval.Name)
		}
	}
}

// run builds one entry.
func (b *builder) run(e *entry, body *Block, params []*Param, count *index.Expr, at Span) {
	b.entry, b.f = e, e.f
	b.nth, b.turns, b.loops, b.runs = map[string]int{}, nil, nil, nil
	b.site = []string{strings.TrimSpace(string(e.kind) + " " + e.name)}
	b.at(at)
	sc := newScope(b.sc, functionScope)
	in := b.in(sc)
	b.unique(params)
	for _, p := range params {
		in.flag(p)
	}
	in.block(body)
	b.f = e.f
	b.checkEvals(e)
	e.finishStates(b)
	b.module.Entries = append(b.module.Entries, &ir.Entry{Kind: e.kind, Name: e.name, Count: count, Flags: e.flags, Needs: e.needs,
		Graph: e.f.b.Finish(e.results...), Feeds: e.feeds, Every: e.every, Pos: posOf(at)})
}

// finishStates makes results of the states that changed, in order of declaration.
func (e *entry) finishStates(b *builder) {
	var states []ir.Result
	for _, s := range b.states {
		if at, ok := e.changed[s]; ok {
			b.trained[s] = true
			states = append(states, ir.Result{Kind: ir.ResultState, Name: s.name, Value: e.current[s].N, Pos: posOf(at)})
		}
	}
	e.results = append(append(states, e.results...), e.kept...)
}

func (b *builder) train(t *Train) {
	at := Span{t.Pos, t.EndPos}
	if t.Steps == nil {
		b.failHelp(at, "`train for steps { … }`", "a train needs its number of steps")
	}
	v := b.eval(t.Steps.term())
	count := exprOf(v)
	if count == nil {
		b.failHelp(t.Steps.term().Span(), wholeHelp(v), "the number of steps is a whole number, not %s", describe(v))
	}
	b.run(newEntry(ir.EntryTrain, t.Name), t.Body, nil, count, at)
}
