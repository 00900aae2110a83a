package loop

// Kernel is one kernel: buffers, axes and a body. Before scheduling every axis
// is open and the body is Lets and Stores; each step of codegen/schedule
// rewrites it into another Kernel.
type Kernel struct {
	Name    string
	Pos     []Pos
	Axes    []*Axis   // in order of declaration; an axis follows those that its Def and Extent use
	Bufs    []*Buffer // parameters first, in call order, then locals
	Rings   []*Ring
	Body    []Stmt
	Guarded bool  // true after step edge: guards are explicit, only leaf extents count
	Opts    []Opt // the schedule that made this kernel, for printing
}

// Opt is one scheduling decision. Axis names an axis, value, operand or buffer.
type Opt struct {
	Kind string
	Axis string
	Arg  int
	Word string // the argument of kinds that take a word: Bind a par, Pack W phase
}

// Bind says who enumerates an axis.
type Bind uint8

const (
	Open   Bind = iota // inside values
	Loop               // by a For
	Unroll             // by a For that is unrolled when emitted
	Par                // by the worker pool
	Grid               // by the GPU's grid
	Reg                // open, over registers (after step layout)
	Lane               // open, over the lanes of a vector (after step layout); at most one lane axis a value

	Warp   // open, over the warps of a point
	Thread // open, over the threads of a point

	// The axes of a product on tensor cores, which its fragments spread over the threads of a warp.
	FragRow // open, 16 rows of an operand or of results
	FragCol // open, 8 columns
	FragSum // open, 16 summands

	Box // open, over a box of memory that the hardware copies at once
)

// MMA is the instruction row of products on tensor cores, mma.m16n8k16: rows, columns and the innermost
// summands are the leaves of three axes so bound.
const MMA = "mma"

// WGMMA is that of products that four warps make together, wgmma.m64nNk16, or k32 of floats of 8 bits: fragments are MMA's, each warp has 16 of 64 rows,
// and operands lie in shared memory, in rows of SwizzleBytes. The first one may be computed, and is in registers then.
const WGMMA = "wgmma"

// SwizzleBytes are the bytes of a row of a swizzled buffer: its 16-byte pieces stand in the order of their number xor the row's, mod 8, so
// that those of 8 rows lie in different banks (PTX ISA, "Swizzling modes": 128 B).
const SwizzleBytes = 128

// Axis is a named index. It is a leaf (Def nil: it is enumerated) or a function
// of other axes (i = i0*128 + i1). A point is live if every axis that it
// determines is inside its Extent.
type Axis struct {
	Name   string
	Extent *Value // i64; a constant, or data with the bound Max
	Max    int    // the largest extent; equals the extent where it is constant
	Def    *Value // nil for a leaf
	Bind   Bind
}

// Mode says how a kernel uses a buffer.
type Mode uint8

const (
	In Mode = iota
	Out
	InOut
	Work  // scratch shared by the phases of one kernel, allocated by the plan
	Local // scratch of one worker (Panel)
)

// Buffer is memory with logical indices. Its address map is row-major strides
// over Dims unless Strides is given. A rank-0 buffer holds one element.
type Buffer struct {
	Name    string
	Elem    Elem
	Dims    []int   // capacities
	Length  *Buffer // an i64 that tells how long the first dimension is, where its capacity is not what memory there is; else nil
	Strides []int   // in elements; nil: row-major
	Mode    Mode
	Still   bool // of an In buffer: launches are in a loop whose turns all find the same here, so what is made of it alone is made once
	Swizzle bool // of a Local buffer: its last dim is SwizzleBytes long, and its pieces are swizzled. Indices do not tell
}

// Ring is slots of Local buffers that the hardware fills while others are read: turn t has slot t % Depth of each of them. So many neighbouring points
// as Cluster says run side by side and go through its turns together: a turn is filled when all of them have filled it, and a slot is filled
// again when all have freed it.
type Ring struct {
	Name    string
	Depth   int
	Cluster int // 0: each point for itself
}

// IsTensor reports whether v is a product of tensor cores.
func (v *Value) IsTensor() bool { return v.Op == Dot && (v.Instr == MMA || v.Instr == WGMMA) }

// IsMatrix reports whether v is an operand that tensor cores read where it lies.
func (v *Value) IsMatrix() bool { return v.Op == Load && v.Buf.Swizzle && v.Guard == nil }

// Value is a node of the one value table: an operation on tiles. Its Axes are
// the open axes that it depends on; operations broadcast by name.
type Value struct {
	Op    Op
	Elem  Elem
	Axes  []*Axis // sorted in the order of Kernel.Axes; leaves only (an open axis with a Def stands for its leaves)
	Args  []*Value
	Over  []*Axis // reductions and dot: the axes summed over
	Buf   *Buffer // Load
	Guard *Value  // Load: bool or nil; false means no access and the value 0
	Axis  *Axis   // AxisIndex, At
	Bits  uint64  // Const: IEEE bits of a float (as float64 bits for every float type), or the integer
	Instr string  // Dot: the instruction row, "" before Mma
	Name  string  // of a Let, "" otherwise
	Pos   Pos
}

// Stmt is a statement of a kernel's body.
type Stmt interface{ stmt() }

// Let evaluates Val here; Val.Name is its name.
type Let struct{ Val *Value }

// Store writes Val to Buf[Index...] where Guard (nil: always) holds.
type Store struct {
	Buf   *Buffer
	Index []*Value
	Guard *Value
	Val   *Value
	Async bool // it copies a Load to a Local buffer, and is seen after a Wait for its group, or in a Fill after the Take of its turn; in a Send it copies one of a Local buffer

	Multicast bool // of a Fill: slots of all points of the ring's cluster get it
}

// For runs Body for Axis in Lo..Hi (nil: the whole extent), ascending.
type For struct {
	Axis   *Axis
	Lo, Hi *Value
	Carry  []*Carry
	Body   []Stmt
}

// Carry is a value that a For hands from turn to turn. At a dead point the old
// value stays.
type Carry struct {
	Name string // inside the loop
	Init *Value
	In   *Value // Op CarryIn: the value at the start of a turn
	Next *Value // what `yield` gives
	Out  *Value // Op CarryOut: the value after the loop, named by the statement
}

// If runs Body where Cond, a scalar bool, holds.
type If struct {
	Cond *Value
	Body []Stmt
}

// Commit ends a group of asynchronous stores, which may be empty.
type Commit struct{}

// Wait is where the warps of a point meet: what each stored before, all see after; so they do the asynchronous stores
// of all groups but the Young youngest.
type Wait struct{ Young int }

// RingStep is what happens to the slot of a turn of a ring. Turns are filled, taken and freed in order, from 0 on.
type RingStep struct {
	Ring *Ring
	Kind RingKind
	Turn *Value
	Body []Stmt // Fill: its stores
}

// RingKind says what a RingStep does.
type RingKind uint8

const (
	Fill RingKind = iota // waits until the turn Depth before is free, and lets the asynchronous stores of its body begin
	Take                 // waits until all that the turn's Fill stores is there
	Free                 // nobody reads what the turn's Fill stored from here on
)

// Send lets the asynchronous stores of its body begin, which copy Local buffers to memory. What they read may not be overwritten until a Sent, and what
// they write nobody reads in this phase.
type Send struct{ Body []Stmt }

// Sent waits until all Sends of the point but the Young youngest have read what they copy. A point ends when all have.
type Sent struct{ Young int }

// Role is a program for warps of a point. Roles that stand one after another go on side by side, and meet in rings only; a Wait is of one role.
type Role struct {
	Name  string
	Warps int // that have no other role; 0: those that Warp axes count
	Regs  int // registers of a thread; 0: as many as at the start
	Body  []Stmt
}

// Settle waits until Val is there, the result of products of a group of warps (WGMMA), or what a loop carried of them: of those on their way
// all but the Young youngest are done. Until then a result may only be what the next product adds to, an operand in registers has them, so that
// it is not computed again, and until the next Wait after it, or a Free of it, what the products read may not be overwritten.
type Settle struct {
	Young int
	Val   *Value
}

// Phase ends a phase: what any par point wrote before it, all may read after.
type Phase struct{}

func (*Let) stmt()      {}
func (*Store) stmt()    {}
func (*For) stmt()      {}
func (*If) stmt()       {}
func (*Commit) stmt()   {}
func (*Wait) stmt()     {}
func (*Settle) stmt()   {}
func (*RingStep) stmt() {}
func (*Send) stmt()     {}
func (*Sent) stmt()     {}
func (*Role) stmt()     {}
func (*Phase) stmt()    {}
