package runtime

import (
	"bufio"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"mdlc/runtime/program"
)

// shown is a value on its way out: its buffer, and how much of the last axis counts.
type shown struct {
	*program.Output
	buf  *program.Buffer
	mem  []byte
	last int // elements of the last axis that exist
}

func (s *shown) at(i int) float64 { return readElem(s.buf.Elem, s.mem, i) }

// rows calls f with the start of each row along the last axis.
func (s *shown) rows(f func(start int)) {
	dims := s.buf.Dims
	if len(dims) == 0 {
		f(0)
		return
	}
	for r := range product(dims[:len(dims)-1]) {
		f(r * dims[len(dims)-1])
	}
}

// checkOutput refuses what cannot be shown or reported, before anything runs.
func checkOutput(out *program.Output, buf *program.Buffer) error {
	if !canRead(buf.Elem) {
		return fmt.Errorf("%s: error: values of type %s can be neither shown nor reported", out.Pos, buf.Elem)
	}
	if out.Kind != program.OutputShow {
		return nil
	}
	switch out.As {
	case "", "values", "text":
		return nil
	case "images":
		if len(buf.Dims) >= 2 {
			return nil
		}
		return fmt.Errorf("%s: error: `show … as images` takes [height, width], [n, height, width] or [n, channels, height, width], not %v", out.Pos, buf.Dims)
	}
	return fmt.Errorf("%s: error: `show … as %s` is not supported; text, images and values can be shown", out.Pos, out.As)
}

// showAll shows what b shows: text and values on out, or in the run folder's
// samples where out is nil; images always there.
func (r *Runner) showAll(title string, b *block, step int, out io.Writer) error {
	n := 0
	for i := range b.Outputs {
		if b.Outputs[i].Kind != program.OutputShow {
			continue
		}
		n++
		s := &shown{Output: &b.Outputs[i], buf: &b.Bufs[b.Outputs[i].Buf], mem: b.bufs[b.Outputs[i].Buf], last: 1}
		if d := s.buf.Dims; len(d) > 0 {
			s.last = d[len(d)-1]
		}
		if s.Len != nil {
			c, err := compileExpr(s.Len, func(name string) (int, bool) { slot, ok := b.names[name]; return slot, ok })
			if err != nil {
				return err
			}
			s.last = min(c.eval(b.slots), s.last)
		}
		name := fmt.Sprintf("%s-%06d-%d", strings.ReplaceAll(title, " ", "-"), step, n)
		if err := r.show(s, name, out); err != nil {
			return err
		}
	}
	return nil
}

func (r *Runner) show(s *shown, name string, out io.Writer) error {
	write, ending := s.values, ".txt"
	switch s.As {
	case "text":
		write = s.text
	case "images":
		write, ending, out = s.images, ".png", nil
	}
	if out != nil {
		w := bufio.NewWriter(out)
		if err := write(w); err != nil {
			return err
		}
		return w.Flush()
	}
	path := filepath.Join(r.o.Out, "samples", name+ending)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	err = write(f)
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		r.o.Progress.Line("wrote %s", path)
	}
	return err
}

// text writes each row's elements as bytes, and a line break.
func (s *shown) text(w io.Writer) (err error) {
	s.rows(func(start int) {
		line := make([]byte, s.last, s.last+1)
		for i := range line {
			line[i] = byte(s.at(start + i))
		}
		if _, e := w.Write(append(line, '\n')); err == nil {
			err = e
		}
	})
	return err
}

// values writes each row's numbers on a line.
func (s *shown) values(w io.Writer) (err error) {
	bits := 64
	if s.buf.Elem.Size() < 8 {
		bits = 32
	}
	s.rows(func(start int) {
		var line []byte
		for i := range s.last {
			if i > 0 {
				line = append(line, ' ')
			}
			line = strconv.AppendFloat(line, s.at(start+i), 'g', -1, bits)
		}
		if _, e := w.Write(append(line, '\n')); err == nil {
			err = e
		}
	})
	return err
}

// images writes [.., height, width] or [n, channels, height, width] as one PNG:
// the images in a grid, a pixel apart. Floats are 0 (black) to 1, or -1 to 1
// where something is negative; integers are 0 to 255.
func (s *shown) images(w io.Writer) error {
	d := s.buf.Dims
	high, wide := d[len(d)-2], d[len(d)-1]
	channels, count := 1, product(d[:len(d)-2])
	if len(d) >= 4 && (d[len(d)-3] == 1 || d[len(d)-3] == 3) {
		channels = d[len(d)-3]
		count /= channels
	}
	level := s.levels()
	across := int(math.Ceil(math.Sqrt(float64(count))))
	down := (count + max(across, 1) - 1) / max(across, 1)
	img := image.NewRGBA(image.Rect(0, 0, across*(wide+1)+1, down*(high+1)+1))
	for i := range img.Pix {
		img.Pix[i] = 128
		if i%4 == 3 {
			img.Pix[i] = 255
		}
	}
	for n := range count {
		left, top := n%across*(wide+1)+1, n/across*(high+1)+1
		for p := range high * wide {
			var rgb [3]uint8
			for c := range rgb {
				rgb[c] = level(s.at((n*channels+min(c, channels-1))*high*wide + p))
			}
			img.SetRGBA(left+p%wide, top+p/wide, color.RGBA{rgb[0], rgb[1], rgb[2], 255})
		}
	}
	return png.Encode(w, img)
}

// levels maps the value's range to 0..255.
func (s *shown) levels() func(float64) uint8 {
	clamp := func(v float64) uint8 { return uint8(math.Round(min(max(v, 0), 255))) }
	if s.buf.Elem.Size() == 1 && s.buf.Elem.IsInt() {
		return clamp
	}
	for i := range product(s.buf.Dims) {
		if s.at(i) < 0 {
			return func(v float64) uint8 { return clamp((v + 1) / 2 * 255) }
		}
	}
	return func(v float64) uint8 { return clamp(v * 255) }
}
