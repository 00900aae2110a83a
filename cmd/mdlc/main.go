// Command mdlc compiles, trains and samples models written in mdl.
package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"mdlc/runtime"
)

// Exit codes.
const (
	exitFailure = 1
	exitUsage   = 2
)

// commands is the command line.
type commands struct {
	Init    initCommand    `cmd:"" help:"Write a small model file that runs at once, to start from."`
	Run     runCommand     `cmd:"" help:"Train, evaluate or sample a model; without a word after the file: train if there are no weights yet, then the first sample."`
	Compile compileCommand `cmd:"" help:"Compile a model to a bundle, or print one stage of the compilation."`
	Bench   benchCommand   `cmd:"" help:"Measure a step of training, or an eval or a sample: time, rates, shares of what this machine can do, compile time, memory."`
	Check   checkCommand   `cmd:"" help:"Report mistakes and doubtful places of a model file."`
	Fmt     fmtCommand     `cmd:"" help:"Write model files in the one layout, in place."`
	Doc     docCommand     `cmd:"" help:"Describe the library, a model file, or a declaration; alone: list what there is."`
	Doctor  doctorCommand  `cmd:"" help:"Say what this machine has and what is missing."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

// terminal is where a command writes, and whether it should stop early.
type terminal struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	width          int // columns of stderr, 0 if it is no terminal
	stop           atomic.Bool
	stoppable      atomic.Bool       // a first interrupt has something to save
	sources        map[string][]byte // files of the model, as they were read
}

// usageError is a command line that cannot be carried out.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// reported is an error that the user has been told of already.
type reported struct{ code int }

func (reported) Error() string { return "reported" }

func main() {
	t := &terminal{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	if width, _, err := term.GetSize(int(os.Stderr.Fd())); err == nil && os.Getenv("TERM") != "dumb" {
		t.width = width
	}
	go t.watchInterrupts()
	os.Exit(execute(os.Args[1:], t))
}

// repeated is how soon after a first interrupt another is the same one.
const repeated = 200 * time.Millisecond

// watchInterrupts lets a first Ctrl-C, a kill or the end of the terminal end a run in good
// order; a second one, or one where nothing needs saving, quits at once.
func (t *terminal) watchInterrupts() {
	signals := make(chan os.Signal, 2)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) { // as nohup wants it
			signal.Notify(signals, s)
		}
	}
	var first time.Time
	for range signals {
		if t.stop.Load() && time.Since(first) < repeated {
			continue // some senders signal a process and its group
		}
		first = time.Now()
		if t.stop.Swap(true) || !t.stoppable.Load() {
			fmt.Fprintln(t.stderr)
			os.Exit(exitFailure)
		}
		fmt.Fprintln(t.stderr, "\nsaving after this step; once more quits at once")
	}
}

// survivePipes makes a write to a reader that is gone an error, which training outlives
// until it has saved; Go ends the process otherwise. It returns what undoes that.
func survivePipes() func() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGPIPE)
	return func() { signal.Stop(signals) }
}

// execute runs one command line and returns the exit code.
func execute(args []string, t *terminal) int {
	c := &commands{}
	out := &checkedWriter{w: t.stdout}
	t.stdout = out
	exit := -1
	parser, err := kong.New(c, kong.Name("mdlc"), kong.Description("A compiler that trains and samples models written in mdl."),
		kong.Writers(t.stdout, t.stderr), kong.Exit(func(code int) { exit = code }), kong.UsageOnError())
	if err != nil {
		panic(err) // the struct above is wrong
	}
	args, flags := splitSampleFlags(parser, helpFlag(args))
	ctx, err := parser.Parse(args)
	if exit >= 0 { // --help
		return exit
	}
	if err != nil {
		err = withRemedy(parser, args, err)
	} else {
		given := given{args: args, flags: flags}
		c.Run.given, c.Bench.given = given, given
		c.Run.known, c.Bench.known = slices.Sorted(maps.Keys(flagsOf(parser, "run"))), slices.Sorted(maps.Keys(flagsOf(parser, "bench")))
		err = ctx.Run(t)
	}
	if err == nil && out.err != nil {
		err = fmt.Errorf("cannot write to standard output: %w", out.err)
	}
	return t.conclude(err)
}

// checkedWriter remembers that a write failed: a result that did not arrive is no success.
type checkedWriter struct {
	w   io.Writer
	err error
}

func (c *checkedWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	if c.err == nil {
		c.err = err
	}
	return n, err
}

// conclude tells of an error and picks the exit code.
func (t *terminal) conclude(err error) int {
	var parse *kong.ParseError
	var usage *usageError
	var flag *runtime.FlagError
	var told reported
	switch {
	case err == nil:
		return 0
	case errors.As(err, &told):
		return told.code
	case errors.Is(err, runtime.ErrStopped):
		return exitFailure
	case errors.As(err, &parse), errors.As(err, &usage), errors.As(err, &flag):
		fmt.Fprintf(t.stderr, "mdlc: %v\n", err)
		return exitUsage
	}
	fmt.Fprint(t.stderr, t.excerpted(err.Error()))
	return exitFailure
}

type versionCommand struct{}

func (versionCommand) Run(t *terminal) error {
	_, err := fmt.Fprintln(t.stdout, "mdlc", version())
	return err
}

// version is the release, or the commit that the command was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v, dirty := info.Main.Version, ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && (v == "" || v == "(devel)"):
			v = s.Value[:min(len(s.Value), 12)]
		case s.Key == "vcs.modified" && s.Value == "true" && !strings.Contains(v, "+dirty"): // Go marks some versions itself
			dirty = "+changes"
		}
	}
	if v == "(devel)" || v == "" {
		return "development"
	}
	return v + dirty
}
