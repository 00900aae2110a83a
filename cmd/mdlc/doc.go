package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"mdlc/lang"
	"mdlc/stdlib"
)

type docCommand struct {
	What string `arg:"" optional:"" help:"A model file, a file of the library (nn), or a name (relu, nn.Linear)."`
	Name string `arg:"" optional:"" help:"A declaration of the file."`

	Set map[string]string `help:"Change an entry of config: --set dim=256." placeholder:"KEY=VALUE"`
}

func (c *docCommand) Run(t *terminal) error {
	p := &page{}
	err := c.write(t, p)
	if err != nil {
		return err
	}
	_, err = io.WriteString(t.stdout, p.text())
	return err
}

func (c *docCommand) write(t *terminal, p *page) error {
	what, name := c.What, c.Name
	if strings.HasSuffix(what, ".mdl") {
		return c.model(t, p, what, name)
	}
	if file, unit, ok := strings.Cut(what, "."); ok && name == "" {
		what, name = file, unit
	}
	switch src, ok := stdlib.Library(what); {
	case what == "":
		everything(p)
		return nil
	case ok:
		return file(p, described(what, src), name, what+": ")
	case name == "" && anywhere(p, what):
		return nil
	}
	help := lang.Instead(cmp.Or(name, what), names())
	if help == "" {
		help = "`mdlc doc` lists what there is, `mdlc doc FILE.mdl` describes a model"
	}
	return &usageError{fmt.Sprintf("there is no %s: %s", c.What, help)}
}

// model describes a model file, with the sizes that its settings give.
func (c *docCommand) model(t *terminal, p *page, path, name string) error {
	src, err := os.ReadFile(path)
	if err != nil {
		return noModel(path, err)
	}
	d, diagnostics := lang.DescribeModel(path, src, lang.Options{Set: settings(c.Set)})
	if lang.HasErrors(diagnostics) {
		for _, x := range diagnostics {
			fmt.Fprint(t.stderr, x.Text())
		}
		return reported{code: exitCode(diagnostics)}
	}
	return file(p, d, name, filepath.Base(path)+": ")
}

// described describes a file that the compiler brings along.
func described(name string, src []byte) *lang.Description {
	d, diagnostics := lang.Describe(name, src)
	if lang.HasErrors(diagnostics) {
		panic("doc: the library file " + name + " has a mistake: " + diagnostics[0].Message)
	}
	return d
}

// everything lists the library and what is built in.
func everything(p *page) {
	for _, name := range stdlib.Names() {
		src, _ := stdlib.Library(name)
		d := described(name, src)
		use := "use " + name
		if slices.Contains(stdlib.Prelude, name) {
			use = "in scope everywhere"
		}
		p.line("%s (%s)", firstLine(d.Comment), use)
		for _, x := range d.Items {
			_, parameters, _ := strings.Cut(x.Signature, x.Name)
			p.entry("  ", x.Name, shortened(parameters, 72), firstLine(x.Comment))
		}
		p.gap()
	}
	for _, theme := range lang.Builtins {
		p.line("Built in. %s", theme.Theme)
		for _, b := range theme.Names {
			p.entry("  ", b.Name, strings.TrimPrefix(b.Signature, b.Name), b.Comment)
		}
		p.gap()
	}
}

// names are those that `mdlc doc NAME` knows.
func names() (names []string) {
	for _, theme := range lang.Builtins {
		for _, b := range theme.Names {
			names = append(names, b.Name)
		}
	}
	for _, lib := range stdlib.Names() {
		src, _ := stdlib.Library(lib)
		names = append(names, lib)
		for _, x := range described(lib, src).Items {
			names = append(names, x.Name)
		}
	}
	return names
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// shortened is the start of a long text.
func shortened(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}

// anywhere describes a name of the library or a built-in one.
func anywhere(p *page, name string) (found bool) {
	for _, theme := range lang.Builtins {
		for _, b := range theme.Names {
			if b.Name == name {
				p.line("%s", b.Signature)
				p.line("    %s", b.Comment)
				p.gap()
				found = true
			}
		}
	}
	for _, lib := range stdlib.Names() {
		src, _ := stdlib.Library(lib)
		for _, x := range described(lib, src).Items {
			if x.Name == name {
				p.line("%s.mdl", lib)
				p.gap()
				declaration(p, x)
				found = true
			}
		}
	}
	return found
}

// file describes a file, or one declaration of it.
func file(p *page, d *lang.Description, name, where string) error {
	if name != "" {
		found := false
		for _, x := range d.Items {
			if x.Name == name {
				declaration(p, x)
				found = true
			}
		}
		if !found {
			var names []string
			for _, x := range d.Items {
				if x.Name != "" {
					names = append(names, x.Name)
				}
			}
			help := lang.DidYouMean(name, names)
			if help == "" {
				help = "it has " + strings.Join(names, ", ")
			}
			return &usageError{fmt.Sprintf("%sthere is no `%s`; %s", where, name, help)}
		}
		return nil
	}
	p.block("", d.Comment)
	p.gap()
	if len(d.Settings) > 0 {
		p.line("config")
		for _, s := range d.Settings {
			p.entry("  ", s.Name, s.Value)
		}
		p.gap()
	}
	for _, x := range d.Items {
		p.line("%s", x.Signature)
		p.block("    ", x.Comment)
		for _, s := range x.Instances {
			p.line("    %s", sized(s))
		}
		if x.Comment != "" || len(x.Instances) > 0 || len(x.Members) > 0 {
			p.gap()
		}
	}
	return nil
}

// declaration describes one declaration in full.
func declaration(p *page, x lang.Described) {
	p.line("%s", x.Signature)
	p.block("    ", x.Comment)
	p.gap()
	for _, m := range x.Members {
		p.line("  %s", m.Signature)
		p.block("      ", m.Comment)
	}
	p.gap()
	for _, s := range x.Instances {
		p.line("%s", sized(s))
		for _, q := range s.Params {
			size := q.Type.String()
			if q.Count > 1 {
				size = fmt.Sprintf("%d x %s", q.Count, size)
			}
			p.entry("  ", q.Path, size, grouped(q.Count*q.Type.Size()))
		}
		p.gap()
	}
}

func sized(s lang.Sized) string {
	if s.Count > 1 {
		return fmt.Sprintf("%s: %s parameters, %d times", s.Path, grouped(s.Size()), s.Count)
	}
	return fmt.Sprintf("%s: %s parameters", s.Path, grouped(s.Size()))
}

// grouped writes 1234567 as 1,234,567.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// page is a text in lines; entries that follow each other stand in columns.
type page struct {
	lines   []string
	entries [][]string
}

func (p *page) line(format string, args ...any) {
	p.flush()
	p.lines = append(p.lines, fmt.Sprintf(format, args...))
}

// block writes lines behind an indentation.
func (p *page) block(indent, text string) {
	if text == "" {
		return
	}
	for line := range strings.SplitSeq(text, "\n") {
		p.line("%s%s", indent, line)
	}
}

func (p *page) entry(indent string, columns ...string) {
	p.entries = append(p.entries, append([]string{indent + columns[0]}, columns[1:]...))
}

// gap leaves a line free, never two.
func (p *page) gap() {
	p.flush()
	if n := len(p.lines); n > 0 && p.lines[n-1] != "" {
		p.lines = append(p.lines, "")
	}
}

// flush writes the entries in columns.
func (p *page) flush() {
	var widths []int
	for _, e := range p.entries {
		for i, c := range e {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	for _, e := range p.entries {
		line := ""
		for i, c := range e {
			line += c + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c)+2)
		}
		p.lines = append(p.lines, strings.TrimRight(line, " "))
	}
	p.entries = nil
}

func (p *page) text() string {
	p.gap()
	return strings.TrimRight(strings.Join(p.lines, "\n"), "\n") + "\n"
}
