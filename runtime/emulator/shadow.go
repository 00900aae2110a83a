package emulator

// A cell is what is known of a piece of memory: its last writer, and the threads
// that have read it since and are not ordered to each other. Two have room here, further
// ones are in a list (readers).
type cell struct {
	w, r1, r2 stamp
	more      int32 // 1 + the list's number, 0 = none
}

// read notes a read and returns the write that it races with, if there is one. It is ordered as
// what the thread does under view v, though it may be another's that the thread has started.
func (c *cell) read(me stamp, thread int, v view, more *readers) (stamp, bool) {
	if c.w != 0 && !c.w.before(thread, v) {
		return c.w, false
	}
	switch {
	case c.r1 == 0 || c.r1.before(thread, v) || c.r1.thread() == me.thread():
		c.r1 = me
		if c.r2 != 0 && c.r2.before(thread, v) {
			c.r2 = 0
		}
	case c.r2 == 0 || c.r2.before(thread, v) || c.r2.thread() == me.thread():
		c.r2 = me
	default:
		c.more = more.add(c.more, thread, me)
	}
	return 0, true
}

// write notes a write and returns the access that it races with, if there is one.
func (c *cell) write(me stamp, thread int, v view, more *readers) (stamp, bool) {
	for _, s := range [3]stamp{c.w, c.r1, c.r2} {
		if s != 0 && s != me && !s.before(thread, v) { // a copy may come to a cell in steps
			return s, false
		}
	}
	if c.more != 0 {
		for _, s := range more.lists[c.more-1] {
			if s != 0 && !s.before(thread, v) {
				return s, false
			}
		}
		more.release(c.more)
	}
	*c = cell{w: me}
	return 0, true
}

// readers are lists of a block with the last read of each thread, for cells that many
// read. There are as many as maxReaderBytes allow; a cell beyond them keeps to its two.
type readers struct {
	threads int
	lists   [][]stamp
	used    []bool
	free    []int32
}

const maxReaderBytes = 128 << 20

func (r *readers) add(list int32, thread int, s stamp) int32 {
	if list == 0 {
		if n := len(r.free); n > 0 {
			list, r.free = r.free[n-1], r.free[:n-1]
		} else if len(r.lists)*r.threads*8 < maxReaderBytes {
			r.lists, r.used = append(r.lists, make([]stamp, r.threads)), append(r.used, false)
			list = int32(len(r.lists))
		} else {
			return 0
		}
		r.used[list-1] = true
	}
	r.lists[list-1][thread] = s
	return list
}

func (r *readers) release(list int32) {
	clear(r.lists[list-1])
	r.used[list-1] = false
	r.free = append(r.free, list)
}

// reset takes all lists back: the cells of the next block know none of them.
func (r *readers) reset() {
	for i, used := range r.used {
		if used {
			r.release(int32(i + 1))
		}
	}
}

// A globalCell is a cell that several blocks may share. Nothing orders two blocks
// of a launch, so the block that came first owns the cell, until another one reads it.
type globalCell struct {
	cell
	block    int32 // 1 + the block's number, 0 = none, manyReaders
	constant bool  // was read by ld.global.nc, which promises that nothing writes here
}

const manyReaders = -1

func (c *globalCell) read(me stamp, thread int, block int32, v view, more *readers, constant bool) (stamp, bool) {
	if constant {
		if c.w != 0 {
			return c.w, false
		}
		c.constant = true
	}
	switch c.block {
	case 0:
		c.block = block
	case manyReaders:
		return 0, true
	case block:
	default:
		if c.w != 0 {
			return c.w, false
		}
		c.block = manyReaders
		return 0, true
	}
	return c.cell.read(me, thread, v, more)
}

func (c *globalCell) write(me stamp, thread int, block int32, v view, more *readers) (stamp, bool) {
	if c.block == 0 {
		c.block = block
	}
	if c.block != block || c.constant {
		return max(c.w, c.r1), false
	}
	return c.cell.write(me, thread, v, more)
}

// random is a small generator: schedules must repeat from their seed.
type random struct{ state uint64 }

func (r *random) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (r *random) below(n int) int { return int(r.next() % uint64(n)) }
