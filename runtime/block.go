package runtime

import (
	"errors"
	"fmt"
	"slices"

	"mdlc/ir/index"
	"mdlc/runtime/program"
)

// ErrStopped says that a run was cancelled between two launches.
var ErrStopped = errors.New("stopped")

// block is a program.Block bound to memory: addresses for buffers, code for
// expressions. Running it allocates nothing.
type block struct {
	*program.Block
	device device
	arena  piece // all of it, for a block that finds nothing there
	first  bool  // it does not go on with what a block before it left in the arena
	own    piece // what is settled leaves
	states *int  // how often the model's states have changed
	seen   int   // what that was when it settled last

	bufs  []piece
	steps []step
	slots []int // values of the symbols
	defs  []lengthDef
	names map[string]int // slot of each symbol

	inputs  []piece // what the driver fills before a run
	outputs []piece // what it reads after one

	lengths  bool // some axes have lengths that only a run knows
	alike    bool // every run launches the same: no length and no loop depends on what is not in the program
	launches int  // of the last run
	kept     kept // what a run asks for; nil: nothing is kept
	keeping  bool // what is asked for now is kept as one

	turned  func(made, count int) // told before each turn of an outermost loop; nil: nobody
	profile *profile              // nil: none
	numbers *numberSearch         // nil: none
}

// step is a launch or a loop.
type step struct {
	launch *launch
	loop   *turns
}

type launch struct {
	src     *program.Launch
	kernel  int
	args    []uintptr
	moving  []movingArg
	scratch []piece
	phases  []phase
	rounds  code // how often those phases run that have rounds
	round   int  // which it is now

	launched bool // a profile has measured it before
}

type movingArg struct {
	arg    int
	base   uintptr
	offset code
}

type phase struct {
	src    *program.Phase
	fn     uintptr
	points code
	maps   []tensorMap
	rounds bool // it runs in rounds, with those beside it that do
	ran    bool // once, on a device that wants to know
}

// tensorMap is one of a phase, as of its last launch.
type tensorMap struct {
	src   *program.TensorMap
	sizes []code
	at    uintptr
	dims  []int
	words [program.MapWords]uint64
}

type turns struct {
	while     condition
	over      []piece // while: where a turn writes over what the one before it left
	saved     []piece // what it was, on a device that makes turns ahead; nil: not yet
	made      int     // while: the slot of the turns made
	ended     []piece // while: i64 buffers that hold the turns made
	count     code
	slot      int
	turn      piece   // i32, no bytes: none
	out       []piece // i64 buffers that hold the turn, as a symbol
	defs      []lengthDef
	steps     []step
	outermost bool // it is in no other

	looks bool // the host looks at what the device has in the midst of a turn
	again repeated
}

// repeated is what is known of a loop's turns as something to keep.
type repeated struct {
	never    bool // turns differ too much
	turns    int  // asked for launch by launch, up to now
	launches int  // of the last of them
	tries    int  // to keep one, in vain
	kept     kept // the last turn; nil: none
}

// condition is a bool in memory that the executor looks at before each turn.
type condition struct {
	mem    piece // no bytes: none
	offset code
	flag   [1]piece // kept so that looking allocates nothing
}

func (c *condition) exists() bool { return c.mem.host != nil }

func (c *condition) at(slots []int) piece { return c.mem.byteAt(c.offset.eval(slots)) }

func (c *condition) holds(d device, slots []int) (bool, error) {
	c.flag[0] = c.at(slots)
	err := d.pull(c.flag[:]...)
	return c.flag[0].host[0] != 0, err
}

// lengthDef is a symbol that is computed from others.
type lengthDef struct {
	slot int
	def  code
	set  bool    // false: the driver sets it
	out  []piece // buffers that hold it
}

// binder makes a block.
type binder struct {
	m *Model
	b *block
}

// bind gives b memory. Arena and work are shared with all other blocks.
func (m *Model) bind(src *program.Block) (*block, error) {
	b := &block{Block: src, device: m.device, arena: m.arena, states: &m.changes, names: map[string]int{}, profile: m.profile}
	var err error
	if b.own, err = m.take(src.Name+", kept", int(src.Kept)); err != nil {
		return nil, err
	}
	for i := range src.Bufs {
		mem, err := m.place(b, &src.Bufs[i])
		if err != nil {
			return nil, fmt.Errorf("block %s, buffer %s: %w", src.Name, src.Bufs[i].Name, err)
		}
		b.bufs = append(b.bufs, mem)
		if src.Bufs[i].Home == program.HomeInput {
			b.inputs = append(b.inputs, mem)
		}
	}
	for i := range src.Outputs {
		if err := checkOutput(&src.Outputs[i], &src.Bufs[src.Outputs[i].Buf]); err != nil {
			return nil, err
		}
		b.outputs = append(b.outputs, b.bufs[src.Outputs[i].Buf])
	}
	b.alike = true
	x := &binder{m, b}
	if b.defs, err = x.lengths(src.Lens); err == nil {
		b.steps, err = x.steps(src.Code)
	}
	for _, s := range b.steps {
		if s.loop != nil {
			s.loop.outermost = true
		}
	}
	if err != nil {
		return nil, fmt.Errorf("block %s: %w", src.Name, err)
	}
	return b, nil
}

func (m *Model) place(b *block, buf *program.Buffer) (piece, error) {
	n := bufferBytes(buf)
	switch buf.Home {
	case program.HomeArena:
		return m.device.part(m.arena, buf.Name, int(buf.Offset), n)
	case program.HomeWork:
		return m.device.part(m.work, buf.Name, int(buf.Offset), n)
	case program.HomeKept:
		return m.device.part(b.own, buf.Name, int(buf.Offset), n)
	case program.HomeState:
		return m.states[buf.State], nil
	case program.HomeConst:
		mem, err := m.take(buf.Name, n)
		if err != nil {
			return mem, err
		}
		copy(mem.host, buf.Data)
		return mem, m.device.push(mem)
	case program.HomeInput, program.HomeLen:
		return m.take(buf.Name, n)
	}
	return piece{}, fmt.Errorf("unknown home %d", buf.Home)
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
	x.b.lengths = x.b.lengths || len(lens) > 0
	for _, l := range lens {
		d := lengthDef{set: l.Def != nil}
		x.b.alike = x.b.alike && d.set
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
func (x *binder) holders(symbol string) (out []piece) {
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
	l := &launch{src: src, kernel: src.Kernel, args: make([]uintptr, max(len(src.Args), 1))}
	for i, r := range src.Args {
		if x.b.Bufs[r.Buf].Home == program.HomeWork {
			l.scratch = append(l.scratch, x.b.bufs[r.Buf])
		}
		base := x.b.bufs[r.Buf].at
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
	count := func(e *index.Expr) (code, error) {
		c, err := x.expr(e.Subst(func(name string) *index.Expr { return lens[name] }))
		if err != nil {
			return c, fmt.Errorf("kernel %s: %w", k.Name, err)
		}
		return c, nil
	}
	if k.Rounds != nil {
		var err error
		if l.rounds, err = count(k.Rounds.Count); err != nil {
			return nil, err
		}
	}
	for i := range k.Phases {
		ph := &k.Phases[i]
		points, err := count(ph.Points)
		if err != nil {
			return nil, err
		}
		fn, err := x.m.device.function(src.Kernel, ph)
		if err != nil {
			return nil, err
		}
		bound := phase{src: ph, fn: fn, points: points, rounds: k.Rounds.Has(i)}
		for j := range ph.Maps {
			m := tensorMap{src: &ph.Maps[j], dims: make([]int, len(ph.Maps[j].Dims))}
			for _, e := range m.src.Dims {
				size, err := count(e)
				if err != nil {
					return nil, err
				}
				m.sizes = append(m.sizes, size)
			}
			bound.maps = append(bound.maps, m)
		}
		l.phases = append(l.phases, bound)
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
		x.b.alike = false
		t.while.mem = x.b.bufs[src.While.Buf]
		if t.while.offset, err = x.expr(src.While.Offset); err != nil {
			return nil, err
		}
		for _, i := range src.Over {
			t.over = append(t.over, x.b.bufs[i])
		}
		t.made = x.newSlot(src.Made)
		t.ended = x.holders(src.Made)
	}
	t.steps, err = x.steps(src.Code)
	t.looks = slices.ContainsFunc(t.steps, looks)
	return t, err
}

// looks reports whether the host looks at what the device has, to know how s goes on.
func looks(s step) bool {
	return s.loop != nil && (s.loop.while.exists() || slices.ContainsFunc(s.loop.steps, looks))
}
