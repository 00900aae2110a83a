package main

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
)

// startText is the model file that `mdlc init` writes, under the name start.
//
//go:embed start.mdl
var startText string

type initCommand struct {
	Name string `arg:"" help:"The name of the model; the file is NAME.mdl."`
}

var newName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)

func (c *initCommand) Run(t *terminal) error {
	name := strings.TrimSuffix(c.Name, ".mdl")
	if !newName.MatchString(name) {
		return &usageError{fmt.Sprintf("%s: a name is a letter, then letters, digits, `_` and `-`", c.Name)}
	}
	file := name + ".mdl"
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already and stays as it is: take another name", file)
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(strings.ReplaceAll(startText, "start.mdl", file))
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(file))
	}
	_, err = fmt.Fprintf(t.stdout, `%[1]s is a small text model. Next:
  mdlc run %[1]s                          trains it, seconds, and lets it write
  mdlc run %[1]s sample text --n 500      writes more
  mdlc run %[1]s train --data corpus=FILE learns another text
  mdlc doc %[1]s                          what stands in it; mdlc doc: what there is
  mdlc check %[1]s                        finds mistakes after you changed it
`, file)
	return err
}
