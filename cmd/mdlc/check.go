package main

import (
	"fmt"

	"mdlc/ir"
	"mdlc/passes"
)

type checkCommand struct {
	File string `arg:"" help:"The model."`

	modelFlags
}

func (c *checkCommand) Run(t *terminal) error {
	m, err := (&sources{modelFlags: c.modelFlags, file: c.File}).build(t)
	if err != nil {
		return err
	}
	if err := c.generations(t, m); err != nil {
		return err
	}
	return passes.Run(m, passes.Options{StopAfter: "grad"}) // whether there is a gradient is known then
}

// generations warns of those that cannot be made element by element.
func (c *checkCommand) generations(t *terminal, m *ir.Module) error {
	if c.Quiet {
		return nil
	}
	reasons, err := passes.Recomputing(m)
	for _, r := range reasons {
		fmt.Fprint(t.stderr, t.excerpted(r.Text()))
	}
	return err
}
