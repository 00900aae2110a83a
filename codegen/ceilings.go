package codegen

import (
	"fmt"
	"strings"

	"mdlc/ir/index"
	"mdlc/ir/loop"
	"mdlc/runtime/program"
)

// ceilings say what the ceilings of a machine are measured with: multiply-adds in registers, in chains enough to hide
// their latency, on a GPU the products of tensor cores whose operands stand still, and copies and reads of so much that the nearest cache holds it, to more
// than all hold, again and again.
type ceilings struct {
	points      int // of multiplications: so many that all processors have as many as they run at a time
	turns       int // of multiplications
	least, most int // bytes
	rows        int // that are read side by side
}

const ceilingChains = 12

// ceilingsOf are those of a target.
func ceilingsOf(t *Target) ceilings {
	if !t.GPU {
		return ceilings{points: 64, turns: 1 << 14, least: 64 << 10, most: 64 << 20, rows: 64}
	}
	return ceilings{points: 16 * t.Machine.Processors, turns: 1 << 14, least: 1 << 20, most: 1 << 30, rows: 1 << 12}
}

// multiplyAdds is the text of a kernel of multiply-adds in registers, a turn after the other, and how many operations that is.
func multiplyAdds(points, lanes, turns int) (text string, flops float64) {
	return fmt.Sprintf(`kernel multiply(in X: f32[%[3]d], out Y: f32[%[1]d,%[2]d,%[3]d]) guarded {
  axis p: %[1]d par, i: %[2]d reg, j: %[3]d lane, t: %[4]d loop
  x = X[j]
  y = for t carry a = f32(i) * x { yield fma(a, x, x) }
  Y[p,i,j] = y
}`, points, ceilingChains, lanes, turns), 2 * float64(points*ceilingChains*lanes*turns)
}

// tensorMultiplies is the same of products of bf16 on tensor cores: of what a group of warps has in shared memory where there are such products, else of registers.
func tensorMultiplies(points, turns int, groups bool) (text string, flops float64) {
	if !groups {
		return fmt.Sprintf(`kernel multiply_tensor(in A: bf16[32,16], in B: bf16[16,64], out Y: f32[%[1]d,32,64]) guarded {
  axis p: %[1]d par, i0: 2 reg, i1: 16 fragrow, j0: 8 reg, j1: 8 fragcol, k: 16 fragsum, t: %[2]d loop
  z = for t carry a: f32[i0,i1,j0,j1] = 0.0 { yield dot[k](A[i0 * 16 + i1,k], B[k,j0 * 8 + j1], a) @mma }
  Y[p,i0 * 16 + i1,j0 * 8 + j1] = z
}`, points, turns), 2 * 32 * 64 * 16 * float64(points*turns)
	}
	return fmt.Sprintf(`kernel multiply_tensor(in A: bf16[128,64], in B: bf16[64,256], out Y: f32[%[1]d,128,256]) guarded {
  local a: bf16[1,1,128,64] in panel swizzle(128)
  local b: bf16[1,4,64,64] in panel swizzle(128)
  axis p: %[1]d par, i0: 8 warp, i1: 16 fragrow, j0: 32 reg, j1: 8 fragcol, k0: 4, k1: 16 fragsum, t: %[2]d loop
  axis r: 4 reg, s: 2 reg, c: 4 reg, thread: 256 thread, part: 8 reg
  a[0,0,r * 32 + thread / 8,thread %% 8 * 8 + part] = A[r * 32 + thread / 8,thread %% 8 * 8 + part] async
  b[0,c,s * 32 + thread / 8,thread %% 8 * 8 + part] = B[s * 32 + thread / 8,c * 64 + thread %% 8 * 8 + part] async
  commit
  wait 0
  z = for t carry y: f32[i0,i1,j0,j1] = 0.0 {
    x = dot[k0,k1](a[0,0,i0 * 16 + i1,k0 * 16 + k1], b[0,j0 / 8,k0 * 16 + k1,j0 %% 8 * 8 + j1], y) @wgmma
    settle 1 x
    yield x
  }
  settle 0 z
  Y[p,i0 * 16 + i1,j0 * 8 + j1] = z
}`, points, turns), 2 * 128 * 256 * 64 * float64(points*turns)
}

// copies and reads are the texts of kernels that touch about so many bytes and do little else.
func copies(bytes int) string {
	return fmt.Sprintf(`kernel copy_%[1]d(in X: f32[%[1]d], out Y: f32[%[1]d]) {
  axis i: %[1]d
  Y[i] = X[i]
}`, bytes/8)
}

func reads(bytes, rows int) string {
	return fmt.Sprintf(`kernel read_%[2]d(in X: f32[%[1]d,%[2]d], out Y: f32[%[1]d]) {
  axis i: %[1]d, j: %[2]d
  Y[i] = sum[j](X[i,j])
}`, rows, bytes/4/rows)
}

// Ceilings is a program of samples that show what a machine can do at most: `multiply`, on a GPU `multiply_tensor`, and copies and reads of ever fewer bytes.
func Ceilings(o Options) (*program.Program, error) {
	b, err := ceilingsOf(o.Target).build(o.Target)
	if err != nil {
		return nil, err
	}
	if b.Program.Object, err = Compile(b.Emitted(), o); err != nil {
		return nil, err
	}
	return b.Program, b.Program.Check()
}

func (c ceilings) build(t *Target) (*Built, error) {
	b := &Built{Program: &program.Program{Source: "ceilings"}}
	add := func(text string, flops float64, times int) error {
		k, err := oneKernel(text)
		if err != nil {
			return err
		}
		if flops > 0 { // is as it is
			k.Scheduled = k.Page
		}
		b.addCeiling(k, times)
		if flops > 0 {
			b.Program.Kernels[len(b.Kernels)-1].Products = flops
		}
		return nil
	}
	text, flops := multiplyAdds(c.points, t.Machine.Lanes, c.turns)
	err := add(text, flops, 1)
	if t.GPU && err == nil {
		points, groups := c.points, t.Machine.Group != nil
		if groups {
			points = (points + 15) / 16 // a processor has one such block at a time
		}
		text, flops = tensorMultiplies(points, c.turns, groups)
		err = add(text, flops, 1)
	}
	for bytes := c.most; bytes >= c.least && err == nil; bytes /= 4 { // the largest first: memory that nobody has written is one page of zeros, which caches hold
		if err = add(copies(bytes), 0, c.most/bytes); err == nil {
			err = add(reads(bytes, c.rows), 0, c.most/bytes)
		}
	}
	if err != nil {
		return nil, err
	}
	if err := b.Schedule(t.Machine); err != nil {
		return nil, err
	}
	return b, b.Emit(t)
}

// oneKernel is a kernel written in the kernel IR, whose buffers are arguments.
func oneKernel(text string) (*BuiltKernel, error) {
	ks, err := loop.Parse("ceilings", text)
	if err != nil {
		return nil, err
	}
	return &BuiltKernel{Page: ks[0], args: make([]pageArg, len(ks[0].Bufs))}, nil
}

// addCeiling adds a sample that launches a kernel so many times. A copy is made back, too: so all memory is written.
func (b *Built) addCeiling(k *BuiltKernel, times int) {
	i := len(b.Kernels)
	b.Kernels = append(b.Kernels, k)
	work := program.Kernel{Name: k.Page.Name}
	work.Products, work.Bytes = workOf(k.Page, nil)
	b.Program.Kernels = append(b.Program.Kernels, work)
	block := b.launchOf(i)
	if strings.HasPrefix(k.Page.Name, "copy") {
		back := *block.Code[0].Launch
		back.Args = []program.Ref{back.Args[1], back.Args[0]}
		block.Code = append(block.Code, program.Instr{Launch: &back})
	}
	block.Code = []program.Instr{{Loop: &program.Loop{Turn: "turn", Count: index.C(times), Turns: -1, Code: block.Code}}}
	b.Program.Entries = append(b.Program.Entries, program.Entry{Kind: "sample", Name: k.Page.Name, Block: block})
}

// launchOf is a block that launches kernel i once, with its buffers side by side in the arena.
func (b *Built) launchOf(i int) program.Block {
	k := b.Kernels[i]
	block, launch := program.Block{Name: "sample " + k.Page.Name}, &program.Launch{Kernel: i}
	at := 0
	for n, buf := range k.Page.Bufs {
		block.Bufs = append(block.Bufs, program.Buffer{Name: buf.Name, Elem: buf.Elem, Dims: buf.Dims, Home: program.HomeArena, Offset: int64(at)})
		launch.Args = append(launch.Args, program.Ref{Buf: n, Offset: index.C(0)})
		at += (bufferBytes(buf) + 63) / 64 * 64
	}
	b.Program.Arena = max(b.Program.Arena, int64(at))
	block.Code = []program.Instr{{Launch: launch}}
	return block
}
