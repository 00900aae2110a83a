package lang

import (
	"fmt"
	"math"
	"strconv"
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
	encoded    map[string]Tensor // text flags as tokens, by the parameter's name
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
	return &entry{kind: kind, name: name, f: newFrame(title), current: map[*stateDecl]Tensor{}, changed: map[*stateDecl]Span{}, encoded: map[string]Tensor{}}
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
			b.diags = append(b.diags, b.diagnostic(Span{it.Pos, it.EndPos}, "", "there are two `%s`", key))
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
	b.module.Entries = append(b.module.Entries, &ir.Entry{Kind: e.kind, Name: e.name, Count: count, Flags: e.flags,
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
		b.fail(t.Steps.term().Span(), "the number of steps is a whole number, not %s", describe(v))
	}
	b.run(newEntry(ir.EntryTrain, t.Name), t.Body, nil, count, at)
}

// flag declares a parameter of a sample: a text or tensor arrives at run time, a setting makes a new program.
func (b *builder) flag(p *Param) {
	at := Span{p.Pos, p.EndPos}
	if p.Type == nil || p.Type.Tuple != nil {
		b.failHelp(at, "`"+p.Name+": int = 1`", "a parameter of a sample needs a type")
	}
	if p.Type.Array && len(p.Type.Dims) > 0 {
		b.arrayFlag(p, at)
		return
	}
	if p.Default == nil {
		b.failHelp(at, "`"+p.Name+": "+b.src.text(typeSpan(p.Type))+" = …`", "a parameter of a sample needs a default")
	}
	v := b.eval(p.Default.term())
	e := b.entry
	flag := ir.Flag{Name: p.Name, Kind: p.Type.Name, Default: settingText(v)}
	switch {
	case p.Type.Name == "text" && !p.Type.Array:
		if _, ok := v.(Text); !ok {
			b.fail(at, "the default of `%s` is %s, not a text", p.Name, describe(v))
		}
		length := e.f.b.Sym("len."+p.Name, promptCapacity, nil)
		flag.Len = "len." + p.Name
		typ := ir.OfDims(loop.I32, []ir.Dim{{Size: 1}, ir.DynDim(length, promptCapacity)})
		b.sc.define(p.Name, b.tensor(e.f.b.Param(ir.ParamFlag, p.Name, typ)))
	case elements[p.Type.Name] != loop.Bool:
		n, ok := v.(Num)
		if !ok {
			b.fail(at, "the default of `%s` is %s, not a number", p.Name, describe(v))
		}
		b.accept(p.Type, n, p.Name, at)
		b.sc.define(p.Name, b.tensor(e.f.b.Param(ir.ParamFlag, p.Name, ir.TensorOf(elements[p.Type.Name]))))
	default:
		flag.Static = true
		if text, ok := b.opts.Flags[p.Name]; ok {
			v = b.setting("--"+p.Name+" "+text, text, v)
		}
		b.sc.define(p.Name, b.accept(p.Type, v, p.Name, at))
	}
	e.flags = append(e.flags, flag)
}

// arrayFlag declares an array, which arrives as a file. One axis may have the length that the file says.
func (b *builder) arrayFlag(p *Param, at Span) {
	if p.Default != nil {
		b.fail(at, "an array as a parameter of a sample is a file and has no default")
	}
	e := b.entry
	flag := ir.Flag{Name: p.Name, Kind: "file"}
	typ := ir.OfDims(b.element(p.Type), nil)
	for k, d := range p.Type.Dims {
		name := dimName(d)
		if !upper(name) || b.sc.bound(name) != nil {
			if d.Rest {
				b.fail(typeSpan(p.Type), "`..` stands for nothing here")
			}
			typ.Dims = append(typ.Dims, b.dim(d))
			continue
		}
		if flag.Len != "" {
			b.failHelp(Span{d.Pos, d.EndPos}, "give it a size", "only one axis may have the length that the file says")
		}
		flag.Len, flag.Axis = "len."+p.Name, k
		length := e.f.b.Sym(flag.Len, fileCapacity, nil)
		typ.Dims = append(typ.Dims, ir.DynDim(length, fileCapacity))
		b.sc.define(name, Size{length})
	}
	b.sc.define(p.Name, b.mark(b.tensor(e.f.b.Param(ir.ParamFlag, p.Name, typ)), p.Type))
	e.flags = append(e.flags, flag)
}

// fileCapacity bounds the length of an array that a sample takes.
const fileCapacity = 4096

// promptCapacity bounds the texts that a sample takes, in bytes.
const promptCapacity = 1024

// each binds names to the next batch.
func (b *builder) each(s *Each, at Span) {
	v := b.eval(s.From.term())
	var feed FeedValue
	switch v := v.(type) {
	case Split:
		feed = FeedValue{Split: v, Kind: "rows"}
	case FeedValue:
		feed = v
	case DataSource:
		b.failHelp(s.From.term().Span(), "`"+v.Source.Name+".train`", "batches come from a part of a data source")
	default:
		b.failHelp(s.From.term().Span(), "`windows(d.train)`, or `d.train` for its rows", "batches do not come from %s", describe(v))
	}
	if b.entry.kind == ir.EntrySample {
		b.failHelp(at, "an `eval` goes through a part of the data and can `show`; what a sample is given are its parameters, as in `sample s(x: f32[N, 4])`", "`each` stands in train and eval")
	}
	if feed.Kind == "rows" && isText(feed.Split.Source) {
		b.failHelp(s.From.term().Span(), "`windows("+feed.Split.Source.Name+"."+feed.Split.Part+")`", "a text has no rows")
	}
	columns := map[string]int{"windows": 1, "streams": 1, "clips": 3}[feed.Kind]
	if src := feed.Split.Source; feed.Kind == "rows" && src.Labels == "" && (src.Kind == "lines" || src.Kind == "csv") {
		columns = 1
	} else if feed.Kind == "rows" && src.Kind != "npy" {
		columns = 2
	}
	if columns > 0 && len(s.Vars) > columns {
		b.fail(at, "%s of `%s` %s, not %d", map[bool]string{true: "the rows", false: "the " + feed.Kind}[feed.Kind == "rows"], feed.Split.Source.Name, "have "+plural(columns, "array"), len(s.Vars))
	}
	site := b.site[0] + "/" + s.Vars[0].Name // arrays of one `each` come from the same rows
	for column, x := range s.Vars {
		typ := b.staticType(x.Type)
		if len(typ.Dims) == 0 {
			b.fail(typeSpan(x.Type), "a batch has at least one axis, the first")
		}
		if typ.Dims[0].Size == 0 {
			b.failHelp(typeSpan(x.Type), "the first axis is how many examples a step takes: 1 or more", "a batch of no examples: %s", typeText(typ))
		}
		if why := feed.misfit(column, typ); why != "" {
			b.fail(typeSpan(x.Type), "%s, not %s", why, typeText(typ))
		}
		name := x.Name
		for n := 2; b.entry.hasFeed(name); n++ {
			name = x.Name + strconv.Itoa(n)
		}
		b.entry.feeds = append(b.entry.feeds, ir.Feed{Name: name, Source: feed.Split.Source.Name, Split: feed.Split.Part, Kind: feed.Kind, Stride: feed.Stride, Past: feed.Past, Future: feed.Future,
			Site: site, Column: column, Group: b.entry.groups, Pos: posOf(at)})
		b.sc.assign(x.Name, b.mark(b.tensor(b.entry.f.b.Param(ir.ParamFeed, name, typ)), x.Type))
	}
	b.entry.groups++
}

// misfit says what type column k of a batch has, where typ is another.
func (f FeedValue) misfit(k int, typ ir.Type) string {
	label := typ.Elem.IsInt() && len(typ.Dims) == 1
	switch src := f.Split.Source; {
	case f.Kind == "windows" || f.Kind == "streams":
		if len(typ.Dims) != 2 || typ.Elem != loop.I32 {
			return f.Kind + " of a text are i32[batch, length]"
		}
	case f.Kind == "clips" && k == 0:
		if len(typ.Dims) < 3 || typ.Dims[1].Size != f.Past {
			return fmt.Sprintf("the rows of clips are f32[batch, %d, …]", f.Past)
		}
	case f.Kind == "clips" && k == 2:
		if len(typ.Dims) != 2 || typ.Dims[1].Size != f.Future || !typ.Elem.IsInt() {
			return fmt.Sprintf("the labels after a clip are i32[batch, %d]", f.Future)
		}
	case f.Kind == "clips" || k == 1 && isPictures(src):
		if !label {
			return "labels are i32[batch]"
		}
	case isPictures(src):
		size, colors := "height, width", "1"
		ok := len(typ.Dims) == 2 && src.Kind != "images" || len(typ.Dims) == 4 && typ.Dims[1].Size == 1
		if src.Kind == "images" {
			colors, ok = "3", ok || len(typ.Dims) == 4 && typ.Dims[1].Size == 3
		}
		if src.Size > 0 {
			size = fmt.Sprintf("%d, %d", src.Size, src.Size)
			flat := len(typ.Dims) == 2 && typ.Dims[1].Size == src.Size*src.Size
			ok = ok && (flat || len(typ.Dims) == 4 && typ.Dims[2].Size == src.Size && typ.Dims[3].Size == src.Size)
		}
		if !ok || !typ.Elem.IsFloat() {
			return fmt.Sprintf("the pictures of `%s` are f32[batch, %s, %s]", src.Name, colors, size)
		}
	}
	return ""
}

// isPictures reports whether a source has pictures, with labels.
func isPictures(s *ir.Source) bool {
	return s.Kind == "mnist" || s.Kind == "glyphs" || s.Kind == "images"
}

func (e *entry) hasFeed(name string) bool {
	for _, f := range e.feeds {
		if f.Name == name {
			return true
		}
	}
	return false
}

// report records scalars and short vectors.
func (b *builder) report(s *Report) {
	for _, item := range s.Items {
		b.guard(func() { b.reportItem(item) }, func() {})
	}
}

func (b *builder) reportItem(item *ReportItem) {
	at := Span{item.Pos, item.EndPos}
	t := item.Value.term()
	name := item.Name
	if name == "" {
		n, ok := t.(*NameTerm)
		if !ok {
			b.failHelp(at, "`report name = "+b.src.text(t.Span())+"`", "a reported expression needs a name")
		}
		name = n.Name
	}
	v := b.eval(t)
	b.at(at)
	x, ok := b.tensorLike(v, loop.F32)
	if !ok {
		b.fail(at, "a report is a number, not %s", describe(v))
	}
	if typ := x.N.Type; typ.Rank() > 1 || typ.Size() > 64 {
		b.failHelp(at, "`mean(x)` reduces it", "a report is a scalar or a short vector, not %s", typeText(typ))
	}
	b.addReport(name, b.node(x), at)
}

// addReport records a value of this frame; the last of a name counts.
func (b *builder) addReport(name string, n *ir.Node, at Span) {
	if b.f.outer != nil {
		for i, r := range b.f.reports {
			if r.name == name {
				b.f.reports = append(b.f.reports[:i], b.f.reports[i+1:]...)
				break
			}
		}
		b.f.reports = append(b.f.reports, branchReport{name, b.tensor(n), at})
		return
	}
	for i, r := range b.entry.results {
		if r.Kind == ir.ResultReport && r.Name == name {
			b.entry.results = append(b.entry.results[:i], b.entry.results[i+1:]...)
			break
		}
	}
	b.entry.results = append(b.entry.results, ir.Result{Kind: ir.ResultReport, Name: name, Value: n, Pos: posOf(at)})
}

// reported is the value of a report so far in frame f: not a number, or 0, where there is none.
func (b *builder) reported(f *frame, name string, t ir.Type) *ir.Node {
	for _, r := range f.reports {
		if r.name == name && r.value.N.Type.Equal(t) {
			return r.value.N
		}
	}
	for _, r := range b.entry.results {
		if f == b.entry.f && r.Kind == ir.ResultReport && r.Name == name && r.Value.Type.Equal(t) {
			return r.Value
		}
	}
	if t.Elem.IsFloat() {
		return f.b.Const(t, math.NaN())
	}
	return f.b.Const(t, 0)
}

var showFormats = []string{"images", "text", "audio", "points", "histogram", "table"}

func (b *builder) show(s *Show, at Span) {
	v := b.eval(s.Value.term())
	b.at(at)
	if text, ok := v.(Text); ok {
		v = b.textTensor(string(text))
	}
	if _, none := v.(None); none {
		b.failHelp(at, "a function without `return` gives nothing", "there is nothing to show")
	}
	decode := ""
	if d, ok := v.(Decoded); ok {
		if s.As != "text" {
			b.failHelp(at, "`show … as text`", "what is decoded is a text")
		}
		v, decode = d.Tokens, d.Source.Name
	}
	x, ok := b.tensorLike(v, loop.F32)
	if !ok {
		b.fail(at, "`show` shows tensors, not %s", describe(v))
	}
	if s.As != "" && !contains(showFormats, s.As) {
		b.failHelp(at, didYouMean(s.As, showFormats), "`show` has no format `%s`", s.As)
	}
	if s.As == "text" && x.N.Type.Elem != loop.I32 {
		b.fail(at, "a text is i32[B, T], not %s", typeText(x.N.Type))
	}
	rank := x.N.Type.Rank()
	if s.As == "images" && rank != 4 && rank != 5 {
		b.failHelp(at, "`reshape(x, [n, 1, height, width])`", "images are f32[n, channels, height, width] or f32[rows, columns, channels, height, width], not %s", typeText(x.N.Type))
	}
	if s.As == "points" && (rank != 2 && rank != 3 || x.N.Type.Dims[rank-1].Size != 2) {
		b.fail(at, "points are f32[n, 2] or f32[groups, n, 2], not %s", typeText(x.N.Type))
	}
	if s.As == "audio" && rank != 1 && rank != 2 {
		b.fail(at, "audio is f32[samples] or f32[clips, samples], not %s", typeText(x.N.Type))
	}
	name := s.As
	if n, ok := s.Value.term().(*NameTerm); ok {
		name = n.Name
	}
	b.entry.results = append(b.entry.results, ir.Result{Kind: ir.ResultShow, Name: name, As: s.As, Decode: decode, Value: b.node(x), Pos: posOf(at)})
}

// every builds what runs at the end of every nth step: evals, and a graph of its own for the rest.
func (b *builder) every(s *Every, at Span) {
	if b.entry.kind != ir.EntryTrain || b.entry.stepped {
		b.fail(at, "`every` stands in a train")
	}
	n, ok := b.static(s.Count.term(), "the count of `every`").(Num)
	if !ok || !n.isWhole() || n.V < 1 {
		b.fail(s.Count.term().Span(), "`every` wants a whole number of steps from 1 on")
	}
	out := &ir.Every{N: int(n.V)}
	var rest, evals []*Stmt
	for _, x := range s.Body.Stmts {
		if x.Eval == "" {
			rest = append(rest, x)
			continue
		}
		b.needEval(x)
		evals = append(evals, x)
		out.Evals = append(out.Evals, x.Eval)
	}
	train := b.entry
	train.every = append(train.every, out)
	var writes []Span
	if len(rest) > 0 {
		writes = b.everyBlock(out, rest)
	}
	for _, x := range evals {
		before := len(train.writes)
		for _, w := range writes {
			if w.Pos.Offset < x.Pos.Offset {
				before++
			}
		}
		train.evals = append(train.evals, evalPlace{x.Eval, stmtSpan(x), before})
	}
	train.writes = append(train.writes, writes...)
}

// everyBlock builds the statements of an `every` as a graph of their own. It gives the places where they assign states.
func (b *builder) everyBlock(out *ir.Every, rest []*Stmt) []Span {
	train, f := b.entry, b.f
	inner := newEntry(ir.EntryTrain, fmt.Sprintf("%s every %d", train.name, out.N))
	inner.stepped, inner.f.step = true, train
	b.entry, b.f = inner, inner.f
	site := b.site
	b.site = append(append([]string{}, site...), "every "+strconv.Itoa(out.N))
	b.in(newScope(b.sc, blockScope)).block(&Block{Stmts: rest})
	inner.finishStates(b)
	out.Graph, out.Feeds = inner.f.b.Finish(inner.results...), inner.feeds
	b.entry, b.f, b.site = train, f, site
	return inner.writes
}

func (b *builder) needEval(s *Stmt) {
	if !contains(b.evals, s.Eval) {
		b.failHelp(stmtSpan(s), didYouMean(s.Eval, b.evals), "there is no `eval %s`", s.Eval)
	}
}

// evalHere is `eval name` in the body of a train: it runs at the end of each step, so nothing may
// change behind it.
func (b *builder) evalHere(s *Stmt, at Span) {
	if b.entry.kind != ir.EntryTrain || b.entry.stepped {
		b.fail(at, "`eval %s` stands in a train", s.Eval)
	}
	b.needEval(s)
	if len(b.loops) > 0 {
		b.failHelp(at, "put it behind the loop", "`eval %s` runs once a step, and this is a loop", s.Eval)
	}
	b.entry.every = append(b.entry.every, &ir.Every{N: 1, Evals: []string{s.Eval}})
	b.entry.evals = append(b.entry.evals, evalPlace{s.Eval, at, len(b.entry.writes)})
}

// evalPlace is an `eval` in the body of a train, and how many states had been assigned before it.
type evalPlace struct {
	name  string
	at    Span
	after int
}

// checkEvals refuses an `eval` that would see states as they are later in the step.
func (b *builder) checkEvals(e *entry) {
	for _, v := range e.evals {
		if v.after < len(e.writes) {
			w := e.writes[v.after]
			b.diags = append(b.diags, b.diagnostic(v.at, "put it at the end of the body", "`eval %s` runs at the end of the step, and line %d changes a state behind it", v.name, w.Pos.Line))
		}
	}
}

// initEntry gives every state its first value. The instances of a stack are drawn in a loop, each with its turn.
func (b *builder) initEntry() {
	e := newEntry(ir.EntryInit, "")
	b.entry, b.f = e, e.f
	b.nth, b.turns, b.loops, b.runs = map[string]int{}, nil, nil, nil
	for _, s := range b.states {
		b.guard(func() {
			at := Span{s.decl.Pos, s.decl.EndPos}
			b.site, b.loops, b.nth = []string{"init"}, s.turns, map[string]int{}
			if s.copyOf != nil {
				b.at(at)
				n := b.firstOfCopy(s)
				e.current[s] = Tensor{N: n, F: e.f}
				e.results = append(e.results, ir.Result{Kind: ir.ResultState, Name: s.name, Value: n, Pos: posOf(at)})
				return
			}
			v := b.in(s.scope).eval(s.decl.Init.term())
			if s.decl.Op == "~" {
				at = s.decl.Init.term().Span()
			}
			b.at(at)
			n := b.firstValue(s, v, at)
			e.current[s] = Tensor{N: n, F: e.f}
			e.results = append(e.results, ir.Result{Kind: ir.ResultState, Name: s.name, Value: n, Pos: posOf(at)})
		}, func() {})
	}
	b.module.Entries = append([]*ir.Entry{{Kind: ir.EntryInit, Graph: e.f.b.Finish(e.results...)}}, b.module.Entries...)
}

func (b *builder) firstValue(s *stateDecl, v Value, at Span) *ir.Node {
	if s.decl.Op == "=" {
		x, ok := b.tensorLike(v, s.typ.Elem)
		if !ok {
			b.fail(at, "the first value of `%s` is %s, not a tensor", s.decl.Name, describe(v))
		}
		x = b.cast(x, s.typ.Elem)
		y, why := b.broadcastTo(x, s.typ.Dims)
		if why != "" {
			b.fail(at, "the first value of `%s` is %s and cannot be broadcast to %s: %s", s.decl.Name, typeText(x.N.Type), typeText(s.typ), why)
		}
		return b.node(b.stretch(Tensor{N: y.N, F: y.F}, s.full().Dims, nil))
	}
	if len(s.stack) == 0 {
		return b.node(b.drawValue(v, &s.typ, s.site, at).(Tensor))
	}
	return b.drawStack(s, s.stack, v, at)
}

// drawStack draws one instance a turn.
func (b *builder) drawStack(s *stateDecl, levels []*stackLevel, v Value, at Span) *ir.Node {
	outer, loops := b.f, b.loops
	f := outer.region("init", index.C(levels[0].n))
	b.f = f
	b.loops = append(append([]turnCount{}, loops...), turnCount{frame: f, count: levels[0].n})
	b.at(at)
	var n *ir.Node
	if len(levels) > 1 {
		n = b.drawStack(s, levels[1:], v, at)
	} else {
		n = b.node(b.drawValue(v, &s.typ, s.site, at).(Tensor))
	}
	b.f, b.loops = outer, loops
	b.at(at)
	return b.closeLoop(f, nil, nil, []*ir.Node{n})[0]
}
