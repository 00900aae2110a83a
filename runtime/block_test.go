package runtime

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/index"
	"mdlc/ir/loop"
	"mdlc/runtime/program"
)

// incrementer adds 1 to x f32[n] in `turns` turns of a loop, at offset turn*64.
func incrementer(t testing.TB, turns int) *program.Program {
	return &program.Program{Source: "t.mdl", Object: testObject(t), Arena: 64 * 64,
		Kernels: []program.Kernel{kernel("increment", 1, index.C(16))},
		Entries: []program.Entry{{Kind: "train", Block: program.Block{Name: "train",
			Bufs: []program.Buffer{f32("x", program.HomeArena, 1024), {Name: "turn", Elem: loop.I32, Home: program.HomeInput}},
			Code: []program.Instr{{Loop: &program.Loop{Turn: "i", Count: index.C(turns), Turns: 1,
				Code: []program.Instr{{Launch: &program.Launch{Args: []program.Ref{{Buf: 0, Offset: index.Prod(index.V("i"), index.C(64))}}}}}}}}}}},
	}
}

func load(t testing.TB, p *program.Program, threads int) *Model {
	m, err := Load(p, Setup{Threads: threads})
	require.NoError(t, err)
	t.Cleanup(m.Close)
	return m
}

func TestLoopsMoveOffsetsAndSetTheTurn(t *testing.T) {
	for _, threads := range []int{1, 2} {
		m := load(t, incrementer(t, 3), threads)
		b := m.entries[0].block
		require.NoError(t, b.run(nil))
		require.NoError(t, b.run(nil))
		for i := range 64 {
			want := 0.0
			if i < 48 {
				want = 2
			}
			require.Equal(t, want, readElem(loop.F32, b.bufs[0].host, i), "x[%d]", i)
		}
		require.Equal(t, 2.0, readElem(loop.I32, b.bufs[1].host, 0))
	}
}

// A kernel may read the turn as a length: turn i of 4 reverses i numbers.
func TestTurnIsASymbolToo(t *testing.T) {
	p := &program.Program{Source: "t.mdl", Object: testObject(t), Arena: 128,
		Kernels: []program.Kernel{kernel("reverse", 3, index.V("n0"))},
		Entries: []program.Entry{{Kind: "sample", Block: program.Block{
			Bufs: []program.Buffer{
				{Name: "y", Elem: loop.F32, Dims: []int{8}}, {Name: "x", Elem: loop.F32, Dims: []int{8}, Offset: 64},
				{Name: "i", Elem: loop.I64, Home: program.HomeLen, State: -1},
			},
			Code: []program.Instr{{Loop: &program.Loop{Turn: "i", Count: index.C(4), Turns: -1,
				Code: []program.Instr{launchOf(0, []*index.Expr{index.V("i")}, 0, 1, 2)}}}},
		}}}}
	m := load(t, p, 1)
	b := m.entries[0].block
	for i := range 8 {
		writeElem(loop.F32, b.bufs[1].host, i, float64(i+1))
	}
	r := NewRunner(m, Options{Progress: NewProgress(io.Discard, 0)})
	require.NoError(t, r.runTelling(m.entries[0]))
	require.False(t, r.o.Progress.began.IsZero(), "its turns are told")
	for i, want := range []float64{3, 2, 1, 0} {
		require.Equal(t, want, readElem(loop.F32, b.bufs[0].host, i))
	}
}

func TestRunAllocatesNothing(t *testing.T) {
	for _, threads := range []int{1, 2} {
		m := load(t, incrementer(t, 50), threads)
		b := m.entries[0].block
		require.LessOrEqual(t, testing.AllocsPerRun(100, func() { _ = b.run(nil) }), 0.5)
	}
}

func TestStopBetweenLaunches(t *testing.T) {
	m := load(t, incrementer(t, 3), 1)
	var stop atomic.Bool
	stop.Store(true)
	require.ErrorIs(t, m.entries[0].block.run(&stop), ErrStopped)
	require.Equal(t, 0.0, readElem(loop.F32, m.entries[0].block.bufs[0].host, 0))
}

// Reverses the first T-1 of 8 numbers: a length defined by another decides the
// number of points and is passed to the kernel.
func TestRuntimeLengths(t *testing.T) {
	p := &program.Program{Source: "t.mdl", Object: testObject(t), Arena: 128,
		Kernels: []program.Kernel{kernel("reverse", 3, index.V("n0"))},
		Entries: []program.Entry{{Kind: "sample", Block: program.Block{
			Bufs: []program.Buffer{
				{Name: "y", Elem: loop.F32, Dims: []int{8}}, {Name: "x", Elem: loop.F32, Dims: []int{8}, Offset: 64},
				{Name: "U", Elem: loop.I64, Home: program.HomeLen, State: 1},
			},
			Lens: []program.Len{{Name: "T", Max: 8}, {Name: "U", Max: 8, Def: index.Sub(index.V("T"), index.C(1))}},
			Code: []program.Instr{launchOf(0, []*index.Expr{index.V("U")}, 0, 1, 2)},
		}}}}
	m := load(t, p, 2)
	b := m.entries[0].block
	for i := range 8 {
		writeElem(loop.F32, b.bufs[1].host, i, float64(i+1))
	}
	for _, T := range []int{4, 1, 8} {
		clear(b.bufs[0].host)
		b.setLength("T", T)
		require.NoError(t, b.run(nil))
		for i := range 8 {
			want := 0.0
			if i < T-1 {
				want = float64(T - 1 - i)
			}
			require.Equal(t, want, readElem(loop.F32, b.bufs[0].host, i), "T %d, y[%d]", T, i)
		}
	}
}

func TestDenormalsAreKept(t *testing.T) {
	p := incrementer(t, 1)
	p.Kernels = append(p.Kernels, kernel("half", 1, index.C(1)))
	p.Entries[0].Block.Code = []program.Instr{launchOf(1, nil, 0)}
	m := load(t, p, 2)
	b := m.entries[0].block
	writeElem(loop.F32, b.bufs[0].host, 0, math.Ldexp(1, -130))
	require.NoError(t, b.run(nil))
	require.Equal(t, math.Ldexp(1, -131), readElem(loop.F32, b.bufs[0].host, 0))
}

func TestForeignTargetIsRefused(t *testing.T) {
	p := incrementer(t, 1)
	p.Target = program.Target{Triple: "x86_64-linux", Features: []string{"sse3", "avx1024"}}
	_, err := Load(p, Setup{Threads: 1})
	require.ErrorContains(t, err, "needs avx1024, which this CPU")
	p.Target = program.Target{Triple: "aarch64-linux"}
	_, err = Load(p, Setup{Threads: 1})
	require.ErrorContains(t, err, "for aarch64-linux")
	p.Target = program.Target{}
	p.Kernels[0].Phases[0].Symbol = "absent"
	_, err = Load(p, Setup{Threads: 1})
	require.ErrorContains(t, err, "lacks absent")
	p.Object = []byte("what is this")
	_, err = Load(p, Setup{Threads: 1})
	require.Error(t, err, "a device that does not open has nothing to close")
}

func TestMemoryIsCheckedFirst(t *testing.T) {
	p := incrementer(t, 1)
	p.Arena = 1 << 45
	_, err := Load(p, Setup{Threads: 1})
	require.ErrorContains(t, err, "needs 32768.0 GiB of memory")
}

func TestExpressionsAgreeWithIndex(t *testing.T) {
	slots := map[string]int{"a": 0, "b": 1}
	for _, text := range []string{"a", "7", "a*3 + b - 2", "(a - 9)/4", "(a - 9)%4", "min(a, b)*max(a, 3)", "a*b"} {
		e, err := index.Parse(text)
		require.NoError(t, err)
		c, err := compileExpr(e, func(n string) (int, bool) { s, ok := slots[n]; return s, ok })
		require.NoError(t, err)
		for _, v := range [][]int{{0, 0}, {5, 2}, {13, 40}} {
			require.Equal(t, e.Eval(func(n string) int { return v[slots[n]] }), c.eval(v), text)
		}
	}
	_, err := compileExpr(index.V("c"), func(string) (int, bool) { return 0, false })
	require.ErrorContains(t, err, "unknown length c")
}

// Every worker count that the affinity mask and quota allow, in a child under taskset.
func TestThreadsObeyAffinity(t *testing.T) {
	if os.Getenv("MDLC_TEST_THREADS") != "" {
		require.Equal(t, 1, Threads(0))
		require.Equal(t, 1, Threads(8))
		return
	}
	if _, err := exec.LookPath("taskset"); err != nil {
		t.Skip("no taskset on this machine")
	}
	cmd := exec.Command("taskset", "-c", "0", os.Args[0], "-test.run", "^TestThreadsObeyAffinity$")
	cmd.Env = append(os.Environ(), "MDLC_TEST_THREADS=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, 1, Threads(1))
}

func TestThreadsObeyQuota(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(dir+"/a/b", 0o755))
	require.NoError(t, os.MkdirAll(dir+"/cpu,cpuacct/x", 0o755))
	write := func(name, text string) { require.NoError(t, os.WriteFile(dir+name, []byte(text), 0o644)) }
	write("/self", "0::/a/b\n")
	write("/a/cpu.max", "250000 100000\n")
	write("/a/b/cpu.max", "max 100000\n")
	n, ok := cpuQuota(controlGroups(dir, dir+"/self", "cpu"))
	require.True(t, ok)
	require.Equal(t, 3, n)
	write("/self", "4:cpu,cpuacct:/x\n")
	write("/cpu,cpuacct/x/cpu.cfs_quota_us", "150000\n")
	write("/cpu,cpuacct/x/cpu.cfs_period_us", "100000\n")
	n, ok = cpuQuota(controlGroups(dir, dir+"/self", "cpu"))
	require.True(t, ok)
	require.Equal(t, 2, n)
	write("/self", "0::/other\n")
	_, ok = cpuQuota(controlGroups(dir, dir+"/self", "cpu"))
	require.False(t, ok)
}

func TestMemoryObeysTheControlGroup(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(dir+"/a/b", 0o755))
	require.NoError(t, os.MkdirAll(dir+"/memory/x", 0o755))
	write := func(name, text string) { require.NoError(t, os.WriteFile(dir+name, []byte(text), 0o644)) }
	write("/self", "0::/a/b\n")
	write("/a/memory.max", "1048576\n")
	write("/a/b/memory.max", "max\n")
	n, ok := memoryLimit(controlGroups(dir, dir+"/self", "memory"))
	require.True(t, ok)
	require.Equal(t, int64(1<<20), n)
	write("/self", "5:cpu:/x\n4:memory:/x\n")
	write("/memory/x/memory.limit_in_bytes", "4096\n")
	write("/memory/memory.limit_in_bytes", "9223372036854771712\n") // version 1's word for none
	n, ok = memoryLimit(controlGroups(dir, dir+"/self", "memory"))
	require.True(t, ok)
	require.Equal(t, int64(4096), n)
	write("/self", "5:cpu:/x\n")
	_, ok = memoryLimit(controlGroups(dir, dir+"/self", "memory"))
	require.False(t, ok)
	have, ok := availableMemory()
	require.True(t, ok)
	require.Greater(t, have, int64(1<<20))
}

func BenchmarkLaunch(b *testing.B) {
	for _, threads := range []int{1, 2} {
		b.Run(map[int]string{1: "1 thread", 2: "2 threads"}[threads], func(b *testing.B) {
			m := load(b, incrementer(b, 50), threads)
			blk := m.entries[0].block
			for b.Loop() {
				_ = blk.run(nil)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/50, "ns/launch")
		})
	}
}

func TestProfileCountsLaunches(t *testing.T) {
	p := incrementer(t, 3)
	p.Kernels[0].Pos = []loop.Pos{{File: "m.mdl", Line: 4, Col: 1}}
	m, err := Load(p, Setup{Threads: 1, Times: true})
	require.NoError(t, err)
	defer m.Close()
	for _, launches := range []int{2, 5, 8} { // three a run, but for the very first one
		require.NoError(t, m.entries[0].block.run(nil))
		var out bytes.Buffer
		m.WriteProfile(&out, Ceilings{})
		require.Regexp(t, fmt.Sprintf(`^\d+\.\d+ ms in kernels\nwithout the first launches, .* took \d+\.\d+ ms\n.* roof\n100\.0%% +\d+\.\d{3} ms +%d × +\d+\.\d µs +increment  m\.mdl:4:1\n$`, launches), out.String())
	}
}

// Where nothing is launched twice, the first launches are all that the table has.
func TestProfileOfOneLaunch(t *testing.T) {
	m, err := Load(incrementer(t, 1), Setup{Threads: 1, Times: true})
	require.NoError(t, err)
	defer m.Close()
	require.NoError(t, m.entries[0].block.run(nil))
	var out bytes.Buffer
	m.WriteProfile(&out, Ceilings{})
	require.Regexp(t, `^\d+\.\d+ ms in kernels\n.* roof\n100\.0% +\d+\.\d{3} ms +1 × `, out.String())
	require.NotContains(t, out.String(), "first launches")
}

// What a launch moves is known where the lengths that it gives are numbers.
func TestProfileOfLengths(t *testing.T) {
	for _, x := range []struct {
		length *index.Expr
		rate   string
	}{{index.C(5), ` \d+\.\d +`}, {index.V("i"), ` +`}} {
		p := incrementer(t, 3)
		p.Kernels[0].Bytes = 1e6
		p.Entries[0].Block.Code[0].Loop.Code[0].Launch.Lens = []*index.Expr{x.length}
		m, err := Load(p, Setup{Threads: 1, Times: true})
		require.NoError(t, err)
		require.NoError(t, m.entries[0].block.run(nil))
		var out bytes.Buffer
		m.WriteProfile(&out, Ceilings{})
		m.Close()
		require.Regexp(t, `µs +`+x.rate+`increment `, out.String())
	}
}
