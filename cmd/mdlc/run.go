package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"mdlc/ir"
	"mdlc/runtime"
	"mdlc/runtime/program"
)

// modelFlags are the flags of every command that compiles a model.
type modelFlags struct {
	Set     map[string]string `help:"Change an entry of config." placeholder:"KEY=VALUE" mapsep:"none"`
	Quiet   bool              `short:"q" help:"Print results and errors only."`
	Verbose bool              `short:"v" help:"Print more."`

	NoFusion bool `hidden:"" help:"Give each operation a kernel of its own: a switch for tests, for the results are the same bits."`
}

type runCommand struct {
	File  string   `arg:"" help:"The model, or a bundle made by compile."`
	Words []string `arg:"" optional:"" name:"what" help:"train, eval [NAME] or sample [NAME] [--FLAG VALUE …]."`

	modelFlags
	Data      map[string]string `help:"Take data NAME from PATH." placeholder:"NAME=PATH" mapsep:"none"`
	Seed      *uint64           `help:"The number that all random numbers follow from (0)."`
	Threads   int               `help:"Threads that work at once (as many as this process may use)."`
	Steps     *int              `help:"Train for this many steps, whatever the model file says."`
	Out       string            `help:"The run folder (runs/MODEL)." type:"path"`
	Resume    bool              `help:"Go on from the run folder's last checkpoint."`
	NewData   bool              `help:"Resume even though the data are not what the run began with."`
	SaveEvery string            `help:"Steps (500) or time (30s) between checkpoints." default:"30s" placeholder:"N|TIME"`
	JSON      bool              `name:"json" help:"Print a JSON object for every report and eval on stdout."`
	Export    string            `help:"Write the first weights and all training batches into DIR, for other tools." placeholder:"DIR" type:"path"`

	Profile bool `help:"Tell on stderr which kernels took the time."`

	CheckNumbers bool `help:"When something becomes infinite or NaN, repeat the step and tell the line that made it. Slow."`

	flags []runtime.FlagValue // of the sample
}

func (c *runCommand) Run(t *terminal) error {
	if err := c.checkWords(); err != nil {
		return err
	}
	o, err := c.options(t)
	if err != nil {
		return err
	}
	o.CheckNumbers = c.CheckNumbers
	if c.CheckNumbers { // an operation a kernel has a line a kernel, and the bits are the same
		c.NoFusion = true
	}
	p, err := c.load(t, o.Out)
	if err != nil {
		return err
	}
	if err := c.replaceData(p); err != nil {
		return err
	}
	m, err := runtime.Load(p, c.Threads, c.Profile)
	if err != nil {
		return err
	}
	defer m.Close()
	defer m.WriteProfile(t.stderr)
	o.Progress.Line("cpu: %s, %s, threads: %d, memory: %.1f MiB", runtime.CPUName(), strings.Join(p.Target.Features, " "), m.Workers(), float64(m.Memory())/(1<<20))
	return c.carryOut(t, m, o)
}

// verb is the first word; checkWords has checked it.
func (c *runCommand) verb() (word, name string) {
	if len(c.Words) > 0 {
		word = c.Words[0]
	}
	if len(c.Words) > 1 {
		name = c.Words[1]
	}
	return word, name
}

func (c *runCommand) checkWords() error {
	if err := c.checkFile(); err != nil {
		return err
	}
	word, _ := c.verb()
	switch word {
	case "", "train", "eval", "sample":
	default:
		return &usageError{fmt.Sprintf("`%s` is nothing to run: train, eval [NAME] or sample [NAME]", word)}
	}
	if len(c.Words) > 2 || word == "train" && len(c.Words) > 1 {
		return &usageError{fmt.Sprintf("too many words: %s", strings.Join(c.Words, " "))}
	}
	if len(c.flags) > 0 && word != "sample" && word != "" {
		return &usageError{fmt.Sprintf("unknown flag --%s", c.flags[0].Name)}
	}
	if c.Steps != nil && *c.Steps <= 0 || c.Threads < 0 {
		return &usageError{"--steps and --threads are positive numbers"}
	}
	if c.NewData && !c.Resume {
		return &usageError{"--new-data is for --resume: a new run takes whatever data there are"}
	}
	return nil
}

// checkFile finds the model that went to a flag which mdlc does not know: `run --fast FILE train`.
func (c *runCommand) checkFile() error {
	if info, err := os.Stat(c.File); err == nil {
		if !info.IsDir() {
			return nil
		}
		help := "it holds none"
		if models, _ := filepath.Glob(filepath.Join(c.File, "*.mdl")); len(models) > 0 {
			if len(models) > 5 {
				models = append(models[:5], "…")
			}
			help = "it holds " + strings.Join(models, ", ")
		}
		return fmt.Errorf("no model: %s is a folder, not a file that ends in .mdl; %s", c.File, help)
	}
	for _, f := range c.flags {
		if info, err := os.Stat(f.Value); err == nil && !info.IsDir() {
			return &usageError{fmt.Sprintf("--%s is no flag of `run`, so it took `%s` as its value; flags of a sample stand after the model", f.Name, f.Value)}
		}
	}
	return nil
}

func (c *runCommand) options(t *terminal) (runtime.Options, error) {
	o := runtime.Options{File: c.File, Dir: filepath.Dir(c.File), Out: c.Out, Seed: c.Seed, Resume: c.Resume, NewData: c.NewData,
		Show: t.stdout, Stop: &t.stop, Version: version(), Export: c.Export}
	if c.Steps != nil {
		o.Steps = *c.Steps
	}
	if o.Out == "" {
		o.Out = filepath.Join("runs", modelName(c.File))
	}
	if c.JSON {
		o.JSON = t.stdout
	}
	if !c.Quiet {
		o.Progress = runtime.NewProgress(t.stderr, t.width)
	}
	if n, err := strconv.Atoi(c.SaveEvery); err == nil && n > 0 {
		o.Save.Steps = n
	} else if d, err := time.ParseDuration(c.SaveEvery); err == nil && d > 0 {
		o.Save.Time = d
	} else {
		return o, &usageError{fmt.Sprintf("--save-every %s: a number of steps (500) or a time (30s, 5m) is expected", c.SaveEvery)}
	}
	return o, nil
}

// modelName is a model file's name without folder and ending.
func modelName(file string) string {
	return strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
}

// load reads a bundle, or compiles of a model what this run needs.
func (c *runCommand) load(t *terminal, out string) (*program.Program, error) {
	if filepath.Ext(c.File) != ".mdl" {
		bundle, err := runtime.ReadFile(c.File)
		if err != nil {
			return nil, fmt.Errorf("no model: %w", err)
		}
		p, err := program.Load(bytes.NewReader(bundle))
		if err != nil {
			return nil, fmt.Errorf("%s: %w: a model ends in .mdl; data is named with --data NAME=PATH", c.File, err)
		}
		if len(c.Set) > 0 {
			return nil, &usageError{"--set changes a model file; a bundle is compiled already"}
		}
		return p, c.checkCompiledFlags(p)
	}
	began := time.Now()
	p, err := compileFile(t, c.File, c.modelFlags, c.flags, c.needs(out))
	if err == nil && !c.Quiet {
		fmt.Fprintf(t.stderr, "compiled %s in %.2f s\n", c.File, time.Since(began).Seconds())
	}
	return p, err
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

// needs tells which entries of the file this run runs.
func (c *runCommand) needs(out string) func(*ir.Entry) bool {
	word, name := c.verb()
	if word == "" && (c.Resume || !runtime.HasWeights(out)) {
		return func(*ir.Entry) bool { return true }
	}
	first := true
	return func(e *ir.Entry) bool {
		switch {
		case word == "train":
			return e.Kind != ir.EntrySample
		case word == "eval":
			return e.Kind == ir.EntryEval && (name == "" || e.Name == name)
		case e.Kind != ir.EntrySample || name != "" && e.Name != name || !first:
			return false
		}
		first = false
		return true
	}
}

// replaceData carries out --data. NAME.labels is the second path of a source of arrays.
func (c *runCommand) replaceData(p *program.Program) error {
	var names []string
	for i := range p.Sources {
		s := &p.Sources[i]
		names = append(names, s.Name)
		if err := c.replacePath(s, s.Name, &s.Path, s.Kind != "glyphs"); err != nil {
			return err
		}
		if err := c.replacePath(s, s.Name+".labels", &s.Labels, s.Kind == "npy" && s.Labels != ""); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Data)) {
		if !slices.Contains(names, strings.TrimSuffix(name, ".labels")) {
			return &usageError{fmt.Sprintf("--data %s: %s has %s", name, p.Source, strings.Join(names, ", "))}
		}
	}
	return nil
}

// replacePath sets a path of s, where s has it, to that given under name.
func (c *runCommand) replacePath(s *program.Source, name string, path *string, has bool) error {
	value, given := c.Data[name]
	if !given {
		return nil
	}
	if !has {
		return &usageError{fmt.Sprintf("--data %s: `%s` reads no such file", name, s.Kind)}
	}
	abs, err := filepath.Abs(value)
	*path = abs
	return err
}

func (c *runCommand) carryOut(t *terminal, m *runtime.Model, o runtime.Options) error {
	r := runtime.NewRunner(m, o)
	word, name := c.verb()
	switch word {
	case "eval":
		return r.Evaluate(name)
	case "sample":
		return r.Sample(name, c.flags)
	}
	if word == "train" || m.Has("train") && (!runtime.HasWeights(o.Out) || c.Resume) {
		t.stoppable.Store(true)
		defer survivePipes()()
		err := r.Train()
		t.stoppable.Store(false)
		if err != nil || word == "train" || !m.Has("sample") {
			return err
		}
	}
	return r.Sample("", c.flags)
}
