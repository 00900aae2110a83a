package runtime

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"mdlc/ir/loop"
	"mdlc/runtime/program"
)

func writeFile(t testing.TB, path string, data []byte) string {
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, data, 0o644))
	return path
}

// npy is an array file of format version 1.
func npy(descr string, data []byte, shape ...int) []byte {
	dims := ""
	for _, d := range shape {
		dims += fmt.Sprintf("%d, ", d)
	}
	head := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }\n", descr, dims)
	out := append([]byte("\x93NUMPY\x01\x00"), byte(len(head)), byte(len(head)>>8))
	return append(append(out, head...), data...)
}

// digitRows writes rows of 8 floats, row i starting with i, and returns the file's path.
func digitRows(t testing.TB, rows int) string {
	var data bytes.Buffer
	for i := range rows {
		for j := range 8 {
			require.NoError(t, binary.Write(&data, binary.LittleEndian, float32(i)+float32(j)/8))
		}
	}
	return writeFile(t, filepath.Join(t.TempDir(), "digits.npy"), npy("<f4", data.Bytes(), rows, 8))
}

func open(t testing.TB, src program.Source, dir string) *source {
	src.Name, src.Pos = "d", loop.Pos{File: "m.mdl", Line: 7, Col: 1}
	s, err := openSource(&src, dir, nil)
	require.NoError(t, err)
	return s
}

func TestBytesOfOneFile(t *testing.T) {
	dir := t.TempDir()
	text := bytes.Repeat([]byte("0123456789"), 10)
	text = append(text, "abcd"...)
	writeFile(t, dir+"/in.txt", text)
	s := open(t, program.Source{Kind: "bytes", Path: "in.txt"}, dir)
	require.Equal(t, text[:93], s.splits["train"].columns[0].data) // 0.9 * 104 = 93.6
	require.Equal(t, text[93:], s.splits["valid"].columns[0].data)
	_, err := s.part("test")
	require.EqualError(t, err, "m.mdl:7:1: error: data d has no part `test`; it has train, valid")
	s = open(t, program.Source{Kind: "bytes", Path: "in.txt", Split: []float64{0.5, 0.25, 0.25}}, dir)
	require.Equal(t, []int{52, 26, 26}, []int{s.splits["train"].rows(), s.splits["valid"].rows(), s.splits["test"].rows()})
	s = open(t, program.Source{Kind: "bytes", Path: "in.txt", Holdout: 4}, dir)
	require.Equal(t, text[78:], s.splits["valid"].columns[0].data)
}

func TestBytesOfATree(t *testing.T) {
	dir := t.TempDir()
	for i, name := range []string{"a/1.go", "a/2.go", "a/bin.go", "b.go", "c/d.go", "c/e.txt", ".git/f.go"} {
		data := []byte(fmt.Sprint(i))
		if name == "a/bin.go" {
			data = []byte{1, 0, 2}
		}
		writeFile(t, filepath.Join(dir, name), data)
	}
	s := open(t, program.Source{Kind: "bytes", Path: dir, Holdout: 2}, "")
	require.Equal(t, "035", string(s.splits["train"].columns[0].data))
	require.Equal(t, "14", string(s.splits["valid"].columns[0].data))
	s = open(t, program.Source{Kind: "bytes", Path: dir + "/*.go", Split: []float64{1}}, "")
	require.Equal(t, "0134", string(s.splits["train"].columns[0].data))
}

func TestMissingDataNamesPlaceAndRemedy(t *testing.T) {
	_, err := openSource(&program.Source{Name: "d", Kind: "bytes", Path: "no.txt", Pos: loop.Pos{File: "m.mdl", Line: 7, Col: 1}}, "/nowhere", nil)
	require.EqualError(t, err, "m.mdl:7:1: error: /nowhere/no.txt is not there\n  = help: `--data d=PATH` takes the data from another place")
}

func TestNpyFolderOfPackedBits(t *testing.T) {
	dir := t.TempDir()
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, _ = w.Write(npy("|u1", []byte{0b10100000, 0b01000000, 0xff, 0b11000000}, 2, 2))
	require.NoError(t, w.Close())
	writeFile(t, dir+"/x_train.packbits.npy.gz", z.Bytes())
	writeFile(t, dir+"/x_test.packbits.npy", npy("|u1", []byte{0, 0b01000000}, 1, 2))
	s := open(t, program.Source{Kind: "npy", Path: dir, Bits: 10}, "")
	f, err := newFeed(&program.Input{Name: "x", Feed: program.Feed{Split: "train", Kind: "rows"}}, &program.Buffer{Elem: loop.F32, Dims: []int{2, 10}}, s, 1, true)
	require.NoError(t, err)
	got := make([]byte, f.size)
	f.fillInOrder(got, 0, 2)
	want := []float64{1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}
	for i, v := range want {
		require.Equal(t, v, readElem(loop.F32, got, i), "element %d", i)
	}
	require.Equal(t, 1, s.splits["test"].rows())
	_, err = openSource(&program.Source{Name: "d", Kind: "npy", Path: dir, Bits: 784}, "", nil)
	require.ErrorContains(t, err, "rows of 784 bits need 98 bytes")
}

func TestBinarizedMNIST(t *testing.T) {
	s := open(t, program.Source{Kind: "npy", Path: realData(t, "binarized_mnist"), Bits: 784}, ".")
	require.Equal(t, 50000, s.splits["train"].rows())
	require.Equal(t, 10000, s.splits["valid"].rows())
	require.Equal(t, 10000, s.splits["test"].rows())
}

func realData(t *testing.T, name string) string {
	path := "../../shared/data/" + name
	if _, err := os.Stat(path); err != nil {
		t.Skipf("%s is not on this machine", name)
	}
	return path
}

func TestMNIST(t *testing.T) {
	s := open(t, program.Source{Kind: "mnist", Path: realData(t, "mnist")}, ".")
	require.Equal(t, []int{60000, 10000}, []int{s.splits["train"].rows(), s.splits["test"].rows()})
	require.Equal(t, []byte{5, 0, 4, 1, 9, 2, 1, 3}, s.splits["train"].columns[1].data[:8])
	mean := 0.0
	for _, v := range s.splits["train"].columns[0].data {
		mean += float64(v)
	}
	require.InDelta(t, 0.1307, mean/255/60000/784, 5e-5) // the mean that everyone normalizes by
	s = open(t, program.Source{Kind: "mnist", Path: realData(t, "freyfaces"), Split: []float64{1}}, ".")
	require.Equal(t, []int{1965, 28 * 20}, []int{s.splits["train"].rows(), s.splits["train"].columns[0].width})
}

// Files of seven videos, some with line ends of carriage returns only.
func TestGesturePhases(t *testing.T) {
	s := open(t, program.Source{Kind: "csv", Path: realData(t, "sequence/gesture_phase") + "/*_va3.csv.gz", Labels: "Phase", Split: []float64{1}}, ".")
	require.Equal(t, "5 labels: 0 D, 1 H, 2 P, 3 R, 4 S", s.note)
	train := s.splits["train"]
	require.Equal(t, []int{9873, 32}, []int{train.rows(), train.columns[0].width})
	require.Len(t, train.begins, 7)
}

func rowsFeed(t testing.TB, rows, batch int, seed uint64) *feed {
	s := open(t, program.Source{Kind: "npy", Path: digitRows(t, rows), Split: []float64{1}}, "")
	f, err := newFeed(&program.Input{Name: "x", Feed: program.Feed{Split: "train", Kind: "rows", Site: "train.x"}}, &program.Buffer{Elem: loop.F32, Dims: []int{batch, 8}}, s, seed, false)
	require.NoError(t, err)
	return f
}

func firsts(f *feed, n int) []int {
	dst := make([]byte, f.size)
	f.fill(dst, n)
	var out []int
	for b := range f.batch {
		out = append(out, int(readElem(loop.F32, dst, b*8)))
	}
	return out
}

func TestRowsAreShuffledOncePerEpoch(t *testing.T) {
	f := rowsFeed(t, 10, 4, 1)
	var stream []int
	for n := range 5 {
		stream = append(stream, firsts(f, n)...)
	}
	require.ElementsMatch(t, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, stream[:10])
	require.ElementsMatch(t, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, stream[10:])
	require.NotEqual(t, stream[:10], stream[10:])
	require.Equal(t, stream[12:16], firsts(rowsFeed(t, 10, 4, 1), 3)) // whatever was asked before
	require.NotEqual(t, stream[:4], firsts(rowsFeed(t, 10, 4, 2), 0))
}

func TestWindows(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir+"/in.txt", []byte("abcdefghijklmnopqrstuvwxyz"))
	s := open(t, program.Source{Kind: "bytes", Path: "in.txt", Split: []float64{1}}, dir)
	make3 := func(stride int, inOrder bool) *feed {
		f, err := newFeed(&program.Input{Name: "tok", Feed: program.Feed{Split: "train", Kind: "windows", Stride: stride, Site: "s"}}, &program.Buffer{Elem: loop.I32, Dims: []int{3, 5}}, s, 9, inOrder)
		require.NoError(t, err)
		return f
	}
	text := func(fill func(dst []byte)) (rows []string) {
		dst := make([]byte, 60)
		fill(dst)
		for b := range 3 {
			row := ""
			for i := range 5 {
				row += string(rune(readElem(loop.I32, dst, b*5+i)))
			}
			rows = append(rows, row)
		}
		return rows
	}
	f := make3(4, true)
	require.Equal(t, 6, f.examples()) // starts 0, 4, …, 20; the last byte has no window of its own
	require.Equal(t, []string{"abcde", "efghi", "ijklm"}, text(func(d []byte) { f.fillInOrder(d, 0, 3) }))
	require.Equal(t, []string{"qrstu", "uvwxy", "qrstu"}, text(func(d []byte) { f.fillInOrder(d, 4, 6) }))
	r := make3(0, false)
	first := text(func(d []byte) { r.fill(d, 0) })
	require.NotEqual(t, first, text(func(d []byte) { r.fill(d, 1) }))
	require.Equal(t, first, text(func(d []byte) { make3(0, false).fill(d, 0) }))
	seen := map[string]bool{}
	for n := range 400 {
		for _, w := range text(func(d []byte) { r.fill(d, n) }) {
			seen[w] = true
		}
	}
	require.Len(t, seen, 22) // every start, the last one too
}

func TestFeedsThatDoNotFit(t *testing.T) {
	s := open(t, program.Source{Kind: "npy", Path: digitRows(t, 10)}, "")
	in := &program.Input{Name: "x", Feed: program.Feed{Split: "train", Kind: "rows"}}
	_, err := newFeed(in, &program.Buffer{Elem: loop.F32, Dims: []int{4, 10}}, s, 0, false)
	require.EqualError(t, err, "m.mdl:7:1: error: d.train cannot fill `x: f32[4, 10]`: its rows have 8 numbers, a row of the batch 10\n  = help: `x: f32[4, 8]` fits; if the size is a setting, `--set` changes it")
	in.Feed.Kind = "windows"
	_, err = newFeed(in, &program.Buffer{Elem: loop.F32, Dims: []int{4, 8}}, s, 0, false)
	require.ErrorContains(t, err, "windows are cut from a sequence")
}

func TestArraysThatCannotBeRead(t *testing.T) {
	for want, raw := range map[string][]byte{
		"elements of type <c8 cannot be read\n  = help: `numpy.save(path, x.astype(":                       npy("<c8", make([]byte, 8), 1),
		"the array is stored column by column (Fortran order)\n  = help: `numpy.save(path, numpy.ascontig": bytes.Replace(npy("<f4", make([]byte, 8), 1, 2), []byte("False, 'shape': ("), []byte("True, 'shape': ( "), 1),
		"a header that is not understood: \"{'descr': [('a', '<f4')], 'fortran_order': False":              bytes.Replace(npy("<f4", make([]byte, 8), 1), []byte("'<f4'"), []byte("[('a', '<f4')]"), 1),
		"an array of rank 0 has no rows":                                                                        npy("<f4", make([]byte, 4)),
		"2 rows of 2 f32 need more than the 12 bytes there are":                                                 npy("<f4", make([]byte, 12), 2, 2),
		"not an .npy file\n  = help: it is an archive (.npz): store each of its arrays alone":                   []byte("PK\x03\x04\x14\x00"),
		"not an .npy file\n  = help: it is a text: `csv(…)` reads tables of numbers, `bytes(…)` and `lines(…)`": []byte("1,2\n3,4\n"),
		"not an .npy file\n  = help: `numpy.save(path, x)` writes one":                                          []byte("\x80\x04\x95\x00"),
	} {
		_, err := parseNpy(raw)
		require.ErrorContains(t, err, want)
	}
}

// A row of 5522622740 × 3340214413 numbers is one of 4, modulo 2^64.
func TestShapesDoNotOverflow(t *testing.T) {
	_, err := parseNpy(npy("|u1", make([]byte, 4), 1, 5522622740, 3340214413))
	require.ErrorContains(t, err, "impossible shape")
	_, err = parseNpy(npy("|u1", nil, 1, 0, 1<<40))
	require.ErrorContains(t, err, "need more than")
}

// zeros are n zero bytes.
type zeros struct{ n int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.n <= 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), z.n))
	clear(p[:n])
	z.n -= int64(n)
	return n, nil
}

// A packed array costs the memory that its header declares, whatever follows.
func TestPackedArraysAreBounded(t *testing.T) {
	endless := &zeros{1 << 62}
	raw, err := readBounded(io.MultiReader(bytes.NewReader(npy("|u1", nil, 3<<20)), endless), 1<<35, npySize)
	require.NoError(t, err)
	p, err := parseNpy(raw)
	require.NoError(t, err)
	require.Equal(t, 3<<20, p.rows)
	require.Greater(t, endless.n, int64(1<<62-8<<20))
	_, err = readBounded(io.MultiReader(bytes.NewReader(npy("|u1", nil, 1<<40, 1<<9)), endless), 1<<35, npySize)
	require.ErrorContains(t, err, "unpacked it is 524288.0 GiB, more than the memory that is available can take")
	_, err = readBounded(io.MultiReader(bytes.NewReader([]byte("\x93NUMPY\x02\x00\xff\xff\xff\x7f")), endless), 1<<35, npySize)
	require.EqualError(t, err, "the header is cut off")
	_, err = readBounded(io.MultiReader(bytes.NewReader(npy("<f8", nil, 1<<40, 1<<40)), endless), 1<<35, npySize)
	require.ErrorContains(t, err, "impossible shape")
}

// What is no file is refused before it is opened: a pipe would wait for a writer.
func TestOnlyFilesAreRead(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, unix.Mkfifo(dir+"/pipe", 0o644))
	require.NoError(t, os.Symlink("/dev/zero", dir+"/zero.npy"))
	huge, err := os.Create(dir + "/huge")
	require.NoError(t, err)
	require.NoError(t, huge.Truncate(1<<42))
	require.NoError(t, huge.Close())
	writeFile(t, dir+"/empty", nil)
	require.NoError(t, os.Mkdir(dir+"/none", 0o755))
	for _, c := range []struct{ kind, path, want string }{
		{"bytes", "pipe", "/pipe is a pipe or a device, not a file"},
		{"bytes", "zero.npy", "/zero.npy is a pipe or a device, not a file"},
		{"npy", "zero.npy", "/zero.npy is a pipe or a device, not a file"},
		{"bytes", "huge", "/huge is 4096.0 GiB and "},
		{"bytes", "empty", "/empty is empty"},
		{"npy", "empty", "/empty is empty"},
		{"npy", "none", "/none has no .npy files"},
		{"bytes", "pipe/x", "not a directory"},
	} {
		_, err := openSource(&program.Source{Name: "d", Kind: c.kind, Path: c.path, Pos: loop.Pos{File: "m.mdl", Line: 7, Col: 1}}, dir, nil)
		require.ErrorContains(t, err, "m.mdl:7:1: error: data d: ", c.path)
		require.ErrorContains(t, err, c.want, c.path)
	}
}

func FuzzNpy(f *testing.F) {
	f.Add(npy("|u1", []byte{1, 2, 3, 4}, 2, 2))
	f.Add(npy("<f4", make([]byte, 8), 2))
	f.Add([]byte("\x93NUMPY\x02\x00\xff\xff"))
	f.Add(npy("<f8", nil, 1<<40, 1<<9))
	f.Add(npy("|u1", nil, 3, 0))
	f.Fuzz(func(t *testing.T, raw []byte) {
		unpacked, err := readBounded(bytes.NewReader(raw), 1<<35, npySize)
		require.True(t, err != nil || len(unpacked) <= len(raw))
		p, err := parseNpy(raw)
		if err != nil {
			return
		}
		require.Equal(t, p.rows*p.rowBytes(), len(p.data))
	})
}

func BenchmarkPackedRows(b *testing.B) {
	s := &array{elem: loop.U8, width: 784, packing: packedBits, data: make([]byte, 98*1000), rows: 1000}
	f := &feed{split: &split{columns: []*array{s}}, data: s, take: 1, turns: 1, elem: loop.F32, batch: 100, size: 100 * 784 * 4, epoch: -1, to: newConverter(s, loop.F32)}
	dst := make([]byte, f.size)
	n := 0
	for b.Loop() {
		f.fill(dst, n)
		n++
	}
}
