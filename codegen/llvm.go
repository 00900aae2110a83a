package codegen

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"

	"mdlc/codegen/llir"
	"mdlc/ir"
	"mdlc/ir/parallel"
)

// llvmMajor is the release of LLVM whose text and tools we use.
const llvmMajor = "19"

// DefaultPasses cleans up what the emitter leaves: common subexpressions,
// loop invariants, addresses, sums of registers past an edge. Loops are already vectors, so the loop and SLP
// vectorizers have nothing to do and cost the most time.
const DefaultPasses = "function(early-cse,instcombine<no-verify-fixpoint>,loop-mssa(licm),early-cse,simplifycfg,adce)"

// Tools are the LLVM programs.
type Tools struct {
	Opt, Llc, Lld string // paths
	Version       string // of llc, part of the cache's key
}

// FindTools looks for LLVM 19: opt-19, llc-19 and ld.lld-19, or programs of that version without the suffix.
func FindTools() (*Tools, error) { return findTools() }

var findTools = sync.OnceValues(lookForTools)

func lookForTools() (*Tools, error) {
	t := &Tools{}
	var missing []string
	for _, x := range []struct {
		name string
		path *string
	}{{"opt", &t.Opt}, {"llc", &t.Llc}, {"ld.lld", &t.Lld}} {
		path, version := findTool(x.name)
		if path == "" {
			missing = append(missing, x.name+"-"+llvmMajor)
			continue
		}
		*x.path = path
		t.Version += version + "\n"
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("LLVM %s is needed to compile kernels, but %s is not on PATH; install it with `apt-get install llvm-%s lld-%s`",
			llvmMajor, strings.Join(missing, ", "), llvmMajor, llvmMajor)
	}
	return t, nil
}

// findTool returns the path of a tool of the right version and its version line.
func findTool(name string) (path, version string) {
	for _, file := range []string{name + "-" + llvmMajor, name} {
		path, err := exec.LookPath(file)
		if err != nil {
			continue
		}
		out, err := exec.Command(path, "--version").Output()
		if err != nil {
			continue
		}
		for _, line := range strings.Split(string(out), "\n") {
			line = strings.TrimSpace(line)
			if strings.Contains(line, "LLVM version "+llvmMajor+".") || strings.Contains(line, "LLD "+llvmMajor+".") {
				return path, line
			}
		}
	}
	return "", ""
}

// Options say how to compile.
type Options struct {
	Target  *Target
	Passes  string // of opt; "" is DefaultPasses
	Modules int    // compiled side by side; 0: one a core
	Cache   *Cache // nil: none

	Ready func(*ir.Entry) error // brings an entry through the passes and plans it; nil: it is
}

func (o Options) passes() string {
	if o.Passes == "" {
		return DefaultPasses
	}
	return o.Passes
}

// ModuleText is the LLVM module of some kernels for t.
func ModuleText(kernels []*Emitted, t *Target) string {
	all := functions(kernels)
	return moduleText(all, all, t)
}

// functions are those of the kernels, each once.
func functions(kernels []*Emitted) []function {
	var out []function
	text := map[string]string{}
	for _, k := range kernels {
		for _, f := range k.funcs {
			if _, ok := text[f.name]; !ok {
				text[f.name] = f.text
				out = append(out, f)
			} else if text[f.name] != f.text {
				panic("codegen: two functions are called " + f.name)
			}
		}
	}
	return out
}

// moduleText is the module of some functions, which may call ones that others of all have.
func moduleText(some, all []function, t *Target) string {
	var decls, funcs []string
	has := map[string]bool{}
	for _, f := range some {
		has[f.name] = true
		decls = append(decls, f.intrinsics...)
		funcs = append(funcs, f.text)
	}
	declare := map[string]string{}
	for _, f := range all {
		declare[f.name] = f.declare
	}
	for _, f := range some {
		for _, name := range f.calls {
			if !has[name] {
				decls = append(decls, declare[name])
			}
		}
	}
	return llir.Module(t.triple(), t.preamble(), decls, funcs) + kernelFooter(some)
}

// Compile makes a shared object with the functions of all kernels; for a GPU it is a module of PTX.
func Compile(kernels []*Emitted, o Options) ([]byte, error) {
	tools, err := FindTools()
	if err != nil {
		return nil, err
	}
	var key string
	funcs := functions(kernels)
	if o.Cache != nil {
		key = cacheKey(append([]string{tools.Version, o.Target.CPU, o.Target.Attrs, o.passes(), fmt.Sprint(backend, tierFlags, ptxBackend), o.Target.preamble()}, sortedTexts(funcs)...)...)
		if object := o.Cache.get(key); object != nil {
			return object, nil
		}
	}
	build := tools.build
	if o.Target.GPU {
		build = tools.ptx
	}
	object, err := build(divide(funcs, o), o)
	if err != nil {
		return nil, err
	}
	if o.Cache != nil {
		o.Cache.put(key, object)
	}
	return object, nil
}

// sortedTexts are the texts that the object depends on, however they are spread over modules.
func sortedTexts(funcs []function) []string {
	var out []string
	for _, f := range funcs {
		out = append(out, f.text+kernelFooter([]function{f}))
	}
	sort.Strings(out)
	return out
}

// tier is what a function asks of LLVM.
type tier uint8

const (
	tierDirect    tier = iota // addresses that are a pointer and constants
	tierStreaming             // stores past the caches or fetches ahead
	tierEntry                 // calls the loops of a phase, once: any code will do
)

// module is some LLVM text that is compiled at once.
type module struct {
	text string
	tier tier
}

// moduleBytes is the least text that is worth a module of its own.
const moduleBytes = 100_000

// divide spreads functions over modules of about equal text, at most n of a tier.
func divide(funcs []function, o Options) []module {
	n := o.Modules
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	var out []module
	var parts [][]function
	for _, t := range []tier{tierStreaming, tierDirect, tierEntry} {
		var some []function
		total := 0
		for _, f := range funcs {
			if f.tier == t {
				some = append(some, f)
				total += len(f.text)
			}
		}
		for _, m := range deal(some, min(n, len(some), 1+total/moduleBytes)) {
			out = append(out, module{tier: t})
			parts = append(parts, m)
		}
	}
	parallel.Each(len(out), runtime.GOMAXPROCS(0), func(i int) error {
		out[i].text = moduleText(parts[i], funcs, o.Target)
		return nil
	})
	return out
}

// deal gives functions to n modules, the longest first, each to the shortest module.
func deal(funcs []function, n int) [][]function {
	mods, size := make([][]function, n), make([]int, n)
	order := slices.Clone(funcs)
	slices.SortStableFunc(order, func(a, b function) int { return len(b.text) - len(a.text) })
	for _, f := range order {
		least := 0
		for j := range size {
			if size[j] < size[least] {
				least = j
			}
		}
		mods[least] = append(mods[least], f)
		size[least] += len(f.text)
	}
	return mods
}

// build compiles modules side by side and links them.
func (t *Tools) build(mods []module, o Options) ([]byte, error) {
	dir, err := os.MkdirTemp("", "mdlc-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	objects := make([]string, len(mods))
	errs := make([]error, len(mods))
	var wg sync.WaitGroup
	for i, m := range mods {
		objects[i] = filepath.Join(dir, fmt.Sprintf("m%d.o", i))
		wg.Go(func() { errs[i] = t.compile(m, objects[i], "obj", o) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, outOfSpace(err, dir)
	}
	so := filepath.Join(dir, "kernels.so")
	args := append([]string{"-shared", "--no-undefined", "-o", so}, objects...)
	if _, err := run(t.Lld, args, nil); err != nil {
		return nil, outOfSpace(fmt.Errorf("linking kernels: %w (kernels may call no library)", err), dir)
	}
	return os.ReadFile(so)
}

// outOfSpace is what the user is told of err if that is about a full disk and not about code.
func outOfSpace(err error, dir string) error {
	if strings.Contains(err.Error(), "No space left on device") {
		return fmt.Errorf("no space is left in %s, where kernels are compiled: make room, or set TMPDIR to another folder", filepath.Dir(dir))
	}
	return err
}

// backend are llc's flags for every module.
var backend = []string{"-relocation-model=pic", "-fp-contract=off"}

// tierFlags are more flags. The processor orders instructions well enough itself after registers are
// given. In addresses that are a pointer and constants, loop strength reduction and address sinking find nothing in
// half of llc's time; where several streams run through memory they gain (a softmax is 12% slower
// without). Giving registers to short-lived values first keeps the accumulators of products in theirs. What opt
// wrote verifies.
var tierFlags = [...][]string{
	tierDirect:    {"-O2", "-disable-verify", "-disable-post-ra", "-disable-lsr", "-disable-cgp", "-greedy-reverse-local-assignment"},
	tierStreaming: {"-O2", "-disable-verify", "-disable-post-ra"},
	tierEntry:     {"-O0"},
}

// compile runs opt and llc; kind is obj or asm.
func (t *Tools) compile(m module, file, kind string, o Options) error {
	cpu := []string{"-mcpu=" + o.Target.CPU}
	if o.Target.Attrs != "" {
		cpu = append(cpu, "-mattr="+o.Target.Attrs)
	}
	code := []byte(m.text)
	if m.tier != tierEntry {
		var err error
		if code, err = run(t.Opt, append([]string{"-passes=" + o.passes(), "-o", "-"}, cpu...), code); err != nil {
			return fmt.Errorf("internal error: LLVM rejects emitted code: %w", err)
		}
	}
	args := slices.Concat(backend, tierFlags[m.tier], []string{"-filetype=" + kind, "-o", file}, cpu)
	if _, err := run(t.Llc, args, code); err != nil {
		return fmt.Errorf("internal error: llc: %w", err)
	}
	return nil
}

// Assembly is the x86-64 assembly or the PTX of some kernels, of x86-64 a part for each module.
func Assembly(kernels []*Emitted, o Options) (string, error) {
	tools, err := FindTools()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "mdlc-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "kernels.s")
	var parts []byte
	o.Modules = 1
	if o.Target.GPU {
		text, err := tools.ptx(divide(functions(kernels), o), o)
		return string(text), err
	}
	for _, m := range divide(functions(kernels), o) {
		if err := tools.compile(m, file, "asm", o); err != nil {
			return "", err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		parts = append(parts, text...)
	}
	return string(parts), nil
}

// run executes a program and returns its output; errors quote what it printed.
func run(program string, args []string, stdin []byte) ([]byte, error) {
	cmd := exec.Command(program, args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &out, &errs
	if err := cmd.Run(); err != nil {
		text := strings.TrimSpace(errs.String())
		if len(text) > 2000 {
			text = text[:2000] + " …"
		}
		return nil, fmt.Errorf("%s: %w: %s", filepath.Base(program), err, text)
	}
	return out.Bytes(), nil
}
