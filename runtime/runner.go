package runtime

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"mdlc/ir/index"
	"mdlc/runtime/program"
)

// Options say how a model is run.
type Options struct {
	File     string  // the model file or bundle: the run folder keeps a copy; "": none
	Dir      string  // relative data paths start here
	Out      string  // the run folder
	Seed     *uint64 // nil: the checkpoint's, or 0
	Steps    int     // > 0: instead of the counts of the file
	Resume   bool
	NewData  bool         // resume even if the data have changed
	Save     Interval     // time between checkpoints
	JSON     io.Writer    // a line for each record; nil: none
	Show     io.Writer    // what a sample shows
	Progress *Progress    // nil: quiet
	Stop     *atomic.Bool // set to end early, with everything saved
	Export   string       // a folder for the first weights and all batches of training; "": none
	Version  string
	Given    Given // what the command line said, for the run folder

	CheckNumbers bool // look at every state after every step, and find where a NaN came from
}

// Interval is a number of steps, or else a time; neither: only at the end.
type Interval struct {
	Steps int
	Time  time.Duration
}

// Runner trains, evaluates and samples a model.
type Runner struct {
	m            *Model
	o            Options
	seed         uint64
	sources      map[string]*source
	vocabularies map[string]*bpe   // of sources of tokens
	prints       map[string]string // fingerprints of the sources
	log          *os.File
	logged       int // bytes written to it

	lost     error   // why an output could not be written; it ends training after the step
	ended    records // of a run that is resumed and had come to its end: what its last evals said
	unlogged []byte  // lines that the log could not take: they go into the checkpoint
	muted    bool    // the JSON output cannot be written
	kept     string  // what is known of the last checkpoint, for messages
}

// NewRunner prepares to run m.
func NewRunner(m *Model, o Options) *Runner {
	r := &Runner{m: m, o: o, sources: map[string]*source{}, vocabularies: map[string]*bpe{}}
	if o.Seed != nil {
		r.seed = *o.Seed
	}
	return r
}

// Use goes on with a model, of the program whose outline the runner has had so far.
func (r *Runner) Use(m *Model) { r.m = m }

// weights is where the model's values are saved.
func (r *Runner) weights() string { return weightsFile(r.o.Out) }

func weightsFile(folder string) string { return filepath.Join(folder, "weights.safetensors") }

// HasWeights reports whether a run folder holds weights.
func HasWeights(folder string) bool {
	_, err := os.Stat(weightsFile(folder))
	return err == nil
}

// checkWeights tells whether restore will find weights that fit.
func (r *Runner) checkWeights() error {
	_, err := r.readWeights((*Model).fits)
	if errors.Is(err, fs.ErrNotExist) && r.untrained() {
		return nil
	}
	return r.noWeights(err)
}

// untrained reports whether nothing in the file trains, so that states have their first values for good.
func (r *Runner) untrained() bool {
	has := func(kind string) bool {
		return slices.ContainsFunc(r.m.entries, func(e *entry) bool { return e.Kind == kind })
	}
	return has("init") && !has("train")
}

// noWeights says what to do where there are none.
func (r *Runner) noWeights(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no weights in %s: train first, or name the run folder with --out", r.o.Out)
	}
	return err
}

// restore reads of the run folder's weights those states that entries use: what it leaves out cannot be saved. The seed is theirs unless another was asked for.
func (r *Runner) restore(entries ...*entry) (progress, error) {
	p, err := r.readWeights(func(m *Model, f *storedTensors) error { return m.setStates(f, m.statesOf(entries...)) })
	if errors.Is(err, fs.ErrNotExist) && r.untrained() {
		return progress{}, r.init()
	}
	if err != nil {
		return p, r.noWeights(err)
	}
	if r.o.Seed == nil {
		r.seed = p.seed
	}
	r.tellLostConfig()
	if others, _ := r.otherSettings(); others != "" {
		r.o.Progress.Line("the weights were trained with %s", others)
	}
	return p, nil
}

// readWeights hands the tensors in the run folder to the model. Where they do not fit it tells
// which model's they are, or which settings they were trained with.
func (r *Runner) readWeights(take func(*Model, *storedTensors) error) (progress, error) {
	p, err := r.m.readStates(r.weights(), take)
	if before, ok := readConfig(r.o.Out); ok && errors.Is(err, errOtherModel) && before.Source != r.m.program.Source {
		return p, fmt.Errorf("%w\n  = the run folder is that of %s\n  = help: `--out DIR` takes another run folder", err, before.Source)
	}
	if lost := r.lostConfig(); errors.Is(err, errOtherModel) && lost != "" {
		return p, fmt.Errorf("%w\n  = %s", err, lost)
	}
	if others, flags := r.otherSettings(); errors.Is(err, errOtherModel) && others != "" {
		fits := "fits them"
		if filepath.Ext(r.o.File) != ".mdl" && r.o.File != "" {
			fits = "of `mdlc compile` makes a bundle that fits them"
		}
		err = fmt.Errorf("%w\n  = they were trained with %s\n  = help: `%s` %s; `--out DIR` takes another run folder", err, others, flags, fits)
	}
	return p, err
}

// init gives the states their first values.
func (r *Runner) init() error {
	r.m.unread = nil
	for _, e := range r.m.entries {
		if e.Kind == "init" {
			in, err := r.inputs(e.block, false)
			if err != nil {
				return err
			}
			in.setStep(0)
			return r.run(e.block, -1, nil)
		}
	}
	return r.m.pushStates() // they begin as zeros
}

// source is the data declaration of that name, read when it is first used.
func (r *Runner) source(name string) (*source, error) {
	if s := r.sources[name]; s != nil {
		return s, nil
	}
	for i := range r.m.program.Sources {
		if src := &r.m.program.Sources[i]; src.Name == name {
			s, err := openSource(src, r.o.Dir, r.o.Given.Labels[name])
			if err == nil {
				r.sources[name] = s
				if text := s.summary(); text != "" {
					r.o.Progress.Line("data %s: %s", name, text)
				}
			}
			return s, err
		}
	}
	return nil, fmt.Errorf("the program has no data named %s", name)
}

// vocabulary is that of the data declaration of that name; its data are not read for it.
func (r *Runner) vocabulary(name string) (*bpe, error) {
	if v := r.vocabularies[name]; v != nil {
		return v, nil
	}
	for i := range r.m.program.Sources {
		if src := &r.m.program.Sources[i]; src.Name == name {
			v, err := (&source{Source: src, dir: r.o.Dir}).readVocabulary()
			if err != nil {
				return nil, fmt.Errorf("%s: error: data %s: %w", src.Pos, src.Name, err)
			}
			r.vocabularies[name] = v
			return v, nil
		}
	}
	return nil, fmt.Errorf("the program has no data named %s", name)
}

// inputs are what the driver writes before each run of a block.
type inputs struct {
	feeds []*feed
	into  [][]byte // where each feed's batch goes
	bufs  []int    // and that buffer's place in the block
	steps [][]byte
}

func (r *Runner) inputs(b *block, inOrder bool) (*inputs, error) {
	in := &inputs{}
	for i := range b.Inputs {
		src := &b.Inputs[i]
		mem := b.bufs[src.Buf].host
		switch src.Kind {
		case program.InputFeed:
			data, err := r.source(src.Feed.Source)
			if err != nil {
				return nil, err
			}
			f, err := newFeed(src, &b.Bufs[src.Buf], data, r.seed, inOrder)
			if err != nil {
				return nil, err
			}
			in.feeds = append(in.feeds, f)
			in.into = append(in.into, mem)
			in.bufs = append(in.bufs, src.Buf)
		case program.InputStep:
			in.steps = append(in.steps, mem)
		case program.InputSeed:
			little.PutUint64(mem, r.seed)
		}
	}
	takeTurns(in.feeds)
	return in, nil
}

func (in *inputs) setStep(n int) {
	for _, mem := range in.steps {
		little.PutUint32(mem, uint32(n))
	}
}

// fill writes batch number n of each feed into mem.
func (in *inputs) fill(mem [][]byte, n int) {
	for i, f := range in.feeds {
		f.fill(mem[i], n)
	}
}

// count is the number of steps of a train block.
func (r *Runner) count(e *index.Expr) (n int, err error) {
	if r.o.Steps > 0 {
		return r.o.Steps, nil
	}
	if e == nil {
		return 1, nil
	}
	n = e.Eval(func(name string) int {
		rows, e := r.rows(name)
		err = errors.Join(err, e)
		return rows
	})
	return n, err
}

// rows is the value of `len.SOURCE.SPLIT`.
func (r *Runner) rows(name string) (int, error) {
	part := strings.Split(name, ".")
	if len(part) != 3 || part[0] != "len" {
		return 0, fmt.Errorf("a count depends on %s, which is not known before the run", name)
	}
	src, err := r.source(part[1])
	if err != nil {
		return 0, err
	}
	s, err := src.part(part[2])
	if err != nil {
		return 0, err
	}
	return s.rows(), nil
}
