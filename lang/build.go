package lang

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"mdlc/ir"
	"mdlc/stdlib"
)

// Options are what the command line says about a build.
type Options struct {
	Set   []ir.Setting      // entries of config, in order; a later one wins
	Past  []ir.Setting      // as Set, which wins; entries that the file has no more are left out
	Flags map[string]string // values of the static parameters of samples
	// ReadFile reads the files that `use "path"` names, relative to the model file; nil: from disk.
	ReadFile func(path string) ([]byte, error)
}

// Build runs a model file at compile time and gives what it means. With an
// error among the diagnostics the module is nil.
func Build(file string, src []byte, opts Options) (*ir.Module, []Diagnostic) {
	c := newCore(file, src, opts)
	m := c.run(file, src)
	ds := finish(c.diags, c.src)
	if HasErrors(ds) {
		return nil, ds
	}
	return m, ds
}

func newCore(file string, src []byte, opts Options) *core {
	return &core{opts: opts, src: sources{file: string(src)}, nth: map[string]int{}, differentiated: map[string]bool{}, trained: map[*stateDecl]bool{}, written: map[Span]writtenLoop{}, inner: map[string]innerName{}, libraries: map[string]*scope{}, path: file}
}

// Check finds the mistakes and doubtful places of a model file.
func Check(file string, src []byte, opts Options) []Diagnostic {
	_, ds := Build(file, src, opts)
	return ds
}

// core is the state of one build.
type core struct {
	opts      Options
	src       sources
	path      string
	diags     []Diagnostic
	libraries map[string]*scope
	top       *scope // of the model file

	module    *ir.Module
	states    []*stateDecl
	stored    precision
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

// mistake is the panic that carries a diagnostic to the statement around.
type mistake struct{ d Diagnostic }

// silent ends the evaluation of what uses a failed value.
type silent struct{}

// notStatic asks for the unrolling of a loop: a value that must be known to the compiler depends on its turn.
type notStatic struct{ d Diagnostic }

func (c *core) fail(at Span, format string, args ...any) { c.failHelp(at, "", format, args...) }

func (c *core) failHelp(at Span, help, format string, args ...any) {
	panic(mistake{c.diagnostic(at, help, format, args...)})
}

// diagnostic places a mistake: one in a library file is shown at the call that led there.
func (c *core) diagnostic(at Span, help, format string, args ...any) Diagnostic {
	d := Diagnostic{Span: at, Message: fmt.Sprintf(format, args...), Help: help}
	calls := c.calls
	for inLibrary(d.Span) && len(calls) > 0 {
		d.Span = calls[len(calls)-1].at
		calls = calls[:len(calls)-1]
	}
	if d.Span != at {
		d.Notes = append(d.Notes, fmt.Sprintf("the place in the library is %s:%d:%d", at.Pos.Filename, at.Pos.Line, at.Pos.Column))
	}
	last := d.Span.Pos
	for i := len(calls) - 1; i >= 0 && len(d.Notes) < 4; i-- {
		p := calls[i].at.Pos
		if !inLibrary(calls[i].at) && (p.Filename != last.Filename || p.Line != last.Line) {
			d.Notes = append(d.Notes, fmt.Sprintf("in `%s`, called at %s:%d:%d", calls[i].name, p.Filename, p.Line, p.Column))
			last = p
		}
	}
	return d
}

// libraryFolder stands before the names of library files.
const libraryFolder = "stdlib/"

func inLibrary(s Span) bool { return strings.HasPrefix(s.Pos.Filename, libraryFolder) }

func (c *core) note(at Span, help, format string, args ...any) {
	c.warn(at, help, format, args...)
	c.diags[len(c.diags)-1].Severity = Note
}

func (c *core) warn(at Span, help, format string, args ...any) {
	d := c.diagnostic(at, help, format, args...)
	d.Severity, d.Notes = Warning, nil
	c.diags = append(c.diags, d)
}

// guard runs f; a mistake in it is recorded and otherwise is run.
func (c *core) guard(f, otherwise func()) {
	calls, making, home, turns, loops, runs, site, fr := len(c.calls), len(c.making), c.home, c.turns, c.loops, c.runs, c.site, c.f
	frozen, standing := c.frozen, c.standing
	defer func() {
		r := recover()
		switch r := r.(type) {
		case nil:
			return
		case mistake:
			c.diags = append(c.diags, r.d)
		case silent:
		default:
			panic(r)
		}
		c.makingAt = c.makingAt[:making]
		c.calls, c.making, c.home, c.turns, c.loops, c.runs, c.site, c.f = c.calls[:calls], c.making[:making], home, turns, loops, runs, site, fr
		c.frozen, c.standing = frozen, standing
		otherwise()
	}()
	f()
}

func (b *builder) poison(sc *scope, names []string) {
	for _, n := range names {
		sc.define(n, Poison{})
	}
}

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

// prelude is the scope of builtins and of the files that need no `use`.
func (c *core) prelude() *scope {
	if c.libraries[""] == nil {
		s := builtins()
		c.libraries[""] = s
		for _, name := range stdlib.Prelude {
			src, _ := stdlib.Library(name)
			c.load(libraryFolder+name+".mdl", src, s)
		}
	}
	return c.libraries[""]
}

// load declares what a library file declares in s.
func (c *core) load(name string, src []byte, s *scope) {
	c.src[name] = string(src)
	parsed, ds := c.parsed(name, src)
	if parsed == nil {
		c.diags = append(c.diags, ds...)
		panic(silent{})
	}
	(&builder{core: c, sc: s}).declarations(parsed, false)
}

// parsing is what Parse gave.
type parsing struct {
	file  *File
	diags []Diagnostic
}

// libraryFiles are the files of the library that this process has parsed or is parsing, by name: functions
// that wait for a parsing. Nobody changes a syntax tree.
var libraryFiles sync.Map

// parseAhead starts to parse the library files that f will need.
func (c *core) parseAhead(f *File) {
	names := append([]string{}, stdlib.Prelude...)
	for _, it := range f.Items {
		if it.Use != nil {
			for _, u := range it.Use.Names {
				names = append(names, u.Name)
			}
		}
	}
	for _, n := range names {
		src, ok := stdlib.Library(n)
		if !ok {
			continue
		}
		name := libraryFolder + n + ".mdl"
		parse := sync.OnceValue(func() parsing {
			file, diags := Parse(name, src)
			return parsing{file, diags}
		})
		if _, begun := libraryFiles.LoadOrStore(name, parse); !begun {
			go parse()
		}
	}
}

func (c *core) parsed(name string, src []byte) (*File, []Diagnostic) {
	if parse, ok := libraryFiles.Load(name); ok {
		p := parse.(func() parsing)()
		return p.file, p.diags
	}
	return Parse(name, src)
}

func (c *core) use(u *UseName) *scope {
	at := Span{u.Pos, u.EndPos}
	if u.Path != "" {
		return c.useFile(u, at)
	}
	src, ok := stdlib.Library(u.Name)
	if !ok {
		c.failHelp(at, DidYouMean(u.Name, stdlib.Names()), "the library has no file `%s`", u.Name)
	}
	return c.library(libraryFolder+u.Name+".mdl", src)
}

func (c *core) library(name string, src []byte) *scope {
	if s := c.libraries[name]; s != nil {
		return s
	}
	s := newScope(c.prelude(), libraryScope)
	c.libraries[name] = s
	c.load(name, src, s)
	return s
}

func (c *core) useFile(u *UseName, at Span) *scope {
	if u.As == "" {
		c.failHelp(at, "`use \"blocks.mdl\" as blocks`", "a file that is used by path needs a name")
	}
	path, err := strconv.Unquote(u.Path)
	if err != nil {
		c.fail(at, "this path cannot be read as text")
	}
	full := filepath.Join(filepath.Dir(c.path), path)
	read := c.opts.ReadFile
	if read == nil {
		read = os.ReadFile
	}
	if s, ok := c.libraries[full]; ok {
		if s == nil {
			c.fail(at, "%s uses itself", path)
		}
		return s
	}
	src, err := read(full)
	if err != nil {
		c.fail(at, "%s cannot be read: %v", path, err)
	}
	c.libraries[full] = nil
	return c.libraryFile(full, src)
}

func (c *core) libraryFile(full string, src []byte) *scope {
	s := newScope(c.prelude(), libraryScope)
	c.load(full, src, s)
	c.libraries[full] = s
	return s
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
		b.config(f)
		b.precision(f)
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

// config evaluates the entries of config, with those that the command line sets.
func (b *builder) config(f *File) {
	set := map[string]string{}
	for _, s := range slices.Concat(b.opts.Past, b.opts.Set) {
		set[s.Name] = s.Value
	}
	var names []string
	for _, it := range f.Items {
		if it.Config == nil {
			continue
		}
		for _, bind := range it.Config.Binds {
			b.guard(func() { names = append(names, b.configEntry(bind, set)) }, func() { b.poison(b.sc, bind.Names) })
		}
	}
	for _, s := range b.opts.Set {
		if _, home := b.sc.find(s.Name); home != b.sc {
			help := DidYouMean(s.Name, names)
			if help == "" && len(names) > 0 {
				help = "the settings are " + strings.Join(names, ", ")
			}
			b.diags = append(b.diags, Diagnostic{Message: fmt.Sprintf("--set %s=%s: %s has no setting `%s`", s.Name, s.Value, b.path, s.Name), Help: help})
		}
	}
}

func (b *builder) configEntry(bind *Bind, set map[string]string) string {
	at := Span{bind.Pos, bind.EndPos}
	if len(bind.Names) != 1 {
		b.fail(at, "a setting has one name")
	}
	name := bind.Names[0]
	if _, home := b.sc.find(name); home == b.sc {
		b.fail(at, "the setting `%s` is there twice", name)
	}
	v := b.eval(bind.Value.term())
	if text, ok := set[name]; ok {
		v = b.setting("--set "+name+"="+text, text, v)
	}
	switch v.(type) {
	case Num, Bool, Text, List:
	default:
		b.fail(at, "the setting `%s` is %s: a setting is a number, a truth value, a text or a list", name, describe(v))
	}
	b.sc.define(name, v)
	b.module.Settings = append(b.module.Settings, ir.Setting{Name: name, Value: settingText(v)})
	return name
}

func settingText(v Value) string {
	switch v := v.(type) {
	case Text:
		return string(v)
	case List:
		parts := make([]string, len(v.Items))
		for i, x := range v.Items {
			parts[i] = settingText(x)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return describe(v)
}

// setting reads the value of a flag, of the kind of the value in the file.
func (b *builder) setting(flag, text string, old Value) Value {
	if _, ok := old.(Text); ok {
		return Text(text)
	}
	expr, err := exprParser.ParseString(flag, text)
	if err == nil {
		var v Value
		b.src[flag] = text
		wrong := len(b.diags)
		b.guard(func() { v = b.eval(expr.term()) }, func() { b.diags = b.diags[:wrong] })
		if fmt.Sprintf("%T", v) == fmt.Sprintf("%T", old) {
			return v
		}
	}
	panic(mistake{Diagnostic{Message: fmt.Sprintf("%s: the setting is %s like %s", flag, old.what(), settingText(old))}})
}
