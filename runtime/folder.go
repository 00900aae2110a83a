package runtime

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
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

// openFolder opens the log of the run folder, which belongs to one run at a time.
func (r *Runner) openFolder() error {
	if err := os.MkdirAll(r.o.Out, 0o755); err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(r.o.Out, "log.jsonl"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	r.log = log
	// A file system that knows no locks has to do without.
	if errors.Is(unix.Flock(int(log.Fd()), unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK) {
		return fmt.Errorf("another run trains in %s: end it, or choose another folder with --out", r.o.Out)
	}
	return nil
}

// startFolder makes the opened run folder ready for a new run. Weights of an earlier run
// keep a copy; they must not be taken for a checkpoint of this one.
func (r *Runner) startFolder() error {
	err := os.Rename(r.weights(), filepath.Join(r.o.Out, "weights.previous.safetensors"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := errors.Join(r.writeConfig(), r.keepFile()); err != nil {
		return err
	}
	return r.cutLog(0)
}

// resumeFolder makes the opened run folder ready to go on from the checkpoint at.
func (r *Runner) resumeFolder(at progress) error {
	r.compareConfig()
	if err := errors.Join(r.writeConfig(), r.keepFile()); err != nil {
		return err
	}
	return r.cutLog(at.log)
}

// cutLog leaves the first n bytes of the log, and goes on after them.
func (r *Runner) cutLog(n int) error {
	info, err := r.log.Stat()
	if err != nil {
		return err
	}
	r.logged = min(n, int(info.Size()))
	if err := r.log.Truncate(int64(r.logged)); err != nil {
		return err
	}
	_, err = r.log.Seek(int64(r.logged), io.SeekStart)
	return err
}

// save writes a checkpoint. The log that it counts on must be on the disk before.
func (r *Runner) save(at progress) error {
	if err := r.log.Sync(); err != nil {
		return fmt.Errorf("cannot write the log: %w", err)
	}
	return r.m.save(r.weights(), at)
}

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

// keepFile copies the model file into the run folder, and warns where an earlier copy differs.
func (r *Runner) keepFile() error {
	if r.o.File == "" {
		return nil
	}
	text, err := os.ReadFile(r.o.File)
	if err != nil {
		return err
	}
	path := filepath.Join(r.o.Out, filepath.Base(r.o.File))
	if before, err := os.ReadFile(path); r.o.Resume && err == nil && !bytes.Equal(before, text) {
		r.o.Progress.Line("warning: %s is not what it was when the run began", r.o.File)
	}
	return os.WriteFile(path, text, 0o644)
}

// compareConfig warns where a resumed run has other settings or data than it began
// with: a longer schedule may be meant, but then the bits are not those of one run.
func (r *Runner) compareConfig() {
	var before runConfig
	text, err := os.ReadFile(r.configFile())
	if err != nil || json.Unmarshal(text, &before) != nil {
		return // nothing to compare with
	}
	compare := func(old map[string]string, name, value string) {
		if was, ok := old[name]; ok && was != value {
			r.o.Progress.Line("warning: %s is %s; the run began with %s", name, value, was)
		}
	}
	for _, kv := range r.m.program.Settings {
		compare(before.Settings, kv.Key, kv.Value)
	}
	for _, s := range r.m.program.Sources {
		compare(before.Data, s.Name, s.Path)
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
		n, err := r.log.Write(line)
		if r.logged += n; err != nil {
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
