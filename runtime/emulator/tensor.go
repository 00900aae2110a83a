package emulator

// Copies of boxes of tensors, which a tensor map describes. In shared memory a box is dense; with a
// swizzle the pieces of 16 bytes of a row lie at other places, which depend on the row.

const (
	tensorAlign    = 128 // of a box in shared memory
	tensorMapAlign = 64
)

// swizzled is where a piece lies, in units of 16 bytes in a row. It goes by addresses: the bits
// from 4 on are changed by those from 7 on.
func swizzled(addr, units uint64) uint64 { return addr ^ (addr>>7&(units-1))<<4 }

func units(swizzle int) uint64 { return uint64(max(swizzle/pieceBytes, 1)) }

// A boxTag says of 16 bytes of shared memory what of which box is there. So a product whose
// descriptor says something else of the layout is noticed.
type boxTag struct {
	box        uint32 // counted from 1; 0 = none
	outer      uint16 // place in the box beyond its dimensions 0 and 1
	row, chunk uint16 // in dimension 1, and in dimension 0 in pieces
	swizzle    uint8
}

func (b *block) tag(at uint64, t boxTag) {
	if b.tags == nil {
		b.tags = make([]boxTag, (len(b.shared)+pieceBytes-1)/pieceBytes)
	}
	b.tags[at/pieceBytes] = t
}

// box takes the place of a tensor map and a box's coordinates: [map, {x, y, …}].
func (o *bulkOperands) box(d *decoder, a operand) {
	rank := d.s.mods.one("1d", "2d", "3d", "4d", "5d")
	d.s.mods.has("tile")
	if rank == "" || a.kind != argMem || len(a.list) != int(rank[0]-'0') {
		d.fail("it takes as many coordinates as dimensions")
	}
	o.global.space = generic
	coords := a.list
	a.list = nil
	d.addressOf(a, &o.global)
	for _, c := range coords {
		o.coords = append(o.coords, d.src(c, elems["s32"], false))
	}
}

// tensorMap reads the map that a lane names.
func (o *bulkOperands) tensorMap(w *warp, in *inst, lane int) *TensorMap {
	s, addr := settle(generic, w.regs[o.global.addr][lane]+o.global.offset)
	if s != spaceParam && s != spaceGlobal {
		w.fault(in, lane, BadOperand, "a tensor map at %s: it must be in global or constant memory or a parameter of the kernel, which LLVM keeps it for a grid_constant only", w.blk.name(s, addr))
		return nil
	}
	align := addr
	if s == spaceParam {
		for i, at := range w.blk.k.paramAt {
			if uint64(at) == addr {
				align = uint64(w.blk.k.entry.params[i].align)
			}
		}
	}
	if align%tensorMapAlign != 0 {
		w.fault(in, lane, Misaligned, "a tensor map at %s, which is not aligned to %d", w.blk.name(s, addr), tensorMapAlign)
		return nil
	}
	var p []byte
	for at := uint64(0); at < TensorMapBytes; at += pieceBytes {
		q := w.read(in, lane, s, addr+at, pieceBytes, false)
		if q == nil {
			return nil
		}
		p = append(p, q...)
	}
	t, ok := decodeTensorMap(p)
	switch {
	case !ok:
		w.fault(in, lane, BadOperand, "there is no tensor map at %s", w.blk.name(s, addr))
	case len(t.Dims) != len(o.coords):
		w.fault(in, lane, BadOperand, "%d coordinates for a tensor of %d dimensions", len(o.coords), len(t.Dims))
	default:
		return t
	}
	return nil
}

// boxPieces lists what a copy of a box moves.
func (o *bulkOperands) boxPieces(w *warp, in *inst, lane int, shared uint64) ([]piece, *TensorMap) {
	t := o.tensorMap(w, in, lane)
	if t == nil {
		return nil, nil
	}
	if shared%tensorAlign != 0 {
		w.fault(in, lane, Misaligned, "a box at shared address %#x: it must be a multiple of %d", shared, tensorAlign)
		return nil, nil
	}
	var first [5]int64
	rows := 1
	for i, r := range o.coords {
		first[i] = int64(int32(w.regs[r][lane]))
		if i > 0 {
			rows *= t.along(i)
		}
	}
	size := int64(t.elemBytes())
	width := uint64(t.Box[0]) * uint64(size)
	var out []piece
	for row := range rows {
		global, inside := int64(t.Addr), true
		rest, tag := row, boxTag{box: 1, swizzle: uint8(t.Swizzle)}
		for i := 1; i < len(t.Dims); i++ {
			n := t.along(i)
			at := first[i] + int64(rest%n)*int64(t.ElementStrides[i])
			inside = inside && at >= 0 && at < int64(t.Dims[i])
			global += at * int64(t.Strides[i-1])
			rest /= n
			if i == 1 {
				tag.row, tag.outer = uint16(row%n), uint16(rest)
			}
		}
		for at := uint64(0); at < width; at += pieceBytes {
			x := first[0] + int64(at)/size
			p := piece{shared: swizzled(shared+uint64(row)*width+at, units(t.Swizzle)), global: uint64(global + x*size), tag: tag}
			p.tag.chunk = uint16(at / pieceBytes)
			if inside {
				p.lo = int(min(max(-x*size, 0), pieceBytes))
				p.hi = int(min(max((int64(t.Dims[0])-x)*size, int64(p.lo)), pieceBytes))
			}
			out = append(out, p)
		}
	}
	return out, t
}

// along is how many elements a box has of a dimension.
func (t *TensorMap) along(i int) int {
	return int((t.Box[i] + t.ElementStrides[i] - 1) / t.ElementStrides[i])
}
