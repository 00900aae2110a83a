package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	"mdlc/codegen"
	"mdlc/codegen/schedule"
	"mdlc/ir"
	"mdlc/passes"
	"mdlc/runtime"
	"mdlc/runtime/program"
)

type compileCommand struct {
	File string `arg:"" help:"The model."`

	modelFlags
	Out       string `short:"o" help:"Write a bundle, which runs without compiler or LLVM; with --emit, the stage." placeholder:"FILE" type:"path"`
	Target    string `help:"What to compile for: avx2 or avx512 (this machine's level of x86-64), or a GPU: sm_80 or sm_90a." placeholder:"TARGET"`
	Emit      string `help:"Print a stage: graph, loops, llvm, asm, ptx or plan." placeholder:"STAGE"`
	Dump      string `help:"Print the graphs after PASS, or the kernels after a step of the schedule (loops:STEP)." placeholder:"PASS"`
	StopAfter string `help:"Stop after PASS and print the module." placeholder:"PASS"`
	Time      bool   `help:"Tell on stderr what each pass takes, over all graphs, and the whole build."`
}

func (c *compileCommand) Run(t *terminal) error {
	if c.Target != "" {
		if _, err := codegen.TargetNamed(c.Target); err != nil {
			return &usageError{err.Error()}
		}
	}
	if c.Out == "" && c.Emit == "" && c.Dump == "" && c.StopAfter == "" {
		return &usageError{"nothing to do: -o FILE, --emit STAGE, --dump PASS or --stop-after PASS"}
	}
	if err := errors.Join(c.checkNames(), c.checkOut()); err != nil {
		return err
	}
	defer debug.SetGCPercent(debug.SetGCPercent(collectAt())) // for all of it: each of its parts would collect at its end
	x, err := newCompilation(t, sources{modelFlags: c.modelFlags, file: c.File}, wanted{})
	if err != nil {
		return err
	}
	if c.Target != "" {
		if err := x.setTarget(c.Target); err != nil {
			return &usageError{err.Error()}
		}
	}
	if gpu := x.codegen.Target.GPU; c.Emit == "ptx" && !gpu || c.Emit == "asm" && gpu {
		return &usageError{fmt.Sprintf("--emit %s: the target %s has none: --target sm_80 and sm_90a have ptx, the others asm", c.Emit, x.codegen.Target.Name)}
	}
	if c.Time {
		x.options.Timing = x.spent.add
	}
	defer x.spent.print(t.stderr)
	if c.Out != "" && c.Emit == "" && c.Dump == "" && c.StopAfter == "" {
		p, err := x.program()
		if err != nil {
			return err
		}
		return writeBundle(c.Out, p)
	}
	if err := x.read(); err != nil {
		return err
	}
	if c.Out == "" || c.Emit == "" {
		return c.print(t, x)
	}
	var text bytes.Buffer
	if err := c.print(&terminal{stdout: &text, stderr: t.stderr}, x); err != nil {
		return err
	}
	return writeFile(c.Out, func(w io.Writer) error { _, err := w.Write(text.Bytes()); return err })
}

// print prints what is asked for of a compilation.
func (c *compileCommand) print(t *terminal, x *compilation) error {
	if done, err := c.graphs(t, x); done || err != nil {
		return err
	}
	return c.kernels(t, x)
}

// stages are what --emit prints.
var stages = []string{"graph", "loops", "llvm", "asm", "ptx", "plan"}

// checkNames refuses stages, passes and steps that do not exist before anything is done.
func (c *compileCommand) checkNames() error {
	if c.Emit != "" && !slices.Contains(stages, c.Emit) {
		return &usageError{fmt.Sprintf("there is no stage %s: the stages are %s", c.Emit, strings.Join(stages, ", "))}
	}
	names := strings.Join(passes.PassNames(), ", ")
	_, isStep := strings.CutPrefix(c.Dump, "loops:")
	for _, name := range []string{c.Dump, c.StopAfter} {
		if name == "" || isStep && name == c.Dump {
			continue
		}
		known := false
		for _, p := range passes.PassNames() {
			known = known || p == name
		}
		if !known {
			return &usageError{fmt.Sprintf("there is no pass %s: the passes are %s, and --dump loops:STEP prints kernels", name, names)}
		}
	}
	return nil
}

// graphs runs the passes and prints what is asked for of the graph IR.
func (c *compileCommand) graphs(t *terminal, x *compilation) (done bool, err error) {
	if c.Emit == "graph" {
		_, err := fmt.Fprint(t.stdout, x.module)
		return true, err
	}
	_, isStep := strings.CutPrefix(c.Dump, "loops:")
	dumping := c.Dump != "" && !isStep
	if dumping {
		x.options.Dump = func(pass string, g *ir.Graph) {
			if pass == c.Dump {
				fmt.Fprintln(t.stdout, g)
			}
		}
	}
	x.options.StopAfter = c.StopAfter
	if err := x.optimize(); err != nil {
		return true, err
	}
	if c.StopAfter != "" {
		_, err := fmt.Fprint(t.stdout, x.module)
		return true, err
	}
	if c.Emit == "plan" {
		if err := x.plan(); err != nil {
			return true, err
		}
		for _, e := range x.module.Entries {
			fmt.Fprintln(t.stdout, e.Graph.Plan)
			for _, v := range e.Every {
				if v.Graph != nil {
					fmt.Fprintln(t.stdout, v.Graph.Plan)
				}
			}
		}
		return true, nil
	}
	return dumping && c.Out == "" && c.Emit == "", nil
}

// kernels generates code and prints or writes it.
func (c *compileCommand) kernels(t *terminal, x *compilation) error {
	if err := x.plan(); err != nil {
		return err
	}
	step, isStep := strings.CutPrefix(c.Dump, "loops:")
	if c.Emit == "loops" || isStep {
		return x.printKernels(t.stdout, step)
	}
	if c.Emit == "" {
		p, err := x.build()
		if err != nil {
			return err
		}
		return writeBundle(c.Out, p)
	}
	emitted, err := x.emit()
	if err != nil {
		return err
	}
	text := codegen.ModuleText(emitted, x.codegen.Target)
	if c.Emit == "asm" || c.Emit == "ptx" {
		if text, err = codegen.Assembly(emitted, x.codegen); err != nil {
			return err
		}
	}
	_, err = fmt.Fprint(t.stdout, text)
	return err
}

// checkOut refuses a place for the bundle that cannot take it, before anything is done.
func (c *compileCommand) checkOut() error {
	if filepath.Ext(c.Out) == ".mdl" {
		return &usageError{fmt.Sprintf("-o %s: what is written needs another ending than .mdl, which is for models", c.Out)}
	}
	info, err := os.Stat(c.Out)
	switch {
	case c.Out == "" || err != nil: // not there yet
		return nil
	case info.IsDir():
		return &usageError{fmt.Sprintf("-o %s: a folder is there; name a file", c.Out)}
	case !info.Mode().IsRegular():
		return &usageError{fmt.Sprintf("-o %s: a pipe or a device is there; name a file", c.Out)}
	}
	if model, err := os.Stat(c.File); err == nil && os.SameFile(info, model) {
		return &usageError{fmt.Sprintf("-o %s: that is the model itself", c.Out)}
	}
	return nil
}

func writeBundle(path string, p *program.Program) error {
	return writeFile(path, func(w io.Writer) error { return program.Write(w, p) })
}

// writeFile writes a file at once; two compilations to one file do not meet on the way.
func writeFile(path string, write func(io.Writer) error) error {
	return runtime.WriteAtomically(path, fmt.Sprintf("%s.%d.new", path, os.Getpid()), write)
}

// stepNames are the steps of a schedule, for the message that an unknown one gets.
func stepNames(steps []schedule.Step) string {
	var names []string
	for _, s := range steps {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}
