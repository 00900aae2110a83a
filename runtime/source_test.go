package runtime

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/loop"
	"mdlc/runtime/program"
)

// refused opens a source that cannot be read, and returns why.
func refused(t testing.TB, src program.Source) string {
	src.Name, src.Pos = "d", loop.Pos{File: "m.mdl", Line: 7, Col: 1}
	_, err := openSource(&src, "", nil)
	require.Error(t, err)
	require.True(t, strings.HasPrefix(err.Error(), "m.mdl:7:1: error: "), err.Error())
	return err.Error()
}

func TestPartsByName(t *testing.T) {
	for name, part := range map[string]string{"x_train.npy": "train", "val.bin": "valid", "value.bin": "", "validation-1.csv": "valid", "latest.csv": "", "a.Test.gz": "test", "t10k-images": "test", "devices.csv": ""} {
		require.Equal(t, part, partOf(name), name)
	}
}

func TestCsv(t *testing.T) {
	dir := t.TempDir()
	path := writeFile(t, dir+"/iris.csv", []byte("\xef\xbb\xbfwide, high,kind\r\n1,2.5,rose\r\n\r\n\"3\", -4e1 ,lily\r\n5,6,rose\r\n"))
	s := open(t, program.Source{Kind: "csv", Path: path, Labels: "kind", Split: []float64{1}}, "")
	require.Equal(t, "2 labels: 0 lily, 1 rose", s.note)
	x := feedOf(t, s, program.Feed{Split: "train", Kind: "rows"}, loop.F32, true, 3, 2)
	require.Equal(t, []float64{1, 2.5, 3, -40, 5, 6}, numbers(x, func(dst []byte) { x.fillInOrder(dst, 0, 3) }))
	y := feedOf(t, s, program.Feed{Split: "train", Kind: "rows", Column: 1}, loop.I32, true, 3)
	require.Equal(t, []float64{1, 0, 1}, numbers(y, func(dst []byte) { y.fillInOrder(dst, 0, 3) }))

	for text, want := range map[string]int{"1,2\n3,4\n": 2, "a;b\n3;4": 1, "1\t2\r3\t4\r": 2} {
		writeFile(t, path, []byte(text))
		p := open(t, program.Source{Kind: "csv", Path: path, Split: []float64{1}}, "").splits["train"]
		require.Equal(t, []int{want, 2}, []int{p.rows(), p.columns[0].width}, "%q", text)
	}
	writeFile(t, path, []byte("y,x\n0.5,1\n2,3\n"))
	s = open(t, program.Source{Kind: "csv", Path: path, Labels: "y", Split: []float64{1}}, "")
	require.Equal(t, floats(0.5, 2), s.splits["train"].columns[1].data)
	_, err := newFeed(&program.Input{Name: "y", Feed: program.Feed{Split: "train", Kind: "rows", Column: 1}}, &program.Buffer{Elem: loop.I32, Dims: []int{2}}, s, 1, false)
	require.ErrorContains(t, err, "row 0 has 0.5, which is no i32")
}

func TestCsvOfSeveralFiles(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir+"/a.train.csv.gz", packed(t, []byte("x,l\n1,b\n2,a\n")))
	writeFile(t, dir+"/b.train.csv", []byte("x,l\n3,c\n"))
	writeFile(t, dir+"/a.test.csv", []byte("x,l\n4,c\n"))
	writeFile(t, dir+"/notes.txt", []byte("not a table"))
	s := open(t, program.Source{Kind: "csv", Path: dir, Labels: "l"}, "")
	train := s.splits["train"]
	require.Equal(t, []int{0, 2}, train.begins)
	require.Equal(t, []int{3, 1}, []int{train.rows(), s.splits["test"].rows()})
	require.Equal(t, []byte{1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0}, train.columns[1].data)
	require.Equal(t, []int{0, 1}, train.slice(1, 3).begins)
	s = open(t, program.Source{Kind: "csv", Path: dir + "/b.*.csv", Labels: "l"}, "")
	require.Equal(t, 1, s.splits["train"].rows())
	writeFile(t, dir+"/b.train.csv", []byte("x,l,m\n3,c,0\n"))
	require.Contains(t, refused(t, program.Source{Kind: "csv", Path: dir, Labels: "l"}), "b.train.csv has 2 columns")
}

func TestCsvThatIsNone(t *testing.T) {
	path := t.TempDir() + "/x.csv"
	for _, c := range [][2]string{
		{"1,2\n3,4,5\n", "line 2 has 3 cells, line 1 has 2"},
		{"a,b\n1,2\n\n3,x7\n", "line 4, column `b`: \"x7\" is no number\n  = help: leave the row or the column out"},
		{"a,b\n1,\n", "line 2, column `b`: the cell is empty\n  = help: write a number there"},
		{"1,NaN\n", "it has no rows below its first line, which holds names: 1, NaN"},
		{"1,2\n3,inf\n", `line 2, column 2: "inf" is no number`},
		{"a;b\n1,5;2\n", "line 2, column `a`: \"1,5\" is no number\n  = help: a number has a decimal point"},
		{"a\x00,\x00b\x00\n\x00", "it is no text in UTF-8"},
		{"a,b\n1,\"2\n", "extraneous or missing \""},
		{"", "x.csv is empty"},
		{"\n\n", "it has no lines"},
		{"a,b\n", "it has no rows below its first line, which holds names: a, b"},
	} {
		writeFile(t, path, []byte(c[0]))
		require.Contains(t, refused(t, program.Source{Kind: "csv", Path: path}), c[1], "%q", c[0])
	}
	writeFile(t, path, []byte("a,b\n1,2\n"))
	require.Contains(t, refused(t, program.Source{Kind: "csv", Path: path, Labels: "c"}), "line 1 has no column `c`; it has a, b\n  = help: the first line holds the names")
	require.Contains(t, refused(t, program.Source{Kind: "csv", Path: writeFile(t, path, []byte("a\n1\n")), Labels: "a"}), "it has a column of labels and none of numbers")
	require.Contains(t, refused(t, program.Source{Kind: "csv", Path: path + "/../*.tsv"}), "matches *.tsv")
}

func TestLines(t *testing.T) {
	path := writeFile(t, t.TempDir()+"/names.txt", []byte("ann\r\n\nbo\ncarla\nd"))
	s := open(t, program.Source{Kind: "lines", Path: path, Ends: ".", Split: []float64{1}}, "")
	f := feedOf(t, s, program.Feed{Split: "train", Kind: "rows"}, loop.I32, true, 4, 7)
	var text []byte
	for _, v := range numbers(f, func(dst []byte) { f.fillInOrder(dst, 0, 4) }) {
		text = append(text, byte(v))
	}
	require.Equal(t, ".ann.\x00\x00.bo.\x00\x00\x00.carla..d.\x00\x00\x00\x00", string(text))
	_, err := newFeed(&program.Input{Name: "x", Feed: program.Feed{Split: "train", Kind: "rows"}}, &program.Buffer{Elem: loop.I32, Dims: []int{2, 6}}, s, 1, false)
	require.ErrorContains(t, err, "its longest line needs 7 places, a row of the batch has 6")
	s = open(t, program.Source{Kind: "lines", Path: path, Holdout: 2}, "")
	require.Equal(t, "anncarla", string(s.splits["train"].columns[0].data))
	require.Equal(t, "bo", string(s.splits["valid"].columns[0].span(0, 1)))
	s = open(t, program.Source{Kind: "lines", Path: path, Split: []float64{0.5, 0.5}}, "")
	require.Equal(t, "carla", string(s.splits["valid"].columns[0].span(0, 1)))
	writeFile(t, path, []byte("\n\r\n"))
	require.Contains(t, refused(t, program.Source{Kind: "lines", Path: path}), "there are no lines in it")
}

func TestTokens(t *testing.T) {
	dir := t.TempDir()
	data := binary.LittleEndian.AppendUint16(nil, 50256)
	for i := range 9 {
		data = binary.LittleEndian.AppendUint16(data, uint16(i))
	}
	writeFile(t, dir+"/train.bin", data)
	writeFile(t, dir+"/val.bin", data[:4])
	s := open(t, program.Source{Kind: "tokens", Path: dir, Bits: 16}, "")
	require.Equal(t, []int{10, 2}, []int{s.splits["train"].rows(), s.splits["valid"].rows()})
	f := feedOf(t, s, program.Feed{Split: "train", Kind: "windows"}, loop.I32, true, 2, 5)
	require.Equal(t, []float64{50256, 0, 1, 2, 3, 4, 5, 6, 7, 8}, numbers(f, func(dst []byte) { f.fillInOrder(dst, 0, 2) }))
	s = open(t, program.Source{Kind: "tokens", Path: dir + "/train.bin", Bits: 32, Split: []float64{1}}, "")
	require.Equal(t, 5, s.splits["train"].rows())
	require.Contains(t, refused(t, program.Source{Kind: "tokens", Path: writeFile(t, dir+"/odd.bin", data[:7]), Bits: 16}), "7 bytes are no whole number of tokens of 16 bits")
	s = open(t, program.Source{Kind: "tokens", Path: writeFile(t, dir+"/x.npy", npy("<u2", data, 10)), Bits: 16, Split: []float64{1}}, "")
	f = feedOf(t, s, program.Feed{Split: "train", Kind: "streams"}, loop.I32, false, 1, 4)
	require.Equal(t, []float64{50256, 0, 1, 2}, numbers(f, func(dst []byte) { f.fill(dst, 0) }))
	require.Contains(t, refused(t, program.Source{Kind: "tokens", Path: writeFile(t, dir+"/y.npy", npy("<f4", data, 5)), Bits: 16}), "whole numbers")
}

func TestTwoArrays(t *testing.T) {
	dir := t.TempDir()
	x := writeFile(t, dir+"/x.npy", npy("<f4", floats(1, 2, 3, 4, 5, 6), 3, 2))
	y := writeFile(t, dir+"/y.npy", npy("|u1", []byte{7, 8, 9}, 3))
	s := open(t, program.Source{Kind: "npy", Path: x, Labels: y, Split: []float64{1}}, "")
	f := feedOf(t, s, program.Feed{Split: "train", Kind: "rows", Column: 1}, loop.I32, true, 3)
	require.Equal(t, []float64{7, 8, 9}, numbers(f, func(dst []byte) { f.fillInOrder(dst, 0, 3) }))
	writeFile(t, y, npy("|u1", []byte{7, 8}, 2))
	require.Contains(t, refused(t, program.Source{Kind: "npy", Path: x, Labels: y}), ": each row needs its label")
	require.Contains(t, refused(t, program.Source{Kind: "npy", Path: x, Labels: dir + "/z.npy"}), "z.npy is not there")
}

// A red or a blue picture, twice as wide as high, with a black margin left and right.
func stripe(c color.RGBA) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, 16, 8))
	for y := range 8 {
		for x := 4; x < 12; x++ {
			img.SetRGBA(x, y, c)
		}
	}
	return img
}

func TestPicturesOfAFolder(t *testing.T) {
	dir := t.TempDir()
	red, blue := color.RGBA{255, 0, 0, 255}, color.RGBA{0, 0, 255, 255}
	for i := range 5 {
		var p, j bytes.Buffer
		require.NoError(t, png.Encode(&p, stripe(red)))
		require.NoError(t, jpeg.Encode(&j, stripe(blue), &jpeg.Options{Quality: 100}))
		writeFile(t, fmt.Sprintf("%s/train/red/%d.png", dir, i), p.Bytes())
		writeFile(t, fmt.Sprintf("%s/train/blue/%d.JPG", dir, i), j.Bytes())
		writeFile(t, fmt.Sprintf("%s/test/red/%d.png", dir, i), p.Bytes())
	}
	s := open(t, program.Source{Kind: "images", Path: dir, Size: 4, Scale: []float64{-1, 1}}, "")
	require.Equal(t, "2 labels: 0 blue, 1 red", s.note)
	require.Equal(t, []int{10, 5}, []int{s.splits["train"].rows(), s.splits["test"].rows()})
	x := feedOf(t, s, program.Feed{Split: "train", Kind: "rows"}, loop.F32, true, 10, 3, 4, 4)
	y := feedOf(t, s, program.Feed{Split: "train", Kind: "rows", Column: 1}, loop.I32, true, 10)
	gray := feedOf(t, s, program.Feed{Split: "train", Kind: "rows"}, loop.F32, true, 10, 1, 4, 4)
	in := func(f *feed) []float64 { return numbers(f, func(dst []byte) { f.fillInOrder(dst, 0, 10) }) }
	pixels, labels, light := in(x), in(y), in(gray)
	require.ElementsMatch(t, []float64{0, 0, 0, 0, 0, 1, 1, 1, 1, 1}, labels)
	require.NotEqual(t, []float64{0, 0, 0, 0, 0, 1, 1, 1, 1, 1}, labels)
	for i, label := range labels {
		require.InDelta(t, 2*label-1, pixels[48*i+5], 0.05, "red")
		require.InDelta(t, -1, pixels[48*i+16+5], 0.05, "green")
		require.InDelta(t, 1-2*label, pixels[48*i+32+5], 0.05, "blue")
		require.InDelta(t, 2*(0.299*label+0.114*(1-label))-1, light[16*i+5], 0.05, "lightness")
	}
	src := &program.Source{Name: "d", Kind: "images", Path: dir + "/test", Size: 4, Split: []float64{1}}
	for class, trained := range [][]string{nil, {"blue", "red"}} { // of a run, whose numbers stay
		s, err := openSource(src, "", trained)
		require.NoError(t, err)
		require.Equal(t, float64(class), readElem(loop.I32, s.splits["train"].columns[1].data, 0))
	}
	_, err := openSource(src, "", []string{"blue", "green"})
	require.ErrorContains(t, err, `.png: the run whose weights are taken had no label "red"; it had 2 labels: 0 blue, 1 green`)
	writeFile(t, dir+"/train/red/bad.png", []byte("\x89PNG\r\n\x1a\nrest"))
	require.Contains(t, refused(t, program.Source{Kind: "images", Path: dir, Size: 4}), "bad.png: ")
	require.Contains(t, refused(t, program.Source{Kind: "images", Path: t.TempDir(), Size: 4}), "has no .png or .jpeg files")
	require.Contains(t, refused(t, program.Source{Kind: "images", Path: dir, Size: 1 << 20}), "a smaller size would fit")
}

func FuzzCsv(f *testing.F) {
	f.Add([]byte("a,b\n1,2\n3,4\n"), "b")
	f.Add([]byte("1;2\r3;4"), "")
	f.Add([]byte("\xef\xbb\xbf\"x\"\ty\n\"1\n"), "y")
	f.Fuzz(func(t *testing.T, raw []byte, labels string) {
		sh, err := parseCsv(raw, labels)
		if err == nil {
			require.Equal(t, 4*sh.rows*sh.width, len(sh.numbers))
			require.True(t, labels == "" || len(sh.labels) == sh.rows)
		}
	})
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("a\n\nbc\r\n"), ".")
	f.Fuzz(func(t *testing.T, raw []byte, ends string) {
		a := newLines()
		a.addLines(raw, ends)
		require.Len(t, a.at, a.rows+1)
		for r := range a.rows {
			require.LessOrEqual(t, len(a.span(r, r+1)), a.width)
		}
	})
}

func FuzzTokens(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4}, true)
	f.Add(npy("<u2", []byte{1, 2, 3, 4}, 2), false)
	f.Fuzz(func(t *testing.T, raw []byte, short bool) {
		bits := 32
		if short {
			bits = 16
		}
		if a, err := parseTokens(raw, bits); err == nil {
			require.Equal(t, a.rows*a.rowBytes(), len(a.data))
		}
		if a, err := parseNpyTokens(raw); err == nil {
			require.Equal(t, a.rows*a.rowBytes(), len(a.data))
		}
	})
}

func FuzzPicture(f *testing.F) {
	var p, j bytes.Buffer
	require.NoError(f, png.Encode(&p, stripe(color.RGBA{1, 2, 3, 255})))
	require.NoError(f, jpeg.Encode(&j, stripe(color.RGBA{1, 2, 3, 255}), nil))
	f.Add(p.Bytes())
	f.Add(j.Bytes())
	f.Add([]byte("\x89PNG\r\n\x1a\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		config, _, err := image.DecodeConfig(bytes.NewReader(raw))
		if err == nil && config.Width*config.Height > 1<<20 {
			return // slow, not wrong
		}
		_ = decodePicture(raw, make([]byte, 3*5*5), 5)
	})
}

func FuzzGzip(f *testing.F) {
	whole := packed(f, []byte("some text, some text"))
	f.Add(whole)
	f.Add(whole[:len(whole)-3])
	f.Fuzz(func(t *testing.T, raw []byte) {
		if data, err := gunzip(raw, 1<<16, nil); err == nil {
			require.Less(t, len(data), 1<<16)
		}
	})
}
