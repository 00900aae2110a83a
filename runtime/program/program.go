// Package program is what the compiler hands to the runtime: plain data, no
// code but its own reading and writing. A program is static: every buffer has
// its place in one arena and every launch its place in a list.
package program

import (
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// Program is one compiled model file: several entries over one arena, one set
// of states and one code object.
type Program struct {
	Source   string // the file's name, for messages
	Settings []KV   // resolved settings, in order
	Target   Target
	Object   []byte `json:"-"` // code with one symbol per kernel phase; none without kernels
	Kernels  []Kernel
	States   []State
	Sources  []Source
	Arena    int64 // bytes of temporaries, the largest over all blocks
	Work     int64 // bytes of launch scratch, the largest over all launches
	Entries  []Entry
}

// KV is a resolved setting.
type KV struct{ Key, Value string }

// Target says what the code needs of the machine, and what Program.Object is: for the CPU a shared
// object, for NVPTX the text of one PTX module that holds all kernels.
type Target struct {
	Triple   string   // x86_64-linux, NVPTX
	Features []string // x86: avx2, fma, avx512f, …; NVPTX: the architecture alone, sm_80 or sm_90a
}

// NVPTX is the triple of code for NVIDIA GPUs.
const NVPTX = "nvptx64-nvidia-cuda"

// Arch is the architecture that code for a GPU was made for; "" for other code.
func (t Target) Arch() string {
	if t.Triple != NVPTX || len(t.Features) != 1 {
		return ""
	}
	return t.Features[0]
}

// Kernel is one compiled kernel.
type Kernel struct {
	Name   string
	Pos    []loop.Pos
	Phases []Phase
	Rounds *Rounds `json:",omitempty"` // GPU: nil where each phase is launched once
	Args   int     // number of buffer arguments
	Local  int64   // bytes of per-worker scratch; none on a GPU

	Products float64 `json:",omitempty"` // floating-point operations of its products in a launch, two for each multiplication
	Tensor   bool    `json:",omitempty"` // these are on tensor cores
	Bytes    float64 `json:",omitempty"` // that a launch must at least move: each of its buffers once; lengths count as their capacity
}

// Rounds says that phases From..To-1 are launched over and over: all of them in turn, Count times.
type Rounds struct {
	From, To int
	Count    *index.Expr // over the kernel's lengths, as the points of phases
}

// Has reports whether phase i is launched in rounds.
func (r *Rounds) Has(i int) bool { return r != nil && r.From <= i && i < r.To }

// Phase is a function that runs points of its flattened par axes (in order of declaration, last
// fastest).
//
// On the CPU it is `void sym(ptr args, i64 lo, i64 hi, ptr scratch)` and runs points lo..hi; args
// points at the addresses of the kernel's In, Out, InOut and Work buffers in order.
//
// On a GPU it is `.visible .entry sym(.param .u64 arg0, …, .param .u64 argN-1, .param .u64 points)`:
// the device addresses of the kernel's N arguments in the same order, then the number of points; a phase that is launched in rounds
// has one more, `.param .u64 round`, which counts from 0. Its tensor maps come last, each `.param .align 64 .b8 map[128]`.
// It is launched with ceil(points / PerBlock) blocks (x only) of Threads threads, not at all where
// there are no points. Phases of a kernel and launches of a block run one after another, each
// seeing what those before it wrote. Kernels read lengths and turns from memory, as on the CPU.
type Phase struct {
	Symbol string
	Points *index.Expr // over the kernel's lengths `n0, n1, …` (Launch.Lens); a constant where nothing is dynamic
	Whole  bool        `json:",omitempty"` // a thread takes all points of its share at once

	Threads  int `json:",omitempty"` // GPU: threads of a block; it is one-dimensional
	PerBlock int `json:",omitempty"` // GPU: points that a block runs
	Shared   int `json:",omitempty"` // GPU: bytes of dynamic shared memory of a block

	Maps []TensorMap `json:",omitempty"` // GPU: what it copies boxes of, or to
}

// TensorMap says of an argument what tensor it is, of which a kernel copies boxes to shared memory, or to which out of it. The device
// encodes it for each launch, since the address and lengths may be other ones then.
type TensorMap struct {
	Arg     int // where the tensor begins
	Elem    loop.Elem
	Dims    []*index.Expr // in elements, the one whose neighbours lie side by side first, over the kernel's lengths. What a box has beyond them is 0
	Strides []int64       // bytes between neighbours of all dimensions but the first
	Box     []int         // how far a box goes, in elements
	Swizzle int           // bytes of a row of a box, whose pieces of 16 change places in shared memory; 0: they do not
}

// MapWords are the words of 8 bytes of an encoded tensor map.
const MapWords = 16

// Blocks is the number of blocks that a GPU runs for points.
func (ph *Phase) Blocks(points int) int { return (points + ph.PerBlock - 1) / ph.PerBlock }

// StateKind says what a state is to the user.
type StateKind uint8

const (
	Param StateKind = iota
	Plain
	Moment // an optimiser's
)

// State is memory that lives across runs and in checkpoints. A stacked state
// has Stack > 0 instances along its first axis; Name then has one `#` for each stack level
// (gpt.blocks.#.norm1.scale) and checkpoints hold each instance under its own name.
type State struct {
	Name  string
	Elem  loop.Elem
	Dims  []int
	Stack []int // sizes of the leading stack axes, outermost first
	Kind  StateKind
	Pos   loop.Pos
}

// Source is a `data` declaration: kind and arguments, resolved by the runtime.
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
	Pos       loop.Pos
}

// Entry is an `init`, `train`, `eval` or `sample` of the file.
type Entry struct {
	Kind  string // init, train, eval, sample
	Name  string
	Count *index.Expr // train: number of steps, over len.<source>.<split>; nil: until the data ends (eval) or once
	Flags []Flag      // sample
	Needs []Need      `json:",omitempty"` // what must hold of the lengths that flags set: the driver looks before it runs Block
	Block Block
	Every []Every
}

// Need is what must hold of lengths: what stands at Pos is not there otherwise. Help is the way out.
type Need struct {
	index.Need
	Help string
	Pos  loop.Pos
}

// Every is a block run at the end of steps N, 2N, ….
type Every struct {
	N     int
	Block Block
	Evals []string
}

// Flag is a parameter of a sample.
type Flag struct {
	Name    string
	Kind    string // text, int, float, f32, i32, …
	Default string
	Doc     string
	Static  bool // a new value needs a new compilation
	Axis    int  // of an array: the axis whose length the file says
}

// Block is one straight program.
type Block struct {
	Name    string
	Bufs    []Buffer
	Inputs  []Input
	Outputs []Output
	Lens    []Len
	Code    []Instr
	Settled int   `json:",omitempty"` // so many of Code, the first, compute what depends on states alone: they run again where these have changed
	Kept    int64 `json:",omitempty"` // bytes of what they leave for the rest: it lasts from run to run
}

// Buffer is a place in memory.
type Buffer struct {
	Name   string
	Elem   loop.Elem
	Dims   []int
	Home   Home
	State  int    // HomeState: which
	Offset int64  // HomeArena, HomeKept: byte offset
	Data   []byte `json:"-"` // HomeConst
	Pos    loop.Pos
}

// Home says where a buffer lives.
type Home uint8

const (
	HomeArena Home = iota
	HomeState
	HomeInput // filled by the driver before each run; its own memory
	HomeConst
	HomeLen  // i64[]: the value of Block.Lens[State], or of a loop's Len of that name
	HomeWork // scratch of one launch: all launches share the region at Program.Work
	HomeKept // the block's own memory of Block.Kept bytes, which the first Block.Settled of its code write
)

// InputKind says who fills an input.
type InputKind uint8

const (
	InputFeed InputKind = iota // next batch of an `each`
	InputStep                  // i32[], the step
	InputSeed                  // u32[2]
	InputFlag                  // a parameter of the sample
)

// Input is a buffer that the driver fills before each run.
type Input struct {
	Kind   InputKind
	Buf    int
	Name   string        // flag name, or the name that `each` binds
	Feed   Feed          // InputFeed
	Encode string        `json:",omitempty"` // InputFlag: the source that makes tokens of the text
	Len    string        // the length symbol that the flag's actual length sets, or ""
	Lens   []*index.Expr `json:",omitempty"` // InputFlag: the length of each axis, nil where it is the buffer's; none: all are
}

// Feed is one variable of an `each … from`.
type Feed struct {
	Source, Split string // corpus, train
	Kind          string // rows, windows, streams, clips
	Stride        int    // windows with stride, in order; 0: random cuts
	Past          int    // clips: rows up to now
	Future        int    // clips: rows after it
	Site          string // path of the draw that shuffles or cuts
	Column        int    // which of the arrays of a source with several
	Group         int    // feeds of one `each` share a group
}

// OutputKind says what an output is.
type OutputKind uint8

const (
	OutputReport OutputKind = iota // scalar or short vector
	OutputShow
	OutputWhile
	OutputBound  // u32[]: the run stops where it is Limit or more: an index that is data led outside
	OutputFinite // u32[]: the run stops unless it is 0: something minimized is infinite (1) or NaN (2)
	OutputAssert // u32[]: the run stops unless it is 0: what Name says does not hold
)

// Output is a buffer that the driver reads after each run.
type Output struct {
	Kind   OutputKind
	Buf    int
	Name   string        // report key; bound, finite: what is checked
	Decode string        `json:",omitempty"` // show: the source whose vocabulary the tokens are of
	As     string        // show: text, images, …, "" = the value
	Lens   []*index.Expr `json:",omitempty"` // show: the length of each axis, nil where it is the buffer's; none: all are
	Len    *index.Expr   // bound: the axis's length, where it is known only now
	Pos    loop.Pos

	Axis  int `json:",omitempty"` // bound: the axis of Name
	Limit int `json:",omitempty"` // bound
}

// Len is a length symbol of a block: an input (Def nil) or a function of others.
type Len struct {
	Name string
	Max  int
	Def  *index.Expr
}

// Instr is a Launch or a Loop: exactly one is set.
type Instr struct {
	Launch *Launch
	Loop   *Loop
}

// Launch runs a kernel.
type Launch struct {
	Kernel int
	Args   []Ref
	Lens   []*index.Expr // values of the kernel's lengths, over the block's symbols
}

// Ref is a buffer and a byte offset into it, which may depend on the turns of loops around.
type Ref struct {
	Buf    int
	Offset *index.Expr // nil: 0
}

// Loop runs Code Count times, with symbol Turn = 0, 1, …. Lens are
// recomputed each turn. Where While is set, a turn is made only as long as the bool that it
// refers to is true, and symbol Made is the number of turns made once the loop has ended. A turn that was not
// to be made is undone where the buffers Over hold again what they did before it: all else that it writes it
// writes where no turn before it left anything that is read.
type Loop struct {
	Turn  string
	Count *index.Expr
	While *Ref   `json:",omitempty"`
	Made  string `json:",omitempty"`
	Over  []int  `json:",omitempty"`
	Turns int    // buffer (i32[]) that the executor sets to the turn before each pass, -1: none
	Lens  []Len
	Code  []Instr
}
