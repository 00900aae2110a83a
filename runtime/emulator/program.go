package emulator

// Kernel is a decoded kernel: one flat list of instructions of it and all that
// it calls, whose operands are numbers of rows. A row holds 64 bits for each
// lane of a warp; predicates have rows of single bits.
type Kernel struct {
	module *Module
	name   string
	approx Approx

	code   []inst
	places []place // of code
	rows   int
	preds  int
	consts []constant
	specs  []specialRow

	paramAt    []int // byte offsets of the parameters
	paramBytes int
	shared     []placed // static variables, ascending, then the extern one
	local      []placed
	frameBytes int // parameters and results of device functions
	entry      *function
	mbarriers  bool // are used
	products   bool // of warpgroups
	proxy      bool // something reaches shared memory in the asynchronous proxy
	rowName    []string

	granule [2]int // narrowest access to shared and to global memory, in bytes
}

type place struct {
	line int
	loc  int32
}

// A constant fills a row at the start: a value, or the address of a module's variable.
type constant struct {
	row   int32
	value uint64
	at    *variable
}

type placed struct {
	v    *variable
	addr int
}

type opcode uint8

const (
	opALU    opcode = iota // d = f(a, b, c)
	opMov                  // d = a
	opSetp                 // d, q = compare(a, b) combined with a predicate
	opSelp                 // d = predicate ? a : b
	opRun                  // run(w, in, lanes)
	opBranch               // to target
	opCall                 // to target; the place after it goes into row d
	opReturn               // to the place in row a
	opExit
	opWarpSync  // run when the lanes that take part have come
	opBlockSync // a barrier of the block
)

type inst struct {
	op     opcode
	pc     int32
	inv    bool  // the guard must be false
	pinv   bool  // predicate operand c is negated
	guard  int32 // a predicate row; row 0 is always true
	d, e   int32 // destinations
	a, b   int32
	c      int32
	target int32
	reconv int32 // where the sides of a branch meet again, -1 = nowhere
	f      func(a, b, c uint64) uint64
	cmp    func(a, b uint64) bool
	join   func(r, c uint32) uint32 // combines a comparison with a predicate
	run    func(w *warp, in *inst, lanes uint32)
	mem    *access
	sync   *syncing
	mma    *product
	copies []span
	fresh  *fresh
	touch  []int32 // registers of warpgroup products that it uses
}

// syncing says who takes part in an instruction that lanes execute together.
type syncing struct {
	name     string
	aligned  bool  // every lane of the warp that has not ended
	anywhere bool  // lanes may come to another such instruction
	mask     int32 // the row of the member mask
	barrier  barrierUse
}

// Row numbers with a fixed meaning.
const (
	zeroRow  = 0 // the constant 0
	trueRow  = 0 // of predicates: true in every lane
	noTarget = -1
)

func (k *Kernel) place(pc int32) Place {
	p := k.places[pc]
	return Place{Line: p.line, Source: k.module.source(p.loc)}
}

// Approx says which result approximate instructions give: the nearest to the
// exact value, or one end or the other of the error that the PTX manual allows.
// A kernel is right if its results are good at both ends.
type Approx uint8

// The results of approximate instructions.
const (
	Nearest Approx = iota
	Low
	High
)

// Name is the kernel's name.
func (k *Kernel) Name() string { return k.name }

// SharedBytes is the size of the kernel's own shared variables, gaps left out.
func (k *Kernel) SharedBytes() int {
	n := int64(0)
	for _, p := range k.shared {
		n += p.v.size
	}
	return int(n)
}

// Params are the sizes in bytes of the kernel's parameters.
func (k *Kernel) Params() []int {
	var sizes []int
	for _, v := range k.entry.params {
		sizes = append(sizes, int(v.size))
	}
	return sizes
}
