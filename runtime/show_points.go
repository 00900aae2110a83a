package runtime

import (
	"fmt"
	"image/png"
	"io"
	"math"
)

// points writes [n, 2] as a scatter plot in PNG, or [groups, n, 2] with a colour for each group.
// Points that are not finite are left out and counted.
func (s *shown) points(w io.Writer) error {
	n := s.count() / 2
	xs, ys := empty(), empty()
	good := 0
	for i := range n {
		if x, y := s.at(2*i), s.at(2*i+1); finite(x) && finite(y) {
			xs, ys = xs.with(x), ys.with(y)
			good++
		}
	}
	title := fmt.Sprintf("%d points", n)
	if good < n {
		title += fmt.Sprintf(", %d of them not finite", n-good)
	}
	if good == 0 {
		xs, ys = axis{}, axis{}
	}
	xs, ys = sameScale(xs.widened(0.06), ys.widened(0.06))
	p := newPlot(xs, ys, title)
	group := n
	if len(s.dims) == 3 {
		group = s.dims[1]
	}
	radius, opacity := 2.6, 0.7
	if good > 1500 { // where they lie upon each other, the shades tell how many
		radius, opacity = 1.6, 0.45
	}
	for i := range n {
		if x, y := s.at(2*i), s.at(2*i+1); finite(x) && finite(y) {
			p.dot(p.x.pixel(x), p.y.pixel(y), radius, plotColors[i/group%len(plotColors)], opacity)
		}
	}
	return png.Encode(w, p.img)
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// empty is an axis that holds nothing yet, with adds a number.
func empty() axis { return axis{lo: math.Inf(1), hi: math.Inf(-1)} }

func (a axis) with(v float64) axis {
	a.lo, a.hi = min(a.lo, v), max(a.hi, v)
	return a
}

// sameScale makes a unit as long on both axes, where the ranges are alike: circles are round then.
func sameScale(x, y axis) (axis, axis) {
	const wide, high = plotWide - plotLeft - plotRight, plotHigh - plotTop - plotBottom
	unitX, unitY := (x.hi-x.lo)/wide, (y.hi-y.lo)/high
	grow := func(a axis, by float64) axis {
		middle, half := (a.lo+a.hi)/2, (a.hi-a.lo)/2*by
		a.lo, a.hi = middle-half, middle+half
		return a
	}
	switch {
	case unitX > 4*unitY || unitY > 4*unitX:
		return x, y
	case unitX > unitY:
		return x, grow(y, unitX/unitY)
	}
	return grow(x, unitY/unitX), y
}
