package runtime

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"mdlc/ir/loop"
	"mdlc/runtime/program"
)

// FlagError is a flag that is wrong, of a sample or of the device: an error of usage.
type FlagError struct {
	Unknown string // its name, if the sample has no such flag
	Missing bool   // it has no value, and needs one

	text string
}

func (e *FlagError) Error() string { return e.text }

func flagError(format string, args ...any) error {
	return &FlagError{text: fmt.Sprintf(format, args...)}
}

// FlagValue is a flag as the user gave it; Bare: without a value, which "true" stands for.
type FlagValue struct {
	Name, Value string
	Bare        bool
}

// Sample runs the sample of that name (empty: the first) on the run folder's
// weights and shows what it shows.
func (r *Runner) Sample(name string, flags []FlagValue) error {
	e, err := r.m.find("sample", name)
	if err != nil {
		return err
	}
	if err := r.checkFlags(e, flags); err != nil {
		return err
	}
	step := 0
	if len(r.m.program.States) > 0 {
		at, err := r.restore(e)
		if err != nil {
			return err
		}
		step = at.step
	}
	in, err := r.sampleInputs(e, flags)
	if err != nil {
		return err
	}
	in.fill(in.into, 0)
	in.setStep(0)
	var began [][]byte
	if r.o.CheckNumbers {
		if began, err = e.block.snapshot(); err != nil {
			return err
		}
	}
	if err := r.runTelling(e); err != nil {
		return err
	}
	if err := r.showAll(e.title(), e.block, step, r.o.Show); err != nil || began == nil {
		return err
	}
	return r.checkNumbers(e, began)
}

// runTelling runs a sample, and tells how it goes.
func (r *Runner) runTelling(e *entry) error {
	if p := r.o.Progress; p != nil {
		e.block.turned = func(made, count int) { p.turns(e.title(), made, count) }
		defer p.clear()
	}
	return r.run(e.block, -1, r.o.Stop)
}

// sampleInputs binds the sample's data and sets its flags.
func (r *Runner) sampleInputs(e *entry, flags []FlagValue) (*inputs, error) {
	in, err := r.inputs(e.block, false)
	if err != nil {
		return nil, err
	}
	for i := range e.block.Inputs {
		if src := &e.block.Inputs[i]; src.Kind == program.InputFlag {
			if err := r.setFlag(e, src, flags); err != nil {
				return nil, err
			}
		}
	}
	return in, r.checkLengths(e)
}

func (r *Runner) checkFlags(e *entry, flags []FlagValue) error {
	var names []string
	for _, f := range e.Flags {
		names = append(names, "--"+f.Name)
	}
	for _, f := range flags {
		if !slices.Contains(names, "--"+f.Name) {
			text := fmt.Sprintf("%s has no flag --%s; it has %s", e.title(), f.Name, strings.Join(names, " "))
			if names == nil {
				text = fmt.Sprintf("%s has no flags, so no --%s", e.title(), f.Name)
			}
			if slices.ContainsFunc(r.m.program.Settings, func(kv program.KV) bool { return kv.Key == f.Name }) {
				text += fmt.Sprintf("; `--set %s=%s` changes the setting", f.Name, f.Value)
			}
			return &FlagError{Unknown: f.Name, text: text}
		}
		if kind := e.Flags[slices.Index(names, "--"+f.Name)].Kind; f.Bare && kind != "bool" {
			return &FlagError{Unknown: f.Name, text: fmt.Sprintf("--%s takes a value: --%s %s", f.Name, f.Name, strings.ToUpper(kind))}
		}
	}
	return nil
}

// setFlag writes the value of a flag where the block reads it.
func (r *Runner) setFlag(e *entry, in *program.Input, flags []FlagValue) error {
	i := slices.IndexFunc(e.Flags, func(f program.Flag) bool { return f.Name == in.Name })
	if i < 0 {
		return fmt.Errorf("%s reads flag %s, which it does not declare", e.title(), in.Name)
	}
	f := &e.Flags[i]
	value := f.Default
	for _, v := range flags {
		if v.Name == f.Name {
			value = v.Value
		}
	}
	buf, mem := &e.block.Bufs[in.Buf], e.block.bufs[in.Buf].host
	if f.Kind == "file" {
		return e.setArray(in, f, value)
	}
	if f.Kind == "text" {
		return r.setText(e, in, value)
	}
	if len(buf.Dims) != 0 {
		return fmt.Errorf("--%s is an array: flags can be numbers and text so far", f.Name)
	}
	if !canFeed(buf.Elem) {
		return fmt.Errorf("%s: numbers of type %s cannot be given as --%s: f32 can", e.title(), buf.Elem, f.Name)
	}
	v, err := parseFlag(buf.Elem, value)
	if err != nil {
		return flagError("--%s %s: %v", f.Name, value, err)
	}
	writeElem(buf.Elem, mem, 0, v)
	return nil
}

// setText fills an input with the bytes of a text, or with its tokens.
func (r *Runner) setText(e *entry, in *program.Input, value string) error {
	buf, unit := &e.block.Bufs[in.Buf], "bytes"
	var text []int
	if in.Encode == "" {
		for i := range len(value) {
			text = append(text, int(value[i]))
		}
	} else {
		v, err := r.vocabulary(in.Encode)
		if err != nil {
			return err
		}
		text, unit = v.encode([]byte(value)), "tokens"
	}
	room := product(buf.Dims)
	if len(text) > room || len(text) < room && in.Len == "" {
		return flagError("--%s has %d %s; %s takes %d", in.Name, len(text), unit, e.title(), room)
	}
	for i, t := range text {
		writeElem(buf.Elem, e.block.bufs[in.Buf].host, i, float64(t))
	}
	if in.Len != "" {
		e.block.setLength(in.Len, len(text))
	}
	return nil
}

func parseFlag(e loop.Elem, text string) (float64, error) {
	switch {
	case e == loop.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return 0, fmt.Errorf("true or false is expected")
		}
		return map[bool]float64{true: 1}[b], nil
	case e.IsInt():
		bits, unsigned := 8*e.Size(), e == loop.U8 || e == loop.U32
		if unsigned {
			bits++
		}
		n, err := strconv.ParseInt(text, 10, min(bits, 54))
		if err != nil || unsigned && n < 0 {
			return 0, fmt.Errorf("a whole number (%s) is expected", e)
		}
		return float64(n), nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) {
		return 0, fmt.Errorf("a number is expected")
	}
	return v, nil
}
