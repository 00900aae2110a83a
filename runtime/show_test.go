package runtime

import (
	"bytes"
	"image/color"
	"image/png"
	"io"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/loop"
)

func floats(values ...float64) []byte {
	mem := make([]byte, 4*len(values))
	for i, v := range values {
		writeElem(loop.F32, mem, i, v)
	}
	return mem
}

func TestImagesMakeAGrid(t *testing.T) {
	s := &shown{elem: loop.F32, dims: []int{3, 1, 1, 2}, mem: floats(0, 1, 0.5, 2, 1, 0)}
	var out bytes.Buffer
	require.NoError(t, s.images(&out))
	img, err := png.Decode(&out)
	require.NoError(t, err)
	const zoom = mostZoom
	require.Equal(t, 2*(2*zoom+1)+1, img.Bounds().Dx())
	require.Equal(t, 2*(zoom+1)+1, img.Bounds().Dy())
	at := func(x, y int) uint8 { return color.GrayModel.Convert(img.At(x, y)).(color.Gray).Y }
	require.Equal(t, []uint8{128, 0, 0, 255, 128, 128, 255}, []uint8{at(0, 0), at(1, 1), at(zoom, zoom), at(zoom+1, 1), at(2*zoom+1, 1), at(2*zoom+2, 1), at(3*zoom+2, 1)})
	require.Equal(t, []uint8{255, 0}, []uint8{at(1, zoom+2), at(1+zoom, zoom+2)})
}

func TestImagesInRowsAndColumns(t *testing.T) {
	s := &shown{elem: loop.F32, dims: []int{1, 3, 1, 1, 1}, mem: floats(0, 1, 0.5)}
	var out bytes.Buffer
	require.NoError(t, s.images(&out))
	img, err := png.Decode(&out)
	require.NoError(t, err)
	require.Equal(t, 3*(mostZoom+1)+1, img.Bounds().Dx())
	require.Equal(t, mostZoom+2, img.Bounds().Dy())
}

func TestValuesAndText(t *testing.T) {
	s := &shown{elem: loop.F32, dims: []int{2, 2}, mem: crop(floats(72, 105, 33, 0.1, 2, 3), 4, []int{2, 3}, []int{2, 2})}
	var out bytes.Buffer
	require.NoError(t, s.values(&out))
	require.Equal(t, "72 105\n0.1 2\n", out.String())
	out.Reset()
	s.dims, s.mem = []int{1, 3}, floats(72, 105, 33)
	require.NoError(t, s.text(&out))
	require.Equal(t, "Hi!\n", out.String())
}

func TestRecordJSON(t *testing.T) {
	rec := record{block: "train", step: 2, names: []string{"a", "b\""}, values: [][]float64{{float64(float32(0.1))}, {1, nan()}}, scalar: []bool{true, false}, whole: []bool{false, false}, bits: 32}
	require.Equal(t, `{"block":"train","step":2,"a":0.1,"b\"":[1,null]}`+"\n", string(rec.json()))
}

// Integers are written in full, whatever their size and wherever they are shown.
func TestIntegersAreWrittenInFull(t *testing.T) {
	text := func(s *shown, write func(*shown, io.Writer) error) string {
		var out bytes.Buffer
		require.NoError(t, write(s, &out))
		return out.String()
	}
	for elem, v := range map[loop.Elem]float64{loop.I32: -1234567891, loop.U32: 4294967295, loop.I64: 1 << 53, loop.I8: -128, loop.U8: 255, loop.Bool: 1} {
		want := strconv.FormatInt(int64(v), 10)
		s := &shown{elem: elem, dims: []int{1}, mem: make([]byte, elem.Size())}
		writeElem(elem, s.mem, 0, v)
		require.Equal(t, want+"\n", text(s, (*shown).values))
		require.Contains(t, text(s, (*shown).table), want+"\n")
		require.Equal(t, "0\n"+want+"\n", text(s, (*shown).csv))
		require.Equal(t, want, s.number(0, 6)) // of print
	}
	rec := record{block: "eval", names: []string{"n", "mean", "loss"}, values: [][]float64{{123456789}, {1234567.5}, {123456789}}, scalar: []bool{true, true, true}, whole: []bool{true, true, false}, bits: 64}
	require.Equal(t, `{"block":"eval","step":0,"n":123456789,"mean":1.2345675e+06,"loss":1.23456789e+08}`+"\n", string(rec.json()))
	require.Equal(t, "n 123456789  mean 1.235e+06  loss 1.235e+08", rec.text(4))
}

func nan() float64 { return readElem(loop.F32, []byte{0, 0, 0xc0, 0x7f}, 0) }

func TestElementsOfFloat16(t *testing.T) {
	for bits, want := range map[uint16]float64{0x3c00: 1, 0xc000: -2, 0x0001: 0x1p-24, 0x7bff: 65504, 0x3555: 0.333251953125} {
		require.Equal(t, want, readElem(loop.F16, []byte{byte(bits), byte(bits >> 8)}, 0))
	}
	require.Equal(t, -1.5, readElem(loop.BF16, []byte{0xc0, 0xbf}, 0))
}

func TestWhatCannotBeShownIsRefusedAtOnce(t *testing.T) {
	p := learner(t, "", nil)
	out := &p.Entries[3].Block.Outputs[0]
	out.Pos = loop.Pos{File: "m.mdl", Line: 9, Col: 3}
	out.As = "points"
	_, err := Load(p, Setup{Threads: 1})
	require.EqualError(t, err, "m.mdl:9:3: error: `show … as points` takes [n, 2] or [groups, n, 2], not [1, 16]")
	out.As = "images"
	load(t, p, 1) // i32[1, 16] is an image
}

func TestOfAnArrayOnlyWhatCountsIsShown(t *testing.T) {
	mem := make([]byte, 24)
	for i := range mem {
		mem[i] = byte(i)
	}
	require.Equal(t, []byte{0, 1, 4, 5, 12, 13, 16, 17}, crop(mem, 1, []int{2, 3, 4}, []int{2, 2, 2}))
	require.Equal(t, mem[:12], crop(mem, 2, []int{2, 3, 2}, []int{1, 3, 2}))
	require.Empty(t, crop(mem, 1, []int{2, 3, 4}, []int{2, 0, 4}))
}

func written(t *testing.T, write func(*shown, io.Writer) error, s *shown) string {
	var out bytes.Buffer
	require.NoError(t, write(s, &out))
	return out.String()
}

func TestTables(t *testing.T) {
	s := &shown{elem: loop.F32, dims: []int{1, 2, 3}, mem: floats(0.5, 1.0/3, 100000, -2, nan(), 7)}
	require.Equal(t, `       0        1      2
0,0  0.5  0.33333  1e+05
0,1   -2      NaN      7
`, written(t, (*shown).table, s))
	require.Equal(t, "axis0,axis1,0,1,2\n0,0,0.5,0.33333334,100000\n0,1,-2,NaN,7\n", written(t, (*shown).csv, s))
	require.Equal(t, "0   1\n2  10\n", written(t, (*shown).table, &shown{elem: loop.F32, dims: []int{2}, mem: floats(2, 10)}))
	require.Equal(t, "0\n4\n", written(t, (*shown).csv, &shown{elem: loop.F32, dims: nil, mem: floats(4)}))
}

func TestAudio(t *testing.T) {
	wav := []byte(written(t, (*shown).audio, &shown{elem: loop.F32, dims: []int{2, 3}, mem: floats(0, 0.5, -1, 2, nan(), -3)}))
	require.Equal(t, "RIFF", string(wav[:4]))
	require.Equal(t, len(wav)-8, int(little.Uint32(wav[4:])))
	require.Equal(t, "WAVEfmt ", string(wav[8:16]))
	require.Equal(t, []byte{16, 0, 0, 0, 1, 0, 1, 0, 0x80, 0x3e, 0, 0, 0, 0x7d, 0, 0, 2, 0, 16, 0}, wav[16:36])
	sound := wav[44:]
	require.Equal(t, 2*(3+audioGap+3), len(sound))
	sample := func(i int) int { return int(int16(little.Uint16(sound[2*i:]))) }
	require.Equal(t, []int{0, 16384, -32767}, []int{sample(0), sample(1), sample(2)})
	require.Equal(t, []int{0, 32767, 0, -32768}, []int{sample(3), sample(3 + audioGap), sample(4 + audioGap), sample(5 + audioGap)})
}

func TestBins(t *testing.T) {
	b := (&shown{elem: loop.F32, dims: []int{6}, mem: floats(0, 1, 1, 4, 5, nan())}).bins()
	require.Equal(t, []int{1, 2, 0, 0, 2}, b.counts)
	require.Equal(t, []float64{0, 1, 1, 2.2}, []float64{b.lo, b.width, float64(b.left), b.mean})
	whole := &shown{elem: loop.I8, dims: []int{4}, mem: []byte{3, 3, 5, 4}}
	require.Equal(t, []int{2, 1, 1}, whole.bins().counts)
	require.Equal(t, "from,to,count\n2.5,3.5,2\n3.5,4.5,1\n4.5,5.5,1\n", written(t, (*shown).histogramCounts, whole))
	require.Equal(t, []int{2}, (&shown{elem: loop.F32, dims: []int{2}, mem: floats(7, 7)}).bins().counts)
	require.Equal(t, []int{0}, (&shown{elem: loop.F32, dims: []int{1}, mem: floats(nan())}).bins().counts)
}

func TestTicksAreRound(t *testing.T) {
	require.Equal(t, []float64{-1, -0.5, 0, 0.5, 1}, axis{lo: -1.2, hi: 1.3}.ticks(7))
	require.Equal(t, []float64{0, 200, 400}, axis{lo: 0, hi: 500}.ticks(4))
	for _, a := range []axis{axis{}.widened(0.1), axis{lo: 3e20, hi: 3e20}.widened(0.1), {lo: 1e-30, hi: 2e-30}} {
		require.NotEmpty(t, a.ticks(6))
		require.Less(t, len(a.ticks(6)), 13)
	}
}

// Points lie where their axes say, groups have colours of their own.
func TestPlots(t *testing.T) {
	s := &shown{elem: loop.F32, dims: []int{2, 2, 2}, mem: floats(0, 0, 1, 1, 0, 1, nan(), 0)}
	img, err := png.Decode(bytes.NewReader([]byte(written(t, (*shown).points, s))))
	require.NoError(t, err)
	seen := map[color.RGBA]bool{}
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			seen[color.RGBAModel.Convert(img.At(x, y)).(color.RGBA)] = true
		}
	}
	for group := range 2 {
		c := plotColors[group]
		mix := func(v uint8) uint8 { return uint8(255 + (float64(v)-255)*0.7 + 0.5) }
		require.True(t, seen[color.RGBA{mix(c.R), mix(c.G), mix(c.B), 255}], "group %d", group)
	}
	for _, s := range []*shown{{dims: []int{0, 2}}, {dims: []int{1, 2}, mem: floats(nan(), 0)}, {dims: []int{1, 2}, mem: floats(-3e38, 3e38)}, {dims: []int{3, 2}, mem: floats(1, 2, 1, 2, 1, 2)}} {
		s.elem = loop.F32
		require.NotEmpty(t, written(t, (*shown).points, s))
		require.NotEmpty(t, written(t, (*shown).histogram, s))
	}
}
