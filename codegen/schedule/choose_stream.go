package schedule

import "mdlc/ir/loop"

// line is the bytes of a cache line; buffers begin with one.
const line = 64

// streams proposes stores past the caches for outputs that are larger than what caches keep.
// Lanes must fill whole lines, in order, and nothing in the kernel may read the output.
func (c *chooser) streams(stores []*loop.Store) {
	for _, s := range stores {
		if s.Buf.Mode == loop.Out && s.Guard == nil && c.isLarge(s.Buf) && isInLines(s) && !c.isRead(s.Buf) {
			c.do(Stream, s.Buf.Name, 0, "")
		}
	}
}

// isLarge reports whether a buffer is worth streaming; one of whole lines stays aligned where
// it is a slice of a larger one.
func (c *chooser) isLarge(b *loop.Buffer) bool {
	n := b.Bytes()
	multiple := n
	if b.Length != nil {
		multiple /= b.Dims[0]
		n /= farBelow
	}
	return b.Strides == nil && n >= c.m.Stream && multiple%line == 0
}

// isInLines reports whether one axis runs along the lines that s writes and the others step
// over whole ones.
func isInLines(s *loop.Store) bool {
	base, terms := affine(address(newIndices(), s.Buf, s.Index))
	whole := line / s.Buf.Elem.Size()
	along := 0
	for _, k := range terms {
		switch {
		case k == 1:
			along++
		case k%whole != 0:
			return false
		}
	}
	return along == 1 && base%whole == 0
}

func (c *chooser) isRead(b *loop.Buffer) bool {
	found := false
	walkBody(c.k.Body, func(v *loop.Value) { found = found || v.Op == loop.Load && v.Buf == b })
	return found
}
