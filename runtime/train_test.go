package runtime

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mdlc/ir/index"
	"mdlc/ir/loop"
	"mdlc/runtime/program"
)

func seed(n uint64) *uint64 { return &n }

// trainLearner trains the learner on rows of data and returns its JSON output.
func trainLearner(t testing.TB, data string, steps *index.Expr, threads int, o Options) (string, error) {
	m := load(t, learner(t, data, steps), threads)
	var out bytes.Buffer
	o.JSON, o.Show = &out, &out
	err := NewRunner(m, o).Train()
	return out.String(), err
}

func TestJSONContract(t *testing.T) {
	out := t.TempDir()
	data := digitRows(t, 33)                                                             // 29 to train, 4 held out: 29, 30, 31, 32
	steps := index.Quo(index.Prod(index.C(3), index.V("len.digits.train")), index.C(10)) // 8
	text, err := trainLearner(t, data, steps, 2, Options{Out: out, Seed: seed(3)})
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	require.Len(t, lines, 10) // 8 reports, an eval after 5, the final eval
	for i, line := range append(append([]string{}, lines[:5]...), lines[6:9]...) {
		var rec struct {
			Block string
			Step  int
			Loss  *float64
		}
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		require.NoError(t, d.Decode(&rec))
		require.Equal(t, "train", rec.Block)
		require.Equal(t, i+1, rec.Step)
		require.NotNil(t, rec.Loss)
	}
	require.Equal(t, `{"block":"eval valid","step":5,"loss":30.5}`, lines[5])
	require.Equal(t, `{"block":"eval valid","step":8,"loss":30.5}`, lines[9])
	log, err := os.ReadFile(out + "/log.jsonl")
	require.NoError(t, err)
	require.Equal(t, text, string(log))
	config, err := os.ReadFile(out + "/config.json")
	require.NoError(t, err)
	require.JSONEq(t, fmt.Sprintf(`{"version":"","source":"learner.mdl","seed":3,"threads":%d,"settings":{"batch":"4"},"data":{"digits":%q}}`, Threads(2), data), string(config))
}

func TestEvalDoesNotRunTwiceAfterTheLastStep(t *testing.T) {
	text, err := trainLearner(t, digitRows(t, 33), index.C(10), 1, Options{Out: t.TempDir()})
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(text, "eval valid"))
	require.True(t, strings.HasSuffix(text, `{"block":"eval valid","step":10,"loss":30.5}`+"\n"))
}

// The held-out part is of every size around multiples of the batch of 4; row i
// of it reports first+i, so the mean over rows is known.
func TestEvalWeighsTheLastBatch(t *testing.T) {
	for _, rows := range []int{10, 20, 30, 50, 60, 70, 80, 90, 110} {
		text, err := trainLearner(t, digitRows(t, rows), index.C(1), 1, Options{Out: t.TempDir()})
		require.NoError(t, err)
		var rec struct{ Loss float64 }
		lines := strings.Split(text, "\n")
		require.NoError(t, json.Unmarshal([]byte(lines[1]), &rec))
		held := rows / 10
		require.InDelta(t, float64(rows-held)+float64(held-1)/2, rec.Loss, 1e-4, "%d rows", held)
	}
}

// stopWriter sets stop at its n-th record, so that a run stops there.
type stopWriter struct {
	n    int
	stop atomic.Bool
}

func (w *stopWriter) Write(line []byte) (int, error) {
	if w.n--; w.n <= 0 {
		w.stop.Store(true)
	}
	return len(line), nil
}

// Runs that stop after one, two or three records: before, between and after the evals
// of a step, at the last step, and in the last eval of all.
func TestResumeIsBitForBit(t *testing.T) {
	data := digitRows(t, 33)
	whole := t.TempDir()
	// Step 5 and 10 are followed by two evals, and the end by one that no `every` names.
	train := func(o Options, threads, steps int) error {
		p := learner(t, data, index.C(steps))
		for _, name := range []string{"other", "last"} {
			e := p.Entries[2]
			e.Name = name
			p.Entries = append(p.Entries, e)
		}
		p.Entries[1].Every[0].Evals = []string{"valid", "other"}
		return NewRunner(load(t, p, threads), o).Train()
	}
	for _, steps := range []int{10, 12} {
		require.NoError(t, train(Options{Out: whole, Seed: seed(5)}, 1, steps))
		for first := range 3 {
			parts, runs := t.TempDir(), 0
			for done := false; !done; runs++ {
				require.Less(t, runs, 30)
				w := stopWriter{n: 1 + (first+runs)%3}
				err := train(Options{Out: parts, Seed: seed(5), Resume: true, JSON: &w, Stop: &w.stop}, 1+runs%2, steps)
				if done = err == nil; !done {
					require.ErrorIs(t, err, ErrStopped)
				}
			}
			require.Greater(t, runs, 4)
			for _, name := range []string{"/weights.safetensors", "/log.jsonl"} {
				require.Equal(t, string(readFile(t, whole+name)), string(readFile(t, parts+name)), "%d steps, first %d: %s", steps, first, name)
			}
			require.ErrorContains(t, train(Options{Out: parts, Resume: true, Seed: seed(6)}, 1, steps), "was trained with seed 5: it cannot go on with seed 6")
		}
	}
}

// Without a report of its own a training still has the records of its evals once.
func TestResumeOfATrainingThatReportsNothing(t *testing.T) {
	whole, parts, data := t.TempDir(), t.TempDir(), digitRows(t, 33)
	train := func(o Options) error {
		p := learner(t, data, index.C(20))
		p.Entries[1].Block.Outputs = nil
		return NewRunner(load(t, p, 1), o).Train()
	}
	require.NoError(t, train(Options{Out: whole}))
	early := stopWriter{n: 1}
	require.ErrorIs(t, train(Options{Out: parts, JSON: &early, Stop: &early.stop}), ErrStopped)
	checkpoint := readFile(t, parts+"/weights.safetensors")
	later := stopWriter{n: 2}
	require.ErrorIs(t, train(Options{Out: parts, JSON: &later, Stop: &later.stop, Resume: true}), ErrStopped)
	// As if it had been killed before the later checkpoint was there.
	require.NoError(t, os.WriteFile(parts+"/weights.safetensors", checkpoint, 0o644))
	require.NoError(t, train(Options{Out: parts, Resume: true}))
	require.Equal(t, string(readFile(t, whole+"/log.jsonl")), string(readFile(t, parts+"/log.jsonl")))
}

func TestAFolderBelongsToOneRun(t *testing.T) {
	data, out := digitRows(t, 33), t.TempDir()
	_, err := trainLearner(t, data, index.C(3), 1, Options{Out: out})
	require.NoError(t, err)
	before := readFile(t, out+"/log.jsonl")
	first := NewRunner(load(t, learner(t, data, index.C(3)), 1), Options{Out: out})
	require.NoError(t, first.openFolder())
	for _, resume := range []bool{false, true} {
		_, err = trainLearner(t, data, index.C(3), 1, Options{Out: out, Resume: resume})
		require.EqualError(t, err, "another run trains in "+out+": end it, or choose another folder with --out")
	}
	require.Equal(t, before, readFile(t, out+"/log.jsonl"))
	require.FileExists(t, out+"/weights.safetensors")
	require.NoError(t, first.log.Close())
	_, err = trainLearner(t, data, index.C(3), 1, Options{Out: out})
	require.NoError(t, err)
}

// Data that are wrong, even if only an eval at the end reads them, leave an earlier run as it is.
func TestWrongDataChangeNothing(t *testing.T) {
	out := t.TempDir()
	_, err := trainLearner(t, digitRows(t, 33), index.C(3), 1, Options{Out: out})
	require.NoError(t, err)
	log := readFile(t, out+"/log.jsonl")
	gone, lacking := learner(t, "gone.npy", index.C(3)), learner(t, digitRows(t, 33), index.C(3))
	lacking.Entries[2].Block.Inputs[0].Feed.Split = "test"
	for p, want := range map[*program.Program]string{gone: "gone.npy is not there", lacking: "data digits has no part `test`; it has train, valid"} {
		require.ErrorContains(t, NewRunner(load(t, p, 1), Options{Out: out}).Train(), want)
		require.FileExists(t, out+"/weights.safetensors")
		require.Equal(t, log, readFile(t, out+"/log.jsonl"))
	}
}

func readFile(t testing.TB, name string) []byte {
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	return data
}

// gate lets a record out for each byte that it reads, and all of them after the last byte.
type gate struct {
	in  io.Reader
	out io.Writer
}

func (g gate) Write(line []byte) (int, error) {
	if _, err := g.in.Read(make([]byte, 1)); err != nil && err != io.EOF {
		return 0, err
	}
	return g.out.Write(line)
}

// A process that trains and saves all the time is killed at random moments and
// resumed; the weights are those of a run that nobody disturbed.
func TestKilledRunsResume(t *testing.T) {
	const steps, kills, atOnce = 700, 10, 60
	if dir := os.Getenv("MDLC_TEST_TRAIN"); dir != "" {
		m := load(t, learner(t, filepath.Join(dir, "digits.npy"), index.C(steps)), 1)
		r := NewRunner(m, Options{Out: filepath.Join(dir, "killed"), Seed: seed(11), Resume: true, Save: Interval{Steps: 2}, JSON: gate{os.Stdin, os.Stdout}})
		require.NoError(t, r.Train())
		return
	}
	dir := t.TempDir()
	require.NoError(t, os.Rename(digitRows(t, 33), filepath.Join(dir, "digits.npy")))
	_, err := trainLearner(t, filepath.Join(dir, "digits.npy"), index.C(steps), 1, Options{Out: dir + "/whole", Seed: seed(11)})
	require.NoError(t, err)
	moments := uint64(time.Now().UnixNano())
	t.Logf("moments by seed %d", moments)
	random := rand.New(rand.NewPCG(moments, 0))
	start := func() (*exec.Cmd, io.WriteCloser, *bufio.Scanner) {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestKilledRunsResume$")
		cmd.Env = append(os.Environ(), "MDLC_TEST_TRAIN="+dir)
		in, err := cmd.StdinPipe()
		require.NoError(t, err)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		return cmd, in, bufio.NewScanner(out)
	}
	for range kills {
		cmd, in, lines := start()
		// No run can be over before it is killed: it gets no more records than these.
		_, err := in.Write(make([]byte, 1+random.IntN(atOnce)))
		require.NoError(t, err)
		require.True(t, lines.Scan())
		wait := time.Duration(random.Int64N(int64(30 * time.Millisecond)))
		t.Logf("kill %s after %s", lines.Text(), wait)
		time.Sleep(wait)
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
	}
	cmd, in, lines := start()
	require.NoError(t, in.Close())
	require.True(t, lines.Scan())
	for lines.Scan() {
	}
	require.NoError(t, cmd.Wait())
	for _, name := range []string{"/weights.safetensors", "/log.jsonl"} {
		require.Equal(t, string(readFile(t, dir+"/whole"+name)), string(readFile(t, dir+"/killed"+name)), name)
	}
}

func TestThreadsGiveTheSameWeights(t *testing.T) {
	data := digitRows(t, 33)
	var files [2][]byte
	for i := range files {
		out := t.TempDir()
		_, err := trainLearner(t, data, index.C(50), i+1, Options{Out: out, Seed: seed(1)})
		require.NoError(t, err)
		files[i] = readFile(t, out+"/weights.safetensors")
	}
	require.Equal(t, files[0], files[1])
}

func TestSample(t *testing.T) {
	out := t.TempDir()
	m := load(t, learner(t, digitRows(t, 33), index.C(3)), 1)
	var text bytes.Buffer
	r := NewRunner(m, Options{Out: out, Show: &text})
	require.EqualError(t, r.Sample("text", nil), "no weights in "+out+": train first, or name the run folder with --out")
	require.False(t, HasWeights(out))
	require.NoError(t, r.Train())
	require.True(t, HasWeights(out))
	require.NoError(t, r.Sample("", nil))
	require.NoError(t, r.Sample("text", []FlagValue{{Name: "prompt", Value: "Hi!"}}))
	require.Equal(t, "bcd\nIj\"\n", text.String())
	var usage *FlagError
	require.ErrorAs(t, r.Sample("text", []FlagValue{{Name: "n", Value: "5"}}), &usage)
	require.EqualError(t, usage, "sample text has no flag --n; it has --prompt")
	require.EqualError(t, r.Sample("text", []FlagValue{{Name: "prompt", Value: strings.Repeat("x", 17)}}), "--prompt has 17 bytes; sample text takes 16")
	require.EqualError(t, r.Sample("speech", nil), "learner.mdl has no `sample speech`; it has text")
	require.ErrorContains(t, r.Evaluate("test"), "has no `eval test`; it has valid")
	text.Reset()
	require.NoError(t, r.Evaluate("valid"))
	require.Equal(t, "eval valid  step 3  loss 30.5\n", text.String())
}

func TestFlagsThatAreNumbers(t *testing.T) {
	for _, c := range []struct {
		elem loop.Elem
		text string
		want float64
		ok   bool
	}{
		{loop.U8, "255", 255, true}, {loop.U8, "256", 0, false}, {loop.U8, "-1", 0, false}, {loop.I8, "128", 0, false}, {loop.I8, "-128", -128, true},
		{loop.U32, "4294967295", 1<<32 - 1, true}, {loop.U32, "4294967296", 0, false}, {loop.I64, "9007199254740993", 0, false},
		{loop.F32, "0.5", 0.5, true}, {loop.F32, "much", 0, false}, {loop.Bool, "true", 1, true}, {loop.Bool, "maybe", 0, false},
	} {
		v, err := parseFlag(c.elem, c.text)
		require.Equal(t, c.ok, err == nil, "%s %s", c.elem, c.text)
		require.Equal(t, c.want, v, "%s %s", c.elem, c.text)
	}
}

func TestMissingDataStopsTraining(t *testing.T) {
	_, err := trainLearner(t, "absent.npy", index.C(3), 1, Options{Out: t.TempDir(), Dir: "/nowhere"})
	require.EqualError(t, err, "learner.mdl:3:1: error: /nowhere/absent.npy is not there\n  = help: `--data digits=PATH` takes the data from another place")
}

func TestProgressLines(t *testing.T) {
	var lines bytes.Buffer
	_, err := trainLearner(t, digitRows(t, 33), index.C(30), 1, Options{Out: t.TempDir(), Progress: NewProgress(&lines, 0)})
	require.NoError(t, err)
	require.Regexp(t, `^data digits: \S+digits.npy: train 29 rows, valid 4 rows\ntrain  step 1/30  loss [0-9.]+\n`, lines.String())
	require.Regexp(t, `\ntrain  step 30/30  loss [0-9.]+  [0-9.e+]+ steps/s\n`, lines.String())
	require.Contains(t, lines.String(), "\neval valid  step 30  loss 30.5  (log.jsonl has 4 before it)\n")
}

func TestProgressOnATerminalIsOneLine(t *testing.T) {
	var lines bytes.Buffer
	_, err := trainLearner(t, digitRows(t, 33), index.C(30), 1, Options{Out: t.TempDir(), Progress: NewProgress(&lines, 16)})
	require.NoError(t, err)
	require.True(t, strings.Contains(lines.String(), "valid 4 rows\n\r\x1b[Ktrain  step 1/3\r\x1b[K"), "%q", lines.String())
	require.Contains(t, lines.String(), "\neval valid  step 30  loss 30.5  (log.jsonl has 4 before it)\n")
}

func TestResumeTellsOfChangedSettings(t *testing.T) {
	data, out := digitRows(t, 33), t.TempDir()
	_, err := trainLearner(t, data, index.C(3), 1, Options{Out: out})
	require.NoError(t, err)
	p := learner(t, data, index.C(6))
	p.Settings[0].Value = "8"
	m := load(t, p, 1)
	var lines bytes.Buffer
	require.NoError(t, NewRunner(m, Options{Out: out, Resume: true, Progress: NewProgress(&lines, 0)}).Train())
	require.Contains(t, lines.String(), "warning: batch is 8; the run began with 4\n")
	require.NotContains(t, lines.String(), "nothing is left")
	lines.Reset()
	require.NoError(t, NewRunner(load(t, learner(t, data, index.C(6)), 1), Options{Out: out, Resume: true, Steps: 4, Progress: NewProgress(&lines, 0)}).Train())
	require.Contains(t, lines.String(), "nothing is left to train: 6 of 4 steps are done; --steps N goes on\n")
	lines.Reset()
	other := digitRows(t, 40)
	require.NoError(t, NewRunner(load(t, learner(t, other, index.C(9)), 1), Options{Out: out, Resume: true, NewData: true, Progress: NewProgress(&lines, 0)}).Train())
	require.Contains(t, lines.String(), "warning: digits is "+other+"; the run began with "+data+"\n")
}

// A sample or eval with other settings than those of the training tells them; where the weights do not fit, as the remedy.
func TestWeightsOfOtherSettings(t *testing.T) {
	data, out := digitRows(t, 33), t.TempDir()
	_, err := trainLearner(t, data, index.C(3), 1, Options{Out: out})
	require.NoError(t, err)
	var lines bytes.Buffer
	o := Options{Out: out, Show: io.Discard, Progress: NewProgress(&lines, 0)}
	require.NoError(t, NewRunner(load(t, learner(t, data, index.C(3)), 1), o).Evaluate("valid"))
	require.NotContains(t, lines.String(), "trained with")

	p := learner(t, data, index.C(3))
	p.Settings[0].Value = "8"
	m := load(t, p, 1)
	require.NoError(t, NewRunner(m, o).Evaluate("valid"))
	require.Contains(t, lines.String(), "the weights were trained with batch = 4, now 8\n")

	m.program.States[0].Dims = []int{2, 4}
	wrong := out + "/weights.safetensors: m.w is f32[8] there and f32[2, 4] here: the weights are of another model, or of other settings\n  = they were trained with batch = 4, now 8\n  = help: `--set batch=4` fits them; `--out DIR` takes another run folder"
	require.EqualError(t, NewRunner(m, o).Evaluate("valid"), wrong)
	o.File = "learner.mdlb"
	require.ErrorContains(t, NewRunner(m, o).Evaluate("valid"), "`--set batch=4` of `mdlc compile` makes a bundle that fits them")
	o.File, o.Resume = "", true
	require.EqualError(t, NewRunner(m, o).Train(), wrong)

	m.program.Source = "another.mdl"
	require.EqualError(t, NewRunner(m, o).Train(), out+"/weights.safetensors: m.w is f32[8] there and f32[2, 4] here: the weights are of another model, or of other settings\n  = the run folder is that of learner.mdl\n  = help: `--out DIR` takes another run folder")
	m.program.Source = "learner.mdl"

	config := filepath.Join(out, "config.json")
	text, err := os.ReadFile(config)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(config, bytes.Replace(text, []byte(`"batch": "4"`), []byte(`"batch": "[4, 5]"`), 1), 0o644))
	require.ErrorContains(t, NewRunner(m, o).Evaluate("valid"), "`--set 'batch=[4, 5]'` fits them", "as a shell takes it")
}

// Weights whose config.json is lost or damaged may be of other settings than the file's: an eval and a training that goes on say so.
func TestWeightsOfUnknownSettings(t *testing.T) {
	data := digitRows(t, 33)
	for what, spoil := range map[string]func(string) error{
		"is not there": os.Remove,
		"is damaged":   func(config string) error { return os.Truncate(config, 40) },
	} {
		out := t.TempDir()
		_, err := trainLearner(t, data, index.C(3), 1, Options{Out: out})
		require.NoError(t, err)
		var lines bytes.Buffer
		o := Options{Out: out, Show: io.Discard, Progress: NewProgress(&lines, 0)}
		m := load(t, learner(t, data, index.C(4)), 1)
		require.NoError(t, NewRunner(m, o).Evaluate("valid"))
		require.NotContains(t, lines.String(), "warning")
		require.NoError(t, spoil(out+"/config.json"))
		told := "config.json " + what + ": with which settings the weights were trained is not known, so those of the model file and of --set are taken"
		require.NoError(t, NewRunner(m, o).Evaluate("valid"))
		require.Contains(t, lines.String(), "warning: "+out+"/"+told+"\n")
		m.program.States[0].Dims = []int{2, 4}
		require.ErrorContains(t, NewRunner(m, o).Evaluate("valid"), "of another model, or of other settings\n  = "+out+"/"+told)
		lines.Reset()
		o.Resume = true
		require.NoError(t, NewRunner(load(t, learner(t, data, index.C(4)), 1), o).Train())
		require.Contains(t, lines.String(), "warning: "+out+"/"+told+"\n")
	}
}

// A checkpoint's seed and step are checked as its weights are.
func TestDamagedProgress(t *testing.T) {
	data, out := digitRows(t, 33), t.TempDir()
	_, err := trainLearner(t, data, index.C(3), 1, Options{Out: out})
	require.NoError(t, err)
	path := out + "/weights.safetensors"
	text := readFile(t, path)
	for _, c := range [][2]string{{`"step":"3"`, `"step":"2"`}, {`"seed":"0"`, `"seed":"9"`}} {
		require.Contains(t, string(text), c[0])
		require.NoError(t, os.WriteFile(path, bytes.Replace(text, []byte(c[0]), []byte(c[1]), 1), 0o644))
		m := load(t, learner(t, data, index.C(4)), 1)
		require.ErrorContains(t, NewRunner(m, Options{Out: out, Show: io.Discard}).Evaluate("valid"), path+": the checkpoint's seed, step or list of data is damaged: it is not what was saved")
	}
}

func TestExportRepeatsTheBatches(t *testing.T) {
	dir := t.TempDir()
	_, err := trainLearner(t, digitRows(t, 33), index.C(3), 1, Options{Out: dir + "/run", Export: dir + "/export", Seed: seed(4)})
	require.NoError(t, err)
	f, err := parseTensors(readFile(t, dir+"/export/batches.safetensors"))
	require.NoError(t, err)
	require.Len(t, f.tensors, 3)
	require.Equal(t, "x.0", f.tensors[0].name)
	require.Equal(t, []int{4, 8}, f.tensors[0].dims)
	first, err := parseTensors(readFile(t, dir+"/export/weights.safetensors"))
	require.NoError(t, err)
	require.Equal(t, 4.0+7, readElem(loop.F32, first.tensors[0].data, 7)) // seed + i: before any step
}
