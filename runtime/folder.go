package runtime

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
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
}

// logCut is where the log of a resumed run goes on: after the last record of
// that step of that train block.
type logCut struct {
	title string
	step  int
}

// openFolder makes the run folder ready: config.json, and log.jsonl, emptied or
// cut back to where the checkpoint was taken. Weights of an earlier run keep a
// copy; they must not be taken for a checkpoint of this one.
func (r *Runner) openFolder(resume *logCut) error {
	if err := os.MkdirAll(r.o.Out, 0o755); err != nil {
		return err
	}
	if resume == nil {
		err := os.Rename(r.weights(), filepath.Join(r.o.Out, "weights.previous.safetensors"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if resume != nil {
		r.compareSettings()
	}
	if err := r.writeConfig(); err != nil {
		return err
	}
	path := filepath.Join(r.o.Out, "log.jsonl")
	kept := 0
	if resume != nil {
		text, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		kept = resume.keep(text)
	}
	log, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	r.log = log
	if err := log.Truncate(int64(kept)); err != nil {
		return err
	}
	_, err = log.Seek(int64(kept), 0)
	return err
}

// keep is the length of the part of a log that the checkpoint covers: all
// before the first record of a later step, or of another train block after it.
func (c *logCut) keep(text []byte) int {
	at, reached := 0, false
	for line := range bytes.Lines(text) {
		var rec struct {
			Block string `json:"block"`
			Step  int    `json:"step"`
		}
		if !bytes.HasSuffix(line, []byte("\n")) || json.Unmarshal(line, &rec) != nil {
			break // cut off in the middle
		}
		this := rec.Block == c.title
		if this && rec.Step > c.step || reached && !this && isTrain(rec.Block) {
			break
		}
		reached = reached || this
		at += len(line)
	}
	return at
}

func isTrain(title string) bool { return title == "train" || strings.HasPrefix(title, "train ") }

func (r *Runner) writeConfig() error {
	p := r.m.program
	c := runConfig{Version: r.o.Version, Source: p.Source, Seed: r.seed, Steps: r.o.Steps, Threads: r.m.Workers(),
		Settings: map[string]string{}, Data: map[string]string{}}
	for _, kv := range p.Settings {
		c.Settings[kv.Key] = kv.Value
	}
	for _, s := range p.Sources {
		c.Data[s.Name] = s.Path
	}
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(r.configFile(), append(text, '\n'), 0o644)
}

// compareSettings warns where a resumed run has other settings than it began
// with: a longer schedule may be meant, but then the bits are not those of one run.
func (r *Runner) compareSettings() {
	var before runConfig
	text, err := os.ReadFile(r.configFile())
	if err != nil || json.Unmarshal(text, &before) != nil {
		return // nothing to compare with
	}
	for _, kv := range r.m.program.Settings {
		if old, ok := before.Settings[kv.Key]; ok && old != kv.Value {
			r.o.Progress.Line("warning: %s is %s; the run began with %s", kv.Key, kv.Value, old)
		}
	}
}

func (r *Runner) configFile() string { return filepath.Join(r.o.Out, "config.json") }

// write adds rec to the log and to the JSON output.
func (r *Runner) write(rec *record) error {
	if r.log == nil && r.o.JSON == nil {
		return nil
	}
	line := rec.json()
	if r.log != nil {
		if _, err := r.log.Write(line); err != nil {
			return fmt.Errorf("cannot write the log: %w", err)
		}
	}
	if r.o.JSON != nil {
		if _, err := r.o.JSON.Write(line); err != nil {
			return fmt.Errorf("cannot write to standard output: %w", err)
		}
	}
	return nil
}
