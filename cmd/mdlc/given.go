package main

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"mdlc/runtime"
	"mdlc/runtime/program"
)

// takeFromRun gives this run those --set, --precision, --data and, to go on, --steps of the run whose weights it takes that
// are not given now, and returns what both were given.
func (c *runCommand) takeFromRun(t *terminal, out string) runtime.Given {
	var past runtime.Given
	if c.takesWeights(out) {
		past = runtime.ReadGiven(out)
	}
	if filepath.Ext(c.File) != ".mdl" { // a bundle has its settings
		past.Set, past.Precision = nil, ""
	}
	var taken []string
	merge := func(flag string, past, now map[string]string) map[string]string {
		all := maps.Clone(past)
		for _, name := range slices.Sorted(maps.Keys(past)) {
			if _, given := now[name]; !given {
				taken = append(taken, fmt.Sprintf("--%s %s", flag, runtime.ShellWord(name+"="+past[name])))
			}
		}
		if all == nil {
			all = map[string]string{}
		}
		maps.Copy(all, now)
		return all
	}
	data := map[string]string{}
	for name, path := range c.Data {
		data[name] = path
		if path == "" {
			continue // refused later, with its place
		}
		if abs, err := filepath.Abs(path); err == nil {
			data[name] = abs
		}
	}
	both := runtime.Given{Set: merge("set", past.Set, c.Set), Precision: cmp.Or(string(c.Precision), past.Precision), Labels: past.Labels}
	if both.Precision != string(c.Precision) {
		taken = append(taken, "--precision "+both.Precision)
	}
	both.Data = merge("data", past.Data, data)
	if c.Resume && c.Steps == nil && past.Steps > 0 {
		both.Steps = past.Steps
		taken = append(taken, fmt.Sprintf("--steps %d", past.Steps))
	}
	c.past, c.pastPrecision, c.pastData = past.Set, precision(past.Precision), past.Data
	if len(taken) > 0 && !c.Quiet {
		fmt.Fprintf(t.stderr, "as %s was trained: %s\n", out, strings.Join(taken, " "))
	}
	return both
}

// takesWeights tells whether this run begins with the weights of the run folder.
func (c *runCommand) takesWeights(out string) bool {
	word, _ := c.verb()
	return runtime.HasWeights(out) && (c.Resume || word != "train")
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
		if c.Data[name] == "" {
			return &usageError{fmt.Sprintf("--data %s= names no file: --data %s=PATH", name, name)}
		}
		if !slices.Contains(names, strings.TrimSuffix(name, ".labels")) {
			return &usageError{fmt.Sprintf("--data %s: %s has %s", name, p.Source, cmp.Or(strings.Join(names, ", "), "no data"))}
		}
	}
	return nil
}

// replacePath sets a path of s, where s has it, to that given under name.
func (c *runCommand) replacePath(s *program.Source, name string, path *string, has bool) error {
	value, given := c.Data[name]
	if !given {
		if value, given = c.pastData[name]; !given || !has {
			return nil
		}
	}
	if !has {
		return &usageError{fmt.Sprintf("--data %s: `%s` reads no such file", name, s.Kind)}
	}
	abs, err := filepath.Abs(value)
	*path = abs
	return err
}
