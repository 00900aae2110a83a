package main

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"

	"mdlc/lang"
	"mdlc/stdlib"
)

// placed is the first line of an error of a place in a model file, as passes and the runtime make them.
var placed = regexp.MustCompile(`^(.+):(\d+):(\d+): (error|warning): (.*)$`)

// excerpted shows an error that has a place as the front end shows its own: with the line and carets.
func (t *terminal) excerpted(text string) string {
	lines := strings.Split(text, "\n")
	m := placed.FindStringSubmatch(lines[0])
	if m == nil {
		return text + "\n"
	}
	src, ok := t.source(m[1])
	if !ok {
		return text + "\n"
	}
	d := lang.Diagnostic{Message: m[5], Span: lang.Span{Pos: lexer.Position{Filename: m[1]}}}
	d.Span.Pos.Line, _ = strconv.Atoi(m[2])
	d.Span.Pos.Column, _ = strconv.Atoi(m[3])
	if m[4] == lang.Warning.String() {
		d.Severity = lang.Warning
	}
	for _, line := range lines[1:] {
		note, ok := strings.CutPrefix(line, "  = ")
		if !ok {
			return text + "\n"
		}
		if help, ok := strings.CutPrefix(note, "help: "); ok {
			d.Help = help
		} else {
			d.Notes = append(d.Notes, note)
		}
	}
	return d.In(src).Text()
}

// source is the text of a file that was compiled, as it was then.
func (t *terminal) source(path string) (string, bool) {
	if name, ok := strings.CutPrefix(path, "stdlib/"); ok {
		src, ok := stdlib.Library(strings.TrimSuffix(name, ".mdl"))
		return string(src), ok
	}
	src, ok := t.sources[path]
	return string(src), ok
}

// read reads a file of a model, and keeps it for excerpts.
func (t *terminal) read(path string, read func(string) ([]byte, error)) ([]byte, error) {
	src, err := read(path)
	if err == nil {
		if t.sources == nil {
			t.sources = map[string][]byte{}
		}
		t.sources[path] = src
	}
	return src, err
}
