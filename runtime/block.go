package runtime

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"mdlc/ir/index"
	"mdlc/runtime/program"
)

// ErrStopped says that a run was cancelled between two launches.
var ErrStopped = errors.New("stopped")

// block is a program.Block bound to memory: addresses for buffers, code for
// expressions. Running it allocates nothing.
type block struct {
	*program.Block
	bufs  [][]byte
	steps []step
	slots []int // values of the symbols
	defs  []lengthDef
	names map[string]int // slot of each symbol

	profile *profile      // nil: none
	numbers *numberSearch // nil: none
}

// step is a launch or a loop.
type step struct {
	launch *launch
	loop   *turns
}

type launch struct {
	src    *program.Launch
	kernel int
	fault  []byte // what to say if the kernel faults
	args   []uintptr
	moving []movingArg
	phases []phase
}

type movingArg struct {
	arg    int
	base   uintptr
	offset code
}

type phase struct {
	fn     uintptr
	points code
}

type turns struct {
	while condition
	made  int      // while: the slot of the turns made
	ended [][]byte // while: i64 buffers that hold the turns made
	count code
	slot  int
	turn  []byte   // i32, nil: none
	out   [][]byte // i64 buffers that hold the turn, as a symbol
	defs  []lengthDef
	steps []step
}

// condition is a bool in memory that the executor looks at before each turn.
type condition struct {
	mem    []byte // nil: none
	offset code
}

func (c *condition) holds(slots []int) bool { return c.mem[c.offset.eval(slots)] != 0 }

// lengthDef is a symbol that is computed from others.
type lengthDef struct {
	slot int
	def  code
	set  bool     // false: the driver sets it
	out  [][]byte // buffers that hold it
}

// binder makes a block.
type binder struct {
	m *Model
	b *block
}

// bind gives b memory. Arena and work are shared with all other blocks.
func (m *Model) bind(src *program.Block) (*block, error) {
	b := &block{Block: src, names: map[string]int{}, profile: m.profile}
	for i := range src.Bufs {
		mem, err := m.place(&src.Bufs[i])
		if err != nil {
			return nil, fmt.Errorf("block %s, buffer %s: %w", src.Name, src.Bufs[i].Name, err)
		}
		b.bufs = append(b.bufs, mem)
	}
	for i := range src.Outputs {
		if err := checkOutput(&src.Outputs[i], &src.Bufs[src.Outputs[i].Buf]); err != nil {
			return nil, err
		}
	}
	x := &binder{m, b}
	var err error
	if b.defs, err = x.lengths(src.Lens); err == nil {
		b.steps, err = x.steps(src.Code)
	}
	if err != nil {
		return nil, fmt.Errorf("block %s: %w", src.Name, err)
	}
	return b, nil
}

func (m *Model) place(buf *program.Buffer) ([]byte, error) {
	n := bufferBytes(buf)
	switch buf.Home {
	case program.HomeArena:
		return m.arena[buf.Offset:][:n:n], nil
	case program.HomeWork:
		return m.work[buf.Offset:][:n:n], nil
	case program.HomeState:
		return m.states[buf.State], nil
	case program.HomeConst:
		mem := m.memory.take(n)
		copy(mem, buf.Data)
		return mem, nil
	case program.HomeInput, program.HomeLen:
		return m.memory.take(n), nil
	}
	return nil, fmt.Errorf("unknown home %d", buf.Home)
}

func bufferBytes(b *program.Buffer) int { return b.Elem.Size() * product(b.Dims) }

func product(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

func (x *binder) slot(name string) (int, bool) { s, ok := x.b.names[name]; return s, ok }

// newSlot is the slot of a symbol. Loops one after another may share a name.
func (x *binder) newSlot(name string) int {
	s, ok := x.b.names[name]
	if !ok {
		s = len(x.b.slots)
		x.b.names[name] = s
		x.b.slots = append(x.b.slots, 0)
	}
	return s
}

func (x *binder) expr(e *index.Expr) (code, error) { return compileExpr(e, x.slot) }

func (x *binder) lengths(lens []program.Len) ([]lengthDef, error) {
	var defs []lengthDef
	for _, l := range lens {
		d := lengthDef{set: l.Def != nil}
		var err error
		if d.def, err = x.expr(l.Def); err != nil {
			return nil, err
		}
		d.slot = x.newSlot(l.Name)
		d.out = x.holders(l.Name)
		defs = append(defs, d)
	}
	return defs, nil
}

// holders are the buffers that hold the value of a symbol.
func (x *binder) holders(symbol string) (out [][]byte) {
	for i := range x.b.Bufs {
		if buf := &x.b.Bufs[i]; buf.Home == program.HomeLen && x.lengthName(buf) == symbol {
			out = append(out, x.b.bufs[i])
		}
	}
	return out
}

// lengthName is the symbol whose value a HomeLen buffer holds.
func (x *binder) lengthName(buf *program.Buffer) string {
	if buf.State >= 0 && buf.State < len(x.b.Lens) {
		return x.b.Lens[buf.State].Name
	}
	return buf.Name
}

func (x *binder) steps(instrs []program.Instr) ([]step, error) {
	var steps []step
	for _, in := range instrs {
		var s step
		var err error
		if in.Launch != nil {
			s.launch, err = x.launch(in.Launch)
		} else {
			s.loop, err = x.loop(in.Loop)
		}
		if err != nil {
			return nil, err
		}
		steps = append(steps, s)
	}
	return steps, nil
}

func (x *binder) launch(src *program.Launch) (*launch, error) {
	k := &x.m.program.Kernels[src.Kernel]
	l := &launch{src: src, kernel: src.Kernel, fault: x.m.faults[src.Kernel], args: make([]uintptr, max(len(src.Args), 1))}
	for i, r := range src.Args {
		base := addressOf(x.b.bufs[r.Buf])
		l.args[i] = base
		offset, err := x.expr(r.Offset)
		if err != nil {
			return nil, fmt.Errorf("kernel %s: %w", k.Name, err)
		}
		if offset.constant {
			l.args[i] += uintptr(offset.k)
		} else {
			l.moving = append(l.moving, movingArg{i, base, offset})
		}
	}
	lens := map[string]*index.Expr{}
	for i, e := range src.Lens {
		lens[fmt.Sprintf("n%d", i)] = e
	}
	for _, ph := range k.Phases {
		points, err := x.expr(ph.Points.Subst(func(name string) *index.Expr { return lens[name] }))
		if err != nil {
			return nil, fmt.Errorf("kernel %s: %w", k.Name, err)
		}
		fn, err := x.m.object.symbol(ph.Symbol)
		if err != nil {
			return nil, err
		}
		l.phases = append(l.phases, phase{fn, points})
	}
	return l, nil
}

func (x *binder) loop(src *program.Loop) (*turns, error) {
	t := &turns{}
	var err error
	if t.count, err = x.expr(src.Count); err != nil {
		return nil, err
	}
	if src.Turns >= 0 {
		t.turn = x.b.bufs[src.Turns]
	}
	t.slot = x.newSlot(src.Turn)
	t.out = x.holders(src.Turn)
	if t.defs, err = x.lengths(src.Lens); err != nil {
		return nil, err
	}
	if src.While != nil {
		t.while.mem = x.b.bufs[src.While.Buf]
		if t.while.offset, err = x.expr(src.While.Offset); err != nil {
			return nil, err
		}
		t.made = x.newSlot(src.Made)
		t.ended = x.holders(src.Made)
	}
	t.steps, err = x.steps(src.Code)
	return t, err
}

// setLength sets a symbol that the driver knows.
func (b *block) setLength(name string, n int) { b.slots[b.names[name]] = n }

// run executes the block once. It ends early with ErrStopped where stop is set.
func (b *block) run(p *pool, stop *atomic.Bool) error {
	b.define(b.defs)
	return b.exec(b.steps, p, stop)
}

func (b *block) define(defs []lengthDef) {
	for i := range defs {
		d := &defs[i]
		if d.set {
			b.slots[d.slot] = d.def.eval(b.slots)
		}
		for _, mem := range d.out {
			binary.LittleEndian.PutUint64(mem, uint64(b.slots[d.slot]))
		}
	}
}

func (b *block) exec(steps []step, p *pool, stop *atomic.Bool) error {
	for i := range steps {
		if stop != nil && stop.Load() {
			return ErrStopped
		}
		if l := steps[i].launch; l != nil {
			b.launch(l, p)
			continue
		}
		t := steps[i].loop
		n := t.count.eval(b.slots)
		made := 0
		for turn := range n {
			b.slots[t.slot] = turn
			if t.while.mem != nil && !t.while.holds(b.slots) {
				break
			}
			made++
			if t.turn != nil {
				binary.LittleEndian.PutUint32(t.turn, uint32(turn))
			}
			for _, mem := range t.out {
				binary.LittleEndian.PutUint64(mem, uint64(turn))
			}
			b.define(t.defs)
			if err := b.exec(t.steps, p, stop); err != nil {
				return err
			}
		}
		if t.while.mem != nil {
			b.end(t, made)
		}
	}
	return nil
}

// end sets the symbol that is the number of turns of a loop with a condition, and what is computed from it.
func (b *block) end(t *turns, made int) {
	b.slots[t.made] = made
	for _, mem := range t.ended {
		binary.LittleEndian.PutUint64(mem, uint64(made))
	}
	b.define(b.defs)
}

func (b *block) launch(l *launch, p *pool) {
	for i := range l.moving {
		m := &l.moving[i]
		l.args[m.arg] = m.base + uintptr(m.offset.eval(b.slots))
	}
	args := uintptr(unsafe.Pointer(unsafe.SliceData(l.args)))
	announce(l.fault)
	if b.profile != nil {
		defer b.profile.add(l.kernel, time.Now())
	}
	if b.numbers != nil {
		b.numbers.start(b, l)
		defer b.numbers.end(b, l)
	}
	for i := range l.phases {
		p.launch(l.phases[i].fn, args, l.phases[i].points.eval(b.slots))
	}
}
