package main

import "fmt"

type checkCommand struct {
	File string `arg:"" help:"The model."`

	modelFlags
}

func (c *checkCommand) Run(t *terminal) error {
	return fmt.Errorf("%s: model files cannot be checked by this build", c.File)
}
