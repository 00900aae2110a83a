package emulator

import "slices"

var moveBuilders = map[string]func(d *decoder){"mov": move, "selp": selectBy, "slct": selectBySign}

func move(d *decoder) {
	args := d.args(2)
	e := d.typ()
	switch {
	case e.kind == 'p':
		in := inst{op: opRun, d: d.predDst(args[0])}
		src, inv := d.predSrc(args[1])
		in.a = src
		in.run = func(w *warp, i *inst, m uint32) {
			w.setPred(i.d, m, w.preds[i.a]^allOf(inv), w.pdef[i.a])
		}
		d.emit(in)
	case args[0].kind == argVector:
		d.unpack(args[0].list, args[1], e)
	case args[1].kind == argVector:
		d.pack(args[0], args[1].list, e)
	default:
		d.emit(inst{op: opMov, d: d.dst(args[0], e, false), a: d.src(args[1], e, false)})
	}
}

// unpack spreads a register over several, the first of which gets the low bits.
func (d *decoder) unpack(to []operand, from operand, e elem) {
	if len(to) < 2 || e.bits%len(to) != 0 {
		d.fail("%d parts of %d bits", len(to), e.bits)
	}
	part := elem{'b', e.bits / len(to), false}
	// A source that is also a destination must not be overwritten before its last use.
	a := d.src(from, e, false)
	tmp := d.newRow("mov")
	d.emit(inst{op: opMov, d: tmp, a: a})
	for i, o := range to {
		if o.kind == argSink {
			continue
		}
		shift, mask := i*part.bits, part.mask()
		d.emit(inst{op: opALU, d: d.dst(o, part, false), a: tmp, f: func(a, _, _ uint64) uint64 { return a >> shift & mask }})
	}
}

func (d *decoder) pack(to operand, from []operand, e elem) {
	if len(from) < 2 || e.bits%len(from) != 0 {
		d.fail("%d parts of %d bits", len(from), e.bits)
	}
	part := elem{'b', e.bits / len(from), false}
	at := d.dst(to, e, false)
	tmp := d.newRow("mov")
	for i, o := range slices.Backward(from) {
		in := inst{op: opALU, d: tmp, a: tmp, b: d.src(o, part, false), f: func(a, b, _ uint64) uint64 { return a<<part.bits | b }}
		if i == len(from)-1 {
			in.a = zeroRow
		}
		if i == 0 {
			in.d = at
		}
		d.emit(in)
	}
}

func selectBy(d *decoder) {
	e := d.typ()
	args := d.args(4)
	in := inst{op: opSelp, d: d.dst(args[0], e, false), a: d.src(args[1], e, false), b: d.src(args[2], e, false)}
	in.c, in.pinv = d.predSrc(args[3])
	d.emit(in)
}

func selectBySign(d *decoder) {
	types := d.s.mods.types()
	if len(types) != 2 {
		d.fail("it needs two types")
	}
	args := d.args(4)
	e, by := types[0], types[1]
	d.emit(inst{op: opALU, d: d.dst(args[0], e, false), a: d.src(args[1], e, false), b: d.src(args[2], e, false), c: d.src(args[3], by, false), f: func(a, b, c uint64) uint64 {
		if by.kind == 'f' && f32.decode(c) >= 0 || by.kind != 'f' && int32(c) >= 0 {
			return a
		}
		return b
	}})
}
