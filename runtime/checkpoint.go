package runtime

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"mdlc/ir/loop"
	"mdlc/runtime/program"
)

// progress is how far the training of a program got: what a checkpoint holds
// beside the states. Feeds and draws follow from seed and step.
type progress struct {
	seed  uint64
	stage int  // which of the file's train blocks
	step  int  // its finished steps
	log   int  // bytes of log.jsonl that belong to them
	evals bool // the evals due after that step are still to be run

	unlogged string            // records of them that the log could not take
	data     map[string]string // what each source held
}

// instance is a state, or one instance of a stacked one, under its own name.
type instance struct {
	name string
	dims []int
	lo   int // bytes lo..hi of the state
	hi   int
}

// instances lists those of s, in order.
func instances(s *program.State) []instance {
	each := s.Dims[len(s.Stack):]
	size := s.Elem.Size() * product(each)
	out := []instance{{name: s.Name}}
	for _, n := range s.Stack {
		var next []instance
		for _, o := range out {
			for i := range n {
				next = append(next, instance{name: strings.Replace(o.name, "#", strconv.Itoa(i), 1)})
			}
		}
		out = next
	}
	for i := range out {
		out[i].dims, out[i].lo, out[i].hi = each, i*size, (i+1)*size
	}
	return out
}

// save writes the states and p to path so that at every moment path holds
// either the old checkpoint or the whole new one.
func (m *Model) save(path string, p progress) error {
	f := &tensorFile{meta: map[string]string{
		"format": "mdlc/1", "source": m.program.Source,
		"seed": strconv.FormatUint(p.seed, 10), "stage": strconv.Itoa(p.stage), "step": strconv.Itoa(p.step), "log": strconv.Itoa(p.log),
	}}
	if p.evals {
		f.meta["evals"] = "due"
	}
	if p.unlogged != "" {
		f.meta["unlogged"] = p.unlogged
	}
	if p.data != nil {
		text, err := json.Marshal(p.data)
		if err != nil {
			return err
		}
		f.meta["data"] = string(text)
	}
	if err := m.pullStates(); err != nil {
		return err
	}
	for i := range m.program.States {
		s := &m.program.States[i]
		for _, x := range instances(s) {
			f.tensors = append(f.tensors, tensor{x.name, s.Elem, x.dims, m.states[i].host[x.lo:x.hi]})
		}
	}
	f.meta["sum"] = f.checksum()
	f.meta[metaSumKey] = metaSum(f.meta)
	return replaceFile(path, f.write)
}

// readStates hands the tensors of the checkpoint at path to take. They are in the file still, which stays open meanwhile:
// another one may take its place.
func (m *Model) readStates(path string, take func(*Model, *storedTensors) error) (p progress, err error) {
	file, size, err := openFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return progress{}, err
	}
	if err == nil {
		defer file.Close()
		p, err = m.readCheckpoint(file, size, take)
	}
	if err != nil {
		return progress{}, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

func (m *Model) readCheckpoint(file io.ReaderAt, size int64, take func(*Model, *storedTensors) error) (p progress, err error) {
	f, err := openTensors(file, size)
	if err != nil && !errors.Is(err, errChanging) {
		err = fmt.Errorf("%w\n  = help: the file is damaged: take a copy, or train anew", err)
	}
	if err != nil {
		return p, err
	}
	if p, err = parseProgress(f.meta); err != nil {
		return p, err
	}
	if saved := f.meta[metaSumKey]; saved != "" && saved != metaSum(f.meta) {
		return p, fmt.Errorf("the checkpoint's seed, step or list of data is damaged: it is not what was saved; take a copy, or train anew")
	}
	sum, err := f.checksum()
	if err != nil {
		return p, err
	}
	if saved := f.meta["sum"]; saved != "" && saved != sum {
		return p, fmt.Errorf("the weights are damaged: they are not what was saved; take a copy, or train anew")
	}
	return p, take(m, f)
}

func parseProgress(meta map[string]string) (p progress, err error) {
	if meta["format"] != "mdlc/1" {
		return p, fmt.Errorf("these weights were not saved by mdlc")
	}
	var errs [4]error
	p.seed, errs[0] = strconv.ParseUint(meta["seed"], 10, 64)
	p.stage, errs[1] = strconv.Atoi(meta["stage"])
	p.step, errs[2] = strconv.Atoi(meta["step"])
	p.log, errs[3] = strconv.Atoi(meta["log"])
	if err := errors.Join(errs[:]...); err != nil || p.stage < 0 || p.step < 0 || p.log < 0 {
		return p, fmt.Errorf("the checkpoint's seed %q, stage %q, step %q or log %q is no number: another version of mdlc wrote it; train anew, or take --out DIR", meta["seed"], meta["stage"], meta["step"], meta["log"])
	}
	p.evals, p.unlogged = meta["evals"] == "due", meta["unlogged"]
	if text := meta["data"]; text != "" && json.Unmarshal([]byte(text), &p.data) != nil {
		return p, fmt.Errorf("the checkpoint's list of data is damaged")
	}
	return p, nil
}

var errOtherModel = errors.New("the weights are of another model, or of other settings")

// statesOf tells of each state whether blocks of the entries use it.
func (m *Model) statesOf(entries ...*entry) []bool {
	used := make([]bool, len(m.program.States))
	note := func(b *program.Block) {
		for i := range b.Bufs {
			if buf := &b.Bufs[i]; buf.Home == program.HomeState {
				used[buf.State] = true
			}
		}
	}
	for _, e := range entries {
		note(&e.Block)
		for i := range e.Every {
			note(&e.Every[i].Block)
		}
	}
	return used
}

// setStates reads those states that are wanted: an optimiser's moments are as large as the weights, and only training needs them.
// The tensors of all must be there, with the right shape, before any is changed.
func (m *Model) setStates(f *storedTensors, wanted []bool) error {
	if err := m.fits(f); err != nil {
		return err
	}
	byName := tensorsByName(f.tensors)
	m.unread = slices.Repeat([]bool{true}, len(wanted))
	for i := range m.program.States {
		if !wanted[i] {
			continue
		}
		s := &m.program.States[i]
		for _, x := range instances(s) {
			if err := f.read(m.states[i].host[x.lo:x.hi], s.Elem, byName[x.name]); err != nil {
				return err
			}
		}
		m.unread[i] = false
	}
	return m.pushStates()
}

// setAllStates reads all states.
func (m *Model) setAllStates(f *storedTensors) error {
	return m.setStates(f, slices.Repeat([]bool{true}, len(m.program.States)))
}

// readable reports whether weights of one type can be those of a state of another: its own, or, where they or this run are of
// `--precision f64`, the other one of f32 and f64.
func readable(from, to loop.Elem) bool {
	plain := func(e loop.Elem) bool { return e == loop.F32 || e == loop.F64 }
	return from == to || plain(from) && plain(to)
}

func tensorsByName(tensors []storedTensor) map[string]*storedTensor {
	byName := map[string]*storedTensor{}
	for i := range tensors {
		byName[tensors[i].name] = &tensors[i]
	}
	return byName
}

// fits tells whether the tensors of f are the states: all of them, each with its shape.
func (m *Model) fits(f *storedTensors) error {
	byName := tensorsByName(f.tensors)
	for i := range m.program.States {
		s := &m.program.States[i]
		for _, x := range instances(s) {
			t := byName[x.name]
			if t == nil {
				return fmt.Errorf("there is no tensor %s: %w", x.name, errOtherModel)
			}
			if !readable(t.elem, s.Elem) || !slices.Equal(t.dims, x.dims) {
				return fmt.Errorf("%s is %s there and %s here: %w", x.name, typeText(t.elem, t.dims), typeText(s.Elem, x.dims), errOtherModel)
			}
			delete(byName, x.name)
		}
	}
	for _, t := range f.tensors {
		if byName[t.name] != nil {
			return fmt.Errorf("the model has no %s: %w", t.name, errOtherModel)
		}
	}
	return nil
}
