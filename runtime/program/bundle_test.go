package program

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/index"
	"mdlc/ir/loop"
)

func expr(t testing.TB, s string) *index.Expr {
	e, err := index.Parse(s)
	require.NoError(t, err)
	return e
}

// sample is a small program that uses every field that Check looks at.
func sample(t testing.TB) *Program {
	block := Block{
		Name: "train",
		Bufs: []Buffer{
			{Name: "w", Elem: loop.F32, Dims: []int{4, 3}, Home: HomeState},
			{Name: "x", Elem: loop.F32, Dims: []int{3}, Home: HomeInput},
			{Name: "h", Elem: loop.F32, Dims: []int{2, 3}, Home: HomeArena, Offset: 64},
			{Name: "table", Elem: loop.I32, Dims: []int{2}, Home: HomeConst, Data: []byte{1, 0, 0, 0, 2, 0, 0, 0}},
			{Name: "t", Elem: loop.I64, Home: HomeLen},
			{Name: "turn", Elem: loop.I32, Home: HomeArena},
			{Name: "panel", Elem: loop.F32, Dims: []int{8}, Home: HomeWork},
			{Name: "none", Elem: loop.F32, Dims: []int{0}, Home: HomeConst},
		},
		Inputs:  []Input{{Kind: InputFeed, Buf: 1, Len: "t", Name: "x", Feed: Feed{Source: "corpus", Split: "train", Kind: "rows", Site: "train.x"}}},
		Outputs: []Output{{Kind: OutputReport, Buf: 2, Name: "loss", Len: expr(t, "t")}},
		Lens:    []Len{{Name: "t", Max: 4}},
		Code: []Instr{{Loop: &Loop{Turn: "k", Count: expr(t, "t"), Turns: 5, Lens: []Len{{Name: "m", Max: 3, Def: expr(t, "min(k, 2)")}}, Code: []Instr{
			{Launch: &Launch{Kernel: 0, Args: []Ref{{Buf: 0, Offset: expr(t, "k*12")}, {Buf: 2, Offset: expr(t, "k%2*12")}, {Buf: 3}}, Lens: []*index.Expr{expr(t, "m")}}},
		}}}},
	}
	need := Need{Need: index.Need{E: expr(t, "4 - t - k"), When: []*index.Expr{expr(t, "t - 1")}, Turns: []index.Turn{{Name: "k", Count: expr(t, "t")}}, Text: "it ends at %v", Values: []*index.Expr{expr(t, "t + k")}}, Help: "end before", Pos: loop.Pos{File: "a.mdl", Line: 2, Col: 1}}
	return &Program{
		Source: "a.mdl", Settings: []KV{{"dim", "3"}}, Target: Target{Triple: "x86_64-linux", Features: []string{"avx2"}},
		Object:  []byte("object code"),
		Kernels: []Kernel{{Name: "add_3", Pos: []loop.Pos{{File: "a.mdl", Line: 3, Col: 1}}, Args: 3, Phases: []Phase{{Symbol: "add_3_0", Points: expr(t, "n0 + 4")}}}},
		States:  []State{{Name: "w.#", Elem: loop.F32, Dims: []int{4, 3}, Stack: []int{4}}},
		Sources: []Source{{Name: "corpus", Kind: "bytes", Path: "x.txt", Split: []float64{0.9, 0.1}}},
		Arena:   128, Work: 64,
		Entries: []Entry{{Kind: "train", Count: expr(t, "len.corpus.train/8"), Block: block, Needs: []Need{need}, Every: []Every{{N: 10, Evals: []string{"valid"}, Block: Block{Name: "every"}}}}},
	}
}

func bundle(t testing.TB, p *Program) []byte {
	var b bytes.Buffer
	require.NoError(t, Write(&b, p))
	return b.Bytes()
}

func TestBundleRoundTrip(t *testing.T) {
	p := sample(t)
	data := bundle(t, p)
	require.Equal(t, data, bundle(t, p), "the same program gives the same file")
	q, err := Load(bytes.NewReader(data))
	require.NoError(t, err)
	require.Equal(t, p.Object, q.Object)
	require.Equal(t, p.Entries[0].Block.Bufs[3].Data, q.Entries[0].Block.Bufs[3].Data)
	require.Equal(t, data, bundle(t, q))
}

func TestBundleDamage(t *testing.T) {
	data := bundle(t, sample(t))
	for n := range data {
		_, err := Load(bytes.NewReader(data[:n]))
		require.Error(t, err, "cut at %d", n)
		bad := bytes.Clone(data)
		bad[n] ^= 0x10
		_, err = Load(bytes.NewReader(bad))
		require.Error(t, err, "byte %d changed", n)
	}
	_, err := Load(bytes.NewReader(append(bytes.Clone(data), 0)))
	require.ErrorContains(t, err, "header says")
	for what, by := range map[string]int{"older": -1, "newer": 1} {
		other := bytes.Clone(data)
		other[8] = byte(version + by)
		_, err = Load(bytes.NewReader(other))
		require.EqualError(t, err, fmt.Sprintf("bundle of version %d; this mdlc reads version %d: compile the model again", version+by, version), what)
	}
}

func TestCheckRefuses(t *testing.T) {
	block := func(p *Program) *Block { return &p.Entries[0].Block }
	inner := func(p *Program) *Loop { return block(p).Code[0].Loop }
	for name, damage := range map[string]func(p *Program){
		"kernel out of range":   func(p *Program) { inner(p).Code[0].Launch.Kernel = 1 },
		"argument missing":      func(p *Program) { l := inner(p).Code[0].Launch; l.Args = l.Args[1:] },
		"length missing":        func(p *Program) { inner(p).Code[0].Launch.Lens = nil },
		"buffer out of range":   func(p *Program) { inner(p).Code[0].Launch.Args[0].Buf = 99 },
		"offset too large":      func(p *Program) { inner(p).Code[0].Launch.Args[0].Offset = expr(t, "k*17") },
		"offset unknown symbol": func(p *Program) { inner(p).Code[0].Launch.Args[0].Offset = expr(t, "q") },
		"outside the arena":     func(p *Program) { p.Arena = 80 },
		"unknown state":         func(p *Program) { block(p).Bufs[0].State = 1 },
		"state of other shape":  func(p *Program) { p.States[0].Dims = []int{4, 4} },
		"negative dim":          func(p *Program) { block(p).Bufs[1].Dims[0] = -1 },
		"huge dims":             func(p *Program) { block(p).Bufs[1].Dims = []int{1 << 40, 1 << 40} },
		"input is no input":     func(p *Program) { block(p).Inputs[0].Buf = 2 },
		"input of other rank":   func(p *Program) { block(p).Inputs[0].Lens = []*index.Expr{nil, nil, nil, nil} },
		"input of unknown length": func(p *Program) {
			block(p).Inputs[0].Lens = []*index.Expr{expr(t, "q"), nil}[:len(block(p).Bufs[block(p).Inputs[0].Buf].Dims)]
		},
		"a seed of 12 bytes":            func(p *Program) { block(p).Inputs[0].Kind = InputSeed },
		"a step of 12 bytes":            func(p *Program) { block(p).Inputs[0].Kind = InputStep },
		"a turn of 24 bytes":            func(p *Program) { inner(p).Turns = 2 },
		"division by a symbol":          func(p *Program) { inner(p).Count = expr(t, "8/t") },
		"turn shadows":                  func(p *Program) { inner(p).Turn = "t" },
		"neither":                       func(p *Program) { block(p).Code[0].Loop = nil },
		"phase without points":          func(p *Program) { p.Kernels[0].Phases[0].Points = nil },
		"need of another length":        func(p *Program) { p.Entries[0].Needs[0].E = expr(t, "n0 - 4") },
		"need of nothing":               func(p *Program) { p.Entries[0].Needs[0].E = nil },
		"need that divides by a length": func(p *Program) { p.Entries[0].Needs[0].When[0] = expr(t, "4/t") },
		"more settled than there is":    func(p *Program) { block(p).Settled = 3 },
		"less kept than nothing":        func(p *Program) { block(p).Kept = -1 },
		"outside of what is kept":       func(p *Program) { block(p).Kept, block(p).Bufs[1].Home = 8, HomeKept },
		"settled with a length":         func(p *Program) { block(p).Settled = 1 },
		"constant too short":            func(p *Program) { block(p).Bufs[3].Data = nil },
	} {
		p := sample(t)
		require.NoError(t, p.Check())
		damage(p)
		require.Error(t, p.Check(), name)
		require.Error(t, Write(&bytes.Buffer{}, p), name)
	}
}

// onGPU is sample for a GPU.
func onGPU(t testing.TB) *Program {
	p := sample(t)
	p.Target = Target{Triple: NVPTX, Features: []string{"sm_80"}}
	ph := &p.Kernels[0].Phases[0]
	ph.Threads, ph.PerBlock, ph.Shared = 128, 256, 49152
	p.Kernels[0].Rounds = &Rounds{From: 0, To: 1, Count: expr(t, "(n0 + 63)/64")}
	return p
}

func TestBundleCarriesBlocksOfThreads(t *testing.T) {
	p, err := Load(bytes.NewReader(bundle(t, onGPU(t))))
	require.NoError(t, err)
	require.Equal(t, "sm_80", p.Target.Arch())
	ph := p.Kernels[0].Phases[0]
	require.Equal(t, []int{128, 256, 49152}, []int{ph.Threads, ph.PerBlock, ph.Shared})
	require.Equal(t, []int{0, 1, 1, 2}, []int{ph.Blocks(0), ph.Blocks(1), ph.Blocks(256), ph.Blocks(257)})
	require.NotContains(t, string(bundle(t, sample(t))), "Threads", "a bundle for the CPU is what it was")
}

func TestCheckOfBlocksOfThreads(t *testing.T) {
	phase := func(p *Program) *Phase { return &p.Kernels[0].Phases[0] }
	for name, damage := range map[string]func(p *Program){
		"no threads":         func(p *Program) { phase(p).Threads = 0 },
		"too many threads":   func(p *Program) { phase(p).Threads = 1025 },
		"no points":          func(p *Program) { phase(p).PerBlock = 0 },
		"too much memory":    func(p *Program) { phase(p).Shared = 228 << 10 },
		"negative memory":    func(p *Program) { phase(p).Shared = -1 },
		"scratch of workers": func(p *Program) { p.Kernels[0].Local = 64 },
		"no architecture":    func(p *Program) { p.Target.Features = nil },
		"two architectures":  func(p *Program) { p.Target.Features = []string{"sm_80", "sm_90a"} },
		"no name of one":     func(p *Program) { p.Target.Features = []string{"avx2"} },
		"a CPU with threads": func(p *Program) { p.Target = Target{Triple: "x86_64-linux"} },
		"a CPU with rounds": func(p *Program) {
			p.Target, p.Kernels[0].Phases[0] = Target{Triple: "x86_64-linux"}, sample(t).Kernels[0].Phases[0]
		},
		"rounds of more phases":     func(p *Program) { p.Kernels[0].Rounds.To = 2 },
		"rounds of no phases":       func(p *Program) { p.Kernels[0].Rounds.To = 0 },
		"rounds without a count":    func(p *Program) { p.Kernels[0].Rounds.Count = nil },
		"rounds of another length":  func(p *Program) { p.Kernels[0].Rounds.Count = expr(t, "n1") },
		"rounds divided by lengths": func(p *Program) { p.Kernels[0].Rounds.Count = expr(t, "8/n0") },
	} {
		p := onGPU(t)
		require.NoError(t, p.Check())
		damage(p)
		require.Error(t, p.Check(), name)
	}
}

// seal makes metadata into a bundle with a right checksum, so that the fuzzer reaches what is behind it.
func seal(meta, object, consts []byte) []byte {
	head := make([]byte, headerSize)
	copy(head, magic)
	binary.LittleEndian.PutUint32(head[8:], version)
	for i, n := range []int{len(meta), len(object), len(consts)} {
		binary.LittleEndian.PutUint64(head[16+8*i:], uint64(n))
	}
	payload := append(append(bytes.Clone(meta), object...), consts...)
	sum := sha256.Sum256(append(bytes.Clone(head[:sumOffset]), payload...))
	copy(head[sumOffset:], sum[:])
	return append(head, payload...)
}

func FuzzLoad(f *testing.F) {
	p := sample(f)
	consts := p.Entries[0].Block.Bufs[3].Data
	meta, err := json.Marshal(onGPU(f))
	require.NoError(f, err)
	f.Add(meta, []byte(".version 8.0"), consts)
	meta, err = json.Marshal(p)
	require.NoError(f, err)
	f.Add(meta, []byte("o"), consts)
	for i := 0; i < len(meta); i += 37 {
		bad := bytes.Clone(meta)
		bad[i] = '9'
		f.Add(bad, []byte("o"), consts)
	}
	f.Fuzz(func(t *testing.T, meta, object, consts []byte) {
		if _, err := Load(bytes.NewReader(meta)); err == nil {
			t.Fatal("metadata alone is no bundle")
		}
		q, err := Load(bytes.NewReader(seal(meta, object, consts)))
		if err != nil {
			return
		}
		require.NoError(t, q.Check())
		again := bundle(t, q)
		_, err = Load(bytes.NewReader(again))
		require.NoError(t, err)
	})
}

// Sizes that no machine has are told of as what they are: memory.
func TestMoreMemoryThanThereIs(t *testing.T) {
	for _, grow := range []func(p *Program){func(p *Program) { p.Arena = maxArena + 1 }, func(p *Program) { p.Work = maxArena + 1 }} {
		p := sample(t)
		require.NoError(t, p.Check())
		grow(p)
		require.EqualError(t, p.Check(), "a.mdl needs more than 64 TiB of memory: a smaller batch or a smaller model would fit")
	}
}
