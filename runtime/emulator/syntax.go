package emulator

// A variable is a declared piece of memory: of a module, a function or a
// { } scope; parameters too.
type variable struct {
	name     string
	space    string // "global", "shared", "const", "local", "param"
	elem     elem
	align    int
	size     int64 // in bytes; 0 of an extern array without a length
	init     []byte
	external bool
	line     int
}

// A function is a kernel or a device function.
type function struct {
	name            string
	kernel          bool
	params, results []*variable
	regs            []register
	locals          []*variable // .local, .shared and .param of the body
	body            []stmt
	labels          map[label]int // index of the statement that follows
	scopes          []int         // of each { } scope, the one around it; the first is the body
	declared        bool          // only declared: without a body
	maxThreads      int           // of .maxntid or .reqntid; 0 = no limit
	exactThreads    bool          // of .reqntid: no fewer either
	cluster         [3]int        // of .reqnctapercluster: blocks; zero = not said
	maxCluster      int           // of .maxclusterrank: blocks; 0 = not said
	minBlocks       int           // of .minnctapersm: on a processor; 0 = not said
	maxRegisters    int           // of .maxnreg: of a thread; 0 = not said
	line            int
}

type register struct {
	name string
	elem elem
}

// A label is known in its { } scope.
type label struct {
	scope int
	name  string
}

// A stmt is an instruction.
type stmt struct {
	op      string // base of the opcode
	mods    mods
	guard   int // a predicate register, -1 = none
	guardIs bool
	args    []operand
	line    int
	loc     int32 // index into Module.locs, 0 = none
	scope   int
}

type operandKind uint8

const (
	argReg    operandKind = iota
	argImm                // an integer or the bits of a float
	argVar                // a name of a variable, label or function
	argMem                // [base + offset]
	argVector             // {a, b, …}
	argList               // (a, b, …) of a call
	argSink               // _
)

type operand struct {
	kind    operandKind
	reg     int    // argReg; argMem: the base, -1 = none
	second  int    // p|q: the second register, else -1
	not     bool   // !p
	name    string // argVar, or the base of argMem
	value   uint64 // argImm; argMem: the offset
	float   int    // argImm: 32 or 64 where it was written as a float's bits
	list    []operand
	special bool // the name is a special register: %tid.x
}

type sourceLine struct {
	file, line int
}
