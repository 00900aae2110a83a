package main

import (
	"bytes"
	"cmp"
	"debug/elf"
	"fmt"
	"io"
	"path/filepath"
	goruntime "runtime"
	"runtime/debug"
	"slices"
	"sort"
	"sync"
	"time"

	"mdlc/codegen"
	"mdlc/codegen/schedule"
	"mdlc/ir"
	"mdlc/lang"
	"mdlc/passes"
	"mdlc/runtime"
	"mdlc/runtime/program"
)

// compilation is a model file on its way to a program.
type compilation struct {
	t       *terminal
	module  *ir.Module
	options passes.Options
	codegen codegen.Options
	machine *schedule.Machine
	spent   timings
}

// program compiles the module. The result is kept under the module's text, the
// target and the identity of this compiler.
func (x *compilation) program() (*program.Program, error) {
	key := []string{"program", buildID(), x.codegen.Target.Name, fmt.Sprint(x.options.NoFusion, x.options.NoDecode), x.module.String()}
	if data := x.codegen.Cache.Get(key...); data != nil {
		if p, err := program.Load(bytes.NewReader(data)); err == nil {
			return p, nil
		}
	}
	defer debug.SetGCPercent(debug.SetGCPercent(collectAt()))
	go codegen.FindTools() // they take a moment to say their versions
	x.codegen.Ready = func(e *ir.Entry) error { return passes.Entry(x.module, e, x.options) }
	p, err := x.build()
	if err != nil {
		return nil, err
	}
	var bundle bytes.Buffer
	if err := program.Write(&bundle, p); err != nil {
		return nil, err
	}
	x.codegen.Cache.Put(bundle.Bytes(), key...)
	return p, nil
}

// collectAt is the growth of the heap in percent at which a compilation collects. What it
// keeps grows to its end: collecting less often saves a quarter of its time. But data that are
// read already are no reason to let garbage grow with them.
func collectAt() int {
	const most, plain = 600, 128 << 20
	var m goruntime.MemStats
	goruntime.ReadMemStats(&m)
	return int(max(most*plain/max(m.HeapAlloc, plain), 20))
}

// buildID changes with every change of this program.
func buildID() string {
	self, err := elf.Open("/proc/self/exe")
	if err == nil {
		defer self.Close()
		if note := self.Section(".note.go.buildid"); note != nil {
			if id, err := note.Data(); err == nil {
				return string(id)
			}
		}
	}
	return version()
}

// newCompilation reads a model file into a module. The flags are the parameters of a sample;
// those that the compiler must know are compiled in.
func newCompilation(t *terminal, file string, m modelFlags, flags []runtime.FlagValue) (*compilation, error) {
	defer debug.SetGCPercent(debug.SetGCPercent(collectAt()))
	module, err := readModel(t, file, m, flags)
	if err != nil {
		return nil, err
	}
	x := &compilation{t: t, module: module, options: passes.Options{NoFusion: m.NoFusion, NoDecode: m.NoDecode}}
	if m.Verbose {
		x.options.Timing = x.spent.add
	}
	target, err := codegen.HostTarget()
	if err != nil {
		return nil, err
	}
	if err := x.setTarget(target.Name); err != nil {
		return nil, err
	}
	x.codegen.Cache, err = codegen.OpenCache("")
	return x, err
}

// keep drops the entries that are not needed; what starts fresh needs the first values, too, as does what nothing trains. If none
// is left, all stay: then the run fails with the names that there are.
func (x *compilation) keep(needed func(*ir.Entry) bool, fresh bool) {
	fresh = fresh || !slices.ContainsFunc(x.module.Entries, func(e *ir.Entry) bool { return e.Kind == ir.EntryTrain })
	var kept []*ir.Entry
	found := false
	for _, e := range x.module.Entries {
		need := needed(e)
		found = found || need
		if need || fresh && e.Kind == ir.EntryInit {
			kept = append(kept, e)
		}
	}
	if found {
		x.module.Entries = kept
	}
}

// readModel runs the front end and prints what it says.
func readModel(t *terminal, file string, m modelFlags, flags []runtime.FlagValue) (*ir.Module, error) {
	read := func(path string) ([]byte, error) { return t.read(path, runtime.ReadFile) }
	src, err := read(file)
	if err != nil {
		return nil, noModel(file, err)
	}
	o := lang.Options{Set: settings(m.Set), Past: settings(m.past), Flags: map[string]string{}, Float: m.float(), ReadFile: read}
	for _, f := range flags {
		if o.Flags[f.Name] = f.Value; f.Bare {
			o.Flags[f.Name] = ""
		}
	}
	module, diagnostics := lang.Build(file, src, o)
	for _, d := range diagnostics {
		if d.Severity == lang.Error || !m.Quiet {
			fmt.Fprint(t.stderr, d.Text())
		}
	}
	if lang.HasErrors(diagnostics) {
		return nil, reported{code: exitCode(diagnostics)}
	}
	module.Source = filepath.Base(file)
	return module, cmp.Or(m.setCompute(t, module), m.setWeights(module))
}

// exitCode tells the model's errors from those of the command line, which have no place.
func exitCode(diagnostics []lang.Diagnostic) int {
	for _, d := range diagnostics {
		if d.Severity == lang.Error && d.Span.Pos.Filename == "" {
			return exitUsage
		}
	}
	return exitFailure
}

func settings(set map[string]string) []ir.Setting {
	var out []ir.Setting
	for name, value := range set {
		out = append(out, ir.Setting{Name: name, Value: value})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// setTarget chooses the level of the instruction set, and with it the table of machine constants.
func (x *compilation) setTarget(name string) (err error) {
	if x.codegen.Target, err = codegen.TargetNamed(name); err != nil {
		return err
	}
	x.machine = x.codegen.Target.Machine
	return nil
}

// timings are what passes took, over all graphs that they went over, in the order in which they first came up.
type timings struct {
	mu    sync.Mutex
	names []string
	took  map[string]time.Duration
}

func (s *timings) add(name string, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.took == nil {
		s.took = map[string]time.Duration{}
	}
	if _, ok := s.took[name]; !ok {
		s.names = append(s.names, name)
	}
	s.took[name] += d
}

func (s *timings) print(w io.Writer) {
	for _, name := range s.names {
		fmt.Fprintf(w, "%-16s %8.1f ms\n", name, float64(s.took[name].Microseconds())/1000)
	}
}

// timed tells what f took, where timings are asked for.
func (x *compilation) timed(name string, f func() error) error {
	began := time.Now()
	err := f()
	if x.options.Timing != nil {
		x.options.Timing(name, time.Since(began))
	}
	return err
}

// optimize runs the passes.
func (x *compilation) optimize() error { return passes.Run(x.module, x.options) }

// plan gives every buffer its place.
func (x *compilation) plan() error {
	return x.timed("plan", func() error { return passes.Plan(x.module) })
}

// build generates the program of the module.
func (x *compilation) build() (p *program.Program, err error) {
	err = x.timed("build", func() error {
		built, err := codegen.Build(x.module, x.machine, x.codegen)
		if err == nil {
			p = built.Program
		}
		return err
	})
	return p, err
}

// emit generates the text of all kernels.
func (x *compilation) emit() ([]*codegen.Emitted, error) {
	built, err := codegen.Pages(x.module)
	if err != nil {
		return nil, err
	}
	if err := built.Schedule(x.machine); err != nil {
		return nil, err
	}
	if err := built.Emit(x.codegen.Target); err != nil {
		return nil, err
	}
	return built.Emitted(), nil
}

// printKernels prints the kernels as they were lowered, or after a step of their schedules.
func (x *compilation) printKernels(w io.Writer, step string) error {
	built, err := codegen.Pages(x.module)
	if err != nil {
		return err
	}
	for _, k := range built.Kernels {
		if step == "" {
			fmt.Fprintln(w, k.Page)
			continue
		}
		steps, err := schedule.Run(k.Page, x.machine)
		if err != nil {
			return err
		}
		found := false
		for _, s := range steps {
			if s.Name == step {
				fmt.Fprintln(w, s.Kernel)
				found = true
			}
		}
		if !found {
			return &usageError{fmt.Sprintf("there is no step %s: the steps are %s", step, stepNames(steps))}
		}
	}
	return nil
}
