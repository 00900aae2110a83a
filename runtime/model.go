package runtime

import (
	"cmp"
	"fmt"
	goruntime "runtime"
	"slices"
	"strings"

	"mdlc/runtime/program"
)

// Model is a program on a device: its code and memory there, and the values of its
// states. One goroutine, locked to its thread, uses it.
type Model struct {
	program *program.Program
	device  device
	memory  *region // the host's
	arena   piece
	work    piece
	states  []piece
	unread  []bool // of each state whether its value is in a file alone; nil: of none
	changes int    // how often they may have changed, from 1
	entries []*entry
	profile *profile // nil: none
}

// entry is a program.Entry bound to memory.
type entry struct {
	*program.Entry
	block *block
	every []*block
}

// title is how messages and logs name an entry: `train`, `eval valid`.
func (e *entry) title() string { return strings.TrimSpace(e.Kind + " " + e.Name) }

// Setup says where and how a program runs.
type Setup struct {
	Device  *Device // nil: the CPU
	Threads int     // of the CPU, at most; 0: all
	Times   bool    // measure every kernel
	Cache   Cache   // nil: none
}

// Cache keeps what takes long to make under strings that say all that it depends on.
type Cache interface {
	Get(key ...string) []byte // nil: nothing
	Put(data []byte, key ...string)
}

// Load brings p onto a device of this machine.
func Load(p *program.Program, s Setup) (*Model, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	d := s.Device
	if d == nil {
		d = onCPU
	}
	if err := d.runs(p.Target); err != nil {
		return nil, err
	}
	need := memoryOf(p)
	if err := d.holds(p, need, s); err != nil {
		return nil, err
	}
	m := &Model{program: p, changes: 1}
	if s.Times {
		m.profile = newProfile(len(p.Kernels))
	}
	goruntime.LockOSThread()
	if err := m.load(d, need, s); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

func (m *Model) load(d *Device, need int64, s Setup) (err error) {
	p := m.program
	if m.device, err = d.open(p, s); err != nil {
		m.device = nil // and not a nil of its type, which Close would close
		return err
	}
	if m.memory, err = newRegion(int(need)); err != nil {
		return err
	}
	if m.arena, err = m.take("temporaries", int(p.Arena)); err != nil {
		return err
	}
	if m.work, err = m.take("scratch", int(p.Work)); err != nil {
		return err
	}
	for _, st := range p.States {
		mem, err := m.take(st.Name, st.Elem.Size()*product(st.Dims))
		if err != nil {
			return err
		}
		m.states = append(m.states, mem)
	}
	for i := range p.Entries {
		e := &entry{Entry: &p.Entries[i]}
		if e.block, err = m.bind(&e.Block); err != nil {
			return err
		}
		e.block.first = true
		for j := range e.Every {
			b, err := m.bind(&e.Every[j].Block)
			if err != nil {
				return err
			}
			e.every = append(e.every, b)
		}
		m.entries = append(m.entries, e)
	}
	return nil
}

// take is the next n bytes of memory, on both sides.
func (m *Model) take(name string, n int) (piece, error) {
	return m.device.place(name, m.memory.take(n))
}

// memoryOf is the number of bytes that p's buffers take, exactly.
func memoryOf(p *program.Program) int64 {
	sum := int64(0)
	add := func(n int64) { sum += (n + alignment - 1) / alignment * alignment }
	add(p.Arena)
	add(p.Work)
	for _, s := range p.States {
		add(int64(s.Elem.Size() * product(s.Dims)))
	}
	count := func(b *program.Block) {
		add(b.Kept)
		for i := range b.Bufs {
			switch b.Bufs[i].Home {
			case program.HomeConst, program.HomeInput, program.HomeLen:
				add(int64(bufferBytes(&b.Bufs[i])))
			}
		}
	}
	for i := range p.Entries {
		count(&p.Entries[i].Block)
		for j := range p.Entries[i].Every {
			count(&p.Entries[i].Every[j].Block)
		}
	}
	return sum
}

// Close gives code, memory and threads back.
func (m *Model) Close() {
	if m.device != nil {
		m.device.close()
	}
	if m.memory != nil {
		m.memory.free()
	}
	goruntime.UnlockOSThread()
}

// Title names the device for people.
func (m *Model) Title() string { return m.device.title() }

// Kernels is how many kernels the program has.
func (m *Model) Kernels() int { return len(m.program.Kernels) }

// Workers is the number of threads that run kernels.
func (m *Model) Workers() int { return m.device.workers() }

// Memory is the number of bytes that the program's buffers and what the device needs beside them take.
func (m *Model) Memory() int64 { return int64(m.memory.used) + m.device.memory() }

// pushStates brings the states to the device, but those that were not read.
func (m *Model) pushStates() error {
	m.changes++
	for i, p := range m.states {
		if m.unread != nil && m.unread[i] {
			continue
		}
		if err := m.device.push(p); err != nil {
			return err
		}
	}
	return nil
}

// pullStates brings the states to the host, all of them.
func (m *Model) pullStates() error {
	if i := slices.Index(m.unread, true); i >= 0 {
		return fmt.Errorf("internal error: the state %s was not read, and must not be saved", m.program.States[i].Name)
	}
	return m.device.pull(m.states...)
}

func eachPiece(pieces []piece, do func(piece) error) error {
	for _, p := range pieces {
		if err := do(p); err != nil {
			return err
		}
	}
	return nil
}

// blocks is how a block of each kind is written.
var blocks = map[string]string{
	"train":  "train for 100 { each x: f32[32, 8] from d.train    …    minimize loss over net with optim.adam(lr: 1e-3) }",
	"eval":   "eval valid { each x: f32[32, 8] from d.valid    report loss = … }",
	"sample": "sample { show … }",
}

// lacks is that there is no block of a kind, and what there is.
func (m *Model) lacks(kind string) error {
	var have []string
	for _, e := range m.entries {
		if e.Kind != "init" {
			have = append(have, e.title())
		}
	}
	text := ""
	if have != nil { // what is not asked for may not have been compiled
		text = "it has " + strings.Join(have, ", ") + ", and "
	}
	return fmt.Errorf("%s has no %s block; %s`%s` in the file would be one", m.program.Source, kind, text, blocks[kind])
}

// ofKind are the entries of a kind, in order.
func (m *Model) ofKind(kind string) []*entry {
	var out []*entry
	for _, e := range m.entries {
		if e.Kind == kind {
			out = append(out, e)
		}
	}
	return out
}

// find is the entry of a kind and name; an empty name is the first of its kind.
func (m *Model) find(kind, name string) (*entry, error) {
	var names []string
	for _, e := range m.entries {
		if e.Kind != kind {
			continue
		}
		if name == "" || e.Name == name {
			return e, nil
		}
		names = append(names, cmp.Or(e.Name, "one without a name"))
	}
	if len(names) == 0 {
		return nil, m.lacks(kind)
	}
	return nil, fmt.Errorf("%s has no `%s %s`; it has %s", m.program.Source, kind, name, strings.Join(names, ", "))
}
