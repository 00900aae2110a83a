package runtime

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	goruntime "runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/index"
	"mdlc/ir/loop"
	"mdlc/runtime/program"
)

// withMoment is the learner with a moment that only training uses, and a sample that shows w.
func withMoment(t testing.TB, data string, steps int) *program.Program {
	p := learner(t, data, index.C(steps))
	p.States = append(p.States, program.State{Name: "m.w.moment", Elem: loop.F32, Dims: []int{8}, Kind: program.Moment})
	v := f32("v", program.HomeState, 8)
	v.State = 1
	init := &p.Entries[0].Block
	init.Bufs = append(init.Bufs, v)
	init.Code = append(init.Code, launchOf(2, nil, len(init.Bufs)-1, 1))
	train := &p.Entries[1].Block
	train.Bufs = append(train.Bufs, v)
	train.Code = append(train.Code, launchOf(0, nil, len(train.Bufs)-1, 1, 3))
	sample := &p.Entries[3].Block
	sample.Bufs = append(sample.Bufs, f32("w", program.HomeState, 8))
	sample.Outputs = append(sample.Outputs, program.Output{Kind: program.OutputShow, Buf: len(sample.Bufs) - 1})
	return p
}

func TestOnlyTrainingReadsMoments(t *testing.T) {
	testMoments(t, func(p *program.Program) *Model { return load(t, p, 1) })
}

func testMomentsOn(t *testing.T, d *Device) {
	testMoments(t, func(p *program.Program) *Model { return loadOn(t, d, p) })
}

// What an eval or a sample does not use stays in the file, and is never saved from a memory that it is not in.
func testMoments(t *testing.T, load func(*program.Program) *Model) {
	data, whole, parts := digitRows(t, 33), t.TempDir(), t.TempDir()
	train := func(dir string, steps int) *Model {
		m := load(withMoment(t, data, steps))
		require.NoError(t, NewRunner(m, Options{Out: dir, Seed: seed(5), Resume: true}).Train())
		return m
	}
	trained := train(parts, 4)
	require.NotEqual(t, make([]byte, 32), trained.states[1].host)
	saved := readFile(t, weightsFile(parts))
	for name, do := range map[string]func(r *Runner) error{
		"sample":    func(r *Runner) error { return r.Sample("text", nil) },
		"eval":      func(r *Runner) error { return r.Evaluate("valid") },
		"all evals": func(r *Runner) error { return r.Evaluate("") },
	} {
		for _, check := range []bool{false, true} {
			m := load(withMoment(t, data, 9))
			var shown bytes.Buffer
			r := NewRunner(m, Options{Out: parts, Show: &shown, CheckNumbers: check})
			require.NoError(t, do(r), name)
			require.NotEmpty(t, shown.String())
			require.Equal(t, trained.states[0].host, m.states[0].host, name)
			require.Equal(t, make([]byte, 32), m.states[1].host, "%s reads the moment", name)

			err := m.save(weightsFile(parts), progress{})
			require.EqualError(t, err, "internal error: the state m.w.moment was not read, and must not be saved")
			require.Equal(t, saved, readFile(t, weightsFile(parts)))

			r.o.Out = t.TempDir() // the same model, from the beginning
			_, err = r.begin(m.ofKind("train"))
			require.NoError(t, err)
			require.NoError(t, m.pullStates())
			r.log.Close()

			require.NoError(t, do(NewRunner(m, Options{Out: parts, Show: io.Discard})))
			require.Error(t, m.pullStates())
			r.o.Out, r.o.Resume = parts, true // the same model, all of which is read now
			_, err = r.begin(m.ofKind("train"))
			require.NoError(t, err)
			require.Equal(t, trained.states[1].host, m.states[1].host)
			require.NoError(t, m.pullStates())
			r.log.Close()
		}
	}
	train(parts, 9)
	train(whole, 9)
	require.Equal(t, readFile(t, weightsFile(whole)), readFile(t, weightsFile(parts)))
}

// All of a checkpoint must be there and good, also what is not read.
func TestMomentsThatAreNotReadAreChecked(t *testing.T) {
	data, dir := digitRows(t, 33), t.TempDir()
	require.NoError(t, NewRunner(load(t, withMoment(t, data, 2), 1), Options{Out: dir}).Train())
	good := readFile(t, weightsFile(dir))
	sample := func(change func(p *program.Program)) error {
		p := withMoment(t, data, 2)
		change(p)
		m := load(t, p, 1)
		r := NewRunner(m, Options{Out: dir, Show: io.Discard})
		err, evals := r.Sample("text", nil), r.Evaluate("valid")
		if err != nil {
			require.EqualError(t, evals, err.Error())
			require.EqualError(t, NewRunner(Outline(p), r.o).CheckSample("text", nil, true), err.Error())
			require.Equal(t, make([]byte, 32), m.states[0].host, "something was restored")
		}
		return err
	}
	require.NoError(t, sample(func(*program.Program) {}))
	require.ErrorContains(t, sample(func(p *program.Program) { p.States[1].Name = "m.other" }), "there is no tensor m.other: the weights are of another model")
	require.ErrorContains(t, sample(func(p *program.Program) { p.States[1].Dims = []int{2, 4} }), "m.w.moment is f32[8] there and f32[2, 4] here")

	file, err := openTensors(bytes.NewReader(good), int64(len(good)))
	require.NoError(t, err)
	moment := tensorsByName(file.tensors)["m.w.moment"]
	for at := range moment.size {
		bad := bytes.Clone(good)
		bad[int(moment.at)+at] ^= 0x10
		require.NoError(t, os.WriteFile(weightsFile(dir), bad, 0o644))
		require.ErrorContains(t, sample(func(*program.Program) {}), "the weights are damaged: ")
	}
}

// A file that becomes shorter is an error wherever that is found, and so is one whose bytes change.
func TestWeightsThatChangeWhileTheyAreRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.safetensors")
	m := load(t, learner(t, "", index.C(1)), 1)
	writeElem(loop.F32, m.states[0].host, 3, 42)
	require.NoError(t, m.save(path, progress{}))
	good := readFile(t, path)
	for n := range good {
		_, err := m.readCheckpoint(bytes.NewReader(good[:n]), int64(len(good)), (*Model).setAllStates)
		require.ErrorIs(t, err, errChanging, "of %d bytes", n)
		require.NoError(t, m.pullStates())
	}
	after := func(change func()) error {
		require.NoError(t, os.WriteFile(path, good, 0o644))
		_, err := m.readStates(path, func(m *Model, f *storedTensors) error {
			change()
			return m.setAllStates(f)
		})
		return err
	}
	require.ErrorIs(t, after(func() { require.NoError(t, os.Truncate(path, int64(len(good)-1))) }), errChanging)
	require.ErrorContains(t, m.pullStates(), "the state m.w was not read", "half of it was")
	require.ErrorIs(t, after(func() {
		bad := bytes.Clone(good)
		bad[len(bad)-9] ^= 1
		require.NoError(t, os.WriteFile(path, bad, 0o644))
	}), errChanging)
	require.ErrorContains(t, m.pullStates(), "the state m.w was not read")

	clear(m.states[0].host)
	require.NoError(t, after(func() { require.NoError(t, replaceText(path, []byte("another file"))) }))
	require.Equal(t, 42.0, readElem(loop.F32, m.states[0].host, 3), "the file that was opened has it still")
	require.NoError(t, m.pullStates())
}

// Weights are read in parts, whole elements in each, and never lie in memory a second time.
func TestWeightsAreReadInParts(t *testing.T) {
	const n = 5*partBytes/4 + 3
	path := filepath.Join(t.TempDir(), "w.safetensors")
	large := func(e loop.Elem) *Model {
		return load(t, &program.Program{Source: "t.mdl", States: []program.State{{Name: "w", Elem: e, Dims: []int{n}}}}, 1)
	}
	value := func(i int) float64 { return float64(i*7%65521) / 4 }
	for _, from := range []loop.Elem{loop.F32, loop.F64} {
		m := large(from)
		for i := range n {
			writeElem(from, m.states[0].host, i, value(i))
		}
		require.NoError(t, m.save(path, progress{}))
		for _, to := range []loop.Elem{loop.F32, loop.F64} {
			m := large(to)
			var before, after goruntime.MemStats
			goruntime.ReadMemStats(&before)
			_, err := m.restore(path)
			goruntime.ReadMemStats(&after)
			require.NoError(t, err)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(2*partBytes), "%v from %v", to, from)
			for i := range n {
				if v := readElem(to, m.states[0].host, i); v != value(i) {
					t.Fatalf("%v from %v: element %d is %v, not %v", to, from, i, v, value(i))
				}
			}
		}
	}
}
