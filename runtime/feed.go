package runtime

import (
	"fmt"
	"math/bits"
	"slices"

	"mdlc/ir/loop"
	"mdlc/runtime/program"
)

// feed fills one variable of an `each`. What a batch holds is a function of
// the seed, the feed's site and the number of the batch, so it does not matter
// who asks, when, or after which restart. An example of a feed has a place: a row
// of the split, around which the variable takes `take` rows from `skip` on.
type feed struct {
	program.Feed
	name   string
	split  *split
	data   *array
	elem   loop.Elem
	batch  int // rows of a batch
	size   int // bytes of a batch
	take   int // rows of the data that make one of the batch
	skip   int
	step   int   // windows in order, streams: rows from one place to the next; 0: places at random
	ends   []int // clips: how many examples the first sequences hold, the first two, …
	begins []int // clips: the place of the first example of each sequence
	turn   int   // the block reads turns batches at once; this feed is the one of that turn
	turns  int
	key    [2]uint32
	to     *converter

	order []int // examples at random: the permutation of epoch
	epoch int
}

// newFeed binds in to data. inOrder feeds (of an eval) go through it from the start.
func newFeed(in *program.Input, buf *program.Buffer, src *source, seed uint64, inOrder bool) (*feed, error) {
	part, err := src.part(in.Feed.Split)
	if err != nil {
		return nil, err
	}
	f := &feed{Feed: in.Feed, name: in.Name, split: part, elem: buf.Elem, size: bufferBytes(buf), take: 1, turns: 1, key: loop.DrawKey(seed, in.Feed.Site), epoch: -1}
	if err := f.bind(buf.Dims, inOrder); err != nil {
		return nil, fmt.Errorf("%s: error: %s.%s cannot fill `%s: %s`: %w", src.Pos, src.Name, f.Split, in.Name, typeText(buf.Elem, buf.Dims), err)
	}
	return f, nil
}

// takeTurns lets feeds of one draw, which an `each` in a `repeat` becomes, read one batch after the other.
func takeTurns(feeds []*feed) {
	type draw struct {
		source, split, kind, site string
		column                    int
	}
	of := func(f *feed) draw { return draw{f.Source, f.Split, f.Kind, f.Site, f.Column} }
	turns := map[draw]int{}
	for _, f := range feeds {
		f.turn = turns[of(f)]
		turns[of(f)]++
	}
	for _, f := range feeds {
		f.turns = turns[of(f)]
	}
}

// bind finds out whether batches of these dims can be filled, and from what.
func (f *feed) bind(dims []int, inOrder bool) error {
	if len(dims) == 0 || dims[0] == 0 {
		return fmt.Errorf("a batch needs a first axis")
	}
	if !canFeed(f.elem) {
		return fmt.Errorf("elements of type %s cannot be fed", f.elem)
	}
	column := f.Column
	if f.Kind == "clips" {
		f.split = f.split.frames()
		column = min(column, 1)
	}
	if column >= len(f.split.columns) {
		return fmt.Errorf("it has %s", []string{"", "one array and no labels\n  = help: `labels: PATH` behind its path names a second array", "an array and labels, nothing else"}[len(f.split.columns)])
	}
	f.data, f.batch = f.split.columns[column], dims[0]
	width := product(dims[1:])
	if f.data.colors == 3 && 3*width == f.data.width {
		f.data = f.data.gray()
	}
	bind := map[string]func(dims []int, inOrder bool) error{"rows": f.bindRows, "windows": f.bindWindows, "streams": f.bindStreams, "clips": f.bindClips}[f.Kind]
	if bind == nil {
		return fmt.Errorf("a feed of kind `%s`", f.Kind)
	}
	if err := bind(dims, inOrder); err != nil {
		return err
	}
	switch have := f.take * f.data.width; {
	case f.data.at != nil && have > width:
		return fmt.Errorf("its longest line needs %d places, a row of the batch has %d", have, width)
	case f.data.at == nil && have != width:
		fits := []int{f.batch, have}
		if have == 1 {
			fits = fits[:1]
		}
		return fmt.Errorf("its rows have %d numbers, a row of the batch %d\n  = help: `%s: %s` fits; if the size is a setting, `--set` changes it", have, width, f.name, typeText(f.elem, fits))
	}
	if err := f.data.holds(f.elem); err != nil {
		return err
	}
	f.to = newConverter(f.data, f.elem)
	return nil
}

// tooFew is that there are not enough data, and what to do about it.
func (f *feed) tooFew(format string, args ...any) error {
	return fmt.Errorf(format+"\n  = help: a smaller batch or a shorter cut fits (`--set`, if it is a setting); `--data %s=PATH` takes more data, and `split` says how many of them are `%s`", append(args, f.Source, f.Split)...)
}

func (f *feed) bindRows(dims []int, inOrder bool) error {
	if f.split.rows() == 0 {
		return f.tooFew("it has no rows")
	}
	if f.batch > f.split.rows() && !inOrder {
		return f.tooFew("it has %d rows, fewer than a batch of %d", f.split.rows(), f.batch)
	}
	return nil
}

// bindText takes batches [batch, length] of a sequence.
func (f *feed) bindText(dims []int) error {
	if f.data.width != 1 || f.data.at != nil || len(dims) != 2 {
		return fmt.Errorf("%s are cut from a sequence into [batch, length]", f.Kind)
	}
	if f.take = dims[1]; f.data.rows < f.take {
		return f.tooFew("it has %d elements, fewer than a cut of %d", f.data.rows, f.take)
	}
	return nil
}

func (f *feed) bindWindows(dims []int, inOrder bool) error {
	if f.step = f.Stride; f.step == 0 && inOrder {
		f.step = dims[1]
	}
	return f.bindText(dims)
}

// bindStreams: the last element of a cut begins the next one, since it was predicted but not yet read.
func (f *feed) bindStreams(dims []int, _ bool) error {
	if err := f.bindText(dims); err != nil {
		return err
	}
	if f.step = f.Stride; f.step == 0 {
		f.step = max(f.take-1, 1)
	}
	if f.stream() < f.take {
		return f.tooFew("it has %d elements, which %d streams with cuts of %d do not fit into", f.data.rows, f.batch, f.take)
	}
	return nil
}

// stream is the length of the piece of the text that one row goes through.
func (f *feed) stream() int { return f.data.rows / f.batch }

// bindClips finds the places: rows with enough rows of their sequence before and after them.
func (f *feed) bindClips(dims []int, inOrder bool) error {
	switch f.Column {
	case 0:
		f.take, f.skip = f.Past, 1-f.Past
	case 2:
		f.take, f.skip = f.Future, 1
	}
	begins := f.split.begins
	if begins == nil {
		begins = []int{0}
	}
	total := 0
	for i, b := range begins {
		end := f.split.rows()
		if i+1 < len(begins) {
			end = begins[i+1]
		}
		total += max(end-b-f.Past-f.Future+1, 0)
		f.begins, f.ends = append(f.begins, b+f.Past-1), append(f.ends, total)
	}
	if total == 0 {
		return f.tooFew("it has no sequence as long as a clip, %d rows and %d after them", f.Past, f.Future)
	}
	if f.batch > total && !inOrder {
		return f.tooFew("it has %d clips, fewer than a batch of %d", total, f.batch)
	}
	return nil
}

// examples is the number of examples that one pass in order gives. The elements after
// the last whole cut are left out.
func (f *feed) examples() int {
	switch f.Kind {
	case "windows":
		return (f.data.rows-f.take)/f.step + 1
	case "streams":
		return f.batch * ((f.stream()-f.take)/f.step + 1)
	case "clips":
		return f.ends[len(f.ends)-1]
	}
	return f.split.rows()
}

// place is that of example k in order.
func (f *feed) place(k int) int {
	switch f.Kind {
	case "windows":
		return k * f.step
	case "streams":
		return k%f.batch*f.stream() + k/f.batch*f.step
	case "clips":
		i, _ := slices.BinarySearch(f.ends, k+1)
		if i > 0 {
			k -= f.ends[i-1]
		}
		return f.begins[i] + k
	}
	return k
}

// fill writes batch number n at random: examples of a fresh permutation in each
// epoch, windows that begin anywhere, or streams that go on, at the end of the text from its start.
func (f *feed) fill(dst []byte, n int) {
	n = n*f.turns + f.turn
	for b := range f.batch {
		var at int
		switch {
		case f.Kind == "streams":
			at = (b*f.stream() + n*f.step) % (f.data.rows - f.take + 1)
		case f.Kind == "windows" && f.step > 0:
			at = f.place((n*f.batch + b) % f.examples())
		case f.Kind == "windows":
			at = f.below(f.data.rows-f.take+1, n, b)
		default:
			at = f.place(f.shuffled(n*f.batch + b))
		}
		f.copy(dst, b, at)
	}
}

// fillInOrder writes examples lo..hi of the data into the batch, again and again
// until it is full.
func (f *feed) fillInOrder(dst []byte, lo, hi int) {
	for b := range f.batch {
		f.copy(dst, b, f.place(lo+b%(hi-lo)))
	}
}

// copy makes the example at a place row b of the batch.
func (f *feed) copy(dst []byte, b, at int) {
	size := f.size / f.batch
	f.to.convert(dst[b*size:][:size], f.data.span(at+f.skip, at+f.skip+f.take))
}

// below is draw number i of batch n, uniform below limit.
func (f *feed) below(limit, n, i int) int {
	e := 2 * i // two words a draw
	w := loop.Philox4x32(f.key, [4]uint32{uint32(e / 4), uint32(n >> 32), uint32(n), 0})
	hi, _ := bits.Mul64(uint64(w[e%4+1])<<32|uint64(w[e%4]), uint64(limit))
	return int(hi)
}

// shuffled is the example at place n of the endless stream of shuffled epochs.
func (f *feed) shuffled(n int) int {
	rows := f.examples()
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
