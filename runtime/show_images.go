package runtime

import (
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"math"
)

const (
	gridSide  = 480 // pixels: smaller pictures are magnified, so that one can see them
	mostZoom  = 8
	gridShade = 128
)

// images writes [.., height, width] or [.., channels, height, width] as one PNG:
// the images in a grid, of the rows and columns of a fifth axis if there is one, a pixel apart, small ones magnified. Floats are 0 (black)
// to 1, or -1 to 1 where something is negative; integers are 0 to 255.
func (s *shown) images(w io.Writer) error {
	d := s.dims
	high, wide := d[len(d)-2], d[len(d)-1]
	channels, count := 1, product(d[:len(d)-2])
	if len(d) >= 4 && (d[len(d)-3] == 1 || d[len(d)-3] == 3) {
		channels = d[len(d)-3]
		count /= channels
	}
	level := s.levels()
	across := int(math.Ceil(math.Sqrt(float64(count))))
	if len(d) == 5 {
		across = d[1]
	}
	down := (count + max(across, 1) - 1) / max(across, 1)
	zoom := min(max(gridSide/max(across*wide, down*high, 1), 1), mostZoom)
	img := image.NewRGBA(image.Rect(0, 0, across*(zoom*wide+1)+1, down*(zoom*high+1)+1))
	draw.Draw(img, img.Rect, image.NewUniform(color.Gray{gridShade}), image.Point{}, draw.Src)
	for n := range count {
		left, top := n%across*(zoom*wide+1)+1, n/across*(zoom*high+1)+1
		for p := range high * wide {
			var rgb [3]uint8
			for c := range rgb {
				rgb[c] = level(s.at((n*channels+min(c, channels-1))*high*wide + p))
			}
			square := image.Rect(0, 0, zoom, zoom).Add(image.Pt(left+p%wide*zoom, top+p/wide*zoom))
			draw.Draw(img, square, image.NewUniform(color.RGBA{rgb[0], rgb[1], rgb[2], 255}), image.Point{}, draw.Src)
		}
	}
	return png.Encode(w, img)
}

// levels maps the value's range to 0..255.
func (s *shown) levels() func(float64) uint8 {
	clamp := func(v float64) uint8 {
		if math.IsNaN(v) {
			return 0
		}
		return uint8(math.Round(min(max(v, 0), 255)))
	}
	if s.elem.Size() == 1 && s.elem.IsInt() {
		return clamp
	}
	for i := range s.count() {
		if s.at(i) < 0 {
			return func(v float64) uint8 { return clamp((v + 1) / 2 * 255) }
		}
	}
	return func(v float64) uint8 { return clamp(v * 255) }
}
