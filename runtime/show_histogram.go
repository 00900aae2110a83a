package runtime

import (
	"fmt"
	"image/png"
	"io"
	"math"
)

// bins are the counts of a histogram: bin i holds numbers from lo + i*width on.
type bins struct {
	lo, width float64
	counts    []int
	left      int // numbers that are not finite
	mean, std float64
}

// most is the number of bins that a histogram has at most.
const mostBins = 100

// bins counts. There are 2·∛n bins (Rice's rule); integers that lie close have one each.
func (s *shown) bins() bins {
	span, sum, n := empty(), 0.0, 0
	for i := range s.count() {
		if v := s.at(i); finite(v) {
			span, sum, n = span.with(v), sum+v, n+1
		}
	}
	b := bins{left: s.count() - n, width: 1}
	if n == 0 {
		b.counts = []int{0}
		return b
	}
	many := min(max(int(math.Round(2*math.Cbrt(float64(n)))), 5), mostBins)
	switch whole := !s.elem.IsFloat(); {
	case whole && span.hi-span.lo < mostBins:
		b.lo, many = span.lo-0.5, int(span.hi-span.lo)+1
	case span.hi == span.lo:
		b.lo, many = span.lo-0.5, 1
	default:
		b.lo, b.width = span.lo, (span.hi-span.lo)/float64(many)
	}
	b.counts, b.mean = make([]int, many), sum/float64(n)
	for i := range s.count() {
		if v := s.at(i); finite(v) {
			b.counts[min(max(int((v-b.lo)/b.width), 0), many-1)]++
			b.std += (v - b.mean) * (v - b.mean)
		}
	}
	b.std = math.Sqrt(b.std / float64(n))
	return b
}

// histogram writes how often values occur, as bars in PNG.
func (s *shown) histogram(w io.Writer) error {
	b := s.bins()
	most := 1
	for _, c := range b.counts {
		most = max(most, c)
	}
	title := fmt.Sprintf("%d values, mean %.4g, standard deviation %.4g", s.count()-b.left, b.mean, b.std)
	if b.left > 0 {
		title += fmt.Sprintf(", %d not finite", b.left)
	}
	x := axis{lo: b.lo, hi: b.lo + b.width*float64(len(b.counts))}.widened(0.02)
	p := newPlot(x, axis{hi: 1.05 * float64(most)}, title)
	for i, c := range b.counts {
		from, to := p.x.pixel(b.lo+b.width*float64(i)), p.x.pixel(b.lo+b.width*float64(i+1))
		if to-from > 4 {
			from++ // a line between bars
		}
		p.fill(from, p.y.pixel(float64(c)), to, p.y.from, plotColors[0])
	}
	return png.Encode(w, p.img)
}

// histogramCounts writes the bars' ends and heights.
func (s *shown) histogramCounts(w io.Writer) error {
	b := s.bins()
	text := []byte("from,to,count\n")
	for i, c := range b.counts {
		text = fmt.Appendf(text, "%.9g,%.9g,%d\n", b.lo+b.width*float64(i), b.lo+b.width*float64(i+1), c)
	}
	_, err := w.Write(text)
	return err
}
