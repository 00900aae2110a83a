package main

type checkCommand struct {
	File string `arg:"" help:"The model."`

	modelFlags
}

func (c *checkCommand) Run(t *terminal) error {
	_, err := readModel(t, c.File, c.modelFlags, nil)
	return err
}
