// Package ir is the graph IR: typed SSA over tensors. ARCHITECTURE.md
// describes it.
package ir

import (
	"strings"

	"mdlc/ir/index"
)

// Node is one operation. Nodes are made by a Builder, which infers the type,
// interns, and never changes a node afterwards.
type Node struct {
	Op      *Op
	Args    []*Node
	Attr    Attr // the op's typed attributes; nil for most
	Regions []*Graph
	Type    Type
	Gen     int // recompute generation: part of the interning key
	Pos     Pos
	Name    string // a hint for printing and kernel names
	ID      int    // dense, in order of construction; for deterministic maps
}

// Attr is the typed attribute struct of an op family. Text is canonical: it is
// part of the interning key and of the printed form.
type Attr interface{ Text() string }

// Graph is a pure function: parameters to results. The nodes are all that the
// results reach. A region of a loop or cluster is a graph too; it sees no
// value from outside but its parameters (and the symbols of the graphs around it).
type Graph struct {
	Name    string
	Params  []*Node // op `param`
	Results []Result
	Syms    []Sym // runtime lengths, in order of definition
	Plan    *Plan // made by pass plan, last
}

// Result is a value that leaves a graph.
type Result struct {
	Kind   ResultKind
	Name   string // state: the state's name; report: the key; value: ""; bound, finite: what is checked
	As     string // show: the format
	Decode string // show: the source whose vocabulary the tokens are of, or ""
	Value  *Node
	Pos    Pos

	Axis  int // bound: the axis of Name that is indexed
	Bound Dim // bound: its length
}

// Limit is the smallest value of a check that is a mistake. Of an axis of fixed size
// the value is the largest index, as u32; else it is 0 unless an index is outside.
func (r Result) Limit() int {
	if r.Kind == ResultBound && r.Bound.Len == nil {
		return r.Bound.Size
	}
	return 1
}

// IsCheck reports whether a result stops the run where it is Limit or more.
func (r Result) IsCheck() bool {
	return r.Kind == ResultBound || r.Kind == ResultFinite || r.Kind == ResultAssert
}

// ResultKind says what a result is for.
type ResultKind uint8

const (
	ResultValue  ResultKind = iota // of a region, in order
	ResultState                    // the new value of a state
	ResultReport                   // a scalar or short vector for the log
	ResultShow
	ResultKept   // a value of the step that `every` blocks read
	ResultBound  // u32[]: an index that is data; the run stops where it is outside (Limit)
	ResultFinite // u32[]: 0, 1 if something minimized is infinite, 2 if it is NaN; the run stops unless it is 0
	ResultAssert // u32[]: the run stops unless it is 0: what Name says does not hold
)

var resultKinds = []string{"value", "state", "report", "show", "kept", "bound", "finite", "assert"}

func (k ResultKind) String() string { return resultKinds[k] }

// ParamKind says where a parameter's value comes from.
type ParamKind uint8

const (
	ParamValue   ParamKind = iota // of a region, in order
	ParamState                    // the value of a state at the start
	ParamFeed                     // the next batch of an `each`
	ParamStep                     // i32[]: finished steps of the running train
	ParamSeed                     // u32[2]
	ParamFlag                     // a parameter of a sample
	ParamValueOf                  // a value of the step that an `every` block belongs to; Name is the report-like key
)

var paramKinds = []string{"value", "state", "feed", "step", "seed", "flag", "valueof"}

func (k ParamKind) String() string { return paramKinds[k] }

// ParamAttr is the attribute of op `param`. Kind and name are unique in a graph.
type ParamAttr struct {
	Kind ParamKind
	Name string
	Type Type
}

// Sym is a runtime length: an input of the graph (Def nil) or defined by others.
type Sym struct {
	Name string
	Max  int
	Def  *index.Expr
}

// Module is what a model file means.
type Module struct {
	Source   string
	Compute  Elem     // BF16 or F16: of the operands and results of products of f32; F64: all floats are, but those with a type of fewer bits; else 0
	Product  Elem     // F8E4M3 or F8E5M2: of the operands of products with params, but those of Keep; BF16: of the halves of operands of f32; else 0
	Weights  Elem     // BF16, F16 or I8: what evals and samples store the weights of products in; else 0
	Keep     []string // states whose products stay at Compute
	Settings []Setting
	States   []*State
	Sources  []*Source
	Entries  []*Entry
}

// Setting is a resolved entry of config.
type Setting struct{ Name, Value string }

// StateKind says what a state is to the user.
type StateKind uint8

const (
	KindParam StateKind = iota
	KindState
	KindMoment // an optimiser's
)

// State is a param, a state or an optimiser's state. Where Stack is not empty the
// first axes of Type are instances (a list of equal modules); Name has a `#`
// for each. Its first value is the result of the same name of entry `init`.
type State struct {
	Name  string
	Type  Type
	Stack []int
	Kind  StateKind
	Pos   Pos
}

// Source is a `data` declaration.
type Source struct {
	Name      string
	Kind      string // bytes, tokens, lines, npy, csv, mnist, images, glyphs: the function that made it
	Path      string
	Bits      int       // npy: unpacked width of packed bits, 0: not packed; tokens: bits of a token
	Labels    string    // npy: the path of a second array; csv: the name of the column of labels; "": none
	Tokenizer string    // tokens: the path of a vocabulary; the file is a text then
	Ends      string    // lines: what each begins and ends with
	Size      int       // images, glyphs: height and width
	Count     int       // glyphs: how many
	Scale     []float64 // mnist, images, glyphs: black and white; nil: 0 and 1
	Split     []float64 // train, valid, test; nil: the source's own
	Holdout   int       // > 0: every Holdout-th file or line is held out
	Pos       Pos
}

// EntryKind is one of init, train, eval, sample.
type EntryKind string

const (
	EntryInit   EntryKind = "init"
	EntryTrain  EntryKind = "train"
	EntryEval   EntryKind = "eval"
	EntrySample EntryKind = "sample"
)

// Entry is an item of the file that runs.
type Entry struct {
	Kind  EntryKind
	Name  string
	Count *index.Expr // train: steps, over `len.SOURCE.SPLIT`; nil: once (sample), or to the end of the data (eval)
	Flags []Flag      // sample
	Needs []Need      // sample: what must hold of the lengths that a run has
	Graph *Graph
	Feeds []Feed // one for each ParamFeed of Graph, same names
	Every []*Every
	Pos   Pos
}

// Need is what must hold of the lengths of a run, or the file asks for what is not there at Pos.
type Need struct {
	index.Need
	Help string
	Pos  Pos
}

// Every runs at the end of steps N, 2N, ….
type Every struct {
	N     int
	Graph *Graph // may be nil: only evals
	Feeds []Feed
	Evals []string
}

// Flag is a parameter of a sample.
type Flag struct {
	Name, Kind, Default, Doc string
	Static                   bool
	Len                      string // the symbol that the length of a text or array sets, or ""
	Axis                     int    // of an array: the axis of that length
}

// EncodedFlag is the name of the parameter that holds a text flag as tokens of a source.
func EncodedFlag(flag, source string) string { return flag + "." + source }

// FlagLength is the symbol of the length of a flag, a text or an array, whose parameter is called param.
func FlagLength(param string) string { return "len." + param }

// FlagOf is the flag that fills a parameter, and the source that encodes it, or "".
func FlagOf(param string) (flag, source string) {
	flag, source, _ = strings.Cut(param, ".")
	return flag, source
}

// Feed says how a ParamFeed is filled.
type Feed struct {
	Name          string
	Source, Split string
	Kind          string // rows, windows, streams, clips
	Stride        int    // windows in order; 0: random cuts
	Past          int    // clips: rows up to now
	Future        int    // clips: rows after it
	Site          string // path of the draw
	Column        int
	Group         int
	Pos           Pos
}
