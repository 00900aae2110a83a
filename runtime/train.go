package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"
)

// Train runs the train blocks of the file in order, then every eval. With
// Resume it goes on from the run folder's checkpoint; the end is the same, bit
// for bit, as without the interruption.
func (r *Runner) Train() error {
	stages := r.m.ofKind("train")
	if len(stages) == 0 {
		return r.m.lacks("train")
	}
	if err := r.checkData(stages); err != nil {
		return err
	}
	defer func() {
		r.log.Close()
		r.log = nil
	}()
	at, err := r.begin(stages)
	if err != nil {
		return err
	}
	for ; ; at = (progress{seed: at.seed, stage: at.stage + 1}) {
		t := &training{r: r, e: stages[at.stage], at: at}
		if err := t.run(); err != nil {
			return err
		}
		if at.stage+1 == len(stages) {
			err := r.finalEvals(t.at.step, t.evaluated)
			if errors.Is(err, ErrStopped) {
				r.o.Progress.Line("stopped in the last evals; %s is saved, --resume runs them", r.weights())
			}
			if err == nil && r.lost != nil {
				err = fmt.Errorf("%w\n  = help: %s", r.lost, r.kept)
			}
			return err
		}
	}
}

// checkData looks at the data of all blocks before anything in the run folder
// changes: what an eval lacks must not come to light after hours of training.
func (r *Runner) checkData(stages []*entry) error {
	for _, e := range stages {
		if err := (&training{r: r, e: e}).prepare(); err != nil {
			return err
		}
		if _, err := r.inputs(e.block, false); err != nil {
			return err
		}
	}
	return r.checkEvals("")
}

// checkEvals looks at the data of the eval of that name, or of all.
func (r *Runner) checkEvals(name string) error {
	for _, e := range r.m.entries {
		if e.Kind == "eval" && (name == "" || e.Name == name) {
			if _, err := r.evaluation(e.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// begin sets states, log and run folder to where training starts.
func (r *Runner) begin(stages []*entry) (at progress, err error) {
	if err := r.openFolder(); err != nil {
		return at, err
	}
	if r.o.Resume {
		at, err = r.readWeights((*Model).setAllStates)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			r.o.Progress.Line("no checkpoint in %s yet: starting from the beginning", r.o.Out)
		case err != nil:
			return at, err
		default:
			r.tellLostConfig()
			if err := r.mayGoOn(at, stages); err != nil {
				return at, err
			}
			if err := r.compareData(at.data); err != nil {
				return at, err
			}
			r.seed, r.kept = at.seed, fmt.Sprintf("%s holds step %d", r.weights(), at.step)
			r.o.Progress.Line("%s goes on after step %d", stages[at.stage].title(), at.step)
			count, err := r.count(stages[at.stage].Count)
			if err != nil {
				return at, err
			}
			return at, r.resumeFolder(at, at.step < count || at.stage+1 < len(stages))
		}
	}
	at = progress{seed: r.seed}
	if err := r.startFolder(); err != nil {
		return at, err
	}
	return at, r.init()
}

// mayGoOn tells whether training can go on from the checkpoint at.
func (r *Runner) mayGoOn(at progress, stages []*entry) error {
	switch {
	case r.o.Seed != nil && *r.o.Seed != at.seed:
		return fmt.Errorf("%s was trained with seed %d: it cannot go on with seed %d", r.o.Out, at.seed, *r.o.Seed)
	case at.stage >= len(stages):
		return fmt.Errorf("%s is at train block %d; %s has %d", r.o.Out, at.stage+1, r.m.program.Source, len(stages))
	}
	return nil
}

// training is one train block on its way.
type training struct {
	r     *Runner
	e     *entry
	at    progress
	count int
	rec   record
	every []everyRun
	saved time.Time
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
	if t.at.step < t.count {
		t.r.ended = nil
	} else if t.at.step > 0 {
		t.r.o.Progress.Line("nothing is left to train: %d of %d steps are done; --steps N goes on", t.at.step, t.count)
		if err := t.r.recall(t.e, t.at.step); err != nil {
			return err
		}
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
	if t.at.evals {
		if err := t.runEvals(); err != nil {
			return err
		}
		if t.r.lost != nil {
			return t.fail()
		}
	}
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
	return t.save()
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
		r.write(&t.rec)
	}
	r.o.Progress.step(&t.rec, t.count)
	if err := r.showAll(t.e.title(), t.e.block, step, nil); err != nil {
		r.lose(fmt.Errorf("cannot write a sample: %w", err))
	}
	if err := t.runBlocks(); err != nil {
		return err
	}
	if err := t.runEvals(); err != nil {
		return err
	}
	if r.lost != nil {
		return t.fail()
	}
	if r.o.Stop != nil && r.o.Stop.Load() && step < t.count {
		return t.stop()
	}
	every := r.o.Save
	if every.Steps > 0 && step%every.Steps == 0 || every.Steps == 0 && every.Time > 0 && time.Since(t.saved) >= every.Time {
		t.saved = time.Now()
		return t.save()
	}
	return nil
}

// save writes a checkpoint of all that is done.
func (t *training) save() error {
	t.mark()
	if err := t.r.save(t.at); err != nil {
		return errors.Join(t.r.lost, err)
	}
	return nil
}

// mark notes how much of the log belongs to what is done.
func (t *training) mark() { t.at.log, t.at.unlogged = t.r.logged, string(t.r.unlogged) }

// fail saves and ends a training whose outputs cannot be written.
func (t *training) fail() error {
	if err := t.save(); err != nil {
		return err
	}
	return fmt.Errorf("%w\n  = help: %s", t.r.lost, t.r.kept)
}

// stop saves and ends the training before its time.
func (t *training) stop() error {
	if err := t.save(); err != nil {
		return err
	}
	return t.stopped()
}

func (t *training) stopped() error {
	t.r.o.Progress.Line("stopped after step %d; %s is saved, --resume goes on", t.at.step, t.r.weights())
	return ErrStopped
}

// due are the `every`s of this step.
func (t *training) due() (out []*everyRun) {
	for i := range t.every {
		if v := &t.every[i]; t.at.step > 0 && t.at.step%v.n == 0 {
			out = append(out, v)
		}
	}
	return out
}

// runBlocks runs the blocks that are due, before the evals: they read values of
// the step from the arena, which evals overwrite.
func (t *training) runBlocks() error {
	for _, v := range t.due() {
		if err := t.runBlock(v); err != nil {
			return err
		}
	}
	return nil
}

// runEvals runs the evals that are due. Where it is stopped, the checkpoint is
// one from before them, so that the resumed run has the records of all.
func (t *training) runEvals() error {
	t.mark()
	for _, v := range t.due() {
		for _, e := range v.evals {
			err := t.r.evaluate(e, t.at.step)
			if errors.Is(err, ErrStopped) {
				t.at.evals = true
				if err := t.r.save(t.at); err != nil {
					return err
				}
				return t.stopped()
			}
			if err != nil {
				return err
			}
		}
	}
	t.at.evals = false
	return nil
}

// evaluated reports whether an eval ran after the last step.
func (t *training) evaluated(e *entry) bool {
	return slices.ContainsFunc(t.due(), func(v *everyRun) bool {
		return slices.ContainsFunc(v.evals, func(x *evaluation) bool { return x.e == e })
	})
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
		r.write(&v.rec)
		r.o.Progress.record(&v.rec)
	}
	if err := r.showAll(fmt.Sprintf("%s every %d", t.e.title(), v.n), v.block, step, nil); err != nil {
		r.lose(fmt.Errorf("cannot write a sample: %w", err))
	}
	return nil
}

// finalEvals runs the evals but those that ran already, in the last step or, where all is done already, behind it.
func (r *Runner) finalEvals(step int, evaluated func(*entry) bool) error {
	for _, e := range r.m.entries {
		if e.Kind != "eval" || evaluated(e) {
			continue
		}
		if rec := r.ended.of(e.title(), step); rec != nil {
			r.o.Progress.record(rec)
			r.write(rec)
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
