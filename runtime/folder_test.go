package runtime

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"mdlc/ir/index"
)

// What an earlier run left is under another name after a new one, however often.
func TestTrainingAnewKeepsTheEarlierRuns(t *testing.T) {
	data, out := digitRows(t, 33), t.TempDir()
	model := writeFile(t, filepath.Join(t.TempDir(), "learner.mdl"), []byte("first"))
	var lines bytes.Buffer
	var weights, logs [3]string
	for i := range 3 {
		writeFile(t, model, []byte{byte('0' + i)})
		_, err := trainLearner(t, data, index.C(4), 1, Options{Out: out, File: model, Seed: seed(uint64(i)), Steps: 3 + i, Progress: NewProgress(&lines, 0)})
		require.NoError(t, err)
		weights[i], logs[i] = string(readFile(t, out+"/weights.safetensors")), string(readFile(t, out+"/log.jsonl"))
		require.Equal(t, 3+i, strings.Count(logs[i], `"block":"train"`))
	}
	for i, dir := range []string{"/earlier-1", "/earlier-2"} {
		require.Equal(t, weights[i], string(readFile(t, out+dir+"/weights.safetensors")))
		require.Equal(t, logs[i], string(readFile(t, out+dir+"/log.jsonl")))
		require.Equal(t, string(byte('0'+i)), string(readFile(t, out+dir+"/learner.mdl")))
		require.FileExists(t, out+dir+"/config.json")
		require.Contains(t, lines.String(), "the earlier run in "+out+" is kept as "+out+dir+"\n")
		require.NoError(t, NewRunner(load(t, learner(t, data, index.C(4)), 1), Options{Out: out + dir, Resume: true, Steps: 9}).Train())
	}
}

// A run folder may be the folder of the model, which stays where it is.
func TestTheFolderOfTheModelCanBeTheRunFolder(t *testing.T) {
	data, out := digitRows(t, 33), t.TempDir()
	model := writeFile(t, filepath.Join(out, "learner.mdl"), []byte("the model"))
	for range 2 {
		_, err := trainLearner(t, data, index.C(3), 1, Options{Out: out, File: model})
		require.NoError(t, err)
		require.Equal(t, "the model", string(readFile(t, model)))
	}
	require.NoFileExists(t, out+"/earlier-1/learner.mdl")
}

// failingWriter takes n records.
type failingWriter struct{ n int }

func (w *failingWriter) Write(line []byte) (int, error) {
	if w.n--; w.n < 0 {
		return 0, errors.New("nobody reads")
	}
	return len(line), nil
}

// Whatever record cannot be written to stdout, all that was done before is saved, and the
// resumed run ends like one that could write.
func TestAnOutputThatBreaksLosesNothing(t *testing.T) {
	data, whole := digitRows(t, 33), t.TempDir()
	text, err := trainLearner(t, data, index.C(12), 1, Options{Out: whole, Seed: seed(2)})
	require.NoError(t, err)
	records := strings.Count(text, "\n")
	for n := range records {
		out := t.TempDir()
		train := func(o Options) error {
			o.Out, o.Seed = out, seed(2)
			return NewRunner(load(t, learner(t, data, index.C(12)), 1), o).Train()
		}
		err := train(Options{JSON: &failingWriter{n}})
		require.ErrorContains(t, err, "cannot write to standard output: nobody reads\n  = help: "+out+"/weights.safetensors holds step ")
		require.NoError(t, train(Options{Resume: true}))
		for _, name := range []string{"/weights.safetensors", "/log.jsonl"} {
			require.Equal(t, string(readFile(t, whole+name)), string(readFile(t, out+name)), "record %d: %s", n, name)
		}
	}
}

// fullDisk fills the disk under the log of a run at its n-th record.
type fullDisk struct {
	t *testing.T
	r *Runner
	n int
}

func (w *fullDisk) Write(line []byte) (int, error) {
	if w.n--; w.n == 0 {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		require.NoError(w.t, err)
		defer full.Close()
		require.NoError(w.t, unix.Dup3(int(full.Fd()), int(w.r.log.Fd()), unix.O_CLOEXEC))
	}
	return len(line), nil
}

// The same for the log: the checkpoint holds the records that the log could not take.
func TestALogThatCannotBeWrittenLosesNothing(t *testing.T) {
	data, whole := digitRows(t, 33), t.TempDir()
	text, err := trainLearner(t, data, index.C(12), 1, Options{Out: whole, Seed: seed(2)})
	require.NoError(t, err)
	for n := 1; n < strings.Count(text, "\n"); n++ {
		out := t.TempDir()
		r := NewRunner(load(t, learner(t, data, index.C(12)), 1), Options{Out: out, Seed: seed(2)})
		r.o.JSON = &fullDisk{t, r, n}
		err = r.Train()
		require.ErrorContains(t, err, "cannot write the log: ")
		require.ErrorContains(t, err, "\n  = help: "+out+"/weights.safetensors holds step ")
		require.NoError(t, NewRunner(load(t, learner(t, data, index.C(12)), 1), Options{Out: out, Seed: seed(2), Resume: true}).Train())
		for _, name := range []string{"/weights.safetensors", "/log.jsonl"} {
			require.Equal(t, string(readFile(t, whole+name)), string(readFile(t, out+name)), "record %d: %s", n, name)
		}
	}
}

func TestACheckpointThatCannotBeWrittenIsToldOf(t *testing.T) {
	data, out := digitRows(t, 33), t.TempDir()
	require.NoError(t, os.Mkdir(out+"/weights.safetensors.new", 0o755))
	_, err := trainLearner(t, data, index.C(3), 1, Options{Out: out})
	require.ErrorContains(t, err, "cannot write "+out+"/weights.safetensors: ")
	require.ErrorContains(t, err, "\n  = help: nothing is saved; make room, or choose another folder with --out")
	require.NoError(t, os.Remove(out+"/weights.safetensors.new"))
	_, err = trainLearner(t, data, index.C(3), 1, Options{Out: out})
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(out+"/weights.safetensors.new", 0o755))
	_, err = trainLearner(t, data, index.C(8), 1, Options{Out: out, Resume: true})
	require.ErrorContains(t, err, "\n  = help: "+out+"/weights.safetensors holds step 3")
}

// A log or settings that somebody damaged do not keep a run from going on.
func TestADamagedFolderIsResumed(t *testing.T) {
	data, out := digitRows(t, 33), t.TempDir()
	_, err := trainLearner(t, data, index.C(3), 1, Options{Out: out})
	require.NoError(t, err)
	writeFile(t, out+"/log.jsonl", []byte("\x00\xff{{"))
	writeFile(t, out+"/config.json", []byte(`{"seed": NaN`))
	var lines bytes.Buffer
	_, err = trainLearner(t, data, index.C(6), 1, Options{Out: out, Resume: true, Progress: NewProgress(&lines, 0)})
	require.NoError(t, err)
	require.Contains(t, lines.String(), "warning: "+out+"/log.jsonl has lost records: it is shorter than when the checkpoint was saved\n")
	require.Contains(t, string(readFile(t, out+"/log.jsonl")), `"step":6`)
	require.Contains(t, string(readFile(t, out+"/config.json")), `"seed": 0`)
}

func TestFoldersThatCannotHoldARun(t *testing.T) {
	data, dir := digitRows(t, 33), t.TempDir()
	file := writeFile(t, dir+"/file", nil)
	require.NoError(t, os.MkdirAll(dir+"/logdir/log.jsonl", 0o755))
	require.NoError(t, os.Mkdir(dir+"/pipe", 0o755))
	require.NoError(t, unix.Mkfifo(dir+"/pipe/log.jsonl", 0o644))
	for out, want := range map[string]string{
		file:            "no run folder: mkdir " + file + ": not a directory; choose another with --out",
		file + "/below": "no run folder: ",
		dir + "/logdir": "cannot write the log: open " + dir + "/logdir/log.jsonl: is a directory; choose another folder with --out",
		dir + "/pipe":   dir + "/pipe/log.jsonl is not a file: remove it, or choose another folder with --out",
		"/proc/1/x":     "no run folder: ",
	} {
		_, err := trainLearner(t, data, index.C(3), 1, Options{Out: out})
		require.ErrorContains(t, err, want)
	}
}
