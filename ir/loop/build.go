package loop

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Builder makes the values and statements of one kernel. Equal values are one
// node; constants are folded where that is exact. Errors of types are internal
// errors of the caller: they panic, naming the kernel and the op.
//
// A value with a Let is evaluated there, any other at each statement that uses
// it. So what is read before a buffer is overwritten needs a Let before the Store.
type Builder struct {
	k      *Kernel
	order  map[*Axis]int
	body   []*[]Stmt // the open blocks, innermost last
	scopes []map[string]*Value
	ids    map[*Value]uint32
	epoch  map[*Buffer]uint32 // loads of a written buffer are one node only between writes
	names  map[string]bool    // of axes and buffers
	pos    Pos
}

// NewBuilder starts a kernel.
func NewBuilder(name string) *Builder { return Extend(&Kernel{Name: name}) }

// Extend is a builder that appends to the body of k.
func Extend(k *Kernel) *Builder {
	b := &Builder{k: k, order: axisOrder(k), ids: map[*Value]uint32{}, epoch: map[*Buffer]uint32{}, names: map[string]bool{}}
	b.body = []*[]Stmt{&k.Body}
	b.scopes = []map[string]*Value{{}}
	for _, a := range k.Axes {
		b.names[a.Name] = true
	}
	for _, x := range k.Bufs {
		b.names[x.Name] = true
	}
	return b
}

// Kernel is the kernel being built.
func (b *Builder) Kernel() *Kernel { return b.k }

// SetPos sets the source position of the values made from here on.
func (b *Builder) SetPos(p Pos) { b.pos = p }

func (b *Builder) fail(what, format string, args ...any) {
	panic(fmt.Sprintf("loop: kernel %s: %s: %s", b.k.Name, what, fmt.Sprintf(format, args...)))
}

// unique makes a name that no axis or buffer has and that is no word of the text form.
func (b *Builder) unique(name string) string {
	name = clean(name)
	out := name
	for n := 1; b.names[out] || reserved(out); n++ {
		out = name + "_" + strconv.Itoa(n)
	}
	b.names[out] = true
	return out
}

// Axis declares an axis of constant extent. Set its Bind before it is used.
func (b *Builder) Axis(name string, extent int) *Axis {
	return b.AxisDef(name, b.Int(I64, int64(extent)), extent, nil)
}

// AxisLen declares an axis whose extent is data, at most max.
func (b *Builder) AxisLen(name string, extent *Value, max int) *Axis {
	return b.AxisDef(name, extent, max, nil)
}

// AxisDef declares an axis that is a function of others (def; nil: a leaf).
func (b *Builder) AxisDef(name string, extent *Value, max int, def *Value) *Axis {
	if extent.Elem != I64 || def != nil && def.Elem != I64 {
		b.fail("axis "+name, "extent and definition are i64 values")
	}
	a := &Axis{Name: b.unique(name), Extent: extent, Max: max, Def: def}
	b.order[a] = len(b.k.Axes)
	b.k.Axes = append(b.k.Axes, a)
	return a
}

// Buffer declares a buffer: a parameter, or with mode Local scratch.
func (b *Builder) Buffer(name string, elem Elem, mode Mode, dims ...int) *Buffer {
	x := &Buffer{Name: b.unique(name), Elem: elem, Dims: slices.Clone(dims), Mode: mode}
	at := len(b.k.Bufs)
	for mode != Local && at > 0 && b.k.Bufs[at-1].Mode == Local {
		at--
	}
	b.k.Bufs = slices.Insert(b.k.Bufs, at, x)
	return x
}

// Float is a constant of a float type. The value is kept as given; typed
// evaluation and emission round it to elem.
func (b *Builder) Float(elem Elem, x float64) *Value {
	if !elem.IsFloat() {
		b.fail("const", "%s is no float type", elem)
	}
	if math.IsNaN(x) {
		x = math.NaN()
	}
	return b.intern(&Value{Op: Const, Elem: elem, Bits: math.Float64bits(x)})
}

// Int is a constant of an integer type, wrapped to its range.
func (b *Builder) Int(elem Elem, x int64) *Value {
	if !elem.IsInt() {
		b.fail("const", "%s is no integer type", elem)
	}
	return b.intern(&Value{Op: Const, Elem: elem, Bits: uint64(wrap(elem, x))})
}

// Bool is a constant bool.
func (b *Builder) Bool(x bool) *Value {
	v := &Value{Op: Const, Elem: Bool}
	if x {
		v.Bits = 1
	}
	return b.intern(v)
}

// Number is the constant x of any number type.
func (b *Builder) Number(elem Elem, x float64) *Value {
	if elem.IsFloat() {
		return b.Float(elem, x)
	}
	return b.Int(elem, int64(x))
}

// Index is the index along a, i64.
func (b *Builder) Index(a *Axis) *Value {
	return b.intern(&Value{Op: AxisIndex, Elem: I64, Axis: a})
}

// Load reads buf[index...]; where guard (nil: true) is false there is no access and the value is 0.
func (b *Builder) Load(buf *Buffer, index []*Value, guard *Value) *Value {
	return b.must(b.load(buf, index, guard))
}

func (b *Builder) load(buf *Buffer, index []*Value, guard *Value) (*Value, error) {
	guard, err := checkAccess(buf, index, guard)
	if err != nil {
		return nil, err
	}
	return b.intern(&Value{Op: Load, Elem: buf.Elem, Buf: buf, Args: slices.Clone(index), Guard: guard}), nil
}

// checkAccess checks the types of an access and drops a guard that always holds.
func checkAccess(buf *Buffer, index []*Value, guard *Value) (*Value, error) {
	if len(index) != len(buf.Dims) {
		return nil, fmt.Errorf("%s has rank %d, the index %d", buf.Name, len(buf.Dims), len(index))
	}
	for i, x := range index {
		if x.Elem != I64 {
			return nil, fmt.Errorf("index %d of %s is %s, not i64", i, buf.Name, x.Elem)
		}
	}
	if guard == nil {
		return nil, nil
	}
	if guard.Elem != Bool {
		return nil, fmt.Errorf("guard of %s is %s, not bool", buf.Name, guard.Elem)
	}
	if guard.Op == Const && guard.Bits == 1 {
		return nil, nil
	}
	return guard, nil
}

// Op applies a row of the table that has a type rule.
func (b *Builder) Op(op Op, args ...*Value) *Value { return b.must(b.apply(op, args)) }

func (b *Builder) apply(op Op, args []*Value) (*Value, error) {
	r := op.Info()
	if r.Rule == nil || r.Class == ClassReduce || r.Class == ClassDot || op == At {
		return nil, fmt.Errorf("%s needs more than arguments", op)
	}
	elem, err := checkOp(op, args)
	if err != nil {
		return nil, err
	}
	return b.fold(&Value{Op: op, Elem: elem, Args: slices.Clone(args)}), nil
}

// checkOp applies the type rule of a row.
func checkOp(op Op, args []*Value) (Elem, error) {
	r := op.Info()
	if r.Arity >= 0 && len(args) != r.Arity {
		return 0, fmt.Errorf("%s takes %d arguments, not %d", op, r.Arity, len(args))
	}
	elems := make([]Elem, len(args))
	for i, a := range args {
		elems[i] = a.Elem
	}
	e, err := r.Rule(elems)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", op, err)
	}
	return e, nil
}

// Cast converts v to elem.
func (b *Builder) Cast(elem Elem, v *Value) *Value {
	return b.fold(&Value{Op: Cast, Elem: elem, Args: []*Value{v}})
}

// Bitcast reads the bits of v as elem, a type of the same size.
func (b *Builder) Bitcast(elem Elem, v *Value) *Value { return b.must(b.bitcast(elem, v)) }

func (b *Builder) bitcast(elem Elem, v *Value) (*Value, error) {
	if elem.Size() != v.Elem.Size() || elem == Bool || v.Elem == Bool {
		return nil, fmt.Errorf("bitcast of %s to %s: sizes differ", v.Elem, elem)
	}
	return b.fold(&Value{Op: Bitcast, Elem: elem, Args: []*Value{v}}), nil
}

// Where is a where cond, else x.
func (b *Builder) Where(cond, a, x *Value) *Value { return b.Op(Where, cond, a, x) }

// Reduce reduces v over axes.
func (b *Builder) Reduce(op Op, over []*Axis, v *Value) *Value { return b.must(b.reduce(op, over, v)) }

func (b *Builder) reduce(op Op, over []*Axis, v *Value) (*Value, error) {
	r := op.Info()
	if r.Class != ClassReduce {
		return nil, fmt.Errorf("%s is no reduction", op)
	}
	elem, err := checkOp(op, []*Value{v})
	if err != nil {
		return nil, err
	}
	if r.arg != 0 && len(over) != 1 {
		return nil, fmt.Errorf("%s takes one axis, not %d", op, len(over))
	}
	return b.intern(&Value{Op: op, Elem: elem, Over: slices.Clone(over), Args: []*Value{v}}), nil
}

// Dot is the sum of x*y over axes, added to acc (nil: 0).
func (b *Builder) Dot(over []*Axis, x, y, acc *Value) *Value {
	return b.must(b.dot(over, x, y, acc, ""))
}

func (b *Builder) dot(over []*Axis, x, y, acc *Value, instr string) (*Value, error) {
	args := []*Value{x, y}
	if acc != nil {
		args = append(args, acc)
	}
	elem, err := checkOp(Dot, args)
	if err != nil {
		return nil, err
	}
	return b.intern(&Value{Op: Dot, Elem: elem, Over: slices.Clone(over), Args: args, Instr: instr}), nil
}

// At picks the coordinate i of v's open axis a.
func (b *Builder) At(a *Axis, i, v *Value) *Value { return b.must(b.at(a, i, v)) }

func (b *Builder) at(a *Axis, i, v *Value) (*Value, error) {
	if _, err := checkOp(At, []*Value{i, v}); err != nil {
		return nil, err
	}
	return b.intern(&Value{Op: At, Elem: v.Elem, Axis: a, Args: []*Value{i, v}}), nil
}

// Philox is word w of Philox4x32-10, u32; all arguments are u32.
func (b *Builder) Philox(key0, key1, c0, c1, c2, c3, w *Value) *Value {
	return b.Op(Philox, key0, key1, c0, c1, c2, c3, w)
}

// Let evaluates v here and names it.
func (b *Builder) Let(name string, v *Value) *Value {
	if v.Name == "" {
		v.Name = name
	}
	b.emit(&Let{Val: v})
	return v
}

// Store writes v to buf[index...] where guard (nil: everywhere) holds.
func (b *Builder) Store(buf *Buffer, index []*Value, guard, v *Value) {
	if _, err := b.store(buf, index, guard, v); err != nil {
		b.fail("store", "%v", err)
	}
}

func (b *Builder) store(buf *Buffer, index []*Value, guard, v *Value) (*Store, error) {
	guard, err := checkAccess(buf, index, guard)
	if err != nil {
		return nil, err
	}
	if v.Elem != buf.Elem {
		return nil, fmt.Errorf("%s holds %s, the value is %s", buf.Name, buf.Elem, v.Elem)
	}
	s := &Store{Buf: buf, Index: slices.Clone(index), Guard: guard, Val: v}
	b.emit(s)
	b.epoch[buf]++
	return s, nil
}

// Phase ends a phase.
func (b *Builder) Phase() {
	b.emit(&Phase{})
	b.scopes[len(b.scopes)-1] = map[string]*Value{}
}

// If builds the statements of body where cond holds.
func (b *Builder) If(cond *Value, body func()) {
	s := &If{Cond: cond}
	b.open(&s.Body)
	body()
	b.close()
	b.emit(s)
}

// Init is a value to carry through a loop: its name inside, its name after (""
// for the same), its value before.
type Init struct {
	Name, Out string
	Val       *Value
}

// For builds a loop over a from lo to hi (nil: the whole extent). body gets
// the carried values and returns the next ones; For returns those after the loop.
func (b *Builder) For(a *Axis, lo, hi *Value, carry []Init, body func(in []*Value) []*Value) []*Value {
	f := &For{Axis: a, Lo: lo, Hi: hi}
	if a.IsOpen() {
		b.fail("for "+a.Name, "the axis is open")
	}
	in := make([]*Value, len(carry))
	for i, c := range carry {
		in[i] = &Value{Op: CarryIn, Elem: c.Val.Elem, Axes: c.Val.Axes, Name: c.Name}
		f.Carry = append(f.Carry, &Carry{Name: c.Name, Init: c.Val, In: in[i]})
	}
	b.open(&f.Body)
	next := body(in)
	b.close()
	out := make([]*Value, len(carry))
	for i, c := range f.Carry {
		if i >= len(next) || next[i].Elem != c.In.Elem {
			b.fail("for "+a.Name, "carry %s: the next value lacks or has another type than %s", c.Name, c.In.Elem)
		}
		name := carry[i].Out
		if name == "" {
			name = c.Name
		}
		c.Next = next[i]
		c.Out = &Value{Op: CarryOut, Elem: c.In.Elem, Axes: c.In.Axes, Name: name}
		out[i] = c.Out
	}
	b.emit(f)
	b.settle(f)
	return out
}

// settle finds the axes of what a finished loop carries.
func (b *Builder) settle(f *For) {
	if len(f.Carry) > 0 {
		r := &refresher{order: b.order, done: map[*Value]bool{}}
		r.loop(f)
	}
}

func (b *Builder) emit(s Stmt) {
	body := b.body[len(b.body)-1]
	*body = append(*body, s)
}

// open starts a block: its values are no nodes of the blocks around it, and
// what it may write is read anew.
func (b *Builder) open(body *[]Stmt) {
	b.body = append(b.body, body)
	b.scopes = append(b.scopes, map[string]*Value{})
	b.stale()
}

func (b *Builder) close() {
	b.body = b.body[:len(b.body)-1]
	b.scopes = b.scopes[:len(b.scopes)-1]
	b.stale()
}

func (b *Builder) stale() {
	for _, x := range b.k.Bufs {
		if x.Mode != In {
			b.epoch[x]++
		}
	}
}

func (b *Builder) must(v *Value, err error) *Value {
	if err != nil {
		b.fail("op", "%v", err)
	}
	return v
}

// intern returns the node equal to v, or v itself with its axes.
func (b *Builder) intern(v *Value) *Value {
	key := b.key(v)
	for i := len(b.scopes) - 1; i >= 0; i-- {
		if old := b.scopes[i][key]; old != nil {
			return old
		}
	}
	v.Axes = axesOf(b.order, v)
	if v.Pos == (Pos{}) {
		v.Pos = b.pos
	}
	b.scopes[len(b.scopes)-1][key] = v
	return v
}

func (b *Builder) key(v *Value) string {
	k := []byte{byte(v.Op), byte(v.Elem)}
	k = binary.LittleEndian.AppendUint64(k, v.Bits)
	for _, a := range v.Args {
		k = binary.LittleEndian.AppendUint32(k, b.id(a))
	}
	if v.Guard != nil {
		k = append(k, ';')
		k = binary.LittleEndian.AppendUint32(k, b.id(v.Guard))
	}
	if v.Buf != nil {
		k = append(append(k, v.Buf.Name...), 0)
		k = binary.LittleEndian.AppendUint32(k, b.epoch[v.Buf])
	}
	if v.Axis != nil {
		k = append(append(k, v.Axis.Name...), 0)
	}
	for _, a := range v.Over {
		k = append(append(k, a.Name...), 0)
	}
	return string(append(k, v.Instr...))
}

func (b *Builder) id(v *Value) uint32 {
	id, ok := b.ids[v]
	if !ok {
		id = uint32(len(b.ids) + 1)
		b.ids[v] = id
	}
	return id
}
