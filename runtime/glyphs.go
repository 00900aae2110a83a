package runtime

import (
	"fmt"
	"image"
	"math"
	goruntime "runtime"
	"sync"

	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goitalic"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"

	"mdlc/ir/loop"
)

// glyphLetters are what glyphs shows; a letter's label is its place here.
const glyphLetters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// outlines are those of the letters, in units of the height of a line, the middle of each at 0, 0.
type outlines [len(glyphLetters)][]segment

type segment struct {
	op   sfnt.SegmentOp
	args [3][2]float32
}

// goFonts reads the outlines of four of the Go fonts.
var goFonts = sync.OnceValue(func() []outlines {
	var fonts []outlines
	for _, ttf := range [][]byte{goregular.TTF, gobold.TTF, goitalic.TTF, gomono.TTF} {
		f, err := sfnt.Parse(ttf)
		if err != nil {
			panic(fmt.Sprintf("runtime: a font of the Go project cannot be read: %v", err))
		}
		fonts = append(fonts, readOutlines(f))
	}
	return fonts
})

func readOutlines(f *sfnt.Font) (all outlines) {
	const em = 1 << 10
	var buf sfnt.Buffer
	for i, letter := range glyphLetters {
		g, err := f.GlyphIndex(&buf, letter)
		if err != nil || g == 0 {
			panic(fmt.Sprintf("runtime: a font of the Go project has no %c: %v", letter, err))
		}
		segments, err := f.LoadGlyph(&buf, g, fixed.I(em), nil)
		if err != nil {
			panic(fmt.Sprintf("runtime: letter %c of a font of the Go project: %v", letter, err))
		}
		bounds := segments.Bounds()
		middleX, middleY := float32(bounds.Min.X+bounds.Max.X)/2, float32(bounds.Min.Y+bounds.Max.Y)/2
		for _, s := range segments {
			out := segment{op: s.Op}
			for k, p := range s.Args {
				out.args[k] = [2]float32{(float32(p.X) - middleX) / (64 * em), (float32(p.Y) - middleY) / (64 * em)}
			}
			all[i] = append(all[i], out)
		}
	}
	return all
}

// openGlyphs: Count pictures for training, a sixth of that for each of the other parts. They are the same in every
// run, whatever its seed, as those of a file are. They are drawn when a part is first used, and kept.
func (s *source) openGlyphs(string) error {
	sizes := map[string]int{"train": s.Count, "valid": (s.Count + 5) / 6, "test": (s.Count + 5) / 6}
	need := int64(s.Count) * int64(s.Size*s.Size)
	if s.Size > 1<<12 || s.Count > 1<<31 {
		return fmt.Errorf("%d pictures of %d x %d are too many", s.Count, s.Size, s.Size)
	}
	if have, ok := availableMemory(); ok && need > have {
		return fmt.Errorf("%d pictures of %d x %d need %s of memory and %s are available", s.Count, s.Size, s.Size, byteSize(need), byteSize(have))
	}
	scale := []float64{0, 1}
	if s.Scale != nil {
		scale = s.Scale
	}
	s.draw = func(part string) *split {
		n, key := sizes[part], loop.DrawKey(0, "glyphs/"+part)
		x := &array{elem: loop.U8, scale: scale, width: s.Size * s.Size, rows: n, data: make([]byte, n*s.Size*s.Size)}
		y := &array{elem: loop.U8, width: 1, rows: n, data: make([]byte, n)}
		var workers sync.WaitGroup
		many := goruntime.GOMAXPROCS(0)
		for w := range many {
			workers.Go(func() {
				pen := vector.NewRasterizer(s.Size, s.Size)
				for i := n * w / many; i < n*(w+1)/many; i++ {
					y.data[i] = drawGlyph(pen, x.span(i, i+1), s.Size, key, uint32(i))
				}
			})
		}
		workers.Wait()
		return &split{columns: []*array{x, y}}
	}
	return nil
}

// drawGlyph draws picture i, white on black, and tells its label: a letter of a font at random, slanted, stretched,
// turned and moved a little.
func drawGlyph(pen *vector.Rasterizer, pixels []byte, size int, key [2]uint32, i uint32) (label byte) {
	word := append(words(key, 2*i), words(key, 2*i+1)...)
	between := func(k int, lo, hi float64) float64 { return lo + (hi-lo)*float64(word[k])/(1<<32) }
	fonts := goFonts()
	label = byte(word[0] % uint32(len(glyphLetters)))
	outline := fonts[word[1]%uint32(len(fonts))][label]

	turn, slant := between(2, -0.25, 0.25), between(3, -0.2, 0.2)
	wide, high := between(4, 0.7, 1.05), between(5, 0.75, 1.05)
	sin, cos := math.Sincos(turn)
	em := float64(size)
	a, b := float32(em*wide*cos), float32(em*high*(slant*cos-sin))
	c, d := float32(em*wide*sin), float32(em*high*(slant*sin+cos))
	moveX, moveY := float32(em*(0.5+between(6, -0.07, 0.07))), float32(em*(0.5+between(7, -0.07, 0.07)))
	at := func(p [2]float32) (x, y float32) {
		return a*p[0] + b*p[1] + moveX, c*p[0] + d*p[1] + moveY
	}
	pen.Reset(size, size)
	for _, s := range outline {
		x0, y0 := at(s.args[0])
		x1, y1 := at(s.args[1])
		switch s.op {
		case sfnt.SegmentOpMoveTo:
			pen.ClosePath()
			pen.MoveTo(x0, y0)
		case sfnt.SegmentOpLineTo:
			pen.LineTo(x0, y0)
		case sfnt.SegmentOpQuadTo:
			pen.QuadTo(x0, y0, x1, y1)
		case sfnt.SegmentOpCubeTo:
			x2, y2 := at(s.args[2])
			pen.CubeTo(x0, y0, x1, y1, x2, y2)
		}
	}
	pen.ClosePath()
	picture := &image.Alpha{Pix: pixels, Stride: size, Rect: image.Rect(0, 0, size, size)}
	pen.Draw(picture, picture.Rect, image.Opaque, image.Point{})
	return label
}

// words are four random numbers.
func words(key [2]uint32, at uint32) []uint32 {
	w := loop.Philox4x32(key, [4]uint32{at, 0, 0, 0})
	return w[:]
}
