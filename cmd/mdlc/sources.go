package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"sort"

	"mdlc/ir"
	"mdlc/lang"
	"mdlc/runtime"
	"mdlc/runtime/program"
)

// sources are what a module is made from: a model file, those that it uses, and what the command line says.
type sources struct {
	modelFlags
	file   string
	sample []runtime.FlagValue // the parameters of a sample; those that the compiler must know are compiled in
	of     string              // its name; "": there is but one

	said   string            // the warnings
	read   string            // the digest of the model as it was read
	used   map[string]string // those of the other files that were read, by path
	static []string          // the parameters of samples that are compiled in
}

// build runs the front end and prints what it says.
func (s *sources) build(t *terminal) (*ir.Module, error) {
	src, err := t.read(s.file, runtime.ReadFile)
	if err != nil {
		return nil, noModel(s.file, err)
	}
	if program.IsBundle(src) {
		return nil, &usageError{s.file + " is a bundle, compiled already: the model file that it was made from is meant here"}
	}
	s.read, s.used = digest(src), map[string]string{}
	o := lang.Options{Set: settings(s.Set), Past: settings(s.past), Flags: map[string]string{}, Of: s.of, Float: s.float()}
	o.ReadFile = func(path string) ([]byte, error) {
		data, err := t.read(path, runtime.ReadFile)
		s.used[path] = digest(data)
		return data, err
	}
	for _, f := range s.sample {
		if o.Flags[f.Name] = f.Value; f.Bare {
			o.Flags[f.Name] = ""
		}
	}
	module, diagnostics := lang.Build(s.file, src, o)
	for _, d := range diagnostics {
		if d.Severity == lang.Error || !s.Quiet {
			fmt.Fprint(t.stderr, d.Text())
		}
		s.said += d.Text()
	}
	if lang.HasErrors(diagnostics) {
		return nil, reported{code: exitCode(diagnostics)}
	}
	module.Source = filepath.Base(s.file)
	for _, e := range module.Entries {
		for _, f := range e.Flags {
			if f.Static {
				s.static = append(s.static, f.Name)
			}
		}
	}
	return module, cmp.Or(s.setCompute(t, module), s.setWeights(module))
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

// wanted are the entries of a model file that are compiled; the zero value: all.
type wanted struct {
	word, name string // train, eval or sample, and which; "": all
	fresh      bool   // also what makes first values
}

// keep drops the entries that are not wanted. What starts fresh needs the first values, too, as does what nothing trains. If none
// is left, all stay: then the run fails with the names that there are.
func (w wanted) keep(m *ir.Module) {
	fresh := w.fresh || !slices.ContainsFunc(m.Entries, func(e *ir.Entry) bool { return e.Kind == ir.EntryTrain })
	var kept []*ir.Entry
	found, sampled := false, false
	for _, e := range m.Entries {
		need := w.word == ""
		switch w.word {
		case "train":
			need = e.Kind != ir.EntrySample
		case "eval":
			need = e.Kind == ir.EntryEval && (w.name == "" || e.Name == w.name)
		case "sample":
			need = e.Kind == ir.EntrySample && (w.name == "" || e.Name == w.name) && !sampled
			sampled = sampled || need
		}
		found = found || need
		if need || fresh && e.Kind == ir.EntryInit {
			kept = append(kept, e)
		}
	}
	if found {
		m.Entries = kept
	}
}
