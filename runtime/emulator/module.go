package emulator

import (
	"fmt"
	"slices"
	"sync"
)

// Module is a parsed PTX text.
type Module struct {
	files     map[int]string
	locs      []sourceLine
	vars      map[string]*variable
	order     []*variable // the same, as they stand in the text
	functions map[string]*function

	mu      sync.Mutex
	kernels map[kernelKey]*Kernel
}

type kernelKey struct {
	name   string
	approx Approx
}

// Load parses a PTX text. Instructions are looked at when a kernel is asked for.
func Load(ptx string) (*Module, error) {
	m, err := parse(ptx)
	if err != nil {
		return nil, err
	}
	m.kernels = map[kernelKey]*Kernel{}
	return m, nil
}

// Kernels are the names of the module's kernels, sorted.
func (m *Module) Kernels() []string {
	var out []string
	for name, f := range m.functions {
		if f.kernel && !f.declared {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// Kernel decodes a kernel and what it calls. An instruction that the emulator
// does not know is an error here, not when it is reached.
func (m *Module) Kernel(name string) (*Kernel, error) {
	return m.kernel(name, Nearest)
}

func (m *Module) kernel(name string, approx Approx) (*Kernel, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := kernelKey{name, approx}
	if k := m.kernels[key]; k != nil {
		return k, nil
	}
	f := m.functions[name]
	if f == nil || !f.kernel || f.declared {
		return nil, fmt.Errorf("the module has no kernel %s", name)
	}
	k, err := decode(m, f, approx)
	if err != nil {
		return nil, err
	}
	m.kernels[key] = k
	return k, nil
}

// source is the text of a .loc's place, "" if there is none.
func (m *Module) source(loc int32) string {
	if loc == 0 {
		return ""
	}
	l := m.locs[loc]
	return fmt.Sprintf("%s:%d", m.files[l.file], l.line)
}
