package runtime

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
)

// runConfig is config.json of a run folder: all that a repetition needs.
type runConfig struct {
	Version  string            `json:"version"`
	Source   string            `json:"source"`
	Seed     uint64            `json:"seed"`
	Steps    int               `json:"steps,omitempty"` // --steps
	Threads  int               `json:"threads"`
	Settings map[string]string `json:"settings"`
	Data     map[string]string `json:"data"`
	Labels   Labels            `json:"labels,omitempty"`
	Given    Given             `json:"given,omitzero"`
}

// Labels are, by source, the names of labels in the order of their numbers; none: they are numbers.
type Labels map[string][]string

// Given is what whoever takes the run's weights has to go on with: what flags of the command line said, and which numbers
// labels had.
type Given struct {
	Set       map[string]string `json:"set,omitempty"`
	Precision string            `json:"precision,omitempty"`
	Steps     int               `json:"-"`              // it has an entry of its own
	Data      map[string]string `json:"data,omitempty"` // whole paths
	Labels    Labels            `json:"-"`              // as have they
}

// ReadGiven is what the run in a folder was given; nothing where there is none.
func ReadGiven(folder string) Given {
	c, _ := readConfig(folder)
	c.Given.Steps, c.Given.Labels = c.Steps, c.Labels
	return c.Given
}

func (r *Runner) writeConfig() error {
	p := r.m.program
	c := runConfig{Version: r.o.Version, Source: p.Source, Seed: r.seed, Steps: r.o.Steps, Threads: r.m.Workers(), Given: r.o.Given,
		Settings: map[string]string{}, Data: map[string]string{}, Labels: Labels{}}
	maps.Copy(c.Labels, r.o.Given.Labels)
	for _, kv := range p.Settings {
		c.Settings[kv.Key] = kv.Value
	}
	for _, s := range p.Sources {
		c.Data[s.Name] = s.Path
		if have := r.sources[s.Name]; have != nil && have.classes != nil {
			c.Labels[s.Name] = have.classes
		}
	}
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	return replaceText(configFile(r.o.Out), append(text, '\n'))
}

// compareConfig warns where a resumed run has other settings or data than it began
// with: a longer schedule may be meant, but then the bits are not those of one run.
func (r *Runner) compareConfig() {
	before, ok := readConfig(r.o.Out)
	if !ok {
		return
	}
	compare := func(old map[string]string, name, value string) {
		if was, ok := old[name]; ok && was != value {
			r.o.Progress.Line("warning: %s is %s; the run began with %s", name, value, was)
		}
	}
	for _, kv := range r.m.program.Settings {
		compare(before.Settings, kv.Key, kv.Value)
	}
	if was, now := before.Given.Precision, r.o.Given.Precision; was != now {
		const model = "what the model says"
		r.o.Progress.Line("warning: products are made in %s; the run began with %s", cmp.Or(now, model), cmp.Or(was, model))
	}
	for _, s := range r.m.program.Sources {
		compare(before.Data, s.Name, s.Path)
	}
}

// readConfig is what config.json in a run folder says; false where it says nothing.
func readConfig(folder string) (c runConfig, ok bool) {
	c, err := loadConfig(folder)
	return c, err == nil
}

func loadConfig(folder string) (c runConfig, err error) {
	text, err := os.ReadFile(configFile(folder))
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	return c, err
}

// lostConfig says that weights have no config.json beside them that can be read, where that is so: they may be of other settings,
// which would be taken from there.
func (r *Runner) lostConfig() string {
	_, err := loadConfig(r.o.Out)
	what := "is damaged"
	switch {
	case err == nil:
		return ""
	case errors.Is(err, fs.ErrNotExist):
		what = "is not there"
	}
	return fmt.Sprintf("%s %s: with which settings the weights were trained is not known, so those of the model file and of --set are taken", configFile(r.o.Out), what)
}

func (r *Runner) tellLostConfig() {
	if text := r.lostConfig(); text != "" {
		r.o.Progress.Line("warning: %s", text)
	}
}

// otherSettings are the settings of this program that are not those of the run folder, in words
// and as the flags that mend it.
func (r *Runner) otherSettings() (words, flags string) {
	before, _ := readConfig(r.o.Out)
	var w, f []string
	for _, kv := range r.m.program.Settings {
		if was, ok := before.Settings[kv.Key]; ok && was != kv.Value {
			w = append(w, fmt.Sprintf("%s = %s, now %s", kv.Key, was, kv.Value))
			f = append(f, "--set "+ShellWord(kv.Key+"="+was))
		}
	}
	return strings.Join(w, "; "), strings.Join(f, " ")
}

// asBefore tells whether an eval would say what it said in the run folder: by the same compiler, with the same
// model, settings, precision and data.
func (r *Runner) asBefore() bool {
	before, ok := readConfig(r.o.Out)
	others, _ := r.otherSettings()
	if !ok || before.Version != r.o.Version || others != "" || before.Given.Precision != r.o.Given.Precision || r.o.NewData {
		return false
	}
	path := r.keptFile()
	if path == "" {
		return true
	}
	kept, err := os.ReadFile(path)
	model, e := os.ReadFile(r.o.File)
	return err == nil && e == nil && bytes.Equal(kept, model)
}

// ShellWord is text as a shell takes it for one word.
func ShellWord(text string) string {
	if text != "" && !strings.ContainsAny(text, " \t\n'\"\\$&;|<>()*?[]#~`!{}") {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

func configFile(folder string) string { return filepath.Join(folder, "config.json") }
