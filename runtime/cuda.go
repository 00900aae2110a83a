//go:build cuda

package runtime

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"gorgonia.org/cu"

	"mdlc/ir/loop"
	"mdlc/runtime/cuda/sys"
	"mdlc/runtime/program"
)

// gpu is a GPU of this machine, before anything runs on it.
type gpu struct {
	device cu.Device
	name   string
	major  int // of its compute capability
	minor  int
	total  int64 // bytes of its memory
}

// findCUDA finds GPU number n.
func findCUDA(n int) (*Device, error) {
	if err := sys.Load(); err != nil {
		return nil, err
	}
	count, err := cu.NumDevices()
	if err != nil {
		return nil, sys.Explain(err)
	}
	if n >= count {
		if count == 0 {
			return nil, errors.New("the NVIDIA driver sees no GPU: nvidia-smi -L lists those there are; CUDA_VISIBLE_DEVICES may hide them")
		}
		return nil, fmt.Errorf("there is no cuda:%d: the NVIDIA driver sees %d, from cuda:0 on", n, count)
	}
	g, err := describe(n)
	if err != nil {
		return nil, sys.Explain(err)
	}
	if g.major < 8 {
		return nil, fmt.Errorf("cuda:%d (%s) has compute capability %d.%d; 8.0 is the least that programs are made for: --device cpu", n, g.name, g.major, g.minor)
	}
	return &Device{Name: fmt.Sprintf("cuda:%d", n), Arch: g.arch(), runs: g.runs, holds: g.holds,
		Title: fmt.Sprintf("%s, compute capability %d.%d, %s", g.name, g.major, g.minor, byteSize(g.total)),
		open:  func(p *program.Program, s Setup) (device, error) { return openCUDA(g, p, s) }}, nil
}

func describe(n int) (*gpu, error) {
	d, err := cu.GetDevice(n)
	if err != nil {
		return nil, err
	}
	g := &gpu{device: d}
	if g.name, err = d.Name(); err != nil {
		return nil, err
	}
	if g.major, err = d.Attribute(cu.ComputeCapabilityMajor); err != nil {
		return nil, err
	}
	if g.minor, err = d.Attribute(cu.ComputeCapabilityMinor); err != nil {
		return nil, err
	}
	g.total, err = d.TotalMem()
	return g, err
}

// arch is what programs for g are compiled for. What Hopper alone has is in sm_90a; all later GPUs run sm_80.
func (g *gpu) arch() string {
	if g.major == 9 && g.minor == 0 {
		return "sm_90a"
	}
	return "sm_80"
}

// runs refuses programs for other machines.
func (g *gpu) runs(t program.Target) error {
	if err := runsOnGPU(t); err != nil {
		return err
	}
	digits, exact := strings.CutSuffix(strings.TrimPrefix(t.Arch(), "sm_"), "a")
	made, _ := strconv.Atoi(digits)
	if have := 10*g.major + g.minor; made > have || exact && made != have {
		return fmt.Errorf("this program is for %s; %s is an sm_%d: compile the model for it with --target %s", t.Arch(), g.name, have, g.arch())
	}
	return nil
}

// holds refuses programs that g has no memory for.
func (g *gpu) holds(_ *program.Program, need int64, _ Setup) error {
	if need > g.total {
		return fmt.Errorf("this program needs %s of memory and %s has %s: a smaller batch or a smaller model would fit", byteSize(need), g.name, byteSize(g.total))
	}
	return nil
}

// cudaDevice is a GPU with a program on it. Launches and copies are put on one stream, and done
// when the stream comes to them.
type cudaDevice struct {
	*gpu
	program *program.Program
	context cu.CUContext
	stream  cu.Stream
	module  cu.Module
	events  [2]cu.Event // around what is measured
	looked  cu.Event    // after what was looked at came back
	mail    []byte      // pinned: where small pieces that come back wait, and behind them what was looked at
	shared  int         // bytes of shared memory that a block can have

	functions []cu.Function
	pieces    []cu.DevicePtr
	graphs    []*cudaGraph
	args      []uint64
	launched  []int      // kernels since the last wait, at most two
	noting    *cudaSteps // what is asked for is noted there, and not done; nil: it is done
}

// mailBytes is room for the reports of a step.
const mailBytes = 64 << 10

func openCUDA(g *gpu, p *program.Program, s Setup) (_ *cudaDevice, err error) {
	d := &cudaDevice{gpu: g, program: p}
	defer func() {
		if err != nil {
			d.close()
			err = fmt.Errorf("%s: %w", g.name, sys.Explain(err))
		}
	}()
	if d.context, err = g.device.RetainPrimaryCtx(); err != nil {
		return nil, err
	}
	if err = cu.SetCurrentContext(d.context); err != nil {
		return nil, err
	}
	if d.stream, err = cu.MakeStream(cu.NonBlocking); err != nil {
		return nil, err
	}
	for i := range d.events {
		if d.events[i], err = cu.MakeEvent(cu.DefaultEvent); err != nil {
			return nil, err
		}
	}
	if d.looked, err = cu.MakeEvent(cu.DisableTiming); err != nil {
		return nil, err
	}
	if d.mail, err = sys.Pinned(mailBytes + 1); err != nil {
		return nil, err
	}
	if d.shared, err = sys.MaxShared(g.device); err != nil {
		return nil, err
	}
	if len(p.Kernels) > 0 {
		err = d.load(s.Cache)
	}
	return d, err
}

// load brings the program's code to the GPU. What the driver's linker makes of it is kept, for this
// kind of GPU and this driver. A linker that does not know the architecture leaves it to the loader.
func (d *cudaDevice) load(cache Cache) error {
	key := []string{"cubin", d.name, fmt.Sprint(d.major, d.minor), fmt.Sprint(cu.Version()), string(d.program.Object)}
	var code []byte
	if cache != nil {
		code = cache.Get(key...)
	}
	if code == nil {
		var err error
		if code, err = sys.Assemble(d.program.Object); err != nil {
			code = d.program.Object
		} else if cache != nil {
			cache.Put(code, key...)
		}
	}
	log := cu.JITErrorLogBuffer{Buffer: make([]byte, 4096)}
	var err error
	if d.module, err = cu.LoadDataEx(string(code), &log); err != nil {
		return fmt.Errorf("internal error: the driver does not take the program's code: %w: %s", sys.Explain(err), strings.TrimRight(string(log.Buffer), "\x00"))
	}
	return nil
}

func (d *cudaDevice) title() string {
	return fmt.Sprintf("cuda: %s, %s", d.name, d.program.Target.Arch())
}

func (d *cudaDevice) place(name string, host []byte) (piece, error) {
	p, err := cu.MemAlloc(int64(max(len(host), 1)))
	if err != nil {
		free, _, _ := cu.MemInfo()
		return piece{}, fmt.Errorf("%s of memory for %s: %w: %s of %s are free: a smaller batch or a smaller model would fit", byteSize(int64(len(host))), name, sys.Explain(err), byteSize(free), byteSize(d.total))
	}
	d.pieces = append(d.pieces, p)
	return piece{host, uintptr(p)}, nil
}

func (d *cudaDevice) part(whole piece, _ string, offset, n int) (piece, error) {
	return piece{whole.host[offset:][:n:n], whole.at + uintptr(offset)}, nil
}

func (d *cudaDevice) function(kernel int, ph *program.Phase) (uintptr, error) {
	k := &d.program.Kernels[kernel]
	if ph.Shared > d.shared {
		return 0, fmt.Errorf("kernel %s%s needs %s of shared memory; a block on %s has at most %s: compile the model with --target %s",
			k.Name, madeFrom(k), byteSize(int64(ph.Shared)), d.name, byteSize(int64(d.shared)), d.arch())
	}
	f, err := d.module.Function(ph.Symbol)
	if err == nil && ph.Shared > 48<<10 {
		err = sys.AllowShared(f, ph.Shared)
	}
	if err != nil {
		return 0, kernelError(k, sys.Explain(err))
	}
	d.functions = append(d.functions, f)
	return uintptr(len(d.functions) - 1), nil
}

func (d *cudaDevice) encode(kernel int, m *program.TensorMap, at uintptr, dims []int) (words [program.MapWords]uint64, err error) {
	elem, ok := tensorElems[m.Elem]
	if !ok {
		return words, kernelError(&d.program.Kernels[kernel], fmt.Errorf("a tensor map of %s", m.Elem))
	}
	if words, err = sys.Encode(elem, cu.DevicePtr(at), dims, m.Strides, m.Box, m.Swizzle); err != nil {
		err = kernelError(&d.program.Kernels[kernel], err)
	}
	return words, err
}

// tensorElems are the types of elements that tensor maps have.
var tensorElems = map[loop.Elem]sys.TensorElem{loop.BF16: sys.TensorBF16, loop.F16: sys.TensorF16, loop.F32: sys.TensorF32, loop.F8E4M3: sys.TensorByte, loop.F8E5M2: sys.TensorByte}

// launch launches a phase. The first time it waits for its end, so that an error is of this kernel and no other.
func (d *cudaDevice) launch(l *launch, ph *phase, points int) error {
	blocks := ph.src.Blocks(points)
	if blocks <= 0 {
		return nil
	}
	d.args = d.args[:0]
	for i := range l.src.Args {
		d.args = append(d.args, uint64(l.args[i]))
	}
	d.args = append(d.args, uint64(points))
	if ph.rounds {
		d.args = append(d.args, uint64(l.round))
	}
	for i := range ph.maps {
		d.args = append(d.args, ph.maps[i].words[:]...)
	}
	if d.noting != nil {
		d.noting.kernel(l.kernel, d.functions[ph.fn], blocks, ph.src, d.args)
		return nil
	}
	if err := sys.Launch(sys.Step{Kernel: d.functions[ph.fn], Blocks: blocks, Threads: ph.src.Threads, Shared: ph.src.Shared, Args: d.args, Maps: len(ph.maps)}, d.stream); err != nil {
		return kernelError(&d.program.Kernels[l.kernel], err)
	}
	if len(d.launched) < 2 {
		d.launched = append(d.launched, l.kernel)
	}
	if ph.ran {
		return nil
	}
	ph.ran = true
	return d.wait()
}

// wait waits for all that was asked for. An error is of the kernel that was launched, if it was one.
func (d *cudaDevice) wait() error {
	err := d.failed(d.stream.Synchronize())
	d.launched = d.launched[:0]
	return err
}

// failed explains what the driver says of what it was asked for before.
func (d *cudaDevice) failed(err error) error {
	err = sys.Explain(err)
	launched := d.launched
	switch {
	case err == nil:
		return nil
	case len(launched) == 1:
		return kernelError(&d.program.Kernels[launched[0]], err)
	}
	return fmt.Errorf("internal error: a kernel went wrong on %s: %w\n  = help: the same run with --profile waits for every kernel and names it", d.name, err)
}

// push puts words into the commands of the stream; other copies the driver takes before it returns.
func (d *cudaDevice) push(p piece) error {
	if len(p.host) == 0 {
		return nil
	}
	if n := len(p.host); n == 4 || n == 8 {
		for i := 0; i < n; i += 4 {
			at, word := cu.DevicePtr(p.at+uintptr(i)), little.Uint32(p.host[i:])
			if d.noting != nil {
				d.noting.word(at, word)
			} else if err := cu.MemsetD32Async(at, uint(word), 1, d.stream); err != nil {
				return sys.Explain(err)
			}
		}
		return nil
	}
	if d.noting != nil {
		return errors.New("internal error: a copy from the host cannot be repeated")
	}
	return sys.Explain(cu.MemcpyHtoDAsync(cu.DevicePtr(p.at), unsafe.Pointer(unsafe.SliceData(p.host)), int64(len(p.host)), d.stream))
}

// pull waits once for all pieces. Small ones come in pinned memory.
func (d *cudaDevice) pull(pieces ...piece) error {
	if d.noting != nil {
		return errors.New("internal error: what the device has cannot be read in what is to be repeated")
	}
	used := 0
	for _, p := range pieces {
		to := p.host
		if used+len(to) <= mailBytes {
			to = d.mail[used:][:len(to)]
			used += len(to)
		}
		if len(to) == 0 {
			continue
		}
		if err := cu.MemcpyDtoHAsync(unsafe.Pointer(unsafe.SliceData(to)), cu.DevicePtr(p.at), int64(len(to)), d.stream); err != nil {
			return sys.Explain(err)
		}
	}
	if err := d.wait(); err != nil {
		return err
	}
	used = 0
	for _, p := range pieces {
		if used+len(p.host) <= mailBytes {
			used += copy(p.host, d.mail[used:])
		}
	}
	return nil
}

func (d *cudaDevice) spare(n int) (piece, error) {
	p, err := cu.MemAlloc(int64(n))
	if err != nil {
		return piece{}, sys.Explain(err)
	}
	d.pieces = append(d.pieces, p)
	return piece{at: uintptr(p)}, nil
}

func (d *cudaDevice) copy(to, from piece, n int) error {
	return sys.Explain(cu.MemcpyDtoDAsync(cu.DevicePtr(to.at), cu.DevicePtr(from.at), int64(n), d.stream))
}

func (d *cudaDevice) look(p piece) error {
	if err := cu.MemcpyDtoHAsync(unsafe.Pointer(&d.mail[mailBytes]), cu.DevicePtr(p.at), 1, d.stream); err != nil {
		return sys.Explain(err)
	}
	return sys.Explain(d.looked.Record(d.stream))
}

func (d *cudaDevice) seen() (byte, error) {
	err := d.failed(d.looked.Synchronize())
	return d.mail[mailBytes], err
}

func (d *cudaDevice) forget(piece, bool) {}

// measure tells the time between two events around run.
func (d *cudaDevice) measure(run func() error) (time.Duration, error) {
	if err := d.events[0].Record(d.stream); err != nil {
		return 0, sys.Explain(err)
	}
	if err := run(); err != nil {
		return 0, err
	}
	if err := d.events[1].Record(d.stream); err != nil {
		return 0, sys.Explain(err)
	}
	if err := d.wait(); err != nil {
		return 0, err
	}
	ms, err := d.events[0].Elapsed(d.events[1])
	return time.Duration(ms * float64(time.Millisecond)), sys.Explain(err)
}

func (d *cudaDevice) workers() int  { return 1 }
func (d *cudaDevice) memory() int64 { return 0 }

// close gives everything back. Errors are those of what went wrong before.
func (d *cudaDevice) close() {
	if d.context == (cu.CUContext{}) {
		return
	}
	_ = d.stream.Synchronize()
	for _, g := range d.graphs {
		_ = g.graph.Destroy()
	}
	for _, p := range d.pieces {
		_ = cu.MemFree(p)
	}
	if d.mail != nil {
		_ = cu.MemFreeHost(unsafe.Pointer(unsafe.SliceData(d.mail)))
	}
	if d.module != (cu.Module{}) {
		_ = d.module.Unload()
	}
	for _, e := range []*cu.Event{&d.events[0], &d.events[1], &d.looked} {
		if *e != (cu.Event{}) {
			_ = cu.DestroyEvent(e)
		}
	}
	if d.stream != (cu.Stream{}) {
		_ = d.stream.Destroy()
	}
	_ = d.device.ReleasePrimaryCtx()
}
