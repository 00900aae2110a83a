package emulator

var compareBuilders = map[string]func(d *decoder){"setp": setPredicate, "set": setRegister}

var orders = []string{"eq", "ne", "lt", "le", "gt", "ge", "lo", "ls", "hi", "hs", "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan"}

// comparison is the test that an instruction's modifiers name, on type e.
func (d *decoder) comparison(e elem) func(a, b uint64) bool {
	name := d.s.mods.one(orders...)
	if e.float() {
		return d.floatComparison(e, name)
	}
	signed := e.kind == 's'
	if name == "lo" || name == "ls" || name == "hi" || name == "hs" {
		signed = false
	}
	shift := 64 - e.bits // so that the sign stands at the top
	switch name {
	case "eq":
		return func(a, b uint64) bool { return a == b }
	case "ne":
		return func(a, b uint64) bool { return a != b }
	case "lt", "lo":
		if signed {
			return func(a, b uint64) bool { return int64(a<<shift) < int64(b<<shift) }
		}
		return func(a, b uint64) bool { return a < b }
	case "le", "ls":
		if signed {
			return func(a, b uint64) bool { return int64(a<<shift) <= int64(b<<shift) }
		}
		return func(a, b uint64) bool { return a <= b }
	case "gt", "hi":
		if signed {
			return func(a, b uint64) bool { return int64(a<<shift) > int64(b<<shift) }
		}
		return func(a, b uint64) bool { return a > b }
	case "ge", "hs":
		if signed {
			return func(a, b uint64) bool { return int64(a<<shift) >= int64(b<<shift) }
		}
		return func(a, b uint64) bool { return a >= b }
	}
	d.fail("this comparison is not one of integers")
	return nil
}

func (d *decoder) floatComparison(e elem, name string) func(a, b uint64) bool {
	m := floatMode{format: e.format(), ftz: d.s.mods.has("ftz")}
	var f func(x, y float64) bool
	unordered := len(name) == 3 && name != "num" && name != "nan"
	switch name {
	case "eq", "equ":
		f = func(x, y float64) bool { return x == y }
	case "ne", "neu":
		f = func(x, y float64) bool { return x < y || x > y }
	case "lt", "ltu":
		f = func(x, y float64) bool { return x < y }
	case "le", "leu":
		f = func(x, y float64) bool { return x <= y }
	case "gt", "gtu":
		f = func(x, y float64) bool { return x > y }
	case "ge", "geu":
		f = func(x, y float64) bool { return x >= y }
	case "num":
		f = func(x, y float64) bool { return x == x && y == y }
	case "nan":
		f = func(x, y float64) bool { return x != x || y != y }
	default:
		d.fail("this comparison is not one of floats")
	}
	if unordered {
		ordered := f
		f = func(x, y float64) bool { return ordered(x, y) || x != x || y != y }
	}
	return func(a, b uint64) bool { return f(m.in(a), m.in(b)) }
}

var combine = map[string]func(r, c uint32) uint32{
	"and": func(r, c uint32) uint32 { return r & c },
	"or":  func(r, c uint32) uint32 { return r | c },
	"xor": func(r, c uint32) uint32 { return r ^ c },
}

func setPredicate(d *decoder) {
	e := d.typ()
	n := 3
	name := d.s.mods.one("and", "or", "xor")
	if name != "" {
		n = 4
	}
	args := d.args(n)
	in := inst{op: opSetp, a: d.src(args[1], e, false), b: d.src(args[2], e, false), cmp: d.comparison(e), join: combine[name]}
	if n == 4 {
		in.c, in.pinv = d.predSrc(args[3])
	}
	to := args[0]
	first := to
	first.second = -1
	if e.pair { // the two halves have a predicate each
		half := elem{e.kind, e.bits, false}
		in.cmp = d.comparison(half)
		cmp := in.cmp
		lower, upper := in, in
		lower.d, lower.cmp = d.predDst(first), func(a, b uint64) bool { return cmp(a&0xffff, b&0xffff) }
		upper.d, upper.cmp = d.second(to), func(a, b uint64) bool { return cmp(a>>16, b>>16) }
		d.emit(lower)
		d.emit(upper)
		return
	}
	in.d = d.predDst(first)
	if to.second != -1 {
		in.e = d.second(to)
	}
	d.emit(in)
}

// setRegister is set: all ones or 1.0 where the comparison holds.
func setRegister(d *decoder) {
	types := d.s.mods.types()
	if len(types) != 2 || d.s.mods.one("and", "or", "xor") != "" {
		d.fail("this form is not supported")
	}
	to, e := types[0], types[1]
	yes := to.mask()
	if to.float() {
		yes = to.format().encode(1, toEven)
	}
	args := d.args(3)
	in := inst{op: opALU, d: d.dst(args[0], to, false), a: d.src(args[1], e, false), b: d.src(args[2], e, false)}
	cmp := d.comparison(elem{e.kind, e.bits, false})
	in.f = func(a, b, _ uint64) uint64 {
		if cmp(a, b) {
			return yes
		}
		return 0
	}
	if e.pair {
		if to.float() {
			yes = to.format().encode(1, toEven)
		} else {
			yes = 0xffff
		}
		in.f = lanes2(in.f)
	}
	d.emit(in)
}
