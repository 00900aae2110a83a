package runtime

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/index"
	"mdlc/ir/loop"
	"mdlc/runtime/program"
)

// Other data at the same path are no data to go on with, unless one says so.
func TestResumeNoticesChangedData(t *testing.T) {
	data, out := digitRows(t, 33), t.TempDir()
	_, err := trainLearner(t, data, index.C(3), 1, Options{Out: out})
	require.NoError(t, err)
	weights, log := readFile(t, out+"/weights.safetensors"), readFile(t, out+"/log.jsonl")
	original := readFile(t, data)
	changed := bytes.Clone(original)
	changed[len(changed)-1] ^= 1
	for _, content := range [][]byte{changed, readFile(t, digitRows(t, 34))} {
		writeFile(t, data, content)
		_, err = trainLearner(t, data, index.C(6), 1, Options{Out: out, Resume: true})
		require.EqualError(t, err, "learner.mdl:3:1: error: data digits ("+data+") are not what the run in "+out+" began with\n"+
			"  = help: put the data back, train anew with another --out, or go on with what is there now by --new-data")
		require.Equal(t, weights, readFile(t, out+"/weights.safetensors"))
		require.Equal(t, log, readFile(t, out+"/log.jsonl"))
	}
	elsewhere := writeFile(t, t.TempDir()+"/moved.npy", original)
	_, err = trainLearner(t, elsewhere, index.C(4), 1, Options{Out: out, Resume: true})
	require.NoError(t, err, "the same data at another place")
	var lines bytes.Buffer
	_, err = trainLearner(t, data, index.C(6), 1, Options{Out: out, Resume: true, NewData: true, Progress: NewProgress(&lines, 0)})
	require.NoError(t, err)
	require.Contains(t, lines.String(), "warning: data digits are not what the run began with\n")
}

func TestFingerprints(t *testing.T) {
	s := &source{Source: &program.Source{}, splits: map[string]*split{"train": {columns: []*array{{elem: loop.U8, width: 1, data: []byte{1, 2, 3, 4}, rows: 4}}}}}
	seen := map[string]bool{s.fingerprint(hashedWhole): true}
	p := s.splits["train"].columns[0]
	for _, change := range []func(){
		func() { p.data[3] = 5 }, func() { p.width, p.rows = 2, 2 }, func() { p.elem = loop.I8 }, func() { p.packing = packedBits }, func() { p.scale = []float64{0, 1} },
		func() { s.splits["train"].begins = []int{0, 2} }, func() { s.splits = map[string]*split{"valid": s.splits["train"]} }, func() { s.splits["train"] = &split{} },
	} {
		change()
		require.False(t, seen[s.fingerprint(hashedWhole)])
		seen[s.fingerprint(hashedWhole)] = true
	}
}

// Of large data the beginning, the end and what lies between count.
func TestFingerprintOfLargeData(t *testing.T) {
	p := &array{elem: loop.U8, width: 1, data: make([]byte, 40*hashedPages)}
	s := &source{Source: &program.Source{}, splits: map[string]*split{"train": {columns: []*array{p}}}}
	first := s.fingerprint(hashedWhole)
	for _, at := range []int{0, len(p.data) - 1, (len(p.data) - hashedPage)} {
		p.data[at] = 1
		require.NotEqual(t, first, s.fingerprint(hashedWhole), at)
		p.data[at] = 0
	}
	require.Equal(t, first, s.fingerprint(hashedWhole))
}
