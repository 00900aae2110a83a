package emulator

import "slices"

// Address space layout of a block: variables lie apart, so that running over the
// end of one does not reach the next, and no better aligned than they ask for.
const (
	firstAddress = 1024
	gap          = 256
	maxShared    = 227 << 10 // of a block, on the GPU that has most
	maxLocal     = 512 << 10
	maxFrame     = 64 << 10
)

// order puts f and all that it calls into the queue, each once, and refuses recursion.
func (d *decoder) order(f *function) {
	if d.busy[f] {
		d.fail("%s calls itself: recursion is not supported", f.name)
	}
	if slices.Contains(d.queue, f) {
		return
	}
	d.busy[f] = true
	d.queue = append(d.queue, f)
	for i := range f.body {
		if s := &f.body[i]; s.op == "call" {
			d.f, d.s = f, s
			d.order(d.callee())
		}
	}
	d.busy[f] = false
}

func (d *decoder) callee() *function {
	for _, a := range d.s.args {
		if a.kind == argVar {
			g := d.k.module.functions[a.name]
			if g == nil || g.declared {
				d.fail("there is no function %s", a.name)
			}
			return g
		}
	}
	d.fail("calls through pointers are not supported")
	return nil
}

// layout gives the variables of a function their addresses.
func (d *decoder) layout(f *function) {
	d.f, d.s = f, nil
	if f == d.queue[0] {
		for _, v := range d.k.module.order {
			if v.space == "shared" && !v.external {
				d.placeShared(v)
			}
		}
	} else {
		d.retRow[f] = d.newRow("the place to return to")
		for _, v := range append(f.params[:len(f.params):len(f.params)], f.results...) {
			d.frame(v)
		}
	}
	for _, v := range f.locals {
		switch v.space {
		case "shared":
			d.placeShared(v)
		case "local":
			at := nextAddress(&d.localN, v.align, v.size, maxLocal)
			if at < 0 {
				d.fail("local variables are too large")
			}
			d.localAt[v] = at
			d.k.local = append(d.k.local, placed{v, at})
		case "param":
			d.frame(v)
		}
	}
}

// layoutDynamic places the piece of shared memory whose size a launch gives, behind all others: all
// extern variables are that piece.
func (d *decoder) layoutDynamic() {
	d.f, d.s = d.queue[0], nil
	var all []*variable
	for _, v := range d.k.module.order {
		if v.space == "shared" && v.external {
			all = append(all, v)
		}
	}
	for i, v := range all {
		if i == 0 {
			widest := slices.MaxFunc(all, func(a, b *variable) int { return a.align - b.align })
			d.placeShared(widest)
		}
		d.localAt[v] = d.k.shared[len(d.k.shared)-1].addr
	}
}

func (d *decoder) frame(v *variable) {
	at := (d.k.frameBytes + v.align - 1) / v.align * v.align
	if v.size > maxFrame || at+int(v.size) > maxFrame {
		d.fail("the parameters of functions are too large")
	}
	d.frameOf[v], d.k.frameBytes = at, at+int(v.size)
}

// nextAddress finds the next address that is a multiple of align and of nothing larger.
func nextAddress(next *int, align int, size int64, limit int) int {
	align = max(align, 1)
	at := (*next + gap + align - 1) / align * align
	if at%(2*align) == 0 {
		at += align
	}
	if size > int64(limit) || at+int(size) > 4*limit {
		return -1
	}
	*next = at + int(size)
	return at
}

func (d *decoder) placeShared(v *variable) {
	at := nextAddress(&d.sharedN, v.align, v.size, maxShared)
	if at < 0 {
		d.fail("shared variables are too large")
	}
	d.localAt[v] = at
	d.k.shared = append(d.k.shared, placed{v, at})
}
