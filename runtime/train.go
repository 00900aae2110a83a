package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// Train runs the train blocks of the file in order, then every eval. With
// Resume it goes on from the run folder's checkpoint; the end is the same, bit
// for bit, as without the interruption.
func (r *Runner) Train() error {
	stages := r.trains()
	if len(stages) == 0 {
		return fmt.Errorf("%s has no train block", r.m.program.Source)
	}
	at, err := r.begin(stages)
	if err != nil {
		return err
	}
	defer func() {
		r.log.Close()
		r.log = nil
	}()
	for ; at.stage < len(stages); at = (progress{at.seed, at.stage + 1, 0}) {
		t := &training{r: r, e: stages[at.stage], at: at, evaluated: map[*entry]int{}}
		if err := t.run(); err != nil {
			return err
		}
		if at.stage+1 == len(stages) {
			return r.finalEvals(t.at.step, t.evaluated)
		}
	}
	return nil
}

func (r *Runner) trains() []*entry {
	var out []*entry
	for _, e := range r.m.entries {
		if e.Kind == "train" {
			out = append(out, e)
		}
	}
	return out
}

// begin sets states, log and run folder to where training starts.
func (r *Runner) begin(stages []*entry) (at progress, err error) {
	if r.o.Resume {
		at, err = r.m.restore(r.weights())
		switch {
		case errors.Is(err, fs.ErrNotExist):
			r.o.Progress.Line("no checkpoint in %s yet: starting from the beginning", r.o.Out)
		case err != nil:
			return at, err
		case r.o.Seed != nil && *r.o.Seed != at.seed:
			return at, fmt.Errorf("%s was trained with seed %d: it cannot go on with seed %d", r.o.Out, at.seed, *r.o.Seed)
		case at.stage >= len(stages):
			return at, fmt.Errorf("%s is at train block %d; %s has %d", r.o.Out, at.stage+1, r.m.program.Source, len(stages))
		default:
			r.seed = at.seed
			r.o.Progress.Line("%s goes on after step %d", stages[at.stage].title(), at.step)
			return at, r.openFolder(&logCut{stages[at.stage].title(), at.step})
		}
	}
	at = progress{seed: r.seed}
	if err := r.openFolder(nil); err != nil {
		return at, err
	}
	return at, r.init()
}

// training is one train block on its way.
type training struct {
	r         *Runner
	e         *entry
	at        progress
	count     int
	rec       record
	every     []everyRun
	evaluated map[*entry]int // the step after which an eval ran last
	saved     time.Time
}

// everyRun is an `every` block of a training.
type everyRun struct {
	n     int
	block *block
	in    *inputs
	rec   record
	evals []*evaluation
}

func (t *training) run() error {
	if err := t.prepare(); err != nil {
		return err
	}
	in, err := t.r.inputs(t.e.block, false)
	if err != nil {
		return err
	}
	if err := t.export(in); err != nil {
		return err
	}
	feed := startPrefetch(in, t.at.step, t.count)
	defer feed.stop()
	t.r.o.Progress.start(t.at.step)
	t.saved = time.Now()
	for t.at.step < t.count {
		feed.next()
		in.setStep(t.at.step)
		if err := t.r.run(t.e.block, t.at.step+1, nil); err != nil {
			return err
		}
		t.at.step++
		if err := t.after(); err != nil {
			return err
		}
	}
	return t.r.m.save(t.r.weights(), t.at)
}

func (t *training) prepare() (err error) {
	if t.count, err = t.r.count(t.e.Count); err != nil {
		return err
	}
	t.rec = newRecord(t.e.title(), t.e.block)
	for i := range t.e.Every {
		src := &t.e.Every[i]
		v := everyRun{n: src.N, block: t.e.every[i]}
		if v.in, err = t.r.inputs(v.block, false); err != nil {
			return err
		}
		v.rec = newRecord(t.e.title(), v.block)
		for _, name := range src.Evals {
			e, err := t.r.evaluation(name)
			if err != nil {
				return err
			}
			v.evals = append(v.evals, e)
		}
		t.every = append(t.every, v)
	}
	return nil
}

// after does what follows a step: its records, the `every` blocks, a checkpoint.
func (t *training) after() error {
	r, step := t.r, t.at.step
	t.rec.read(t.e.block, step)
	if len(t.rec.names) > 0 {
		if err := r.write(&t.rec); err != nil {
			return err
		}
	}
	r.o.Progress.step(&t.rec, t.count)
	if err := t.runEvery(); err != nil {
		if errors.Is(err, ErrStopped) {
			return t.stop()
		}
		return err
	}
	if r.o.Stop != nil && r.o.Stop.Load() && step < t.count {
		return t.stop()
	}
	every := r.o.Save
	if every.Steps > 0 && step%every.Steps == 0 || every.Steps == 0 && every.Time > 0 && time.Since(t.saved) >= every.Time {
		t.saved = time.Now()
		return r.m.save(r.weights(), t.at)
	}
	return nil
}

// stop saves and ends the training before its time.
func (t *training) stop() error {
	if err := t.r.m.save(t.r.weights(), t.at); err != nil {
		return err
	}
	t.r.o.Progress.Line("stopped after step %d; %s is saved, --resume goes on", t.at.step, t.r.weights())
	return ErrStopped
}

// runEvery runs what is due after this step: first the blocks, which read values
// of the step from the arena, then the evals, which overwrite it.
func (t *training) runEvery() error {
	for i := range t.every {
		if v := &t.every[i]; t.at.step%v.n == 0 {
			if err := t.runBlock(v); err != nil {
				return err
			}
		}
	}
	for i := range t.every {
		if v := &t.every[i]; t.at.step%v.n == 0 {
			for _, e := range v.evals {
				if err := t.r.evaluate(e, t.at.step); err != nil {
					return err
				}
				t.evaluated[e.e] = t.at.step
			}
		}
	}
	return nil
}

func (t *training) runBlock(v *everyRun) error {
	r, step := t.r, t.at.step
	v.in.fill(v.in.into, step/v.n-1)
	v.in.setStep(step)
	if err := r.run(v.block, step, nil); err != nil {
		return err
	}
	if len(v.rec.names) > 0 {
		v.rec.read(v.block, step)
		if err := r.write(&v.rec); err != nil {
			return err
		}
		r.o.Progress.record(&v.rec)
	}
	return r.showAll(t.e.title(), v.block, step, nil)
}

// finalEvals runs the evals that did not run after the last step anyway.
func (r *Runner) finalEvals(step int, evaluated map[*entry]int) error {
	for _, e := range r.m.entries {
		if e.Kind != "eval" || evaluated[e] == step && step > 0 {
			continue
		}
		v, err := r.evaluation(e.Name)
		if err != nil {
			return err
		}
		if err := r.evaluate(v, step); err != nil {
			return err
		}
	}
	return nil
}
