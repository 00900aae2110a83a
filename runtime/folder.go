package runtime

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// openFolder opens the log of the run folder, which belongs to one run at a time.
func (r *Runner) openFolder() error {
	if err := os.MkdirAll(r.o.Out, 0o755); err != nil {
		return fmt.Errorf("no run folder: %w; choose another with --out", err)
	}
	log, err := os.OpenFile(filepath.Join(r.o.Out, "log.jsonl"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return fmt.Errorf("cannot write the log: %w; choose another folder with --out", err)
	}
	r.log = log
	if info, err := log.Stat(); err != nil || !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file: remove it, or choose another folder with --out", log.Name())
	}
	// A file system that knows no locks has to do without.
	if errors.Is(unix.Flock(int(log.Fd()), unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK) {
		return fmt.Errorf("another run trains in %s: end it, or choose another folder with --out", r.o.Out)
	}
	return nil
}

// startFolder makes the opened run folder ready for a new run. What an earlier run left moves
// aside: it is not lost, and its weights must not be taken for a checkpoint of this one.
func (r *Runner) startFolder() error {
	if err := r.moveAside(); err != nil {
		return err
	}
	if err := errors.Join(r.writeConfig(), r.keepFile()); err != nil {
		return err
	}
	return r.cutLog(0)
}

// moveAside moves an earlier run in the folder to the first of earlier-1, earlier-2, … that is free.
func (r *Runner) moveAside() error {
	if !HasWeights(r.o.Out) {
		return nil
	}
	var aside string
	for n := 1; ; n++ {
		aside = filepath.Join(r.o.Out, fmt.Sprintf("earlier-%d", n))
		if err := os.Mkdir(aside, 0o755); err == nil {
			break
		} else if !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	names := []string{"config.json", "samples"}
	if copied := r.keptFile(); copied != "" {
		names = append(names, filepath.Base(copied))
	}
	// The log is copied, for it is what is locked; the weights go last, for they make the folder a run.
	text, err := os.ReadFile(r.log.Name())
	if err == nil {
		err = replaceText(filepath.Join(aside, "log.jsonl"), text)
	}
	for _, name := range append(names, filepath.Base(r.weights())) {
		if e := os.Rename(filepath.Join(r.o.Out, name), filepath.Join(aside, name)); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	if err == nil {
		r.o.Progress.Line("the earlier run in %s is kept as %s", r.o.Out, aside)
	}
	return err
}

// resumeFolder makes the opened run folder ready to go on from the checkpoint at. Where nothing is left to train, it stays
// what the run was that made its weights.
func (r *Runner) resumeFolder(at progress, left bool) error {
	if left {
		r.compareConfig()
	}
	if r.asBefore() {
		log, err := os.ReadFile(r.log.Name())
		if err != nil {
			return err
		}
		r.ended = parseRecords(log[min(at.log, len(log)):])
	}
	if left {
		if err := errors.Join(r.writeConfig(), r.keepFile()); err != nil {
			return err
		}
	}
	if err := r.cutLog(at.log); err != nil {
		return err
	}
	if r.logged < at.log {
		r.o.Progress.Line("warning: %s has lost records: it is shorter than when the checkpoint was saved", r.log.Name())
	}
	n, err := r.log.WriteString(at.unlogged)
	r.logged += n
	if err != nil {
		return fmt.Errorf("cannot write the log: %w", err)
	}
	return nil
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

// save writes a checkpoint. The log that it counts on must be on the disk before. Weights that are no numbers do not take the
// place of those that were: a gradient may be NaN where the loss is not.
func (r *Runner) save(at progress) error {
	spoilt, err := r.m.spoilt()
	if err != nil {
		return err
	}
	if spoilt != nil {
		kept := r.kept
		if kept == "" {
			kept = "nothing is saved"
		}
		return fmt.Errorf("%s: error: `%s` is NaN after step %d, though no loss was\n  = help: what was added to it was NaN: a square root or a norm has no gradient at 0, and a rate may be none; the same run with --check-numbers names the line; %s", spoilt.Pos, spoilt.Name, at.step, kept)
	}
	if err := r.log.Sync(); err != nil {
		r.lose(fmt.Errorf("cannot write the log: %w", err))
	}
	at.data = r.fingerprints()
	err = r.m.save(r.weights(), at)
	switch {
	case err == nil:
		r.kept = fmt.Sprintf("%s holds step %d; --resume goes on from there", r.weights(), at.step)
	case r.kept == "":
		return fmt.Errorf("%w\n  = help: nothing is saved; make room, or choose another folder with --out", err)
	default:
		return fmt.Errorf("%w\n  = help: %s", err, r.kept)
	}
	return nil
}

// keptFile is the run folder's copy of the model file; "" where that is the model file itself.
func (r *Runner) keptFile() string {
	if r.o.File == "" {
		return ""
	}
	path := filepath.Join(r.o.Out, filepath.Base(r.o.File))
	model, err := os.Stat(r.o.File)
	if copied, e := os.Stat(path); err == nil && e == nil && os.SameFile(model, copied) {
		return ""
	}
	return path
}

// keepFile copies the model file into the run folder, and warns where an earlier copy differs.
func (r *Runner) keepFile() error {
	path := r.keptFile()
	if path == "" {
		return nil
	}
	text, err := ReadFile(r.o.File)
	if err != nil {
		return err
	}
	if before, err := os.ReadFile(path); r.o.Resume && err == nil && !bytes.Equal(before, text) {
		r.o.Progress.Line("warning: %s is not what it was when the run began", r.o.File)
	}
	return replaceText(path, text)
}

// write adds rec to the log and to the JSON output. Where one of them cannot be written, that
// is noted: the step that rec belongs to is not over, and must not be lost.
func (r *Runner) write(rec *record) {
	line := rec.json()
	if r.log != nil && r.unlogged == nil {
		n, err := r.log.Write(line)
		if err == nil {
			r.logged += n
		} else {
			r.lose(fmt.Errorf("cannot write the log: %w", err))
			r.unlogged = line
			_ = r.log.Truncate(int64(r.logged)) // of half a line
		}
	} else if r.log != nil {
		r.unlogged = append(r.unlogged, line...)
	}
	if r.o.JSON != nil && !r.muted {
		if _, err := r.o.JSON.Write(line); err != nil {
			r.muted = true
			r.lose(fmt.Errorf("cannot write to standard output: %w", err))
		}
	}
}

// lose notes the first reason why an output could not be written.
func (r *Runner) lose(err error) {
	if r.lost == nil {
		r.lost = err
	}
}
