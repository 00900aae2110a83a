package codegen

import (
	"fmt"
	"strings"

	"mdlc/ir/index"
	"mdlc/ir/loop"
	"mdlc/runtime/program"
)

// What the ceilings of a machine are measured with: multiply-adds in registers, in chains enough to hide
// their latency, and copies and reads of so much that the nearest cache holds it, to more than all hold, again and again.
const (
	ceilingPoints = 64
	ceilingChains = 12
	ceilingTurns  = 1 << 14
	ceilingLeast  = 64 << 10 // bytes
	ceilingMost   = 64 << 20
	ceilingRows   = 64
)

// multiplyAdds is the text of a kernel of multiply-adds in registers, a turn after the other, and how many operations that is.
func multiplyAdds(points, lanes, turns int) (text string, flops float64) {
	return fmt.Sprintf(`kernel multiply(in X: f32[%[3]d], out Y: f32[%[1]d,%[2]d,%[3]d]) guarded {
  axis p: %[1]d par, i: %[2]d reg, j: %[3]d lane, t: %[4]d loop
  x = X[j]
  y = for t carry a = f32(i) * x { yield fma(a, x, x) }
  Y[p,i,j] = y
}`, points, ceilingChains, lanes, turns), 2 * float64(points*ceilingChains*lanes*turns)
}

// copies and reads are the texts of kernels that touch about so many bytes and do little else.
func copies(bytes int) string {
	return fmt.Sprintf(`kernel copy_%[1]d(in X: f32[%[1]d], out Y: f32[%[1]d]) {
  axis i: %[1]d
  Y[i] = X[i]
}`, bytes/8)
}

func reads(bytes int) string {
	return fmt.Sprintf(`kernel read_%[2]d(in X: f32[%[1]d,%[2]d], out Y: f32[%[1]d]) {
  axis i: %[1]d, j: %[2]d
  Y[i] = sum[j](X[i,j])
}`, ceilingRows, bytes/4/ceilingRows)
}

// Ceilings is a program of samples that show what a machine can do at most: `multiply`, and copies and reads of ever fewer bytes.
func Ceilings(o Options) (*program.Program, error) {
	multiplyText, flops := multiplyAdds(ceilingPoints, o.Target.Machine.Lanes, ceilingTurns)
	multiply, err := oneKernel(multiplyText)
	if err != nil {
		return nil, err
	}
	multiply.Scheduled = multiply.Page
	b := &Built{Program: &program.Program{Source: "ceilings"}}
	b.addCeiling(multiply, 1)
	b.Program.Kernels[0].Products = flops
	for bytes := ceilingMost; bytes >= ceilingLeast; bytes /= 4 { // the largest first: memory that nobody has written is one page of zeros, which caches hold
		for _, text := range []string{copies(bytes), reads(bytes)} {
			k, err := oneKernel(text)
			if err != nil {
				return nil, err
			}
			b.addCeiling(k, ceilingMost/bytes)
		}
	}
	if err := b.Schedule(o.Target.Machine); err != nil {
		return nil, err
	}
	if err := b.Emit(o.Target); err != nil {
		return nil, err
	}
	if b.Program.Object, err = Compile(b.Emitted(), o); err != nil {
		return nil, err
	}
	return b.Program, b.Program.Check()
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
