package runtime

import (
	"errors"
	"fmt"
)

// evaluation is an eval block with its data.
type evaluation struct {
	e    *entry
	in   *inputs
	rec  record // of one batch
	mean record // over all examples
	rows int

	shown bool // what it shows of the first batch is written
}

func (r *Runner) evaluation(name string) (*evaluation, error) {
	e, err := r.m.find("eval", name)
	if err != nil {
		return nil, err
	}
	v := &evaluation{e: e, rec: newRecord(e.title(), e.block), mean: newRecord(e.title(), e.block)}
	v.mean.bits = 64
	if v.in, err = r.inputs(e.block, true); err != nil {
		return nil, err
	}
	for i, f := range v.in.feeds {
		if i > 0 && (f.examples() != v.rows || f.batch != v.in.feeds[0].batch) {
			return nil, fmt.Errorf("%s: %s gives %d examples and %s %d: an eval needs as many of each",
				e.title(), v.in.feeds[0].name, v.rows, f.name, f.examples())
		}
		v.rows = f.examples()
	}
	return v, nil
}

// evaluate goes once through the data and records the means over examples.
func (r *Runner) evaluate(v *evaluation, step int) error {
	v.in.setStep(step)
	v.shown = false
	for i := range v.mean.values {
		clear(v.mean.values[i])
	}
	if len(v.in.feeds) == 0 {
		if err := r.addBatch(v, step, 1, 1); err != nil {
			return err
		}
		v.rows = 1
	} else {
		batch := v.in.feeds[0].batch
		whole := v.rows / batch * batch
		for lo := 0; lo < whole; lo += batch {
			v.in.fillInOrder(lo, lo+batch)
			if err := r.addBatch(v, step, float64(batch), 1); err != nil {
				return err
			}
		}
		if err := r.addRest(v, step, whole, v.rows-whole, batch, 1); err != nil {
			return err
		}
	}
	for i := range v.mean.values {
		for j := range v.mean.values[i] {
			v.mean.values[i][j] /= float64(v.rows)
		}
	}
	v.mean.step = step
	if r.log == nil && r.o.JSON == nil { // the command `eval`: its result is the output
		_, err := fmt.Fprintf(r.o.Show, "%s  step %d  %s\n", v.mean.block, step, v.mean.text(6))
		return err
	}
	r.o.Progress.record(&v.mean)
	r.write(&v.mean)
	return nil
}

func (in *inputs) fillInOrder(lo, hi int) {
	for i, f := range in.feeds {
		f.fillInOrder(in.into[i], lo, hi)
	}
}

// addBatch runs the block and adds weight/share times its reports to the sums.
func (r *Runner) addBatch(v *evaluation, step int, weight, share float64) error {
	if err := r.run(v.e.block, step, r.o.Stop); err != nil {
		return err
	}
	if !v.shown {
		v.shown = true
		if err := r.showAll(v.e.title(), v.e.block, step, nil); err != nil {
			return err
		}
	}
	v.rec.read(v.e.block, step)
	for i := range v.mean.values {
		for j, x := range v.rec.values[i] {
			v.mean.values[i][j] += weight * x / share
		}
	}
	return nil
}

// addRest adds the reports of rows lo..lo+rest, too few for a batch, times
// scale. The batch holds them as often as they fit, and then some of them once
// more; so batch times its mean is q times the sum that is wanted, plus the
// sum over those some, which the same rule gives.
func (r *Runner) addRest(v *evaluation, step, lo, rest, batch int, scale float64) error {
	if rest == 0 {
		return nil
	}
	v.in.fillInOrder(lo, lo+rest)
	q := float64(batch / rest)
	if err := r.addBatch(v, step, scale*float64(batch), q); err != nil {
		return err
	}
	return r.addRest(v, step, lo, batch%rest, batch, -scale/q)
}

// Evaluate runs the eval of that name (empty: all of them) on the run folder's weights.
func (r *Runner) Evaluate(name string) error {
	e, err := r.m.find("eval", name)
	if err != nil {
		return err
	}
	evals := []*entry{e}
	if name == "" {
		evals = r.m.ofKind("eval")
	}
	at, err := r.restore(evals...)
	if err != nil {
		return err
	}
	if name == "" {
		err = r.finalEvals(at.step, func(*entry) bool { return false })
		return errors.Join(err, r.lost)
	}
	v, err := r.evaluation(name)
	if err != nil {
		return err
	}
	err = r.evaluate(v, at.step)
	return errors.Join(err, r.lost)
}
