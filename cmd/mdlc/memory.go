package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"mdlc/runtime"
	"mdlc/runtime/program"
)

// Programs are kept under the text of their modules, so that sources that mean the same share
// them. But to read a model and the library takes longer than to load its program: a note under
// the sources says which module they make.

// note is what is known of sources that were compiled before, whatever the parameters of samples were.
type note struct {
	Used   map[string]string // digests of the files that the model uses, by path
	Static []string          // the parameters of samples that are compiled in
	Made   map[string]made   // by the values of those
}

// made is what the front end made of sources.
type made struct {
	Module string // the digest of its text
	Said   string // the warnings
}

// remember finds the program of sources that were compiled before, and repeats their warnings.
func (x *compilation) remember() {
	s := &x.sources
	if x.known != nil || x.module != nil || s.Verbose { // who wants more printed sees it happen
		return
	}
	src, err := x.t.read(s.file, runtime.ReadFile)
	if err != nil {
		return
	}
	n := x.noted(digest(src))
	for path, was := range n.Used {
		if now, err := x.t.read(path, runtime.ReadFile); err != nil || digest(now) != was {
			return
		}
	}
	was, ok := n.Made[s.given(n.Static)]
	if !ok {
		return
	}
	if x.known = x.cached(was.Module); x.known != nil && !s.Quiet {
		fmt.Fprint(x.t.stderr, was.Said)
	}
}

// note keeps which module the sources made, as they were when the front end read them.
func (x *compilation) note(module string) {
	s := &x.sources
	n := x.noted(s.read)
	if n.Made == nil || !maps.Equal(n.Used, s.used) {
		n = note{s.used, s.static, map[string]made{}}
	}
	n.Made[s.given(n.Static)] = made{module, s.said}
	if data, err := json.Marshal(n); err == nil {
		x.codegen.Cache.Put(data, x.noteKey(s.read)...)
	}
}

// noted is the note of a model of this digest, or one that says nothing.
func (x *compilation) noted(model string) (n note) {
	if json.Unmarshal(x.codegen.Cache.Get(x.noteKey(model)...), &n) != nil {
		return note{}
	}
	return n
}

// noteKey is all that the module depends on but the files that the model uses and the parameters of samples.
func (x *compilation) noteKey(model string) []string {
	s := &x.sources
	return x.key("sources", fmt.Sprintf("%q", []any{s.file, s.Set, s.past, s.Precision, s.pastPrecision, s.Weights}), fmt.Sprint(x.wanted), model)
}

// given are the values of parameters of samples as the command line says them, in an unambiguous form.
func (s *sources) given(names []string) string {
	values := map[string]runtime.FlagValue{}
	for _, f := range s.sample {
		if slices.Contains(names, f.Name) {
			values[f.Name] = f
		}
	}
	text, _ := json.Marshal(values) // of strings and truths
	return string(text)
}

// cached is the program of a module, or nil.
func (x *compilation) cached(module string) *program.Program {
	data := x.codegen.Cache.Get(x.key("program", module)...)
	if data == nil {
		return nil
	}
	p, err := program.Load(bytes.NewReader(data))
	if err != nil {
		return nil
	}
	return p
}

// key is that of something of this compiler for the target.
func (x *compilation) key(parts ...string) []string {
	return append(parts, buildID(), x.codegen.Target.Name, fmt.Sprint(x.options.NoFusion, x.options.NoDecode))
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
