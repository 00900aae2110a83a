package main

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	goruntime "runtime"
	"runtime/debug"
	"sync"
	"time"

	"mdlc/codegen"
	"mdlc/codegen/schedule"
	"mdlc/ir"
	"mdlc/passes"
	"mdlc/runtime/program"
)

// compilation is a model file on its way to a program.
type compilation struct {
	t       *terminal
	sources sources
	wanted  wanted
	module  *ir.Module       // nil until it is read
	known   *program.Program // nil unless the cache knows it by its sources
	options passes.Options
	codegen codegen.Options
	machine *schedule.Machine
	spent   timings
}

// newCompilation prepares the compilation of what is wanted of a model.
func newCompilation(t *terminal, s sources, w wanted) (x *compilation, err error) {
	s.of = w.name
	x = &compilation{t: t, sources: s, wanted: w, options: passes.Options{NoFusion: s.NoFusion, NoDecode: s.NoDecode}}
	if s.Verbose {
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

// read runs the front end.
func (x *compilation) read() (err error) {
	if x.module != nil {
		return nil
	}
	defer debug.SetGCPercent(debug.SetGCPercent(collectAt()))
	if x.module, err = x.sources.build(x.t); err == nil {
		x.wanted.keep(x.module)
	}
	return err
}

// outline is what a run looks at before it compiles: the program without its kernels, or all of one that the cache has.
func (x *compilation) outline() (*program.Program, error) {
	if x.remember(); x.known != nil {
		return x.known, nil
	}
	if err := x.read(); err != nil {
		return nil, err
	}
	return codegen.Outline(x.module)
}

// program compiles the module. The result is kept under the module's text, and what module the sources make under the sources.
func (x *compilation) program() (*program.Program, error) {
	if x.remember(); x.known != nil {
		return x.known, nil
	}
	if err := x.read(); err != nil {
		return nil, err
	}
	text := digest([]byte(x.module.String()))
	if p := x.cached(text); p != nil {
		x.note(text)
		return p, nil
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
	x.codegen.Cache.Put(bundle.Bytes(), x.key("program", text)...)
	x.note(text)
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
