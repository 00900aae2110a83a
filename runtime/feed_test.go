package runtime

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/loop"
	"mdlc/runtime/program"
)

func packed(t testing.TB, data []byte) []byte {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, err := w.Write(data)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return z.Bytes()
}

// idx is a file of bytes in the IDX format.
func idx(data []byte, dims ...byte) []byte {
	out := []byte{0, 0, 8, byte(len(dims))}
	for _, d := range dims {
		out = append(out, 0, 0, 0, d)
	}
	return append(out, data...)
}

// pictures writes a folder like MNIST's: 6 and 2 pictures of 2 x 3 pixels. Picture i has pixels i, and label i mod 3.
func pictures(t testing.TB) string {
	dir := t.TempDir()
	for part, n := range map[string]int{"train": 6, "t10k": 2} {
		var pixels, labels []byte
		for i := range n {
			pixels = append(pixels, bytes.Repeat([]byte{byte(i * 51)}, 6)...)
			labels = append(labels, byte(i%3))
		}
		writeFile(t, dir+"/"+part+"-images-idx3-ubyte.gz", packed(t, idx(pixels, byte(n), 2, 3)))
		writeFile(t, dir+"/"+part+"-labels-idx1-ubyte", idx(labels, byte(n)))
	}
	return dir
}

// feedOf is a feed of column c with a batch of these dims.
func feedOf(t testing.TB, s *source, f program.Feed, elem loop.Elem, inOrder bool, dims ...int) *feed {
	f.Site = "train/x"
	out, err := newFeed(&program.Input{Name: "x", Feed: f}, &program.Buffer{Elem: elem, Dims: dims}, s, 1, inOrder)
	require.NoError(t, err)
	return out
}

// batch is the first number of every row of a batch, or all numbers.
func numbers(f *feed, fill func(dst []byte)) (out []float64) {
	dst := make([]byte, f.size)
	fill(dst)
	for i := range f.size / f.elem.Size() {
		out = append(out, readElem(f.elem, dst, i))
	}
	return out
}

func TestPicturesAndLabelsComeFromTheSameRows(t *testing.T) {
	s := open(t, program.Source{Kind: "mnist", Path: pictures(t), Scale: []float64{-1, 1}}, "")
	require.Equal(t, 2, s.splits["test"].rows())
	x := feedOf(t, s, program.Feed{Split: "train", Kind: "rows"}, loop.F32, false, 3, 1, 2, 3)
	y := feedOf(t, s, program.Feed{Split: "train", Kind: "rows", Column: 1}, loop.I32, false, 3)
	for n := range 4 {
		pixels := numbers(x, func(dst []byte) { x.fill(dst, n) })
		for b, label := range numbers(y, func(dst []byte) { y.fill(dst, n) }) {
			i := int((pixels[6*b]+1)/2*5 + 0.5)
			require.Equal(t, i%3, int(label))
			require.InDelta(t, float64(i)*51/255*2-1, pixels[6*b+5], 1e-6)
		}
	}
	_, err := newFeed(&program.Input{Name: "x", Feed: program.Feed{Split: "test", Kind: "rows"}}, &program.Buffer{Elem: loop.F32, Dims: []int{3, 6}}, s, 1, false)
	require.ErrorContains(t, err, "it has 2 rows, fewer than a batch of 3")
	_, err = newFeed(&program.Input{Name: "x", Feed: program.Feed{Split: "test", Kind: "rows"}}, &program.Buffer{Elem: loop.F32, Dims: []int{2, 1, 28, 28}}, s, 1, false)
	require.ErrorContains(t, err, "its rows have 6 numbers, a row of the batch 784")
}

func TestSplitOfASourceWithPartsCutsItsTraining(t *testing.T) {
	dir := pictures(t)
	s := open(t, program.Source{Kind: "mnist", Path: dir, Split: []float64{0.5, 0.5}}, "")
	require.Equal(t, []int{3, 3, 2}, []int{s.splits["train"].rows(), s.splits["valid"].rows(), s.splits["test"].rows()})
	s = open(t, program.Source{Kind: "mnist", Path: dir, Split: []float64{1}}, "")
	require.Equal(t, 6, s.splits["train"].rows())
	require.Nil(t, s.splits["valid"])
	_, err := openSource(&program.Source{Name: "d", Kind: "mnist", Path: dir, Split: []float64{0.5, 0.25, 0.25}}, "", nil)
	require.ErrorContains(t, err, "it has a test part of its own")
	s = open(t, program.Source{Kind: "mnist", Path: dir + "/train-images-idx3-ubyte.gz"}, "") // one file
	require.Equal(t, 5, s.splits["train"].rows())
	_, err = newFeed(&program.Input{Name: "y", Feed: program.Feed{Split: "train", Kind: "rows", Column: 1}}, &program.Buffer{Elem: loop.I32, Dims: []int{2}}, s, 1, false)
	require.ErrorContains(t, err, "it has one array and no labels")
}

func TestIdxFilesThatAreNone(t *testing.T) {
	for text, raw := range map[string][]byte{
		"not an IDX file: it begins with 89 50":            []byte("\x89PNG"),
		"this one is of type 0d":                           {0, 0, 13, 1, 0, 0, 0, 1, 0, 0, 0, 0},
		"the header is cut off":                            {0, 0, 8, 3, 0, 0},
		"shape [2 3] does not fit the 5 bytes that follow": idx(make([]byte, 5), 2, 3),
		"shape [2 1] does not fit the 3 bytes that follow": idx(make([]byte, 3), 2, 1),
		"shape [0 3] holds nothing":                        idx(nil, 0, 3),
		"impossible shape":                                 {0, 0, 8, 4, 0, 0, 0, 1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255},
	} {
		_, err := parseIdx(raw)
		require.ErrorContains(t, err, text)
	}
	dir := pictures(t)
	whole := packed(t, idx(make([]byte, 60), 10, 2, 3))
	writeFile(t, dir+"/train-images-idx3-ubyte.gz", whole[:len(whole)-12])
	_, err := openSource(&program.Source{Name: "d", Kind: "mnist", Path: dir}, "", nil)
	require.ErrorContains(t, err, "it is cut off")
	writeFile(t, dir+"/train-images-idx3-ubyte.gz", whole)
	_, err = openSource(&program.Source{Name: "d", Kind: "mnist", Path: dir}, "", nil)
	require.ErrorContains(t, err, "part `train` has 10 pictures and 6 labels")
	writeFile(t, dir+"/train-images-idx3-ubyte.gz", packed(t, idx(make([]byte, 54), 6, 3, 3)))
	_, err = openSource(&program.Source{Name: "d", Kind: "mnist", Path: dir}, "", nil)
	require.ErrorContains(t, err, "the pictures of test have 6 pixels, those of train 9")
	writeFile(t, dir+"/train-images-idx3-ubyte.gz", []byte("plain"))
	_, err = openSource(&program.Source{Name: "d", Kind: "mnist", Path: dir}, "", nil)
	require.ErrorContains(t, err, "it is not packed by gzip")
	_, err = gunzip(packed(t, make([]byte, 1000)), 1000, nil)
	require.ErrorContains(t, err, "larger than")
}

func FuzzIdx(f *testing.F) {
	f.Add(idx([]byte{1, 2, 3, 4}, 2, 2))
	f.Add([]byte{0, 0, 8, 2, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if a, err := parseIdx(raw); err == nil {
			require.Equal(t, a.rows*a.rowBytes(), len(a.data))
		}
	})
}

func TestStreamsGoOn(t *testing.T) {
	dir := t.TempDir()
	var text []byte
	for i := range 100 {
		text = append(text, byte(i))
	}
	writeFile(t, dir+"/in.txt", text)
	s := open(t, program.Source{Kind: "bytes", Path: "in.txt", Split: []float64{1}}, dir)
	f := feedOf(t, s, program.Feed{Split: "train", Kind: "streams"}, loop.I32, false, 2, 5)
	require.Equal(t, []float64{0, 1, 2, 3, 4, 50, 51, 52, 53, 54}, numbers(f, func(dst []byte) { f.fill(dst, 0) }))
	require.Equal(t, []float64{4, 5, 6, 7, 8, 54, 55, 56, 57, 58}, numbers(f, func(dst []byte) { f.fill(dst, 1) }))
	require.Equal(t, []float64{48, 49, 50, 51, 52, 2, 3, 4, 5, 6}, numbers(f, func(dst []byte) { f.fill(dst, 12) })) // through the end of the text
	f = feedOf(t, s, program.Feed{Split: "train", Kind: "streams", Stride: 5}, loop.I32, true, 2, 5)
	require.Equal(t, 20, f.examples())
	require.Equal(t, []float64{45, 46, 47, 48, 49, 95, 96, 97, 98, 99}, numbers(f, func(dst []byte) { f.fillInOrder(dst, 18, 20) }))
}

// Rows are numbered; labels are the rows' numbers. Two sequences, 0..5 and 6..9.
func TestClipsStayInsideASequence(t *testing.T) {
	rows, labels := &array{elem: loop.U8, width: 1, rows: 10}, &array{elem: loop.U8, width: 1, rows: 10}
	for i := range 10 {
		rows.data, labels.data = append(rows.data, byte(i)), append(labels.data, byte(i))
	}
	s := &source{Source: &program.Source{Name: "d"}, splits: map[string]*split{"train": {columns: []*array{rows, labels}, begins: []int{0, 6}}}}
	for _, inOrder := range []bool{true, false} {
		var cols [3]*feed
		for c, dims := range [][]int{{4, 2, 1}, {4}, {4, 1}} {
			cols[c] = feedOf(t, s, program.Feed{Split: "train", Kind: "clips", Past: 2, Future: 1, Column: c}, loop.F32, inOrder, dims...)
		}
		require.Equal(t, 4+2, cols[0].examples())
		var now []string
		for n := range 3 {
			var got [3][]float64
			for c, f := range cols {
				got[c] = numbers(f, func(dst []byte) {
					if inOrder {
						f.fillInOrder(dst, 2*n, 2*n+2)
					} else {
						f.fill(dst, n)
					}
				})
			}
			for b := range 4 {
				require.Equal(t, got[0][2*b+1], got[1][b])
				require.Equal(t, got[0][2*b]+1, got[0][2*b+1])
				require.Equal(t, got[1][b]+1, got[2][b])
				now = append(now, fmt.Sprint(got[1][b]))
			}
		}
		if inOrder {
			require.Equal(t, []string{"1", "2", "1", "2", "3", "4", "3", "4", "7", "8", "7", "8"}, now)
		} else {
			require.ElementsMatch(t, []string{"1", "2", "3", "4", "7", "8"}, now[:6])
			require.ElementsMatch(t, []string{"1", "2", "3", "4", "7", "8"}, now[6:])
		}
	}
	_, err := newFeed(&program.Input{Name: "x", Feed: program.Feed{Split: "train", Kind: "clips", Past: 6, Future: 1}}, &program.Buffer{Elem: loop.F32, Dims: []int{1, 6, 1}}, s, 1, true)
	require.ErrorContains(t, err, "it has no sequence as long as a clip")
}

func TestLabelsThatAreNoIntegers(t *testing.T) {
	labels := &array{elem: loop.F32, width: 1, rows: 2, data: floats(3, 0.5)}
	require.NoError(t, labels.holds(loop.F32))
	require.EqualError(t, labels.holds(loop.I32), "row 1 has 0.5, which is no i32\n  = help: numbers that are not whole are f32")
	labels.data = floats(-1, 2)
	require.EqualError(t, labels.holds(loop.U8), "row 0 has -1, which is no u8\n  = help: u8 holds whole numbers from 0 to 255")
	require.NoError(t, labels.holds(loop.I32))
}

func TestAnEachInARepeatTakesBatchAfterBatch(t *testing.T) {
	alone := rowsFeed(t, 12, 2, 1)
	turns := []*feed{rowsFeed(t, 12, 2, 1), rowsFeed(t, 12, 2, 1), rowsFeed(t, 12, 2, 1)}
	turns[2].Site = "another"
	takeTurns(turns)
	require.Equal(t, firsts(alone, 6), firsts(turns[0], 3))
	require.Equal(t, firsts(alone, 7), firsts(turns[1], 3))
	require.Equal(t, firsts(alone, 3), firsts(turns[2], 3))
}

func TestGlyphs(t *testing.T) {
	s := open(t, program.Source{Kind: "glyphs", Size: 28, Count: 600, Scale: []float64{-1, 1}}, "")
	part := func(s *source, name string) *split {
		p, err := s.part(name)
		require.NoError(t, err)
		return p
	}
	train, test := part(s, "train"), part(s, "test")
	require.Equal(t, []int{600, 100}, []int{train.rows(), test.rows()})
	seen := map[byte]bool{}
	ink, edge := 0, 0
	x, y := train.columns[0], train.columns[1]
	for i := range 600 {
		seen[y.data[i]] = true
		for j, v := range x.span(i, i+1) {
			ink += int(v)
			if j < 28 {
				edge += int(v)
			}
		}
	}
	require.Len(t, seen, len(glyphLetters))
	require.InDelta(t, 0.16, float64(ink)/255/600/784, 0.05, "share of white")
	require.Less(t, float64(edge)/255/600/28, 0.02, "share of white in the first row of pixels")
	require.NotEqual(t, x.data[:100*784], test.columns[0].data)
	again := part(open(t, program.Source{Kind: "glyphs", Size: 28, Count: 600}, ""), "train").columns[0].data
	require.Equal(t, x.data, again)
	require.Equal(t, "b13c", fmt.Sprintf("%x", sha256.Sum256(again))[:4], "the pictures are the same on every machine")
	f := feedOf(t, s, program.Feed{Split: "train", Kind: "rows"}, loop.F32, false, 4, 1, 28, 28)
	for _, v := range numbers(f, func(dst []byte) { f.fill(dst, 0) }) {
		require.True(t, v >= -1 && v <= 1)
	}
}

func BenchmarkGlyphs(b *testing.B) {
	s := open(b, program.Source{Kind: "glyphs", Size: 28, Count: 10000}, "")
	for b.Loop() {
		s.draw("train")
	}
}

// Two videos of three frames with two numbers each, a label for each frame.
func TestClipsOfVideosInOneArray(t *testing.T) {
	x := &array{elem: loop.U8, width: 6, rows: 2, data: []byte{0, 10, 1, 11, 2, 12, 3, 13, 4, 14, 5, 15}}
	y := &array{elem: loop.U8, width: 3, rows: 2, data: []byte{0, 1, 2, 3, 4, 5}}
	s := &source{Source: &program.Source{Name: "d"}, splits: map[string]*split{"train": {columns: []*array{x, y}}}}
	past := feedOf(t, s, program.Feed{Split: "train", Kind: "clips", Past: 2}, loop.F32, true, 4, 2, 2)
	now := feedOf(t, s, program.Feed{Split: "train", Kind: "clips", Past: 2, Column: 1}, loop.I32, true, 4)
	require.Equal(t, 4, past.examples())
	require.Equal(t, []float64{0, 10, 1, 11, 1, 11, 2, 12, 3, 13, 4, 14, 4, 14, 5, 15}, numbers(past, func(dst []byte) { past.fillInOrder(dst, 0, 4) }))
	require.Equal(t, []float64{1, 2, 4, 5}, numbers(now, func(dst []byte) { now.fillInOrder(dst, 0, 4) }))
	rows := feedOf(t, s, program.Feed{Split: "train", Kind: "rows"}, loop.F32, true, 2, 3, 2) // whole videos
	require.Equal(t, 2, rows.examples())
}
