package runtime

import (
	"fmt"
	"io"
	"time"
)

// Progress tells a person how a run goes: on a terminal in one line that
// changes, elsewhere in a line now and then.
type Progress struct {
	w     io.Writer
	width int       // of the terminal; 0: w is none
	began time.Time // of the running train block
	first int       // the step that it began with
	shown time.Time
	open  bool // a line on the terminal waits to be overwritten

	training bool                 // steps are left
	told     map[string]time.Time // when a line of its kind was last printed
	untold   map[string]int       // lines of its kind that came too soon since
}

// NewProgress writes to w, a terminal with width columns, or none if that is 0.
func NewProgress(w io.Writer, width int) *Progress {
	return &Progress{w: w, width: width, told: map[string]time.Time{}, untold: map[string]int{}}
}

// Line prints a line of its own.
func (p *Progress) Line(format string, args ...any) {
	if p == nil {
		return
	}
	p.clear()
	fmt.Fprintf(p.w, format+"\n", args...)
}

// clear takes away the line that waits to be overwritten.
func (p *Progress) clear() {
	if p.open {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.open = false
	}
}

func (p *Progress) start(step int) {
	if p != nil {
		p.began, p.first, p.shown, p.training = time.Now(), step, time.Time{}, true
	}
}

// step tells that rec's step of count is done, if it is time to tell.
func (p *Progress) step(rec *record, count int) {
	if p == nil {
		return
	}
	p.training = rec.step < count
	if !p.due() && rec.step != count {
		return
	}
	line := fmt.Sprintf("%s  step %d/%d", rec.block, rec.step, count)
	if text := rec.text(4); text != "" {
		line += "  " + text
	}
	p.show(line+p.pace(rec.step-p.first, count-rec.step, "steps"), rec.step == count)
}

// turns tells how many turns of count the loop of a sample has made, if that takes a while.
func (p *Progress) turns(sample string, made, count int) {
	switch {
	case made == 0:
		p.began, p.shown = time.Now(), time.Now().Add(patience)
	case p.due():
		p.show(fmt.Sprintf("%s  turn %d/%d", sample, made, count)+p.pace(made, count-made, "turns"), false)
	}
}

// patience is how long a sample may take before it says how it goes.
const patience = 2 * time.Second

// due is whether it is time to tell.
func (p *Progress) due() bool {
	every := 5 * time.Second
	if p.width > 0 {
		every = 100 * time.Millisecond
	}
	now := time.Now()
	if now.Sub(p.shown) < every {
		return false
	}
	p.shown = now
	return true
}

// pace is how fast things are done, and how long those take that are left.
func (p *Progress) pace(done, left int, things string) string {
	spent := time.Since(p.began)
	if done <= 1 || spent <= 0 {
		return ""
	}
	rate := float64(done) / spent.Seconds()
	text := fmt.Sprintf("  %.4g %s/s", rate, things)
	if left > 0 {
		text += "  " + (time.Duration(float64(left)/rate) * time.Second).String() + " left"
	}
	return text
}

// show prints a line of how it goes; what follows the last one stands below it.
func (p *Progress) show(line string, last bool) {
	if p.width == 0 {
		fmt.Fprintln(p.w, line)
		return
	}
	if text := []rune(line); len(text) >= p.width { // a second row could not be overwritten
		line = string(text[:p.width-1])
	}
	fmt.Fprint(p.w, "\r\x1b[K", line)
	p.open = true
	if last {
		fmt.Fprintln(p.w)
		p.open = false
	}
}

// record tells the result of an eval or of an `every` block.
func (p *Progress) record(rec *record) {
	if p != nil && len(rec.names) > 0 {
		p.sometimes(rec.block, fmt.Sprintf("%s  step %d  %s", rec.block, rec.step, rec.text(4)), "log.jsonl has %d before it")
	}
}

// wrote tells of a file that a run left.
func (p *Progress) wrote(path string) {
	if p != nil {
		p.sometimes("wrote", "wrote "+path, "and %d before it")
	}
}

// sometimes prints a line, but while a train runs not more than one of a kind in a while.
func (p *Progress) sometimes(kind, line, more string) {
	every := 5 * time.Second
	if p.width > 0 {
		every = time.Second
	}
	now := time.Now()
	if p.training && now.Sub(p.told[kind]) < every {
		p.untold[kind]++
		return
	}
	if n := p.untold[kind]; n > 0 {
		line += "  (" + fmt.Sprintf(more, n) + ")"
	}
	p.told[kind], p.untold[kind] = now, 0
	p.Line("%s", line)
}
