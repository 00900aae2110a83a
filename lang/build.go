package lang

import (
	"fmt"
	"os"

	"mdlc/ir"
	"mdlc/ir/loop"
)

// Options are what the command line says about a build.
type Options struct {
	Set   []ir.Setting      // entries of config, in order; a later one wins
	Past  []ir.Setting      // as Set, which wins; entries that the file has no more are left out
	Flags map[string]string // values of the static parameters of samples; "": the flag alone
	Of    string            // the sample that they are of; "": all
	Float ir.Elem           // what f32 stands for, F32 or F64; 0: what the file says
	// ReadFile reads the files that `use "path"` names, beside the file that says so; nil: from disk.
	ReadFile func(path string) ([]byte, error)
}

// Build runs a model file at compile time and gives what it means. With an
// error among the diagnostics the module is nil.
func Build(file string, src []byte, opts Options) (*ir.Module, []Diagnostic) {
	src = withoutMark(src)
	c := newCore(file, src, opts)
	m := c.run(file, src)
	ds := finish(c.diags, c.src)
	if HasErrors(ds) {
		return nil, ds
	}
	return m, ds
}

func newCore(file string, src []byte, opts Options) *core {
	return &core{opts: opts, float: loop.F32, src: sources{file: string(src)}, nth: map[string]int{}, differentiated: map[string]bool{}, trained: map[*stateDecl]bool{}, written: map[Span]writtenLoop{}, inner: map[string]innerName{}, libraries: map[string]*scope{}, path: file}
}

// Check finds the mistakes and doubtful places of a model file.
func Check(file string, src []byte, opts Options) []Diagnostic {
	_, ds := Build(file, src, opts)
	return ds
}

// core is the state of one build.
type core struct {
	opts        Options
	bindingName string // what the statement that is carried out binds
	src         sources
	path        string
	diags       []Diagnostic
	libraries   map[string]*scope
	top         *scope // of the model file

	module    *ir.Module
	states    []*stateDecl
	stored    precision
	float     ir.Elem // what f32 stands for: F32 or F64
	evals     []string
	home      *home               // where instances made now live; nil: nowhere
	making    []*Unit             // modules being made, outermost first
	makingAt  []Span              // where
	trained   map[*stateDecl]bool // params that a minimize names and states that an entry changes
	minimizes bool                // there is a minimize
	ones      []*dimensionUse
	written   map[Span]writtenLoop
	inner     map[string]innerName // names that only a block binds
	calls     []activeCall

	// of the entry being built
	entry      *entry
	f          *frame
	nth        map[string]int // draws so far, by path
	turns      turns          // how the running instance functions were reached
	loops      []turnCount    // loops around, outermost first
	runs       []*loopRun     // the same, being built
	gen        *generation    // the `generate` around
	conditions []condition    // `if`s and `where`s around that a run decides
	unrollable int            // loops around that may be unrolled instead
	site       []string       // names on the way to a draw
	current    Span
	frozen     int // calls of frozen modules around
	standing   *moduleArithmetic

	differentiated map[string]bool // names by which gradients are taken somewhere
	pins           int             // values made independent so far

	work int // terms evaluated so far
}

type activeCall struct {
	decl *Fn
	name string
	at   Span
}

// builder evaluates terms in a scope; in index notation ix holds the indices.
type builder struct {
	*core
	sc *scope
	ix *indexScope
}

func (b *builder) in(sc *scope) *builder { return &builder{b.core, sc, nil} }

func (c *core) run(file string, src []byte) (m *ir.Module) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case mistake:
			c.diags = append(c.diags, r.d)
		case notStatic:
			c.diags = append(c.diags, r.d)
		case silent:
		default:
			if os.Getenv("MDLC_PANIC") != "" {
				panic(r)
			}
			c.diags = append(c.diags, Diagnostic{Span: c.current, Message: fmt.Sprintf("internal error: %v", r), Help: "this is a mistake of the compiler, not of the file"})
		}
	}()
	parsed, ds := Parse(file, src)
	if parsed == nil {
		c.diags = append(c.diags, ds...)
		return nil
	}
	c.parseAhead(parsed)
	c.module = &ir.Module{Source: file}
	b := &builder{core: c, sc: c.prelude()}
	c.top = newScope(b.sc, fileScope)
	b = b.in(c.top)
	b.declarations(parsed, true)
	b.entries(parsed)
	b.checkKeep()
	if !HasErrors(c.diags) {
		b.unused(parsed)
		b.untrained()
		b.alwaysOne()
		b.writtenOut()
	}
	return c.module
}

// declarations evaluates the items of a file, entries excepted. Functions and
// units are known in the whole file, values from their line on.
func (b *builder) declarations(f *File, main bool) {
	b.declaredOnce(f)
	b.findDifferentiated(f)
	for _, it := range f.Items {
		switch {
		case it.Fn != nil:
			b.sc.define(it.Fn.Name, Func{Name: it.Fn.Name, Decl: it.Fn, Scope: b.sc})
		case it.Unit != nil:
			b.sc.define(it.Unit.Name, &UnitValue{it.Unit, b.sc})
		}
	}
	if main {
		b.precision(f)
		b.config(f)
	}
	for _, it := range f.Items {
		b.guard(func() { b.declaration(it, main) }, func() { b.poisonItem(it) })
	}
}

// declaredOnce wants functions, units, states and data of a file to have different names.
func (b *builder) declaredOnce(f *File) {
	seen := map[string]Span{}
	for _, it := range f.Items {
		name := ""
		switch {
		case it.Fn != nil:
			name = it.Fn.Name
		case it.Unit != nil:
			name = it.Unit.Name
		case it.State != nil:
			name = it.State.Name
		case it.Data != nil:
			name = it.Data.Name
		}
		at := Span{it.Pos, it.EndPos}
		if it.Fn != nil && name == "" {
			b.diags = append(b.diags, b.diagnostic(at, "", "a function at file level needs a name"))
		}
		if first, twice := seen[name]; twice && name != "" {
			b.diags = append(b.diags, b.diagnostic(at, "", "`%s` is declared on line %d already", name, first.Pos.Line))
		}
		seen[name] = at
	}
}

func (b *builder) poisonItem(it *Item) {
	switch {
	case it.Bind != nil:
		b.poison(b.sc, it.Bind.Names)
	case it.Data != nil:
		b.poison(b.sc, []string{it.Data.Name})
	case it.State != nil:
		b.poison(b.sc, []string{it.State.Name})
	case it.Use != nil:
		for _, u := range it.Use.Names {
			b.poison(b.sc, []string{u.Name, u.As})
		}
	}
}

func (b *builder) declaration(it *Item, main bool) {
	switch {
	case it.Use != nil:
		for _, u := range it.Use.Names {
			name := u.As
			if name == "" {
				name = u.Name
			}
			b.sc.define(name, Namespace{name, b.use(u)})
		}
	case it.Bind != nil:
		b.home = (&home{}).sub(it.Bind.Names[0])
		b.fileBind(it.Bind, b.sc)
		b.home = nil
	case it.State != nil:
		if !main {
			b.fail(Span{it.State.Pos, it.State.EndPos}, "a used file has no states of its own")
		}
		b.declareState(it.State, b.sc, &home{})
	case it.Data != nil:
		b.data(it.Data)
	case it.Precision != nil && !main:
		b.fail(Span{it.Pos, it.EndPos}, "a used file has no precision: it is that of the file that uses it")
	case it.Config != nil && !main:
		b.fail(Span{it.Pos, it.EndPos}, "a used file has no config: settings pass through parameters")
	case !main && (it.Train != nil || it.Sample != nil || it.Eval != nil):
		b.fail(Span{it.Pos, it.EndPos}, "a used file has no train, eval or sample")
	}
}

// fileBind evaluates a binding of a file, a unit or config.
func (b *builder) fileBind(bind *Bind, sc *scope) {
	at := Span{bind.Pos, bind.EndPos}
	b.at(at)
	v := b.in(sc).eval(bind.Value.term())
	if bind.Type != nil {
		v = b.in(sc).convert(bind.Type, v, at)
	}
	if len(bind.Names) == 1 {
		if _, ok := v.(Tuple); ok {
			b.fail(at, "several values arrive here: name each, as in `a, b = f(x)`")
		}
		sc.define(bind.Names[0], v)
		return
	}
	t, ok := v.(Tuple)
	if !ok || len(t.Items) != len(bind.Names) {
		b.fail(at, "%d names cannot take %s", len(bind.Names), describe(v))
	}
	for i, n := range bind.Names {
		sc.define(n, t.Items[i])
	}
}
