package codegen

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
	"mdlc/ir/loop"
	"mdlc/passes"
	"mdlc/runtime/program"
)

// codeText is the order of launches, with the offsets of what parts of kernels hand on.
func codeText(b *Built, block *program.Block, code []program.Instr) string {
	var out []string
	for _, in := range code {
		if l := in.Loop; l != nil {
			out = append(out, fmt.Sprintf("%s(%s)", l.Count, codeText(b, block, l.Code)))
			continue
		}
		k := b.Program.Kernels[in.Launch.Kernel]
		text := k.Name
		for i, buf := range params(b.Kernels[in.Launch.Kernel].Scheduled) {
			if r := in.Launch.Args[i]; buf.Name == "pack" && r.Offset != nil {
				text += "[" + r.Offset.String() + "]"
			}
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

// scheduledCode is the program of a graph's file for AVX2, and the bytes of the arena before it was scheduled.
func scheduledCode(t *testing.T, file string) (b *Built, block *program.Block, arena int64) {
	return scheduledOn(t, file, schedule.AVX2)
}

func scheduledOn(t *testing.T, file string, m *schedule.Machine) (b *Built, block *program.Block, arena int64) {
	fused, err := passes.Fuse(graphOf(t, file))
	require.NoError(t, err)
	module := moduleOf(fused)
	require.NoError(t, passes.Plan(module))
	b, err = Pages(module)
	require.NoError(t, err)
	arena = b.Program.Arena
	require.NoError(t, b.Schedule(m))
	require.NoError(t, b.Program.Check())
	for i, k := range b.Kernels {
		require.NoError(t, loop.Verify(k.Scheduled), b.Program.Kernels[i].Name)
		require.Positive(t, b.Program.Kernels[i].Bytes, b.Program.Kernels[i].Name)
	}
	return b, &b.Program.Entries[0].Block, arena
}

// What packs the weights of loops goes before them, once for each of the turns that it depends on, and nothing else does.
func TestPanelsAreMadeBeforeLoops(t *testing.T) {
	b, block, arena := scheduledCode(t, "../testdata/plan/panels.graph")
	require.Equal(t, "copy copy_v2 2(dot_mul_ahead[turn.1*16384]) dot_mul_v2_ahead 3(copy 2(dot_mul_then[turn.1*16384]) dot_mul_v2_then dot_mul_v2 mul) copy 2(dot)", codeText(b, block, block.Code))
	require.Equal(t, arena+3*64*64*4, b.Program.Arena, "two layers of w, and v")

	b, block, _ = scheduledCode(t, "../testdata/plan/panels_lengths.graph")
	require.Equal(t, "copy dot_mul_ahead n(dot_mul_then index)", codeText(b, block, block.Code))

	b, block, _ = scheduledCode(t, "../testdata/plan/panels_branch.graph")
	require.Equal(t, "copy 3(copy n(dot_mul) copy)", codeText(b, block, block.Code))
}

// What stands still is packed before a loop of many turns where that pays and has room, and where a branch is made in the first turn.
func TestPanelsOfWhatStandsStill(t *testing.T) {
	b, block, _ := scheduledCode(t, "../testdata/plan/panels_still.graph")
	require.Equal(t, "copy 2(dot_mul_ahead[turn.2*7680]) 40(copy min(1, max(0, t*-1 + 30))(copy 2(dot_mul_then[turn.2*7680]) copy) copy min(1, max(0, t - 30))(dot) copy)", codeText(b, block, block.Code))

	for _, c := range []struct {
		rows, size int
		count      string
		code       string
	}{
		{16, 96, "50", "copy dot_mul_ahead 50(dot_mul_then)"},
		{16, 96, "n", "copy dot_mul_ahead n(dot_mul_then) copy"},
		{16, 96, "min(1, n)", "copy min(1, n)(dot_mul) copy"},
		{16, 96, "3", "copy 3(dot_mul)"},
		{4, 96, "500", "copy 500(dot_mul)"}, // caches hold the matrix
		{1, 96, "500", "copy 500(dot_mul)"},
		{1, 512, "50", "copy dot_mul_ahead 50(dot_mul_then)"},
		{4, 512, "50", "copy dot_mul_ahead 50(dot_mul_then)"},
		{1, 512, "3", "copy 3(dot_mul)"},
		{1, 17088, "500", "copy 500(dot_mul)"}, // panels of 1.2 GB, as the matrix, so that only their limit forbids them
	} {
		file := filepath.Join(t.TempDir(), "still.graph")
		require.NoError(t, os.WriteFile(file, []byte(strings.NewReplacer("ROWS", fmt.Sprint(c.rows), "SIZE", fmt.Sprint(c.size), "COUNT", c.count).Replace(`graph eval {
  sym n <= 50
  %0 = param state w f32[SIZE, SIZE]
  %1 = param feed x f32[ROWS, SIZE]
  %2 = loop %1, %0 count(COUNT) carry 1 xs 0 {
    %0 = param value turn i32[]
    %1 = param value h f32[ROWS, SIZE]
    %2 = param value w f32[SIZE, SIZE]
    %3 = dot %1, %2 {ab,bc->ac} : f32[ROWS, SIZE]
    %4 = const f32[ROWS, SIZE] 0.125
    %5 = mul %3, %4 : f32[ROWS, SIZE]
    value %5
  } : (f32[ROWS, SIZE])
  %3 = get %2 0 : f32[ROWS, SIZE]
  show h %3
}
`)), 0o644))
		b, block, _ := scheduledCode(t, file)
		require.Equal(t, c.code, codeText(b, block, block.Code), "%d rows, size %d, %s turns", c.rows, c.size, c.count)
	}
}

// Panels that each point of a turn packs for itself are packed before the loop, too.
func TestPanelsOfPoints(t *testing.T) {
	for count, want := range map[string]string{"128": "copy dot_ahead 128(dot_then mul)", "1": "copy 1(dot mul)"} {
		file := filepath.Join(t.TempDir(), "points.graph")
		require.NoError(t, os.WriteFile(file, []byte(`graph eval {
  %0 = param state w f32[512, 4, 512]
  %1 = param feed x f32[32, 512]
  %2 = loop %1, %0 count(`+count+`) carry 1 xs 0 {
    %0 = param value turn i32[]
    %1 = param value h f32[32, 512]
    %2 = param value w f32[512, 4, 512]
    %3 = dot %1, %2 {ab,bcd->acd} : f32[32, 4, 512]
    %4 = index %3 {(i0, i1) -> (i0, 2, i1)} [32, 512] : f32[32, 512]
    %5 = index %3 {(i0, i1) -> (i0, 1, i1)} [32, 512] : f32[32, 512]
    %6 = mul %4, %5 : f32[32, 512]
    value %6
  } : (f32[32, 512])
  %3 = get %2 0 : f32[32, 512]
  show h %3
}
`), 0o644))
		b, block, _ := scheduledOn(t, file, schedule.AVX512)
		require.Equal(t, want, codeText(b, block, block.Code))
	}
}

// A GPU makes weights what its products take before a loop of some turns, of each layer its own, if they have fewer bytes then.
func TestNarrowedBeforeLoops(t *testing.T) {
	for _, c := range []struct {
		elem, count string
		code        string
		bytes       int64 // that the arena grows by
	}{
		{"bf16", "40", "copy 2(dot_tanh_cast_ahead[turn.1*139392]) 40(copy 2(dot_tanh_cast_then[turn.1*139392]) copy)", 2 * 264 * 264 * 2},
		{"bf16", "1", "copy 1(copy 2(dot_tanh_cast) copy)", 0},
		{"f32", "40", "copy 40(copy 2(dot_tanh_abs) copy)", 0},
	} {
		file := filepath.Join(t.TempDir(), "narrow.graph")
		cast := func(to, from, shape string) string {
			if c.elem == "f32" {
				return "abs " + from + " : f32" + shape
			}
			return "cast " + from + " " + to + " : " + to + shape
		}
		require.NoError(t, os.WriteFile(file, []byte(strings.NewReplacer("COUNT", c.count,
			"CASTX", cast("bf16", "%1", "[1, 264]"), "CASTW", cast("bf16", "%2", "[264, 264]")).Replace(`graph eval {
  %0 = param state w f32[2, 264, 264]
  %1 = param feed x f32[1, 264]
  %2 = loop %1, %0 count(COUNT) carry 1 xs 0 {
    %0 = param value turn i32[]
    %1 = param value h f32[1, 264]
    %2 = param value w f32[2, 264, 264]
    %3 = loop %1, %2 count(2) carry 1 xs 1 {
      %0 = param value turn i32[]
      %1 = param value h f32[1, 264]
      %2 = param value w f32[264, 264]
      %3 = CASTX
      %4 = CASTW
      %5 = dot %3, %4 {ab,bc->ac} : f32[1, 264]
      %6 = tanh %5 : f32[1, 264]
      value %6
    } : (f32[1, 264])
    %4 = get %3 0 : f32[1, 264]
    value %4
  } : (f32[1, 264])
  %3 = get %2 0 : f32[1, 264]
  show h %3
}
`)), 0o644))
		b, block, arena := scheduledOn(t, file, schedule.SM90)
		require.Equal(t, c.code, codeText(b, block, block.Code), c)
		require.Equal(t, c.bytes, b.Program.Arena-arena)
	}
}

// Of one kernel, different phases may go ahead of different loops.
func TestPartsHaveNames(t *testing.T) {
	file := filepath.Join(t.TempDir(), "both.graph")
	turns := func(first string) string {
		return `loop ` + first + ` count(3) carry 1 xs 0 {
    %0 = param value turn i32[]
    %1 = param value h f32[512, 512]
    %2 = param value w f32[512, 512]
    %3 = dot %h, %w {ab,bc->ac} : f32[512, 512]
    %4 = tanh %3 : f32[512, 512]
    value %4
  } : (f32[512, 512])`
	}
	left := strings.NewReplacer("%h", "%2", "%w", "%1").Replace(turns("%2, %0"))
	right := strings.NewReplacer("%h", "%1", "%w", "%2").Replace(turns("%2, %1"))
	require.NoError(t, os.WriteFile(file, []byte(`graph eval {
  %0 = param state a f32[512, 512]
  %1 = param state b f32[512, 512]
  %2 = param feed x f32[512, 512]
  %3 = `+left+`
  %4 = get %3 0 : f32[512, 512]
  %5 = `+right+`
  %6 = get %5 0 : f32[512, 512]
  %7 = mul %4, %6 : f32[512, 512]
  show h %7
}
`), 0o644))
	b, block, _ := scheduledCode(t, file)
	require.Equal(t, "copy dot_tanh_ahead 3(dot_tanh_then) copy dot_tanh_ahead_v2 3(dot_tanh_then_v2) mul", codeText(b, block, block.Code))
}

// Panels of all layers have memory in proportion to the time that they spare, and no more than the block holds anyway.
func TestPanelsHaveRoom(t *testing.T) {
	turns := func(count string, layers, rows int, products string) string {
		return strings.NewReplacer("COUNT", count, "LAYERS", fmt.Sprint(layers), "ROWS", fmt.Sprint(rows), "PRODUCTS", products).Replace(`graph eval {
  sym n <= 50
  %0 = param state w f32[LAYERS, 960, 960]
  %1 = param feed x f32[ROWS, 960]
  %2 = loop %1, %0 count(COUNT) carry 1 xs 0 {
    %0 = param value turn i32[]
    %1 = param value h f32[ROWS, 960]
    %2 = param value w f32[LAYERS, 960, 960]
    %3 = loop %1, %2 count(LAYERS) carry 1 xs 1 {
      %0 = param value turn i32[]
      %1 = param value h f32[ROWS, 960]
      %2 = param value w f32[960, 960]
PRODUCTS
      value %4
    } : (f32[ROWS, 960])
    %4 = get %3 0 : f32[ROWS, 960]
    value %4
  } : (f32[ROWS, 960])
  %3 = get %2 0 : f32[ROWS, 960]
  show h %3
}
`)
	}
	const one = `      %4 = dot %1, %2 {ab,bc->ac} : f32[ROWS, 960]`
	const two = `      %3 = dot %1, %2 {ab,bc->ac} : f32[ROWS, 960]
      %4 = dot %3, %2 {ab,cb->ac} : f32[ROWS, 960]`
	for _, c := range []struct {
		name         string
		count        string
		layers, rows int
		products     string
		ahead        int // panels
	}{
		{"few rows, many turns", "50", 24, 64, one, 24},
		{"many turns of which only the run knows", "n", 24, 64, one, 24},
		{"few rows, few turns", "2", 24, 64, one, 24},
		{"many rows, few turns", "2", 24, 2048, one, 0},
		{"many rows, many turns", "50", 24, 4096, one, 0},
		{"many rows, few layers", "2", 6, 2048, one, 6},
		{"more than is held anyway", "50", 24, 64, two, 24},
		{"twice, of few layers", "50", 4, 64, two, 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "panels.graph")
			require.NoError(t, os.WriteFile(file, []byte(turns(c.count, c.layers, c.rows, strings.ReplaceAll(c.products, "ROWS", fmt.Sprint(c.rows)))), 0o644))
			b, _, arena := scheduledCode(t, file)
			require.Equal(t, int64(c.ahead)*960*960*4, b.Program.Arena-arena)
		})
	}
}
