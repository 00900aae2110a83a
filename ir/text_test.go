package ir

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/index"
	"mdlc/ir/loop"
)

func TestGraphsRoundTrip(t *testing.T) {
	for name, g := range goldenGraphs(t) {
		require.NoError(t, Verify(g), name)
		again, err := ParseGraph(g.String())
		require.NoError(t, err, name)
		require.NoError(t, Verify(again), name)
		require.Equal(t, g.String(), again.String())
	}
}

func sampleModule(t *testing.T) *Module {
	b := NewBuilder("train/main")
	p := b.Sym("P", 7, nil)
	w := b.Param(ParamState, "gpt.blocks.#.w", TensorOf(loop.F32, 2, 3))
	x := b.Param(ParamFeed, "x", TensorOf(loop.F32, 2, 3))
	b.Param(ParamFlag, "prompt", OfDims(loop.I32, []Dim{DynDim(p, 7)})) // not used
	b.Pos = Pos{File: "a dir/net.mdl", Line: 3, Col: 14}
	y := b.Add(w, x)
	y.Name = "sum \"of\" two"
	b.Gen = 2
	z := b.Op("exp", y)
	g := b.Finish(Result{Kind: ResultState, Name: "gpt.blocks.#.w", Value: z, Pos: b.Pos},
		Result{Kind: ResultShow, Name: "as", As: "images", Decode: "t", Value: y}, Result{Kind: ResultReport, Name: "a\nb", Value: z})
	every := NewBuilder("every")
	loss := every.Param(ParamValueOf, "loss", TensorOf(loop.F32))
	pos := Pos{File: "net.mdl", Line: 9, Col: 2}
	return &Module{
		Compute:  loop.BF16,
		Source:   "net.mdl",
		Settings: []Setting{{"width", "3"}, {"text", "a \"b\"\n"}},
		Sources:  []*Source{{Name: "corpus", Kind: "bytes", Path: "data/x.txt", Split: []float64{0.9, 0.1, 0}, Pos: pos}, {Name: "d", Kind: "npy", Path: "", Bits: 784, Holdout: 10}, {Name: "t", Kind: "tokens", Path: "x", Tokenizer: "v y", Ends: "z"}},
		States:   []*State{{Name: "gpt.blocks.#.w", Type: TensorOf(loop.F32, 2, 3), Stack: []int{2}, Pos: pos}, {Name: "train.1.m", Type: TensorOf(loop.BF16), Kind: KindMoment}},
		Entries: []*Entry{
			{Kind: EntryTrain, Name: "", Count: mustExpr(t, "len.corpus.train/32*3"), Graph: g, Pos: pos,
				Flags: []Flag{{Name: "prompt", Kind: "text", Default: "\n", Doc: "what to \"say\"", Len: "P"}, {Name: "n", Kind: "int", Static: true}},
				Feeds: []Feed{{Name: "x", Source: "corpus", Split: "train", Kind: "windows", Stride: 4, Site: "train.x", Column: 1, Group: 3, Pos: pos}},
				Every: []*Every{{N: 100, Graph: every.Finish(Result{Kind: ResultReport, Name: "l", Value: loss}), Evals: []string{"valid", ""}}, {N: 3}}},
			{Kind: EntryEval, Name: "valid", Graph: NewBuilder("e").Finish()},
		},
	}
}

func mustExpr(t *testing.T, text string) *index.Expr {
	e, err := index.Parse(text)
	require.NoError(t, err)
	return e
}

func TestModulesRoundTrip(t *testing.T) {
	m := sampleModule(t)
	require.NoError(t, VerifyModule(m))
	again, err := ParseModule(m.String())
	require.NoError(t, err, m.String())
	require.Equal(t, m.String(), again.String())
	require.NoError(t, VerifyModule(again))
	require.Equal(t, m.Settings, again.Settings)
	require.Equal(t, m.Sources, again.Sources)
	require.Equal(t, m.States, again.States)
	require.Equal(t, m.Entries[0].Flags, again.Entries[0].Flags)
	require.Equal(t, m.Entries[0].Feeds, again.Entries[0].Feeds)
	y := again.Entries[0].Graph.Results[1].Value
	require.Equal(t, `sum "of" two`, y.Name)
	require.Equal(t, Pos{File: "a dir/net.mdl", Line: 3, Col: 14}, y.Pos)
	require.Equal(t, 2, again.Entries[0].Graph.Results[0].Value.Gen)
	if path := "../testdata/ir/module.txt"; *update {
		require.NoError(t, os.WriteFile(path, []byte(m.String()), 0o644))
	} else {
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(want), m.String())
	}
}

func TestParserErrorsHaveAPlace(t *testing.T) {
	for text, want := range map[string]string{
		"":                                      "1:1: graph expected",
		"graph g {\n  %0 = foo\n}":              "2:8: there is no such op",
		"graph g {\n  %0 = neg %1\n}":           "2:12: value %1 is not defined",
		"graph g {\n  sym i3 <= 4\n}":           `2:7: symbol name "i3" is reserved for index variables`,
		"graph g {\n  sym T <= 4\nsym T <= 4}":  "3:5: symbol T is defined twice",
		"graph g {\n  %0 = param value x f3\n}": `2:22: unknown element type "f3"`,
		"graph g {\n  %0 = param value x f32[2]\n  %0 = neg %0}":                           "3:3: value %0 is defined twice",
		"graph g {\n  %0 = param value x f32[2]\n  %1 = param value x f32[2]}":             "3:8: parameter value x is declared twice",
		"graph g {\n  %0 = param value x f32[T]\n}":                                        "2:27: the capacity of axis T is missing: T<=…",
		"graph g {\n  %0 = param value x f32[2]\n  %1 = neg %0 : f32[3]\n}":                "3:17: %1 is f32[2], not f32[3]",
		"graph g {\n  %0 = param value x f32[2]\n  %1 = add %0\n}":                         "3:8: add takes 2 arguments, not 1",
		"graph g {\n  %0 = param value x f32[2]\n  %1 = index %0 {(i0) -> (i0+1)} [2]\n}":  "3:8: index: can read outside of f32[2]: axis 0, of length 2, at 1 .. 2",
		"graph g {\n  %0 = param value x f32[2]\n  %1 = index %0 {(i0) -> (i1)} [2]\n}":    "3:8: index: index variable i1 of 1",
		"graph g {\n  %0 = param value x f32[2]\n  %1 = index %0 {(i0) -> (i0 + )} [2]\n}": `3:27: index expression "i0 + ": operand missing at 5`,
		"graph g {\n  %0 = param value x f32[2]\n  value %0\n} x":                          "4:3: unexpected text after the end",
		"graph g {\n  %0 = param value x f32[2]\n  vague %0\n}":                            "3:3: a result starts with one of value, state, report, show, kept, bound, finite, assert",
		"module \"x\"\nentry foo bar {}":                                                   `2:7: "foo" is no kind of entry`,
	} {
		_, err := ParseGraph(text)
		if strings.HasPrefix(text, "module") {
			_, err = ParseModule(text)
		}
		require.EqualError(t, err, want, text)
	}
}

func FuzzParse(f *testing.F) {
	paths, err := os.ReadDir("../testdata/ir")
	require.NoError(f, err)
	for _, p := range paths {
		text, err := os.ReadFile("../testdata/ir/" + p.Name())
		require.NoError(f, err)
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		if g, err := ParseGraph(text); err == nil {
			require.NoError(t, Verify(g))
			again, err := ParseGraph(g.String())
			require.NoError(t, err, g.String())
			require.Equal(t, g.String(), again.String())
		}
		if m, err := ParseModule(text); err == nil {
			again, err := ParseModule(m.String())
			require.NoError(t, err, m.String())
			require.Equal(t, m.String(), again.String())
		}
	})
}
