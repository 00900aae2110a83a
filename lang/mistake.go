package lang

import (
	"fmt"
	"strings"

	"mdlc/ir"
)

// mistake is the panic that carries a diagnostic to the statement around.
type mistake struct{ d Diagnostic }

// silent ends the evaluation of what uses a failed value.
type silent struct{}

// notStatic asks for the unrolling of a loop: a value that must be known to the compiler depends on its turn.
type notStatic struct{ d Diagnostic }

func (c *core) fail(at Span, format string, args ...any) { c.failHelp(at, "", format, args...) }

func (c *core) failHelp(at Span, help, format string, args ...any) {
	panic(mistake{c.diagnostic(at, help, format, args...)})
}

// diagnostic places a mistake: one in a library file is shown at the call, or where the module is made, that led there.
func (c *core) diagnostic(at Span, help, format string, args ...any) Diagnostic {
	d := Diagnostic{Message: lengthSymbol.ReplaceAllString(fmt.Sprintf(format, args...), "len($1)"), Help: help}
	var calls []activeCall
	d.Span, calls = c.outsideLibrary(at)
	for i := len(c.makingAt) - 1; i >= 0 && inLibrary(d.Span); i-- { // a module that is being made
		d.Span = c.makingAt[i]
	}
	if d.Span != at {
		d.deeper = true
		d.Notes = append(d.Notes, fmt.Sprintf("the place in the library is %s:%d:%d", at.Pos.Filename, at.Pos.Line, at.Pos.Column))
	}
	last := d.Span.Pos
	for i := len(calls) - 1; i >= 0 && len(d.Notes) < 4; i-- {
		p := calls[i].at.Pos
		if !inLibrary(calls[i].at) && (p.Filename != last.Filename || p.Line != last.Line) {
			d.Notes = append(d.Notes, fmt.Sprintf("in `%s`, called at %s:%d:%d", calls[i].name, p.Filename, p.Line, p.Column))
			last = p
		}
	}
	return d
}

// outsideLibrary is the call in the user's files that led to a place in the library, and the calls around it.
func (c *core) outsideLibrary(at Span) (Span, []activeCall) {
	calls := c.calls
	for inLibrary(at) && len(calls) > 0 {
		at = calls[len(calls)-1].at
		calls = calls[:len(calls)-1]
	}
	return at, calls
}

// trailOf is the place of s, and where it is in the library, of the call that led there.
func (c *core) trailOf(s Span) ir.Pos {
	p := posOf(s)
	if user, _ := c.outsideLibrary(s); user != s && !inLibrary(user) {
		p.From = posOf(user).String()
	}
	return p
}

// libraryFolder stands before the names of library files.
const libraryFolder = "stdlib/"

func inLibrary(s Span) bool { return strings.HasPrefix(s.Pos.Filename, libraryFolder) }

func (c *core) note(at Span, help, format string, args ...any) {
	c.warn(at, help, format, args...)
	c.diags[len(c.diags)-1].Severity = Note
}

func (c *core) warn(at Span, help, format string, args ...any) {
	d := c.diagnostic(at, help, format, args...)
	d.Severity, d.Notes = Warning, nil
	c.diags = append(c.diags, d)
}

// guard runs f; a mistake in it is recorded and otherwise is run.
func (c *core) guard(f, otherwise func()) {
	calls, making, home, turns, loops, runs, site, fr := len(c.calls), len(c.making), c.home, c.turns, c.loops, c.runs, c.site, c.f
	frozen, standing := c.frozen, c.standing
	defer func() {
		r := recover()
		switch r := r.(type) {
		case nil:
			return
		case mistake:
			c.diags = append(c.diags, r.d)
		case silent:
		default:
			panic(r)
		}
		c.makingAt = c.makingAt[:making]
		c.calls, c.making, c.home, c.turns, c.loops, c.runs, c.site, c.f = c.calls[:calls], c.making[:making], home, turns, loops, runs, site, fr
		c.frozen, c.standing = frozen, standing
		otherwise()
	}()
	f()
}

func (b *builder) poison(sc *scope, names []string) {
	for _, n := range names {
		sc.define(n, Poison{})
	}
}
