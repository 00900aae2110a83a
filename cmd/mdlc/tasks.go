package main

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"mdlc/lang"
	"mdlc/runtime"
	"mdlc/runtime/program"
)

// task is one thing that a run does.
type task struct{ word, name string } // train, eval or sample; "": all evals, the first sample

// tasks are what this run does, in order.
func (c *runCommand) tasks(p *program.Program, out string) (tasks []task) {
	word, name := c.verb()
	if word != "" {
		return []task{{word, name}}
	}
	has := func(kind string) bool {
		return slices.ContainsFunc(p.Entries, func(e program.Entry) bool { return e.Kind == kind })
	}
	if has("train") && !(runtime.HasWeights(out) && !c.Resume) {
		if tasks = append(tasks, task{word: "train"}); !has("sample") {
			return tasks
		}
	}
	return append(tasks, task{word: "sample"})
}

// wanted are the entries of the file that this run runs.
func (c *runCommand) wanted(out string) wanted {
	word, name := c.verb()
	if word == "" && !c.Resume && runtime.HasWeights(out) {
		word = "sample"
	}
	return wanted{word, name, c.fresh}
}

// read reads a bundle or a model file. The outline says what the run will read, which can be
// looked at before compile spends its time.
func (c *runCommand) read(t *terminal, out string) (outline *program.Program, compile func() (*program.Program, error), err error) {
	if filepath.Ext(c.File) != ".mdl" {
		p, err := c.readBundle()
		return p, func() (*program.Program, error) { return p, nil }, err
	}
	began := time.Now()
	x, err := c.compilation(t, out)
	if err != nil {
		return nil, nil, err
	}
	if outline, err = x.outline(); err != nil {
		return nil, nil, err
	}
	spent := time.Since(began)
	return outline, func() (*program.Program, error) {
		began := time.Now()
		p, err := x.program()
		x.spent.print(t.stderr)
		if err == nil && !c.Quiet {
			fmt.Fprintf(t.stderr, "compiled %s in %.2f s\n", c.File, (spent + time.Since(began)).Seconds())
		}
		return p, err
	}, nil
}

// compilation is that of what this run needs of the model file.
func (c *runCommand) compilation(t *terminal, out string) (*compilation, error) {
	x, err := newCompilation(t, sources{modelFlags: c.modelFlags, file: c.File, sample: c.flags}, c.wanted(out))
	if err != nil {
		return nil, err
	}
	return x, c.compileFor(x)
}

func (c *runCommand) readBundle() (*program.Program, error) {
	bundle, err := runtime.ReadFile(c.File)
	if err != nil {
		return nil, fmt.Errorf("no model: %w", err)
	}
	p, err := program.Load(bytes.NewReader(bundle))
	if err != nil {
		return nil, fmt.Errorf("%s: %w: a model ends in .mdl; data is named with --data NAME=PATH", c.File, err)
	}
	if len(c.Set) > 0 || c.Precision != "" || c.Weights != "" {
		return nil, &usageError{"--set, --precision and --weights change a model file; a bundle is compiled already"}
	}
	return p, c.checkCompiledFlags(p)
}

// checkCompiledFlags refuses values other than those that a bundle was compiled for.
func (c *runCommand) checkCompiledFlags(p *program.Program) error {
	_, name := c.verb()
	at := slices.IndexFunc(p.Entries, func(e program.Entry) bool { return e.Kind == "sample" && (name == "" || e.Name == name) })
	if at < 0 {
		return nil
	}
	for _, f := range p.Entries[at].Flags {
		for _, given := range c.flags {
			if f.Static && given.Name == f.Name && given.Value != f.Default {
				return &usageError{fmt.Sprintf("--%s is %s in this bundle: another value needs the model file", f.Name, f.Default)}
			}
		}
	}
	return nil
}

// check tells what a run will lack. What comes last comes first here: flags of a sample are
// looked at faster than data for training.
func (c *runCommand) check(r *runtime.Runner, tasks []task) error {
	if len(c.flags) > 0 && !slices.ContainsFunc(tasks, func(k task) bool { return k.word == "sample" }) {
		return c.unknownFlag()
	}
	for i, k := range slices.Backward(tasks) {
		var err error
		switch k.word {
		case "train":
			err = r.CheckTrain()
		case "eval":
			err = r.CheckEvaluate(k.name)
		case "sample":
			err = c.nearFlag(r.CheckSample(k.name, c.flags, i == 0))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// nearFlag adds to the error of a flag that a sample does not have which one of `run` was probably meant.
func (c *runCommand) nearFlag(err error) error {
	var flag *runtime.FlagError
	if errors.As(err, &flag) && flag.Unknown != "" {
		if near := lang.DidYouMean("--"+flag.Unknown, c.known); near != "" {
			return &usageError{err.Error() + "; " + near}
		}
	}
	return err
}

func (c *runCommand) carryOut(t *terminal, r *runtime.Runner, tasks []task) error {
	for _, k := range tasks {
		var err error
		switch k.word {
		case "train":
			err = t.train(r)
		case "eval":
			err = r.Evaluate(k.name)
		case "sample":
			err = r.Sample(k.name, c.flags)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// train is the task that an interrupt ends in good order.
func (t *terminal) train(r *runtime.Runner) error {
	t.stoppable.Store(true)
	defer t.stoppable.Store(false)
	defer survivePipes()()
	return r.Train()
}
