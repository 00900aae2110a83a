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
}

// NewProgress writes to w, a terminal with width columns, or none if that is 0.
func NewProgress(w io.Writer, width int) *Progress { return &Progress{w: w, width: width} }

// Line prints a line of its own.
func (p *Progress) Line(format string, args ...any) {
	if p == nil {
		return
	}
	p.clear()
	fmt.Fprintf(p.w, format+"\n", args...)
}

func (p *Progress) clear() {
	if p.open {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.open = false
	}
}

func (p *Progress) start(step int) {
	if p != nil {
		p.began, p.first, p.shown = time.Now(), step, time.Time{}
	}
}

// step tells that rec's step of count is done, if it is time to tell.
func (p *Progress) step(rec *record, count int) {
	if p == nil {
		return
	}
	every := 5 * time.Second
	if p.width > 0 {
		every = 100 * time.Millisecond
	}
	now := time.Now()
	if now.Sub(p.shown) < every && rec.step != count {
		return
	}
	p.shown = now
	line := fmt.Sprintf("%s  step %d/%d  %s", rec.block, rec.step, count, rec.text())
	if done, spent := rec.step-p.first, now.Sub(p.began); done > 1 && spent > 0 {
		rate := float64(done) / spent.Seconds()
		line += fmt.Sprintf("  %.4g steps/s", rate)
		if left := count - rec.step; left > 0 {
			line += "  " + (time.Duration(float64(left)/rate) * time.Second).String() + " left"
		}
	}
	if p.width == 0 {
		fmt.Fprintln(p.w, line)
		return
	}
	if text := []rune(line); len(text) >= p.width { // a second row could not be overwritten
		line = string(text[:p.width-1])
	}
	fmt.Fprint(p.w, "\r\x1b[K", line)
	p.open = true
	if rec.step == count {
		fmt.Fprintln(p.w)
		p.open = false
	}
}

// record tells the result of an eval or of an `every` block.
func (p *Progress) record(rec *record) {
	if p != nil && len(rec.names) > 0 {
		p.Line("%s  step %d  %s", rec.block, rec.step, rec.text())
	}
}
