package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"mdlc/codegen"
	"mdlc/runtime"
	"mdlc/runtime/program"
)

type benchCommand struct {
	modelWords
	modelFlags
	runFlags
	Rounds int  `help:"Runs that count." default:"15"`
	JSON   bool `name:"json" help:"Print one JSON object instead of a table."`
	Turns  bool `help:"For each line of standard input, a number N, run N times and print the mean of the seconds, so that others can be measured in turn."`

	given
}

// figures is what bench finds out.
type figures struct {
	Model    string
	What     string
	Device   string
	Threads  int
	Rounds   int
	Kernels  int     // different ones
	Launches int     // in a run
	Median   float64 // seconds of a run, and its quartiles
	Lower    float64
	Upper    float64
	Rows     int `json:",omitempty"` // of data in a run

	GFLOP  float64 // of the products of a run
	GB     float64 // that the kernels of a run must at least move
	AtMost bool    `json:",omitempty"` // GFLOP and GB are of the greatest lengths: a run may do less
	Peak   struct {
		GFLOPS      float64 // multiply-adds of f32 in registers, a second
		Tensor      float64 `json:",omitempty"` // the same of bf16 on tensor cores
		GBS         float64 // bytes read and written in memory, a second
		Moving      float64 // seconds that the bytes of a run take at least, in the caches that hold them
		Multiplying float64 // seconds that its products take at least
	}

	Compile struct{ Cold, Warm float64 } // seconds, from the model file; not of a bundle
	Memory  int64                        // bytes of all buffers
	MaxRSS  int64                        // bytes of the process at most
}

func (c *benchCommand) Run(t *terminal) error {
	if c.Rounds < 1 {
		return &usageError{"--rounds is a positive number"}
	}
	out, err := os.MkdirTemp("", "mdlc-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(out)
	r := &runCommand{modelWords: c.modelWords, modelFlags: c.modelFlags, runFlags: c.runFlags, SaveEvery: "30s", Out: out, given: c.given, fresh: true}
	f := &figures{Model: c.File, Rounds: c.Rounds}
	if err := c.measure(t, r, f); err != nil || c.Turns {
		return err
	}
	if c.JSON {
		return json.NewEncoder(t.stdout).Encode(f)
	}
	return f.print(t.stdout)
}

// measure fills in the figures.
func (c *benchCommand) measure(t *terminal, r *runCommand, f *figures) error {
	if err := r.checkWords(); err != nil {
		return err
	}
	if len(r.Words) == 0 {
		r.Words = []string{"train"}
	}
	o, err := r.options(t)
	if err != nil {
		return err
	}
	if err := r.findDevice(o.Progress); err != nil {
		return err
	}
	outline, compile, err := r.read(t, r.Out)
	if err != nil {
		return err
	}
	if err := r.replaceData(outline); err != nil {
		return err
	}
	runner := runtime.NewRunner(runtime.Outline(outline), o)
	word, name := r.verb()
	if err := r.nearFlag(runner.CheckMeasure(word, name, r.flags)); err != nil {
		return err
	}
	if c.Turns {
		return c.turns(t, r, runner, outline, compile)
	}
	if err := c.compileTimes(t, r, f); err != nil {
		return err
	}
	m, err := r.load(outline, compile)
	if err != nil {
		return err
	}
	defer m.Close()
	runner.Use(m)
	got, err := runner.Measure(word, name, r.flags, c.Rounds)
	if err != nil {
		return err
	}
	f.take(got, m)
	peak, err := r.ceilings(c.Rounds)
	if err != nil || peak.Flops == 0 {
		return err
	}
	f.Peak.GFLOPS, f.Peak.Tensor, f.Peak.GBS = peak.Flops/1e9, peak.Tensor/1e9, peak.Memory()/1e9
	f.Peak.Moving, f.Peak.Multiplying = got.Moving(peak), got.Multiplying(peak)
	return nil
}

// turns answers each line of standard input, a number, with the mean seconds of so many runs.
func (c *benchCommand) turns(t *terminal, r *runCommand, runner *runtime.Runner, outline *program.Program, compile func() (*program.Program, error)) error {
	m, err := r.load(outline, compile)
	if err != nil {
		return err
	}
	defer m.Close()
	runner.Use(m)
	word, name := r.verb()
	w, err := runner.Stopwatch(word, name, r.flags)
	if err != nil {
		return err
	}
	defer w.Stop()
	lines := bufio.NewScanner(t.stdin)
	for lines.Scan() {
		runs, err := strconv.Atoi(lines.Text())
		if err != nil || runs < 1 {
			return &usageError{fmt.Sprintf("--turns: a positive number is expected, not `%s`", lines.Text())}
		}
		var took time.Duration
		for range runs {
			once, err := w.Run()
			if err != nil {
				return err
			}
			took += once
		}
		if _, err := fmt.Fprintln(t.stdout, took.Seconds()/float64(runs)); err != nil {
			return err
		}
	}
	return lines.Err()
}

func (f *figures) take(got *runtime.Measurement, m *runtime.Model) {
	f.What, f.Device, f.Threads = got.Title, m.Title(), m.Workers()
	f.Kernels, f.Launches, f.Rows = m.Kernels(), got.Launches, got.Rows
	f.Median, f.Lower, f.Upper = got.Quantile(0.5).Seconds(), got.Quantile(0.25).Seconds(), got.Quantile(0.75).Seconds()
	f.GFLOP, f.GB, f.AtMost = got.Products/1e9, got.Bytes/1e9, got.AtMost
	f.Memory, f.MaxRSS = m.Memory(), maxRSS()
}

// compileTimes compiles the model with an empty cache, and then with what is in it.
func (c *benchCommand) compileTimes(t *terminal, r *runCommand, f *figures) error {
	if strings.HasSuffix(c.File, ".mdl") {
		dir, err := os.MkdirTemp("", "mdlc-cache-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		quiet := &terminal{stdout: t.stdout, stderr: io.Discard}
		for _, into := range []*float64{&f.Compile.Cold, &f.Compile.Warm} {
			began := time.Now()
			x, err := r.compilation(quiet, r.Out)
			if err != nil {
				return err
			}
			if x.codegen.Cache, err = codegen.OpenCache(dir); err != nil {
				return err
			}
			if _, err := x.program(); err != nil {
				return err
			}
			*into = time.Since(began).Seconds()
		}
	}
	return nil
}

// ceilings measures what the device can do at most, a CPU with as many threads. They are not known of one that is
// emulated, nor where a bundle runs without LLVM.
func (c *runCommand) ceilings(rounds int) (peak runtime.Ceilings, err error) {
	if _, none := codegen.FindTools(); none != nil || c.device.Emulated {
		return peak, nil
	}
	target, err := codegen.HostTarget()
	if c.device.Arch != "" {
		target, err = codegen.TargetNamed(cmp.Or(c.Target, c.device.Arch))
	}
	if err != nil {
		return peak, err
	}
	options := codegen.Options{Target: target}
	if options.Cache, err = codegen.OpenCache(""); err != nil {
		return peak, err
	}
	p, err := codegen.Ceilings(options)
	if err != nil {
		return peak, err
	}
	m, err := runtime.Load(p, runtime.Setup{Device: c.device, Threads: c.threads()})
	if err != nil {
		return peak, err
	}
	defer m.Close()
	return m.MeasureCeilings(rounds)
}

// maxRSS is the most memory that this process has held, in bytes; 0: unknown.
func maxRSS() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	return 0
}

// seconds is a time with four digits.
func seconds(s float64) string {
	d, unit := time.Duration(s*float64(time.Second)), time.Duration(1)
	for d/unit >= 10000 {
		unit *= 10
	}
	return d.Round(unit).String()
}

// print writes the figures as a table.
func (f *figures) print(w io.Writer) error {
	var lines []string
	width := max(len(f.What), len("products"))
	add := func(name, format string, args ...any) {
		lines = append(lines, fmt.Sprintf("%-*s  %s", width, name, fmt.Sprintf(format, args...)))
	}
	add(f.What, "%s: %d launches of %d kernels a run, %s", f.Model, f.Launches, f.Kernels, f.Device)
	rates := fmt.Sprintf("%.4g runs/s", 1/f.Median)
	if f.Rows > 0 {
		rates += fmt.Sprintf(", %.4g rows of data/s", float64(f.Rows)/f.Median)
	}
	add("time", "%s a run, median of %d; quartiles %s and %s; %s", seconds(f.Median), f.Rounds, seconds(f.Lower), seconds(f.Upper), rates)
	share := func(least float64, format string, args ...any) string { // of the time, in which a run could have done this
		if f.Peak.GFLOPS == 0 {
			return ""
		}
		return fmt.Sprintf(", %.0f%% of "+format, append([]any{100 * least / f.Median}, args...)...)
	}
	switch {
	case f.AtMost:
		add("work", "no more than %.4g GFLOP in products and %.4g GB of memory a run: lengths decide how much, and with them how near this is to what the machine can do", f.GFLOP, f.GB)
	case f.GFLOP > 0:
		tensor := ""
		if f.Peak.Tensor > 0 {
			tensor = fmt.Sprintf(" and the %.4g of tensor cores", f.Peak.Tensor)
		}
		add("products", "%.4g GFLOP a run, %.4g GFLOP/s%s", f.GFLOP, f.GFLOP/f.Median,
			share(f.Peak.Multiplying, "the %.4g that multiply-adds in registers reach%s", f.Peak.GFLOPS, tensor))
	}
	if !f.AtMost {
		add("memory", "%.4g GB a run, each buffer of a kernel once, %.4g GB/s%s", f.GB, f.GB/f.Median,
			share(f.Peak.Moving, "what copies and reads of as many bytes reach, which is %.4g where no cache holds them", f.Peak.GBS))
	}
	if f.Compile.Cold > 0 {
		add("compile", "%.2f s with an empty cache, %.2f s again", f.Compile.Cold, f.Compile.Warm)
	}
	add("held", "%.1f MiB in buffers, %.1f MiB of the process at most", float64(f.Memory)/(1<<20), float64(f.MaxRSS)/(1<<20))
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}
