package runtime

import (
	"fmt"
	"math/bits"

	"mdlc/ir/loop"
	"mdlc/runtime/program"
)

// feed fills one variable of an `each`. What a batch holds is a function of
// the seed, the feed's site and the number of the batch, so it does not matter
// who asks, when, or after which restart.
type feed struct {
	program.Feed
	name   string
	data   *split
	elem   loop.Elem
	batch  int // rows of a batch
	size   int // bytes of a batch
	window int // windows: bytes of one
	step   int // windows in order: bytes from one to the next
	key    [2]uint32
	to     *converter

	order []int // rows at random: the permutation of epoch
	epoch int
}

// newFeed binds in to data. inOrder feeds (of an eval) go through it from the start.
func newFeed(in *program.Input, buf *program.Buffer, src *source, seed uint64, inOrder bool) (*feed, error) {
	part, err := src.part(in.Feed.Split)
	if err != nil {
		return nil, err
	}
	f := &feed{Feed: in.Feed, name: in.Name, data: part, elem: buf.Elem, size: bufferBytes(buf), key: loop.DrawKey(seed, in.Feed.Site), epoch: -1}
	fault := func(format string, args ...any) (*feed, error) {
		return nil, fmt.Errorf("%s: error: %s.%s cannot fill `%s: %s%v`: %s", src.Pos, src.Name, f.Split, in.Name, buf.Elem, buf.Dims, fmt.Sprintf(format, args...))
	}
	if len(buf.Dims) == 0 || buf.Dims[0] == 0 {
		return fault("a batch needs a first axis")
	}
	if !canFeed(buf.Elem) {
		return fault("elements of type %s cannot be fed", buf.Elem)
	}
	if f.Column != 0 {
		return fault("it has one array")
	}
	f.batch = buf.Dims[0]
	f.to = newConverter(part, buf.Elem)
	width := product(buf.Dims[1:])
	switch f.Kind {
	case "rows":
		if width != part.width {
			return fault("its rows have %d numbers, a row of the batch %d", part.width, width)
		}
		if part.rows == 0 {
			return fault("it has no rows")
		}
	case "windows":
		if part.width != 1 || len(buf.Dims) != 2 {
			return fault("windows are cut from a sequence into [batch, length]")
		}
		if f.window = width; part.rows < width {
			return fault("it has %d bytes, a window %d", part.rows, width)
		}
		if f.step = f.Stride; f.step == 0 && inOrder {
			f.step = f.window
		}
	default:
		return fault("a feed of kind `%s`", f.Kind)
	}
	return f, nil
}

// examples is the number of rows that one pass in order gives. The bytes after
// the last whole window are left out.
func (f *feed) examples() int {
	if f.Kind == "windows" {
		return (f.data.rows-f.window)/f.step + 1
	}
	return f.data.rows
}

// fill writes batch number n at random: rows of a fresh permutation in each
// epoch, or windows that begin anywhere.
func (f *feed) fill(dst []byte, n int) {
	for b := range f.batch {
		switch {
		case f.Kind == "windows" && f.step > 0:
			f.copyWindow(dst, b, (n*f.batch+b)%f.examples()*f.step)
		case f.Kind == "windows":
			f.copyWindow(dst, b, f.below(f.data.rows-f.window+1, n, b))
		default:
			f.copyRow(dst, b, f.shuffled(n*f.batch+b))
		}
	}
}

// fillInOrder writes rows lo..hi of the data into the batch, again and again
// until it is full.
func (f *feed) fillInOrder(dst []byte, lo, hi int) {
	for b := range f.batch {
		r := lo + b%(hi-lo)
		if f.Kind == "windows" {
			f.copyWindow(dst, b, r*f.step)
		} else {
			f.copyRow(dst, b, r)
		}
	}
}

// copyRow makes row r of the data row b of the batch.
func (f *feed) copyRow(dst []byte, b, r int) {
	size, each := f.size/f.batch, f.data.rowBytes()
	f.to.convert(dst[b*size:][:size], f.data.data[r*each:][:each])
}

// copyWindow makes the window that begins at element at row b of the batch.
func (f *feed) copyWindow(dst []byte, b, at int) {
	size, each := f.size/f.batch, f.data.elem.Size()
	f.to.convert(dst[b*size:][:size], f.data.data[at*each:][:f.window*each])
}

// below is draw number i of batch n, uniform below limit.
func (f *feed) below(limit, n, i int) int {
	e := 2 * i // two words a draw
	w := loop.Philox4x32(f.key, [4]uint32{uint32(e / 4), uint32(n >> 32), uint32(n), 0})
	hi, _ := bits.Mul64(uint64(w[e%4+1])<<32|uint64(w[e%4]), uint64(limit))
	return int(hi)
}

// shuffled is the row at place n of the endless stream of shuffled epochs.
func (f *feed) shuffled(n int) int {
	rows := f.data.rows
	if epoch := n / rows; epoch != f.epoch {
		f.epoch = epoch
		f.order = make([]int, rows)
		for i := range f.order {
			j := f.below(i+1, epoch, i)
			f.order[i] = f.order[j]
			f.order[j] = i
		}
	}
	return f.order[n%rows]
}
