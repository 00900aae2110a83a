package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/pmezard/go-difflib/difflib"

	"mdlc/lang"
)

type fmtCommand struct {
	Files []string `arg:"" help:"The files; - is standard input, which is written to standard output."`
	Diff  bool     `short:"d" help:"Print what would change, change nothing."`
	List  bool     `short:"l" help:"Print the names of the files that would change, change nothing."`
}

func (c *fmtCommand) Run(t *terminal) error {
	var failed error
	for _, file := range c.Files {
		if err := c.format(t, file); err != nil {
			var told reported
			if !errors.As(err, &told) {
				fmt.Fprintln(t.stderr, err)
			}
			failed = reported{code: exitFailure}
		}
	}
	return failed
}

func (c *fmtCommand) format(t *terminal, file string) error {
	read := os.ReadFile
	if file == "-" {
		read = func(string) ([]byte, error) { return io.ReadAll(t.stdin) }
	}
	src, err := read(file)
	if err != nil {
		return noModel(file, err)
	}
	out, diagnostics := lang.Format(file, src)
	for _, d := range diagnostics {
		fmt.Fprint(t.stderr, d.Text())
	}
	if lang.HasErrors(diagnostics) {
		return reported{code: exitFailure}
	}
	same := bytes.Equal(src, out)
	if c.List && !same {
		fmt.Fprintln(t.stdout, file)
	}
	if c.Diff && !same {
		text, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{A: lines(src), B: lines(out),
			FromFile: file, ToFile: file + " (formatted)", Context: 2})
		if err != nil {
			return err
		}
		fmt.Fprint(t.stdout, text)
	}
	switch {
	case c.List || c.Diff:
		return nil
	case file == "-":
		_, err := t.stdout.Write(out)
		return err
	case same:
		return nil
	}
	return replaceFile(file, out)
}

// lines cuts a text behind its line breaks.
func lines(text []byte) []string { return slices.Collect(strings.Lines(string(text))) }

// replaceFile writes a file beside the old one first: a full disk loses nothing.
func replaceFile(path string, data []byte) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	beside := path + ".formatted"
	if err := os.WriteFile(beside, data, info.Mode().Perm()); err != nil {
		return errors.Join(err, os.Remove(beside))
	}
	return os.Rename(beside, path)
}
