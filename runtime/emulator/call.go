package emulator

import "slices"

// Calls. Parameters and results of functions are copied between frames. What was not given a value may be
// passed on, as LLVM does with values that it knows to be unused; where it is used it is undefined.

// A frame holds a lane's parameters and results of all functions of a kernel.
type frame struct {
	data    []byte
	defined []bool // of each byte: it holds a value
}

func newFrame(k *Kernel) frame {
	return frame{data: make([]byte, k.frameBytes), defined: make([]bool, k.frameBytes)}
}

func (f *frame) holds(addr uint64, n int) bool {
	return !slices.Contains(f.defined[addr:addr+uint64(n)], false)
}

func (f *frame) note(addr uint64, n int, defined bool) {
	for i := range f.defined[addr : addr+uint64(n)] {
		f.defined[addr+uint64(i)] = defined
	}
}

// frame is where a lane's access to parameters or results goes; nil after a fault.
func (w *warp) frame(in *inst, lane int, addr uint64, n int) []byte {
	f := &w.frames[lane]
	if addr >= uint64(len(f.data)) || addr+uint64(n) > uint64(len(f.data)) {
		w.fault(in, lane, OutOfBounds, "an access of %d bytes outside the parameters of the function", n)
		return nil
	}
	return f.data[addr : addr+uint64(n)]
}

// A span is bytes to copy between frames at a call.
type span struct{ to, from, n int }

func copyFrames(w *warp, in *inst, m uint32) {
	for l := range eachLane(m) {
		f := &w.frames[l]
		for _, c := range in.copies {
			copy(f.data[c.to:c.to+c.n], f.data[c.from:c.from+c.n])
			copy(f.defined[c.to:c.to+c.n], f.defined[c.from:c.from+c.n])
		}
	}
}

// fresh is what of a function holds nothing when it is called, whatever an earlier call left there.
type fresh struct {
	rows, preds []int32
	locals      []placed
	results     []placed
}

func (d *decoder) freshOf(g *function) *fresh {
	f := &fresh{}
	for key, r := range d.rowOf {
		if key.f == g {
			f.rows = append(f.rows, r)
		}
	}
	for key, r := range d.predOf {
		if key.f == g {
			f.preds = append(f.preds, r)
		}
	}
	for _, v := range g.locals {
		if v.space == "local" {
			f.locals = append(f.locals, placed{v, d.localAt[v]})
		}
	}
	for _, v := range g.results {
		f.results = append(f.results, placed{v, d.frameOf[v]})
	}
	return f
}

// enter copies the arguments of a call and makes the rest of the callee hold nothing.
func (w *warp) enter(in *inst, m uint32) {
	copyFrames(w, in, m)
	for _, r := range in.fresh.rows {
		w.def[r] &^= m
	}
	for _, p := range in.fresh.preds {
		w.pdef[p] &^= m
	}
	for l := range eachLane(m) {
		for _, p := range in.fresh.locals {
			clearBits(w.local[l].written, p.addr, int(p.v.size))
		}
		for _, p := range in.fresh.results {
			w.frames[l].note(uint64(p.addr), int(p.v.size), false)
		}
	}
}

// call copies arguments into the callee's frame, jumps, and copies results back.
func (d *decoder) call() {
	if d.s.guard >= 0 {
		d.fail("calls under a predicate are not supported")
	}
	g := d.callee()
	var lists [][]operand
	for _, a := range d.s.args {
		if a.kind == argList {
			lists = append(lists, a.list)
		}
	}
	named := slices.IndexFunc(d.s.args, func(a operand) bool { return a.kind == argVar })
	var results, params []operand
	if named == 1 && d.s.args[0].kind == argList {
		results = lists[0]
		lists = lists[1:]
	}
	if len(lists) > 0 {
		params = lists[0]
	}
	if len(params) != len(g.params) || len(results) != len(g.results) {
		d.fail("%s takes %d parameters and gives %d results", g.name, len(g.params), len(g.results))
	}
	in := inst{op: opCall, d: d.retRow[g], target: int32(slices.Index(d.queue, g))}
	for i, a := range params {
		in.copies = append(in.copies, span{to: d.frameOf[g.params[i]], from: d.frameVar(a), n: int(g.params[i].size)})
	}
	d.emit(in)
	back := inst{op: opRun, run: copyFrames}
	for i, a := range results {
		back.copies = append(back.copies, span{to: d.frameVar(a), from: d.frameOf[g.results[i]], n: int(g.results[i].size)})
	}
	if len(results) > 0 {
		d.emit(back)
	}
}

func (d *decoder) frameVar(o operand) int {
	if o.kind == argVar {
		if at, ok := d.frameOf[d.variable(o.name)]; ok {
			return at
		}
	}
	d.fail("arguments of a call must be .param variables")
	return 0
}
