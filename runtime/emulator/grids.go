package emulator

import "sync/atomic"

// Launches that may begin before those of earlier kernels have ended (Config.Dependent). The emulator runs
// kernels one after another all the same; it remembers which memory the earlier ones have used, and
// reports who touches that and does not know of a griddepcontrol.wait.

// A dependence is what a launch has to do with earlier ones that may still run.
type dependence struct {
	from   uint32 // the first of them; 0 = none may
	waited atomic.Bool
}

func gridControl(d *decoder) {
	d.args(0)
	switch d.s.mods.one("wait", "launch_dependents") {
	case "wait":
		d.emit(inst{op: opRun, run: func(w *warp, in *inst, m uint32) {
			if l := w.blk.l; l.earlier.from > 0 {
				l.earlier.waited.Store(true)
				w.learnOf(m, w.blk.threads, 1)
			}
		}})
	case "launch_dependents": // they may begin at any time anyway
	default:
		d.fail("this form is not supported")
	}
}

// used is which bytes of a page launches have used that may still run.
type used struct {
	from          uint32
	read, written [pageBytes / 8]uint8
}

// remember adds what the last launch on a page has done to what is known of earlier ones.
func (p *page) remember(from uint32) {
	if p.launch < from {
		p.used = nil
		return
	}
	if p.used == nil || p.used.from < from {
		p.used = &used{from: from}
	}
	size := pageBytes / len(p.cells)
	for i := range p.cells {
		c := &p.cells[i]
		if c.w != 0 {
			setBits(p.used.written[:], i*size, size)
		}
		if c.r1|c.r2 != 0 || c.block == manyReaders {
			setBits(p.used.read[:], i*size, size)
		}
	}
}

// tooEarly reports the use of memory that an earlier launch may not be through with.
func (w *warp) tooEarly(in *inst, lane int, p *page, at, n int, addr uint64, write bool) bool {
	if p.used == nil || w.blk.l.earlier.from == 0 || w.views[lane][w.blk.threads] > 0 {
		return false
	}
	was := "written"
	switch {
	case anySet(p.used.written[:], at, n):
	case write && anySet(p.used.read[:], at, n):
		was = "read"
	default:
		return false
	}
	w.fault(in, lane, Race, "%s is used here and %s by a kernel launched earlier, which may not have ended: griddepcontrol.wait is missing before", w.blk.name(spaceGlobal, addr), was)
	return true
}

func anySet(bits []uint8, at, n int) bool {
	for i := at; i < at+n; i++ {
		if bits[i>>3]>>(i&7)&1 != 0 {
			return true
		}
	}
	return false
}
