package runtime

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/index"
	"mdlc/ir/loop"
	"mdlc/runtime/program"
)

func TestStackedInstances(t *testing.T) {
	s := &program.State{Name: "a.#.b.#.w", Elem: loop.F32, Dims: []int{2, 3, 5}, Stack: []int{2, 3}}
	got := instances(s)
	require.Len(t, got, 6)
	require.Equal(t, instance{"a.0.b.0.w", []int{5}, 0, 20}, got[0])
	require.Equal(t, instance{"a.1.b.2.w", []int{5}, 100, 120}, got[5])
	require.Equal(t, []instance{{"w", []int{}, 0, 4}}, instances(&program.State{Name: "w", Elem: loop.F32, Dims: []int{}}))
}

func TestSafetensorsRoundTrip(t *testing.T) {
	f := &tensorFile{meta: map[string]string{"b": "2", "a": "1"}, tensors: []tensor{
		{"flag", loop.Bool, []int{3}, []byte{1, 0, 1}},
		{"w", loop.F32, []int{2, 1}, []byte{0, 1, 2, 3, 4, 5, 6, 7}},
		{"n", loop.I64, []int{}, []byte{8, 0, 0, 0, 0, 0, 0, 0}},
		{"none", loop.F32, []int{0, 4}, []byte{}},
	}}
	var a, b bytes.Buffer
	require.NoError(t, f.write(&a))
	require.NoError(t, f.write(&b))
	require.Equal(t, a.Bytes(), b.Bytes())
	require.Zero(t, binary.LittleEndian.Uint64(a.Bytes())%8)
	got, err := parseTensors(a.Bytes())
	require.NoError(t, err)
	require.Equal(t, f.meta, got.meta)
	require.Len(t, got.tensors, 4)
	for _, g := range got.tensors {
		for _, w := range f.tensors {
			if w.name == g.name {
				require.Equal(t, w, g)
			}
		}
	}
}

// parseTensors is the content of a safetensors file.
func parseTensors(raw []byte) (*tensorFile, error) {
	from, err := openTensors(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return nil, err
	}
	sum, err := from.checksum()
	if err != nil {
		return nil, err
	}
	f := &tensorFile{meta: from.meta}
	for i := range from.tensors {
		t := &from.tensors[i]
		mem := make([]byte, t.size)
		if err := from.read(mem, t.elem, t); err != nil {
			return nil, err
		}
		f.tensors = append(f.tensors, tensor{t.name, t.elem, t.dims, mem})
	}
	if sum != f.checksum() {
		return nil, fmt.Errorf("its checksum is %s in parts and %s as a whole", sum, f.checksum())
	}
	return f, nil
}

// restore sets all states from the checkpoint at path.
func (m *Model) restore(path string) (progress, error) {
	return m.readStates(path, (*Model).setAllStates)
}

func safetensors(header, body string) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header+body...)
}

func TestMalformedSafetensors(t *testing.T) {
	for header, want := range map[string]string{
		`[]`:       "not a JSON object",
		`{"a":{}}`: "unknown dtype",
		`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`: "twice",
		`{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,4]}}`:                                                       "bytes 0 to 4",
		`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`:                                                     "impossible shape",
		`{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}}`:                                  "impossible shape",
		`{"a":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}`:                                                       "begins at byte 2",
		`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`:                                                       "2 bytes after",
		`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[3],"data_offsets":[1,4]}}`:   "begins at byte 1",
		`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}`:                                                       "EOF",
		`{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,4]}}`:                                                    "invalid character 'N'",
		`{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}`:                                                    "number 1.5",
		`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,1e400]}}`:                                                  "number 1e400",
		`{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}`:                                                     "bytes -4 to 0",
		`{"__metadata__":{"step":3}}`:                                                                                 "header: __metadata__",
		strings.Repeat(`{"a":`, 20000):                                                                                "exceeded max depth",
		`{} x`:                                                                                                        "text after",
	} {
		_, err := parseTensors(safetensors(header, "1234"))
		require.ErrorContains(t, err, want, header)
	}
	_, err := parseTensors([]byte{1, 2})
	require.ErrorContains(t, err, "2 bytes")
	_, err = parseTensors(binary.LittleEndian.AppendUint64(nil, 1<<60))
	require.ErrorContains(t, err, "a header of 1152921504606846976 bytes")
}

func FuzzSafetensors(f *testing.F) {
	f.Add(safetensors(`{"__metadata__":{"a":"b"},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, "1234"))
	f.Add(safetensors(`{}`, ""))
	f.Add(safetensors(`{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,4]}}`, "1234"))
	f.Add(safetensors(`{"a":{"dtype":"U8","shape":[0,9223372036854775807],"data_offsets":[0,0]}}`, ""))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := parseTensors(raw)
		if err != nil {
			_, opened := openTensors(bytes.NewReader(raw), int64(len(raw)))
			require.Equal(t, opened, err, "the header is good, but tensors cannot be read")
			return
		}
		var out bytes.Buffer
		require.NoError(t, a.write(&out))
		b, err := parseTensors(out.Bytes())
		require.NoError(t, err)
		require.Equal(t, len(a.tensors), len(b.tensors))
	})
}

// Whatever byte of a checkpoint is changed or cut off, nothing of it is taken.
func TestDamagedCheckpoints(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.safetensors")
	m := load(t, learner(t, "", index.C(1)), 1)
	require.NoError(t, m.save(path, progress{seed: 7, step: 30, data: map[string]string{"digits": "abc"}, unlogged: "x"}))
	good := readFile(t, path)
	writeElem(loop.F32, m.states[0].host, 3, 42)
	for at := range good {
		require.NoError(t, os.WriteFile(path, good[:at], 0o644))
		_, err := m.restore(path)
		require.Error(t, err, "cut at %d", at)
	}
	body := len(good) - len(m.states[0].host)
	for at := body; at < len(good); at++ {
		bad := bytes.Clone(good)
		bad[at] ^= 1
		require.NoError(t, os.WriteFile(path, bad, 0o644))
		_, err := m.restore(path)
		require.ErrorContains(t, err, path+": the weights are damaged: ")
	}
	require.Equal(t, 42.0, readElem(loop.F32, m.states[0].host, 3), "something was restored")
}

func TestRestoreRefusesOtherWeights(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.safetensors")
	m := load(t, learner(t, "", index.C(1)), 1)
	writeElem(loop.F32, m.states[0].host, 3, 42)
	require.NoError(t, m.save(path, progress{seed: 7, stage: 1, step: 30, log: 99, evals: true}))
	clear(m.states[0].host)
	p, err := m.restore(path)
	require.NoError(t, err)
	require.Equal(t, progress{seed: 7, stage: 1, step: 30, log: 99, evals: true}, p)
	require.Equal(t, 42.0, readElem(loop.F32, m.states[0].host, 3))

	m.program.States[0].Name = "m.other"
	_, err = m.restore(path)
	require.ErrorContains(t, err, "there is no tensor m.other")
	m.program.States[0].Name = "m.w"
	m.program.States[0].Dims = []int{2, 4}
	_, err = m.restore(path)
	require.ErrorContains(t, err, "m.w is f32[8] there and f32[2, 4] here: the weights are of another model, or of other settings")
	require.NoError(t, os.WriteFile(path, []byte("{}"), 0o644))
	_, err = m.restore(path)
	require.ErrorContains(t, err, "not a safetensors file")
	require.Equal(t, 42.0, readElem(loop.F32, m.states[0].host, 3))
}
