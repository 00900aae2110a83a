package runtime

import (
	"fmt"
	goruntime "runtime"
	"strings"

	"mdlc/runtime/program"
)

// Model is a program on this machine: its code, memory and threads, and the
// values of its states. One goroutine, locked to its thread, uses it.
type Model struct {
	program *program.Program
	object  *object
	memory  *region
	pool    *pool
	arena   []byte
	work    []byte
	states  [][]byte
	faults  [][]byte // of each kernel: what to say if it faults
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

// Load brings p onto this machine, to run on up to threads threads (0: all).
// With times it measures every kernel.
func Load(p *program.Program, threads int, times bool) (*Model, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	if err := CheckTarget(p.Target); err != nil {
		return nil, err
	}
	need, local := memoryOf(p), localOf(p)
	if err := checkMemory(need + int64(Threads(threads))*scratchOf(local)); err != nil {
		return nil, err
	}
	m := &Model{program: p}
	if times {
		m.profile = &profile{times: make([]kernelTime, len(p.Kernels))}
	}
	goruntime.LockOSThread()
	if err := m.load(need, local, threads); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

func (m *Model) load(need, local int64, threads int) (err error) {
	p := m.program
	if len(p.Kernels) > 0 {
		if m.object, err = loadObject(p.Object); err != nil {
			return err
		}
	}
	if m.memory, err = newRegion(int(need)); err != nil {
		return err
	}
	m.arena = m.memory.take(int(p.Arena))
	m.work = m.memory.take(int(p.Work))
	for _, s := range p.States {
		m.states = append(m.states, m.memory.take(s.Elem.Size()*product(s.Dims)))
	}
	for i := range p.Kernels {
		m.faults = append(m.faults, faultMessage(&p.Kernels[i]))
	}
	if m.pool, err = newPool(Threads(threads), local); err != nil {
		return err
	}
	for i := range p.Entries {
		e := &entry{Entry: &p.Entries[i]}
		if e.block, err = m.bind(&e.Block); err != nil {
			return err
		}
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

// localOf is the number of bytes of scratch that a worker needs for any of p's kernels.
func localOf(p *program.Program) (local int64) {
	for i := range p.Kernels {
		local = max(local, p.Kernels[i].Local)
	}
	return local
}

// Close gives code, memory and threads back.
func (m *Model) Close() {
	if m.pool != nil {
		m.pool.close()
	}
	if m.object != nil {
		m.object.close()
	}
	if m.memory != nil {
		m.memory.free()
	}
	goruntime.UnlockOSThread()
}

// Workers is the number of threads that run kernels.
func (m *Model) Workers() int { return m.pool.workers }

// Memory is the number of bytes that the program's buffers and the scratch of its threads take.
func (m *Model) Memory() int64 { return int64(m.memory.used + m.pool.memory.used) }

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
		names = append(names, e.Name)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s has no %s block", m.program.Source, kind)
	}
	return nil, fmt.Errorf("%s has no `%s %s`; it has %s", m.program.Source, kind, name, strings.Join(names, ", "))
}
