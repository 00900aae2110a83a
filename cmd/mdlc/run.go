package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"mdlc/codegen"
	"mdlc/lang"
	"mdlc/runtime"
	"mdlc/runtime/program"
)

// modelFlags are the flags of every command that compiles a model.
type modelFlags struct {
	Set       map[string]string `help:"Change an entry of config." placeholder:"KEY=VALUE" mapsep:"none"`
	Precision precision         `help:"What products are made in, whatever the model file says: bf16, f16 or f32. Params, moments and sums stay as they are. f64: everything is computed in 64 bits, to tell errors of rounding from others. Slow." placeholder:"TYPE"`
	Weights   weightType        `help:"What samples and evals store the weights of products in, to read fewer bytes: int8 or f8e4m3 (with a scale for every 32), bf16, f16 or f32." placeholder:"TYPE"`
	Quiet     bool              `short:"q" help:"Print results and errors only."`
	Verbose   bool              `short:"v" help:"Print more."`

	past          map[string]string // --set of the run whose weights this one takes
	pastPrecision precision         // its --precision

	NoFusion bool `hidden:"" help:"Give each operation a kernel of its own: a switch for tests, for the results are the same bits."`
	NoDecode bool `hidden:"" help:"Compute each element of a generation from all before it: a switch for tests and measurements."`
}

type runCommand struct {
	modelWords
	modelFlags
	runFlags
	Steps     *int   `help:"Train for this many steps, whatever the model file says."`
	Out       string `help:"The run folder (runs/MODEL)." type:"path"`
	Resume    bool   `help:"Go on from the run folder's last checkpoint."`
	NewData   bool   `help:"Resume even though the data are not what the run began with."`
	SaveEvery string `help:"Steps (500) or time (30s) between checkpoints." default:"30s" placeholder:"N|TIME"`
	JSON      bool   `name:"json" help:"Print a JSON object for every report and eval on stdout."`
	Export    string `help:"Write the first weights and all training batches into DIR, for other tools." placeholder:"DIR" type:"path"`

	Profile bool `help:"Tell on stderr which lines took the time and how near the roofline they are, and write the run folder's trace.json, for Perfetto."`

	CheckNumbers bool `help:"When something becomes infinite or NaN, repeat the step and tell the line that made it. Slow."`

	given
	fresh    bool // starts with the model's first values, whatever it runs, and not with weights of the run folder
	device   *runtime.Device
	pastData map[string]string // --data of the run whose weights this one takes
}

// modelWords are a model and what to do with it.
type modelWords struct {
	File  string   `arg:"" help:"The model, or a bundle made by compile."`
	Words []string `arg:"" optional:"" name:"what" help:"train, eval [NAME] or sample [NAME] [--FLAG VALUE …]."`
}

// runFlags are the flags of every command that runs a model.
type runFlags struct {
	Data    map[string]string `help:"Take data NAME from PATH." placeholder:"NAME=PATH" mapsep:"none"`
	Seed    *uint64           `help:"The number that all random numbers follow from (0)."`
	Device  string            `help:"Where to run: cpu, emulator (of a GPU; emulator:low and emulator:high are the ends of what its sums may be), cuda, cuda:N, or auto: a GPU if there is one." default:"cpu" placeholder:"NAME"`
	Target  string            `help:"What to compile for, if not what the device has, which is sm_80 for the emulator." placeholder:"TARGET"`
	Threads *int              `help:"Threads that work at once (as many as this process may use)."`
}

// threads are those of --threads; 0: as many as there are.
func (f *runFlags) threads() int {
	if f.Threads == nil {
		return 0
	}
	return *f.Threads
}

// given is the command line of a command that runs a model.
type given struct {
	args  []string            // all of it
	flags []runtime.FlagValue // of the sample
	known []string            // the names of the command's own flags
}

func (c *runCommand) Run(t *terminal) (err error) {
	if err := c.checkWords(); err != nil {
		return err
	}
	o, err := c.options(t)
	if err != nil {
		return err
	}
	if err := c.findDevice(o.Progress); err != nil {
		return err
	}
	o.CheckNumbers = c.CheckNumbers
	if c.CheckNumbers { // an operation a kernel has a line a kernel, and the bits are the same
		c.NoFusion = true
	}
	o.Given = c.takeFromRun(t, o.Out)
	o.Steps = max(o.Steps, o.Given.Steps)
	outline, compile, err := c.read(t, o.Out)
	if err != nil {
		return err
	}
	if err := c.replaceData(outline); err != nil {
		return err
	}
	r, tasks := runtime.NewRunner(runtime.Outline(outline), o), c.tasks(outline, o.Out)
	if err := c.check(r, tasks); err != nil {
		return err
	}
	m, err := c.load(outline, compile)
	if err != nil {
		return err
	}
	defer m.Close()
	if c.Profile {
		defer func() { err = errors.Join(err, c.writeProfile(t, m, o.Out)) }()
	}
	made := ""
	if o.Given.Precision != "" {
		made = fmt.Sprintf(", %s in %s", precision(o.Given.Precision).what(), o.Given.Precision)
	}
	if c.Weights != "" {
		made += ", weights in " + string(c.Weights)
	}
	o.Progress.Line("%s, memory: %.1f MiB%s", m.Title(), float64(m.Memory())/(1<<20), made)
	r.Use(m)
	return c.carryOut(t, r, tasks)
}

// writeProfile tells where the time of a run went, also of one that failed.
func (c *runCommand) writeProfile(t *terminal, m *runtime.Model, folder string) error {
	const rounds = 5
	peak, err := c.ceilings(rounds)
	m.WriteProfile(t.stderr, peak)
	if _, gone := os.Stat(folder); err != nil || gone != nil { // a run that failed has made none
		return err
	}
	path := filepath.Join(folder, "trace.json")
	if err := writeFile(path, func(w io.Writer) error { return m.WriteTrace(w, peak) }); err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.stderr, "wrote %s: every launch, for Perfetto\n", path)
	return err
}

// load compiles a program and brings it onto the device, if that will hold it.
func (c *runCommand) load(outline *program.Program, compile func() (*program.Program, error)) (*runtime.Model, error) {
	setup := runtime.Setup{Device: c.device, Threads: c.threads(), Times: c.Profile}
	if cache, err := codegen.OpenCache(""); err == nil {
		setup.Cache = cache
	}
	if err := c.device.Holds(outline, setup); err != nil {
		return nil, err
	}
	p, err := compile()
	if err != nil {
		return nil, err
	}
	if err := c.replaceData(p); err != nil {
		return nil, err
	}
	return runtime.Load(p, setup)
}

// findDevice finds the device, before anything is read or compiled for it.
func (c *runCommand) findDevice(progress *runtime.Progress) error {
	d, why, err := runtime.FindDevice(c.Device)
	if err != nil {
		return err
	}
	if why != "" {
		progress.Line("device: %s (%s)", d.Name, why)
	}
	c.device = d
	return nil
}

// compileFor sets what to compile for: what the device has, or what was asked for.
func (c *runCommand) compileFor(x *compilation) error {
	target := c.Target
	if target == "" {
		target = c.device.Arch
	}
	if target == "" {
		return nil
	}
	if err := x.setTarget(target); err != nil {
		return &usageError{err.Error()}
	}
	if x.codegen.Target.GPU != (c.device.Arch != "") {
		return &usageError{fmt.Sprintf("--target %s is no target of --device %s", target, c.device.Name)}
	}
	return nil
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

// verbs are what a run can do.
var verbs = []string{"train", "eval", "sample"}

func (c *runCommand) checkWords() error {
	if err := c.checkFile(); err != nil {
		return err
	}
	word, _ := c.verb()
	for _, word := range c.Words {
		if help := repeatedFlag(c.args, word); help != "" {
			return &usageError{fmt.Sprintf("unexpected argument %s: %s", word, help)}
		}
	}
	if word != "" && !slices.Contains(verbs, word) {
		what := fmt.Sprintf("`%s` is nothing to run: train, eval [NAME] or sample [NAME]", word)
		if near := lang.DidYouMean(word, verbs); near != "" {
			what += "; " + near
		}
		return &usageError{what}
	}
	if len(c.Words) > 2 || word == "train" && len(c.Words) > 1 && !c.fresh { // a training is all of its blocks, a measurement is of one
		return &usageError{fmt.Sprintf("too many words: %s", strings.Join(c.Words, " "))}
	}
	if len(c.flags) > 0 && word != "sample" && word != "" {
		return c.unknownFlag()
	}
	for _, f := range []struct {
		name  string
		value *int
	}{{"--steps", c.Steps}, {"--threads", c.Threads}} {
		if f.value != nil && *f.value <= 0 {
			return &usageError{f.name + " is a positive number"}
		}
	}
	if c.NewData && !c.Resume {
		return &usageError{"--new-data is for --resume: a new run takes whatever data there are"}
	}
	return nil
}

func (c *runCommand) unknownFlag() error {
	f := c.flags[0]
	if near := lang.DidYouMean("--"+f.Name, c.known); near != "" {
		return &usageError{fmt.Sprintf("unknown flag --%s: %s", f.Name, near)}
	}
	value := f.Value
	if f.Bare {
		value = "VALUE"
	}
	help := "parameters of a `sample` are flags, and settings of `config`, of which there are none here, by `--set NAME=VALUE`"
	if have := c.settings(); slices.Contains(have, f.Name) {
		help = fmt.Sprintf("`--set %s=%s` changes the setting", f.Name, value)
	} else if near := lang.DidYouMean(f.Name, have); near != "" {
		help = fmt.Sprintf("`--set NAME=%s` changes a setting; %s", value, near)
	} else if len(have) > 0 {
		help = fmt.Sprintf("`--set NAME=%s` changes one of the settings, which are %s", value, strings.Join(have, ", "))
	}
	return &usageError{fmt.Sprintf("unknown flag --%s: %s", f.Name, help)}
}

// settings are the names of the entries of config that the model file has.
func (c *runCommand) settings() []string {
	src, err := runtime.ReadFile(c.File)
	if err != nil {
		return nil
	}
	if f, _ := lang.Parse(c.File, src); f != nil {
		return f.Settings()
	}
	return nil
}

// checkFile finds the model that went to a flag which mdlc does not know: `run --fast FILE train`.
func (c *runCommand) checkFile() error {
	info, err := os.Stat(c.File)
	if err == nil && !info.IsDir() {
		return nil
	}
	for _, f := range c.flags {
		if info, err := os.Stat(f.Value); err == nil && !info.IsDir() && !strings.HasSuffix(c.File, ".mdl") {
			return &usageError{fmt.Sprintf("--%s is no flag of `run`, so it took `%s` as its value; flags of a sample stand after the model", f.Name, f.Value)}
		}
	}
	return noModel(c.File, err)
}

// noModel says of a file that is no model, or err if it cannot be read, what there is beside it.
func noModel(path string, err error) error {
	folder, near := path, ""
	switch {
	case err == nil:
		err = fmt.Errorf("%s is a folder, not a file that ends in .mdl", path)
	case errors.Is(err, fs.ErrNotExist):
		folder, err = filepath.Dir(path), fmt.Errorf("%s is not there", path)
	default:
		return fmt.Errorf("no model: %w", err)
	}
	models, _ := filepath.Glob(filepath.Join(folder, "*.mdl"))
	if near = lang.DidYouMean(path, models); near == "" && len(models) > 0 {
		if len(models) > 5 {
			models = append(models[:5], "…")
		}
		near = folder + " holds " + strings.Join(models, ", ")
	}
	if near == "" {
		near = "there is none in " + folder
	}
	return fmt.Errorf("no model: %w; %s", err, near)
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
