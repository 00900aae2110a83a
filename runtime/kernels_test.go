package runtime

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/index"
	"mdlc/ir/loop"
	"mdlc/runtime/program"
)

var kernels = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "mdlc-kernels")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	obj, so := filepath.Join(dir, "k.o"), filepath.Join(dir, "k.so")
	for _, cmd := range [][]string{
		{"llc-19", "-O2", "-relocation-model=pic", "-filetype=obj", "../testdata/runtime/kernels.ll", "-o", obj},
		{"ld.lld-19", "-shared", "-o", so, obj},
	} {
		if out, err := exec.Command(cmd[0], cmd[1:]...).CombinedOutput(); err != nil {
			os.Stderr.Write(out)
			return nil, err
		}
	}
	return os.ReadFile(so)
})

// testObject is the code of the tests' kernels for the CPU. Where a GPU is tested with no LLVM beside it, there is none.
func testObject(t testing.TB) []byte {
	code, err := kernels()
	if errors.Is(err, exec.ErrNotFound) && os.Getenv("MDLC_TEST_GPU") != "" {
		return nil
	}
	require.NoError(t, err)
	return code
}

func kernel(name string, args int, points *index.Expr) program.Kernel {
	return program.Kernel{Name: name, Args: args, Phases: []program.Phase{{Symbol: name, Points: points}}}
}

func launchOf(k int, lens []*index.Expr, bufs ...int) program.Instr {
	l := &program.Launch{Kernel: k, Lens: lens}
	for _, b := range bufs {
		l.Args = append(l.Args, program.Ref{Buf: b})
	}
	return program.Instr{Launch: l}
}

func f32(name string, home program.Home, dims ...int) program.Buffer {
	return program.Buffer{Name: name, Elem: loop.F32, Dims: dims, Home: home}
}

// learner is a small program with an entry of each kind: one state w f32[8],
// rows of 8 numbers, a loss that is the mean of the rows' first numbers.
func learner(t testing.TB, data string, steps *index.Expr) *program.Program {
	const (
		learn = iota
		mean
		start
		shift
	)
	step := program.Buffer{Name: "step", Elem: loop.I32, Home: program.HomeInput}
	seed := program.Buffer{Name: "seed", Elem: loop.U32, Dims: []int{2}, Home: program.HomeInput}
	w := f32("w", program.HomeState, 8)
	x := f32("x", program.HomeInput, 4, 8)
	out := f32("loss", program.HomeArena)
	feed := func(split string) program.Input {
		return program.Input{Kind: program.InputFeed, Buf: 1, Name: "x", Feed: program.Feed{Source: "digits", Split: split, Kind: "rows", Site: "train.x"}}
	}
	loss := []program.Output{{Kind: program.OutputReport, Buf: 2, Name: "loss"}}
	text := program.Buffer{Name: "prompt", Elem: loop.I32, Dims: []int{1, 16}, Home: program.HomeInput}
	shifted := program.Buffer{Name: "tok", Elem: loop.I32, Dims: []int{1, 16}, Home: program.HomeArena}
	return &program.Program{
		Source: "learner.mdl", Object: testObject(t), Arena: 128,
		Settings: []program.KV{{Key: "batch", Value: "4"}},
		Kernels: []program.Kernel{
			kernel("learn", 3, index.C(8)), kernel("mean", 2, index.C(1)),
			kernel("start", 2, index.C(8)), kernel("shift", 2, index.V("n0")),
		},
		States:  []program.State{{Name: "m.w", Elem: loop.F32, Dims: []int{8}}},
		Sources: []program.Source{{Name: "digits", Kind: "npy", Path: data, Pos: loop.Pos{File: "learner.mdl", Line: 3, Col: 1}}},
		Entries: []program.Entry{
			{Kind: "init", Block: program.Block{Name: "init",
				Bufs:   []program.Buffer{w, seed},
				Inputs: []program.Input{{Kind: program.InputSeed, Buf: 1}},
				Code:   []program.Instr{launchOf(start, nil, 0, 1)}}},
			{Kind: "train", Count: steps, Block: program.Block{Name: "train",
				Bufs:    []program.Buffer{w, x, out, step},
				Inputs:  []program.Input{feed("train"), {Kind: program.InputStep, Buf: 3}},
				Outputs: loss,
				Code:    []program.Instr{launchOf(learn, nil, 0, 1, 3), launchOf(mean, nil, 2, 1)}},
				Every: []program.Every{{N: 5, Evals: []string{"valid"}}}},
			{Kind: "eval", Name: "valid", Block: program.Block{Name: "valid",
				Bufs:    []program.Buffer{w, x, out},
				Inputs:  []program.Input{feed("valid")},
				Outputs: loss,
				Code:    []program.Instr{launchOf(mean, nil, 2, 1)}}},
			{Kind: "sample", Name: "text", Flags: []program.Flag{{Name: "prompt", Kind: "text", Default: "abc"}},
				Block: program.Block{Name: "text",
					Bufs:    []program.Buffer{shifted, text},
					Inputs:  []program.Input{{Kind: program.InputFlag, Buf: 1, Name: "prompt", Len: "T"}},
					Outputs: []program.Output{{Kind: program.OutputShow, Buf: 0, As: "text", Lens: []*index.Expr{nil, index.V("T")}}},
					Lens:    []program.Len{{Name: "T", Max: 16}},
					Code:    []program.Instr{launchOf(shift, []*index.Expr{index.V("T")}, 0, 1)}}},
		},
	}
}
