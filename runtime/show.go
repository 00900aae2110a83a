package runtime

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mdlc/ir/index"
	"mdlc/ir/loop"
	"mdlc/runtime/program"
)

// shown is a value on its way out, as long as it is.
type shown struct {
	elem loop.Elem
	dims []int
	mem  []byte

	vocabulary *bpe // of tokens that are shown as a text; nil: bytes
}

func (s *shown) at(i int) float64 { return readElem(s.elem, s.mem, i) }

func (s *shown) count() int { return product(s.dims) }

// columns is the length of the last axis.
func (s *shown) columns() int {
	if len(s.dims) == 0 {
		return 1
	}
	return s.dims[len(s.dims)-1]
}

// rows is how often the last axis is there.
func (s *shown) rows() int {
	if len(s.dims) == 0 {
		return 1
	}
	return product(s.dims[:len(s.dims)-1])
}

// A showForm is a word after `show v as`.
type showForm struct {
	name  string
	takes string // the shapes that it is for
	fits  func(dims []int) bool
	print func(*shown, io.Writer) error // onto a sample's standard output; nil: only into files
	files []showFile
}

// showFile is one of the files that a form writes.
type showFile struct {
	ending string
	write  func(*shown, io.Writer) error
}

var showForms = []showForm{
	{"", "anything", anyShape, (*shown).values, []showFile{{".txt", (*shown).values}}},
	{printed, "anything", anyShape, nil, nil},
	{operand, "a number", anyShape, nil, nil},
	{"text", "anything", anyShape, (*shown).text, []showFile{{".txt", (*shown).text}}},
	{"table", "anything", anyShape, (*shown).table, []showFile{{".csv", (*shown).csv}}},
	{"images", "[height, width], [n, height, width], [n, channels, height, width] or [rows, columns, channels, height, width]", func(d []int) bool { return len(d) >= 2 }, nil, []showFile{{".png", (*shown).images}}},
	{"points", "[n, 2] or [groups, n, 2]", func(d []int) bool { return (len(d) == 2 || len(d) == 3) && d[len(d)-1] == 2 }, nil, []showFile{{".png", (*shown).points}}},
	{"histogram", "anything", anyShape, nil, []showFile{{".png", (*shown).histogram}, {".csv", (*shown).histogramCounts}}},
	{"audio", "[samples] or [clips, samples]", func(d []int) bool { return len(d) == 1 || len(d) == 2 }, nil, []showFile{{".wav", (*shown).audio}}},
}

func anyShape([]int) bool { return true }

func showFormOf(as string) (*showForm, bool) {
	at := slices.IndexFunc(showForms, func(f showForm) bool { return f.name == as })
	if at < 0 {
		return nil, false
	}
	return &showForms[at], true
}

// checkOutput refuses what cannot be shown or reported, before anything runs.
func checkOutput(out *program.Output, buf *program.Buffer) error {
	if out.Kind != program.OutputShow {
		return nil
	}
	form, ok := showFormOf(out.As)
	if !ok {
		return fmt.Errorf("%s: error: nothing is shown as %s", out.Pos, out.As)
	}
	if !form.fits(buf.Dims) {
		return fmt.Errorf("%s: error: `show … as %s` takes %s, not %s", out.Pos, out.As, form.takes, shapeText(buf.Dims))
	}
	return nil
}

// showAll shows what b shows: what can be read on out, or in the run folder's
// samples where out is nil; pictures and sound always there.
func (r *Runner) showAll(title string, b *block, step int, out io.Writer) error {
	r.printAll(b, step)
	n := 0
	for i := range b.Outputs {
		if b.Outputs[i].Kind != program.OutputShow || b.Outputs[i].As == printed || b.Outputs[i].As == operand {
			continue
		}
		n++
		name := fmt.Sprintf("%s-%06d-%d", strings.ReplaceAll(title, " ", "-"), step, n)
		s := b.shown(&b.Outputs[i])
		if from := b.Outputs[i].Decode; from != "" {
			var err error
			if s.vocabulary, err = r.vocabulary(from); err != nil {
				return err
			}
		}
		if err := r.show(s, b.Outputs[i].As, name, out); err != nil {
			return err
		}
	}
	return nil
}

// printed is the form of what `print` shows.
const printed = "print"

// operand is the form of what stands behind an `assert`: its message reads them (checks.go).
const operand = "operand"

// printAll tells what the `print`s of b show, in their order.
func (r *Runner) printAll(b *block, step int) {
	for i := range b.Outputs {
		if out := &b.Outputs[i]; out.Kind == program.OutputShow && out.As == printed {
			r.print(b, out, step)
		}
	}
}

// print tells of a value beside the progress: name, type, shape, and values, of many the first and the last.
func (r *Runner) print(b *block, out *program.Output, step int) {
	const most, each = 10, 4
	s := b.shown(out)
	var values []string
	for i := range s.count() {
		if s.count() > most && i == each {
			values = append(values, "…")
		}
		if s.count() <= most || i < each || i >= s.count()-each {
			values = append(values, s.number(i, 6))
		}
	}
	r.o.Progress.Line("%s: %s = %s [%s] (%s)", out.Pos, out.Name, typeText(s.elem, s.dims), strings.Join(values, " "), b.when(step))
}

// shown is the value of an output, without what its buffer has beyond its lengths.
func (b *block) shown(out *program.Output) *shown {
	buf, mem := &b.Bufs[out.Buf], b.bufs[out.Buf].host
	dims := b.sizes(buf, out.Lens)
	return &shown{elem: buf.Elem, dims: dims, mem: crop(mem, buf.Elem.Size(), buf.Dims, dims)}
}

// sizes are those of the axes of a buffer, of which lens may say that the run made them shorter.
func (b *block) sizes(buf *program.Buffer, lens []*index.Expr) []int {
	dims := slices.Clone(buf.Dims)
	for i, e := range lens {
		if e != nil {
			dims[i] = min(e.Eval(func(name string) int { return b.slots[b.names[name]] }), dims[i])
		}
	}
	return dims
}

// crop is the part of an array of sizes have that has sizes want.
func crop(mem []byte, size int, have, want []int) []byte {
	if slices.Equal(have, want) {
		return mem
	}
	each := size * product(have[1:])
	var out []byte
	for i := range want[0] {
		out = append(out, crop(mem[i*each:][:each], size, have[1:], want[1:])...)
	}
	return out
}

func (r *Runner) show(s *shown, as, name string, out io.Writer) error {
	form, _ := showFormOf(as) // the output was checked
	if out != nil && form.print != nil {
		w := bufio.NewWriter(out)
		if err := form.print(s, w); err != nil {
			return err
		}
		return w.Flush()
	}
	texts := make([][]byte, len(form.files))
	for i, f := range form.files { // all of it first: half a picture would look like a whole one
		var b bytes.Buffer
		if err := f.write(s, &b); err != nil {
			return err
		}
		texts[i] = b.Bytes()
	}
	path := filepath.Join(r.o.Out, "samples", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if out != nil { // a training that is resumed writes what it has written; a sample is asked for with other flags
		path = form.unlike(path, texts)
	}
	for i, f := range form.files {
		if err := os.WriteFile(path+f.ending, texts[i], 0o644); err != nil {
			_ = os.Remove(path + f.ending)
			return err
		}
		r.o.Progress.wrote(path + f.ending)
	}
	return nil
}

// unlike is the first of path, path-2, path-3, … where no files are of another content than texts.
func (f *showForm) unlike(path string, texts [][]byte) string {
	free := path
	for n := 2; ; n++ {
		other := false
		for i, file := range f.files {
			before, err := os.ReadFile(free + file.ending)
			other = other || err == nil && !bytes.Equal(before, texts[i])
		}
		if !other {
			return free
		}
		free = fmt.Sprintf("%s-%d", path, n)
	}
}

// text writes each row's elements as bytes, or as what tokens stand for, and a line break.
func (s *shown) text(w io.Writer) error {
	for r := range s.rows() {
		var line []byte
		for i := range s.columns() {
			v := s.at(r*s.columns() + i)
			if s.vocabulary != nil {
				line = s.vocabulary.decode(line, int(v))
			} else {
				line = append(line, byte(v))
			}
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return nil
}

// values writes each row's numbers on a line.
func (s *shown) values(w io.Writer) error {
	for r := range s.rows() {
		var line []byte
		for i := range s.columns() {
			if i > 0 {
				line = append(line, ' ')
			}
			line = appendNumber(line, s.elem, s.at(r*s.columns()+i), -1)
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return nil
}

// number is element i, with so many digits if it is no integer.
func (s *shown) number(i, digits int) string {
	return string(appendNumber(nil, s.elem, s.at(i), digits))
}
