package runtime

import (
	"bytes"
	"image/color"
	"image/png"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/loop"
	"mdlc/runtime/program"
)

func floats(values ...float64) []byte {
	mem := make([]byte, 4*len(values))
	for i, v := range values {
		writeElem(loop.F32, mem, i, v)
	}
	return mem
}

func TestImagesMakeAGrid(t *testing.T) {
	s := &shown{Output: &program.Output{As: "images"}, buf: &program.Buffer{Elem: loop.F32, Dims: []int{3, 1, 1, 2}}, mem: floats(0, 1, 0.5, 2, 1, 0), last: 2}
	var out bytes.Buffer
	require.NoError(t, s.images(&out))
	img, err := png.Decode(&out)
	require.NoError(t, err)
	require.Equal(t, 2*3+1, img.Bounds().Dx())
	require.Equal(t, 2*2+1, img.Bounds().Dy())
	at := func(x, y int) uint8 { return color.GrayModel.Convert(img.At(x, y)).(color.Gray).Y }
	require.Equal(t, []uint8{128, 0, 255, 128, 128, 255}, []uint8{at(0, 0), at(1, 1), at(2, 1), at(3, 1), at(4, 1), at(5, 1)})
	require.Equal(t, []uint8{255, 0}, []uint8{at(1, 3), at(2, 3)})
}

func TestValuesAndText(t *testing.T) {
	s := &shown{Output: &program.Output{}, buf: &program.Buffer{Elem: loop.F32, Dims: []int{2, 3}}, mem: floats(72, 105, 33, 0.1, 2, 3), last: 2}
	var out bytes.Buffer
	require.NoError(t, s.values(&out))
	require.Equal(t, "72 105\n0.1 2\n", out.String())
	out.Reset()
	s.last, s.buf.Dims = 3, []int{1, 3}
	require.NoError(t, s.text(&out))
	require.Equal(t, "Hi!\n", out.String())
}

func TestRecordJSON(t *testing.T) {
	rec := record{block: "train", step: 2, names: []string{"a", "b\""}, values: [][]float64{{float64(float32(0.1))}, {1, nan()}}, scalar: []bool{true, false}, bits: 32}
	require.Equal(t, `{"block":"train","step":2,"a":0.1,"b\"":[1,null]}`+"\n", string(rec.json()))
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
	out.As = "audio"
	_, err := Load(p, 1, false)
	require.EqualError(t, err, "m.mdl:9:3: error: `show … as audio` is not supported; text, images and values can be shown")
	out.As = "images"
	load(t, p, 1) // i32[1, 16] is an image
}
