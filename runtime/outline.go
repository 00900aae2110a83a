package runtime

import (
	"errors"

	"mdlc/runtime/program"
)

// Outline is a model that has memory for what its program reads, and no code: it can be asked
// whether a run will find what it needs, before the program is compiled.
func Outline(p *program.Program) *Model {
	m := &Model{program: p}
	for i := range p.Entries {
		e := &entry{Entry: &p.Entries[i]}
		e.block = outlineBlock(&e.Block)
		for j := range e.Every {
			e.every = append(e.every, outlineBlock(&e.Every[j].Block))
		}
		m.entries = append(m.entries, e)
	}
	return m
}

func outlineBlock(src *program.Block) *block {
	b := &block{Block: src, names: map[string]int{}}
	for i := range src.Bufs {
		var mem piece
		if src.Bufs[i].Home == program.HomeInput {
			mem.host = make([]byte, bufferBytes(&src.Bufs[i]))
		}
		b.bufs = append(b.bufs, mem)
	}
	for _, in := range src.Inputs {
		if in.Len != "" {
			b.names[in.Len] = len(b.slots)
			b.slots = append(b.slots, 0)
		}
	}
	return b
}

// CheckTrain tells whether Train will find data and checkpoint.
func (r *Runner) CheckTrain() error {
	stages := r.m.ofKind("train")
	if len(stages) == 0 {
		return r.m.lacks("train")
	}
	if !r.o.Resume || !HasWeights(r.o.Out) {
		return r.checkData(stages)
	}
	at, err := r.readWeights((*Model).fits)
	if err != nil {
		return err
	}
	if err := r.mayGoOn(at, stages); err != nil {
		return err
	}
	if err := r.checkData(stages); err != nil || r.o.NewData {
		return err
	}
	return r.compareData(at.data)
}

// CheckEvaluate tells whether Evaluate will find the eval, its data and the weights.
func (r *Runner) CheckEvaluate(name string) error {
	if _, err := r.m.find("eval", name); err != nil {
		return err
	}
	if err := r.checkWeights(); err != nil {
		return err
	}
	return r.checkEvals(name)
}

// CheckSample tells whether Sample will find the sample, its flags and data, and the weights
// unless they are trained before it. A flag that is not given is no reason not to train.
func (r *Runner) CheckSample(name string, flags []FlagValue, trained bool) error {
	e, err := r.m.find("sample", name)
	if err != nil {
		return err
	}
	if err := r.checkFlags(e, flags); err != nil {
		return err
	}
	_, err = r.sampleInputs(e, flags)
	switch flag := (*FlagError)(nil); {
	case !trained && errors.As(err, &flag) && flag.Missing:
		return nil
	case err != nil || len(r.m.program.States) == 0 || !trained:
		return err
	}
	return r.checkWeights()
}
