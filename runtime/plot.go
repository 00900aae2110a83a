package runtime

import (
	"image"
	"image/color"
	"image/draw"
	"math"
	"strconv"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
)

// axis maps numbers lo..hi to pixels from..to.
type axis struct {
	lo, hi   float64
	from, to float64
}

func (a axis) pixel(v float64) float64 { return a.from + (v-a.lo)/(a.hi-a.lo)*(a.to-a.from) }

// widened is a with a margin of a share on each side, and never empty.
func (a axis) widened(share float64) axis {
	margin := (a.hi - a.lo) * share
	if margin == 0 {
		margin = max(math.Abs(a.lo)*0.1, 0.5)
	}
	a.lo, a.hi = a.lo-margin, a.hi+margin
	return a
}

// ticks are round numbers in lo..hi, about n of them: multiples of 1, 2 or 5 times a power of ten.
func (a axis) ticks(n int) []float64 {
	rough := (a.hi - a.lo) / float64(n)
	power := math.Pow(10, math.Floor(math.Log10(rough)))
	step := 10 * power
	for _, m := range []float64{1, 2, 5} {
		if m*power >= rough {
			step = m * power
			break
		}
	}
	var out []float64
	for k := math.Ceil(a.lo/step - 1e-9); k*step <= a.hi+step*1e-9; k++ {
		out = append(out, k*step+0) // not -0
	}
	return out
}

// plot is a picture with two axes.
type plot struct {
	img  *image.RGBA
	x, y axis
}

const (
	plotWide, plotHigh               = 640, 520
	plotLeft, plotRight              = 72, 24
	plotTop, plotBottom              = 36, 44
	labelWide, labelHigh, labelAbove = 7, 13, 4 // of a letter of basicfont
)

var (
	plotInk  = color.RGBA{60, 64, 72, 255}
	plotGrid = color.RGBA{232, 234, 238, 255}
	// plotColors are those of Okabe and Ito, which the colour-blind tell apart.
	plotColors = []color.RGBA{{0, 114, 178, 255}, {213, 94, 0, 255}, {0, 158, 115, 255}, {204, 121, 167, 255}, {230, 159, 0, 255}, {86, 180, 233, 255}, {120, 120, 120, 255}}
)

// newPlot draws the axes for numbers in the ranges x and y, and a line of text above.
func newPlot(x, y axis, title string) *plot {
	p := &plot{img: image.NewRGBA(image.Rect(0, 0, plotWide, plotHigh)), x: x, y: y}
	p.x.from, p.x.to = plotLeft, plotWide-plotRight
	p.y.from, p.y.to = plotHigh-plotBottom, plotTop
	draw.Draw(p.img, p.img.Bounds(), image.White, image.Point{}, draw.Src)
	for _, v := range p.x.ticks(7) {
		at := p.x.pixel(v)
		p.fill(at, p.y.to, at+1, p.y.from, plotGrid)
		label := strconv.FormatFloat(v, 'g', 6, 64)
		p.text(label, at-float64(len(label)*labelWide)/2, p.y.from+labelHigh+6)
	}
	for _, v := range p.y.ticks(6) {
		at := p.y.pixel(v)
		p.fill(p.x.from, at, p.x.to, at+1, plotGrid)
		label := strconv.FormatFloat(v, 'g', 6, 64)
		p.text(label, p.x.from-8-float64(len(label)*labelWide), at+labelAbove)
	}
	p.fill(p.x.from, p.y.from, p.x.to, p.y.from+1, plotInk)
	p.fill(p.x.from, p.y.to, p.x.from+1, p.y.from, plotInk)
	p.text(title, plotLeft, plotTop-14)
	return p
}

// fill paints a rectangle, given in pixels.
func (p *plot) fill(x0, y0, x1, y1 float64, c color.Color) {
	r := image.Rect(int(math.Round(x0)), int(math.Round(y0)), int(math.Round(x1)), int(math.Round(y1)))
	draw.Draw(p.img, r, image.NewUniform(c), image.Point{}, draw.Over)
}

func (p *plot) text(s string, x, y float64) {
	d := font.Drawer{Dst: p.img, Src: image.NewUniform(plotInk), Face: basicfont.Face7x13, Dot: fixed.P(int(math.Round(x)), int(math.Round(y)))}
	d.DrawString(s)
}

// dot paints a round spot around pixel x, y, its edge smooth.
func (p *plot) dot(x, y, radius float64, c color.RGBA, opacity float64) {
	for py := int(y - radius - 1); py <= int(y+radius+1); py++ {
		for px := int(x - radius - 1); px <= int(x+radius+1); px++ {
			away := math.Hypot(float64(px)+0.5-x, float64(py)+0.5-y)
			cover := min(max(radius+0.5-away, 0), 1) * opacity
			if cover > 0 && image.Pt(px, py).In(p.img.Bounds()) {
				old := p.img.RGBAAt(px, py)
				mix := func(a, b uint8) uint8 { return uint8(math.Round(float64(a) + (float64(b)-float64(a))*cover)) }
				p.img.SetRGBA(px, py, color.RGBA{mix(old.R, c.R), mix(old.G, c.G), mix(old.B, c.B), 255})
			}
		}
	}
}
