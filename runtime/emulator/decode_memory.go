package emulator

import "math/bits"

var memoryBuilders = map[string]func(d *decoder){
	"ld": load, "ldu": load, "st": store, "prefetch": nothing, "prefetchu": nothing, "isspacep": isSpace,
}

// nothing is for instructions that only matter to the speed or, as fences, to
// memory that the emulator keeps in order.
func nothing(d *decoder) { d.s.mods.all() }

var spaces = map[string]space{"global": spaceGlobal, "shared": spaceShared, "const": spaceConst, "local": spaceLocal, "param": spaceParam, "shared::cta": spaceShared, "shared::cluster": spaceCluster}

// space reads the state space among the modifiers, which may stand as shared::cta.
func (d *decoder) space() space {
	name := d.s.mods.one("global", "shared", "const", "local", "param", "shared::cta", "shared::cluster")
	return spaces[name] // generic if there is none
}

// accessOf decodes the address and kind of a load or store.
func (d *decoder) accessOf(o operand, list []operand) *access {
	if m := d.s.mods.one("acquire", "release", "relaxed", "mmio"); m != "" {
		d.fail(".%s is not supported: order threads with barriers", m)
	}
	x := &access{space: d.space(), elem: d.typ(), count: 1}
	switch d.s.mods.one("v2", "v4", "v8") {
	case "v2":
		x.count = 2
	case "v4":
		x.count = 4
	case "v8":
		d.fail("vectors of 8 are not supported")
	}
	if x.elem.kind == 'p' || x.bytes() > 16 || len(list) != x.count {
		d.fail("this access is not supported")
	}
	d.addressOf(o, x)
	d.narrow(x.space, x.bytes())
	return x
}

func (d *decoder) addressOf(o operand, x *access) {
	if o.kind != argMem {
		d.fail("an address in [ ] is missing")
	}
	if o.list != nil {
		d.fail("coordinates are of boxes of tensors only")
	}
	x.offset = o.value
	e := elems["u64"]
	switch {
	case o.name != "":
		x.addr = d.address(o.name)
		if v := d.variable(o.name); x.space == spaceParam {
			if _, frame := d.frameOf[v]; frame {
				x.space = spaceFrame
			}
		}
	case o.reg >= 0:
		if x.space == spaceParam && d.f != d.k.entry {
			x.space = spaceFrame
		}
		if (x.space == spaceShared || x.space == spaceCluster) && d.f.regs[o.reg].elem.width() == 32 {
			e = elems["u32"]
		}
		x.addr = d.src(operand{kind: argReg, reg: o.reg, second: -1}, e, false)
	default:
		x.addr = zeroRow
	}
}

// narrow keeps the width of the kernel's narrowest access, for the shadow memory.
func (d *decoder) narrow(s space, n int) {
	if s == spaceShared || s == spaceCluster || s == generic {
		d.k.granule[0] = min(d.k.granule[0], n)
	}
	if s == spaceGlobal || s == generic {
		d.k.granule[1] = min(d.k.granule[1], n)
	}
}

func elementsOf(o operand) []operand {
	if o.kind == argVector {
		return o.list
	}
	return []operand{o}
}

func load(d *decoder) {
	args := d.args(2)
	list := elementsOf(args[0])
	x := d.accessOf(args[1], list)
	x.constant = d.s.mods.has("nc")
	x.regMask = ones(64)
	for i, o := range list {
		x.rows[i] = d.dst(o, x.elem, true)
		if o.kind == argReg {
			x.regMask = ones(d.f.regs[o.reg].elem.width())
		}
	}
	d.emit(inst{op: opRun, run: loadLanes, mem: x})
}

func store(d *decoder) {
	if d.s.mods.has("async") {
		storeAsync(d)
		return
	}
	args := d.args(2)
	list := elementsOf(args[1])
	x := d.accessOf(args[0], list)
	for i, o := range list {
		x.rows[i] = d.src(o, x.elem, true)
	}
	d.emit(inst{op: opRun, run: storeLanes, mem: x})
}

func isSpace(d *decoder) {
	args := d.args(2)
	want := d.space()
	in := inst{op: opSetp, d: d.predDst(args[0]), a: d.src(args[1], elems["u64"], false)}
	in.cmp = func(a, _ uint64) bool {
		s, addr := settle(generic, a)
		return s == want || s == spaceCluster && want == spaceShared && addr <= sharedMask // of this block
	}
	d.emit(in)
}

// special is the row of a special register.
func (d *decoder) special(name string) int32 {
	if r, ok := d.specOf[name]; ok {
		return r
	}
	value, ok := specials[name]
	if !ok {
		d.fail("the special register %s is not supported", name)
	}
	r := d.newRow(name)
	d.specOf[name] = r
	d.k.specs = append(d.k.specs, specialRow{r, value})
	return r
}

type specialRow struct {
	row   int32
	value func(w *warp, lane int) uint64
}

var specials = map[string]func(w *warp, lane int) uint64{
	"%laneid":            func(w *warp, l int) uint64 { return uint64(l) },
	"%warpid":            func(w *warp, l int) uint64 { return uint64(w.index) },
	"%nwarpid":           func(w *warp, l int) uint64 { return uint64(len(w.blk.warps)) },
	"%lanemask_eq":       func(w *warp, l int) uint64 { return 1 << l },
	"%lanemask_lt":       func(w *warp, l int) uint64 { return 1<<l - 1 },
	"%lanemask_le":       func(w *warp, l int) uint64 { return 1<<(l+1) - 1 },
	"%lanemask_ge":       func(w *warp, l int) uint64 { return uint64(^uint32(1<<l - 1)) },
	"%lanemask_gt":       func(w *warp, l int) uint64 { return uint64(^uint32(1<<(l+1) - 1)) },
	"%dynamic_smem_size": func(w *warp, l int) uint64 { return uint64(w.blk.l.sharedBytes) },
	"WARP_SZ":            func(w *warp, l int) uint64 { return lanes },
}

func init() {
	for i, axis := range []string{"x", "y", "z"} {
		specials["%tid."+axis] = func(w *warp, l int) uint64 { return uint64(w.blk.threadID(w.first + l)[i]) }
		specials["%ntid."+axis] = func(w *warp, l int) uint64 { return uint64(w.blk.l.block[i]) }
		specials["%ctaid."+axis] = func(w *warp, l int) uint64 { return uint64(w.blk.id[i]) }
		specials["%nctaid."+axis] = func(w *warp, l int) uint64 { return uint64(w.blk.l.grid[i]) }
	}
}

// trap ends the kernel.
func trap(d *decoder) {
	d.emit(inst{op: opRun, run: func(w *warp, in *inst, m uint32) {
		w.fault(in, bits.TrailingZeros32(m), Trapped, "the kernel stops itself")
	}})
}
