package runtime

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"mdlc/runtime/emulator"
	"mdlc/runtime/program"
)

// gpuEmulator is a GPU that is emulated: its memory is the emulator's, and whatever a kernel does
// wrong is an error.
type gpuEmulator struct {
	program *program.Program
	module  *emulator.Module
	gpu     emulator.Device
	kernels []*emulator.Kernel // of functions
	pieces  int
	threads int
}

// shadow is how many bytes the emulator keeps about each byte of memory that kernels touch.
const shadow = 13

var emulated = newEmulated("emulator", emulator.Nearest)

// emulatedEnds give the least or the greatest of the results that the manual allows where it leaves them open, as in
// the products of tensor cores: a GPU is somewhere between.
var emulatedEnds = map[string]*Device{"low": newEmulated("emulator:low", emulator.Low), "high": newEmulated("emulator:high", emulator.High)}

func newEmulated(name string, approx emulator.Approx) *Device {
	return &Device{Name: name, Arch: "sm_80", Emulated: true, runs: runsOnGPU,
		Title: "a GPU emulated on the CPU, which tells of races and wrong addresses; slow",
		holds: func(_ *program.Program, need int64, _ Setup) error { return checkMemory(need * shadow) },
		open:  func(p *program.Program, s Setup) (device, error) { return newEmulator(p, s.Threads, approx) }}
}

// runsOnGPU refuses programs that are for no GPU.
func runsOnGPU(t program.Target) error {
	if t.Arch() == "" {
		return fmt.Errorf("this program is for the CPU: --device cpu runs it, or compile the model with --target sm_80 or sm_90a")
	}
	return nil
}

func newEmulator(p *program.Program, threads int, approx emulator.Approx) (*gpuEmulator, error) {
	d := &gpuEmulator{program: p, threads: Threads(threads)}
	d.gpu.Workers, d.gpu.Approx = d.threads, approx
	var err error
	if len(p.Kernels) > 0 {
		if d.module, err = emulator.Load(string(p.Object)); err != nil {
			return nil, fmt.Errorf("internal error: the program's code cannot be read: %w", err)
		}
	}
	return d, nil
}

func (d *gpuEmulator) title() string {
	return fmt.Sprintf("emulator: %s on the CPU, threads: %d", d.program.Target.Arch(), d.threads)
}

func (d *gpuEmulator) place(name string, host []byte) (piece, error) {
	if err := d.room(); err != nil {
		return piece{}, err
	}
	return piece{host, uintptr(d.gpu.Alloc(name, len(host)).Addr())}, nil
}

func (d *gpuEmulator) part(whole piece, name string, offset, n int) (piece, error) {
	if err := d.room(); err != nil {
		return piece{}, err
	}
	from, _ := d.gpu.Find(uint64(whole.at))
	b, err := d.gpu.Part(from, name, offset, n)
	if err != nil {
		return piece{}, err
	}
	return piece{whole.host[offset:][:n:n], uintptr(b.Addr())}, nil
}

// room refuses programs with too many buffers. Half of the emulator's are left for its own.
func (d *gpuEmulator) room() error {
	if d.pieces++; d.pieces > emulator.MaxBuffers/2 {
		return fmt.Errorf("the program has more than %d buffers, too many for the emulator", emulator.MaxBuffers/2)
	}
	return nil
}

func (d *gpuEmulator) function(kernel int, ph *program.Phase) (uintptr, error) {
	k, err := d.module.Kernel(ph.Symbol)
	if err != nil {
		return 0, kernelError(&d.program.Kernels[kernel], err)
	}
	d.kernels = append(d.kernels, k)
	return uintptr(len(d.kernels) - 1), nil
}

func (d *gpuEmulator) encode(kernel int, m *program.TensorMap, at uintptr, dims []int) (words [program.MapWords]uint64, err error) {
	t := emulator.TensorMap{Elem: m.Elem.String(), Addr: uint64(at), Swizzle: m.Swizzle}
	if m.Elem.Size() == 1 { // whatever a byte means
		t.Elem = "u8"
	}
	for i, n := range dims {
		t.Dims, t.Box = append(t.Dims, uint64(n)), append(t.Box, uint32(m.Box[i]))
	}
	for _, n := range m.Strides {
		t.Strides = append(t.Strides, uint64(n))
	}
	bytes, err := t.Encode()
	if err != nil {
		return words, kernelError(&d.program.Kernels[kernel], err)
	}
	_, err = binary.Decode(bytes, little, &words)
	return words, err
}

func (d *gpuEmulator) launch(l *launch, ph *phase, points int) error {
	blocks := ph.src.Blocks(points)
	if blocks <= 0 {
		return nil
	}
	params := make([]any, 0, len(l.src.Args)+len(ph.maps)+2)
	for i := range l.src.Args {
		params = append(params, uint64(l.args[i]))
	}
	params = append(params, points)
	if ph.rounds {
		params = append(params, l.round)
	}
	for i := range ph.maps {
		words, err := binary.Append(nil, little, ph.maps[i].words)
		if err != nil {
			return err
		}
		params = append(params, words)
	}
	_, err := d.gpu.Launch(d.kernels[ph.fn], [3]int{blocks, 1, 1}, [3]int{ph.src.Threads, 1, 1}, ph.src.Shared, params...)
	if err != nil {
		return kernelError(&d.program.Kernels[l.kernel], err)
	}
	return nil
}

// kernelError is what goes wrong in a kernel on a GPU.
func kernelError(k *program.Kernel, err error) error {
	return fmt.Errorf("internal error: kernel %s%s: %w\n  = help: the fault is the compiler's, not the model's", k.Name, madeFrom(k), err)
}

func (d *gpuEmulator) push(p piece) error {
	b, offset := d.gpu.Find(uint64(p.at))
	return b.Write(offset, p.host)
}

// pull brings zeros for what no kernel wrote: of an array of a length that only the run knows, the rest is never written.
func (d *gpuEmulator) pull(pieces ...piece) error {
	for _, p := range pieces {
		b, offset := d.gpu.Find(uint64(p.at))
		if err := b.Peek(offset, p.host); err != nil {
			return err
		}
	}
	return nil
}

// forget makes a read of p a fault. Where kernels may read what they drop it makes p NaN, or -1:
// whoever keeps it is found by the results.
func (d *gpuEmulator) forget(p piece, lengths bool) {
	b, offset := d.gpu.Find(uint64(p.at))
	if lengths {
		_ = b.Write(offset, bytes.Repeat([]byte{0xff}, len(p.host)))
		return
	}
	_ = b.Forget(offset, len(p.host)) // it is in the buffer
}

func (d *gpuEmulator) measure(run func() error) (time.Duration, error) {
	began := time.Now()
	err := run()
	return time.Since(began), err
}

func (d *gpuEmulator) workers() int  { return d.threads }
func (d *gpuEmulator) memory() int64 { return 0 }
func (d *gpuEmulator) close()        {}
