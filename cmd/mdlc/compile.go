package main

import (
	"errors"
	"fmt"
	"os"

	"mdlc/runtime"
	"mdlc/runtime/program"
)

type compileCommand struct {
	File string `arg:"" help:"The model."`

	modelFlags
	Out       string `short:"o" help:"Write a bundle, which runs without compiler or LLVM." placeholder:"FILE" type:"path"`
	Emit      string `help:"Print a stage: graph, loops, llvm, asm or plan." enum:",graph,loops,llvm,asm,plan" default:""`
	Dump      string `help:"Print the module after PASS, or the kernels after a step of the schedule (loops:STEP)." placeholder:"PASS"`
	StopAfter string `help:"Stop after PASS and print the module." placeholder:"PASS"`
}

func (c *compileCommand) Run(t *terminal) error {
	if c.Out == "" {
		return &usageError{"nothing to do: -o FILE or --emit STAGE"}
	}
	p, err := compileFile(t, c.File, c.modelFlags, nil)
	if err != nil {
		return err
	}
	return writeBundle(c.Out, p)
}

func writeBundle(path string, p *program.Program) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
		if err != nil {
			err = errors.Join(fmt.Errorf("cannot write %s: %w", path, err), os.Remove(path))
		}
	}()
	return program.Write(f, p)
}

// compileFile takes a model file all the way to a program. The flags are the
// parameters of a sample; those that the compiler must know are compiled in.
func compileFile(t *terminal, file string, m modelFlags, flags []runtime.FlagValue) (*program.Program, error) {
	return nil, fmt.Errorf("%s: model files cannot be compiled by this build", file)
}
