package main

import "mdlc/passes"

type checkCommand struct {
	File string `arg:"" help:"The model."`

	modelFlags
}

func (c *checkCommand) Run(t *terminal) error {
	m, err := readModel(t, c.File, c.modelFlags, nil)
	if err != nil {
		return err
	}
	return passes.Run(m, passes.Options{StopAfter: "grad"}) // whether there is a gradient is known then
}
