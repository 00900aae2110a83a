package runtime

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unsafe"

	"mdlc/runtime/program"
)

// cpu is the processor that this process runs on: kernels are called by a team of threads, and
// their memory is the process's own.
type cpu struct {
	object *object
	pool   *pool
	faults [][]byte // of each kernel: what to say if it faults
	target program.Target
}

func newCPU(p *program.Program, threads int) (_ *cpu, err error) {
	c := &cpu{target: p.Target}
	if len(p.Kernels) > 0 {
		if c.object, err = loadObject(p.Object); err != nil {
			return nil, err
		}
	}
	for i := range p.Kernels {
		c.faults = append(c.faults, faultMessage(&p.Kernels[i]))
	}
	if c.pool, err = newPool(Threads(threads), localOf(p)); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// localOf is the number of bytes of scratch that a worker needs for any of p's kernels.
func localOf(p *program.Program) (local int64) {
	for i := range p.Kernels {
		local = max(local, p.Kernels[i].Local)
	}
	return local
}

func (c *cpu) title() string { return cpuTitle(c.target, c.pool.workers) }

func (c *cpu) place(_ string, host []byte) (piece, error) {
	return piece{host, addressOf(host)}, nil
}

func (c *cpu) part(whole piece, _ string, offset, n int) (piece, error) {
	return piece{whole.host[offset:][:n:n], whole.at + uintptr(offset)}, nil
}

func (c *cpu) function(_ int, ph *program.Phase) (uintptr, error) { return c.object.symbol(ph.Symbol) }

func (c *cpu) encode(int, *program.TensorMap, uintptr, []int) (words [program.MapWords]uint64, err error) {
	return words, errors.New("internal error: a CPU has no tensor maps")
}

func (c *cpu) launch(l *launch, ph *phase, points int) error {
	announce(c.faults[l.kernel])
	c.pool.launch(ph.fn, uintptr(unsafe.Pointer(unsafe.SliceData(l.args))), points, ph.src.Whole)
	return nil
}

func (c *cpu) push(piece) error    { return nil }
func (c *cpu) pull(...piece) error { return nil }
func (c *cpu) forget(piece, bool)  {}

func (c *cpu) measure(run func() error) (time.Duration, error) {
	began := time.Now()
	err := run()
	return time.Since(began), err
}

func (c *cpu) workers() int  { return c.pool.workers }
func (c *cpu) memory() int64 { return int64(c.pool.memory.used) }

func (c *cpu) close() {
	if c.pool != nil {
		c.pool.close()
	}
	if c.object != nil {
		c.object.close()
	}
}

// cpuTitle is a line for people about the processor.
func cpuTitle(t program.Target, threads int) string {
	return fmt.Sprintf("cpu: %s, %s, threads: %d", CPUName(), strings.Join(t.Features, " "), threads)
}
