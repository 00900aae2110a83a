package llir

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/llir/llvm/ir"
	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/metadata"
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"
)

// Builder appends instructions to the current block of a function.
type Builder struct {
	Func  *ir.Func
	Block *ir.Block
	decls map[string]*ir.Func // intrinsics that it calls
	calls map[string]bool     // other functions
}

// NewBuilder makes a builder that needs a Start.
func NewBuilder() *Builder { return &Builder{} }

// Start begins a function; its instructions go to the block `entry`.
func (b *Builder) Start(name string, params ...*ir.Param) *ir.Func {
	b.decls, b.calls = map[string]*ir.Func{}, map[string]bool{}
	b.Func = ir.NewFunc(name, types.Void, params...)
	b.Func.FuncAttrs = []ir.FuncAttribute{enum.FuncAttrNoUnwind}
	b.Block = b.Func.NewBlock("")
	return b.Func
}

// Declaration is what a module says of f that calls it and does not have it.
func Declaration(f *ir.Func) string {
	var params []*ir.Param
	for _, p := range f.Params {
		params = append(params, ir.NewParam("", p.Type()))
	}
	d := ir.NewFunc(f.Name(), f.Sig.RetType, params...)
	d.Visibility, d.CallingConv, d.FuncAttrs = f.Visibility, f.CallingConv, f.FuncAttrs
	return d.LLString()
}

// Decls lists the declarations of the intrinsics that the function calls, sorted.
func (b *Builder) Decls() []string {
	var out []string
	for _, f := range b.decls {
		out = append(out, f.LLString())
	}
	sort.Strings(out)
	return out
}

// Calls lists the other functions that it calls by name.
func (b *Builder) Calls() []string { return slices.Sorted(maps.Keys(b.calls)) }

// Call calls another function.
func (b *Builder) Call(f *ir.Func, args ...value.Value) value.Value {
	b.calls[f.Name()] = true
	call := b.Block.NewCall(f, args...)
	call.CallingConv = f.CallingConv
	return call
}

// NewBlock adds an empty block.
func (b *Builder) NewBlock() *ir.Block { return b.Func.NewBlock("") }

// alloca is memory on the stack, as an opaque pointer.
type alloca struct{ *ir.InstAlloca }

func (a alloca) Type() types.Type { return Ptr }
func (a alloca) String() string   { return "ptr " + a.Ident() }

// Alloca is memory on the stack for n values of type t, made when the function is entered.
func (b *Builder) Alloca(t types.Type, n int) value.Value {
	in := &ir.InstAlloca{ElemType: types.NewArray(uint64(n), t), Align: 64}
	entry := b.Func.Blocks[0]
	entry.Insts = append([]ir.Instruction{in}, entry.Insts...)
	return alloca{in}
}

// Jump ends the current block with a branch and goes on in to.
func (b *Builder) Jump(to *ir.Block) {
	b.Block.NewBr(to)
	b.Block = to
}

// Mangle is the suffix of t in the names of overloaded intrinsics.
func mangle(t types.Type) string {
	if n := Lanes(t); n > 0 {
		return fmt.Sprintf("v%d%s", n, mangle(Scalar(t)))
	}
	switch {
	case t.Equal(Ptr):
		return "p0"
	case t.Equal(types.Float):
		return "f32"
	case t.Equal(types.Double):
		return "f64"
	case t.Equal(types.Half):
		return "f16"
	}
	return t.String()
}

// Intrinsic calls llvm.<name>.<types…> with result type res.
func (b *Builder) Intrinsic(name string, over []types.Type, res types.Type, args ...value.Value) value.Value {
	full := "llvm." + name
	for _, t := range over {
		full += "." + mangle(t)
	}
	f := b.decls[full]
	if f == nil {
		params := make([]*ir.Param, len(args))
		for i, a := range args {
			params[i] = ir.NewParam("", a.Type())
		}
		f = ir.NewFunc(full, res, params...)
		b.decls[full] = f
	}
	return b.Block.NewCall(f, args...)
}

// Mma multiplies fragments of 16×16 and 16×8 elements, bf16 or f16, and adds 16×8 floats: the registers of a thread are four of the first
// operand, two of the second and four of the sums, and the result has four (LLVM's NVPTX usage guide, PTX ISA mma.m16n8k16).
func (b *Builder) Mma(bf16 bool, args []value.Value) value.Value {
	name := "nvvm.mma.m16n8k16.row.col.f32.f32"
	if bf16 {
		name = "nvvm.mma.m16n8k16.row.col.bf16"
	}
	return b.Intrinsic(name, nil, types.NewStruct(types.Float, types.Float, types.Float, types.Float), args...)
}

// CopyAsync copies 16 bytes from global to shared memory, or zeros where only 0 of them are to be read; both lie on a multiple of 16.
func (b *Builder) CopyAsync(to, from, bytes value.Value) {
	b.Intrinsic("nvvm.cp.async.cg.shared.global.16.s", nil, types.Void, to, from, bytes)
}

// CommitCopies closes a group of copies; WaitCopies waits for all groups but the young youngest.
func (b *Builder) CommitCopies() { b.Intrinsic("nvvm.cp.async.commit.group", nil, types.Void) }

func (b *Builder) WaitCopies(young int) {
	b.Intrinsic("nvvm.cp.async.wait.group", nil, types.Void, Int(types.I32, int64(young)))
}

// Barrier is where all threads of a block meet.
func (b *Builder) Barrier() { b.Intrinsic("nvvm.barrier0", nil, types.Void) }

// LoadMatrices loads n (2 or 4) matrices of 8×8 elements of 16 bits for the fragments of tensor cores (PTX ISA, ldmatrix).
// Threads 8i to 8i+7 say where the rows of matrix i are; transposed, they are its columns.
func (b *Builder) LoadMatrices(n int, transposed bool, from value.Value) []value.Value {
	name := fmt.Sprintf("nvvm.ldmatrix.sync.aligned.m8n8.x%d", n)
	if transposed {
		name += ".trans"
	}
	parts := make([]types.Type, n)
	for i := range parts {
		parts[i] = types.I32
	}
	all := b.Intrinsic(name+".b16.p3", nil, types.NewStruct(parts...), from)
	out := make([]value.Value, n)
	for i := range out {
		out[i] = b.Block.NewExtractValue(all, uint64(i))
	}
	return out
}

// Math calls an intrinsic whose arguments and result have one type.
func (b *Builder) Math(name string, args ...value.Value) value.Value {
	t := args[0].Type()
	return b.Intrinsic(name, []types.Type{t}, t, args...)
}

// Load reads a t at p.
func (b *Builder) Load(t types.Type, p value.Value, align int) value.Value {
	in := b.Block.NewLoad(t, p)
	in.Align = ir.Align(align)
	return in
}

// Store writes v at p.
func (b *Builder) Store(v, p value.Value, align int) {
	b.Block.Insts = append(b.Block.Insts, &ir.InstStore{Src: v, Dst: p, Align: ir.Align(align)})
}

// StoreStream is a store of a whole vector past the caches. Who lets others read it needs a fence.
func (b *Builder) StoreStream(v, p value.Value, align int) {
	one := &metadata.Tuple{MetadataID: -1, Fields: []metadata.Field{Int(types.I32, 1)}}
	in := &ir.InstStore{Src: v, Dst: p, Align: ir.Align(align)}
	in.Metadata = ir.Metadata{{Name: "nontemporal", Node: one}}
	b.Block.Insts = append(b.Block.Insts, in)
}

// Caches are those into which a line is fetched.
type Caches int64

// L2Caches are all but the first.
const (
	L2Caches  Caches = 2
	AllCaches Caches = 3
)

// Prefetch asks for the cache line at p, which need not be mapped.
func (b *Builder) Prefetch(p value.Value, to Caches) {
	c := func(k int64) value.Value { return Int(types.I32, k) }
	const read, data = 0, 1
	b.Intrinsic("prefetch", []types.Type{Ptr}, types.Void, p, c(read), c(int64(to)), c(data))
}

// StreamFence lets what was stored past the caches be seen before what follows.
func (b *Builder) StreamFence() { b.Intrinsic("x86.sse.sfence", nil, types.Void) }

// MaskedLoad reads the lanes of mask; the others are 0.
func (b *Builder) MaskedLoad(t types.Type, p, mask value.Value, align int) value.Value {
	return b.Intrinsic("masked.load", []types.Type{t, Ptr}, t, p, Int(types.I32, int64(align)), mask, Zero(t))
}

// MaskedStore writes the lanes of mask.
func (b *Builder) MaskedStore(v, p, mask value.Value, align int) {
	b.Intrinsic("masked.store", []types.Type{v.Type(), Ptr}, types.Void, v, p, Int(types.I32, int64(align)), mask)
}

// Gather reads a t through a vector of pointers; lanes outside mask are 0.
func (b *Builder) Gather(t types.Type, ptrs, mask value.Value, align int) value.Value {
	return b.Intrinsic("masked.gather", []types.Type{t, ptrs.Type()}, t, ptrs, Int(types.I32, int64(align)), mask, Zero(t))
}

// Scatter writes v through a vector of pointers.
func (b *Builder) Scatter(v, ptrs, mask value.Value, align int) {
	b.Intrinsic("masked.scatter", []types.Type{v.Type(), ptrs.Type()}, types.Void, v, ptrs, Int(types.I32, int64(align)), mask)
}

// GEP is p + i elements of type t; a vector i gives a vector of pointers.
func (b *Builder) GEP(t types.Type, p, i value.Value) value.Value {
	in := &ir.InstGetElementPtr{ElemType: t, Src: p, Indices: []value.Value{i}, Typ: Vec(Lanes(i.Type()), p.Type())}
	b.Block.Insts = append(b.Block.Insts, in)
	return in
}

// Splat repeats a scalar over n lanes.
func (b *Builder) Splat(n int, v value.Value) value.Value {
	if n == 0 || Lanes(v.Type()) > 0 {
		return v
	}
	if c, ok := v.(*Const); ok {
		return SplatConst(n, c)
	}
	t := Vec(n, v.Type())
	first := b.Block.NewInsertElement(&Const{t, "poison"}, v, Int(types.I32, 0))
	return b.Block.NewShuffleVector(first, &Const{t, "poison"}, Zero(Vec(n, types.I32)))
}

// Shuffle picks lanes of x and y (nil: x alone).
func (b *Builder) Shuffle(x, y value.Value, lanes ...int) value.Value {
	if y == nil {
		y = &Const{x.Type(), "poison"}
	}
	return b.Block.NewShuffleVector(x, y, Ints(len(lanes), types.I32, func(i int) int64 { return int64(lanes[i]) }))
}

// Extract is lane i of a vector.
func (b *Builder) Extract(v value.Value, i int) value.Value {
	return b.Block.NewExtractElement(v, Int(types.I32, int64(i)))
}

// Bitcast reinterprets v.
func (b *Builder) Bitcast(v value.Value, t types.Type) value.Value {
	if v.Type().Equal(t) {
		return v
	}
	return b.Block.NewBitCast(v, t)
}

// Module joins function texts and declarations into a module; repeated declarations are merged.
func Module(triple, preamble string, decls, funcs []string) string {
	sorted := append([]string(nil), decls...)
	sort.Strings(sorted)
	size := 0
	for _, f := range funcs {
		size += len(f) + 1
	}
	var s strings.Builder
	s.Grow(size)
	fmt.Fprintf(&s, "target triple = %q\n\n%s", triple, preamble)
	last := ""
	for _, d := range sorted {
		if d != last {
			s.WriteString(d + "\n")
			last = d
		}
	}
	for _, f := range funcs {
		s.WriteString("\n")
		s.WriteString(f)
	}
	return s.String()
}

// Asm calls inline assembler that has an effect: text names results and then arguments as $0, $1, …
func (b *Builder) Asm(text, constraints string, res types.Type, args ...value.Value) value.Value {
	params := make([]types.Type, len(args))
	for i, a := range args {
		params[i] = a.Type()
	}
	asm := ir.NewInlineAsm(types.NewPointer(types.NewFunc(res, params...)), text, constraints)
	asm.SideEffect = true
	return b.Block.NewCall(asm, args...)
}
