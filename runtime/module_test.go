package runtime_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen"
	"mdlc/codegen/schedule"
	"mdlc/ir"
	"mdlc/passes"
	"mdlc/runtime"
	"mdlc/runtime/program"
)

// compile takes a module's text through passes and code generation.
func compile(t *testing.T, text string, fusion bool) *program.Program {
	m, err := ir.ParseModule(text)
	require.NoError(t, err)
	require.NoError(t, passes.Run(m, passes.Options{NoFusion: !fusion}))
	require.NoError(t, passes.Plan(m))
	target, err := codegen.HostTarget()
	require.NoError(t, err)
	machine := schedule.AVX2
	if target.Name == schedule.AVX512.Name {
		machine = schedule.AVX512
	}
	built, err := codegen.Build(m, machine, codegen.Options{Target: target})
	require.NoError(t, err)
	return built.Program
}

// points writes rows of seven numbers and their sum weighted by 1, 2, … 7.
func points(t *testing.T, rows int) string {
	head := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, 8), }\n", rows)
	data := append([]byte("\x93NUMPY\x01\x00"), byte(len(head)), 0)
	data = append(data, head...)
	random := rand.New(rand.NewPCG(1, 2))
	for range rows {
		var row [8]float32
		for j := range 7 {
			row[j] = random.Float32()*2 - 1
			row[7] += float32(j+1) * row[j]
		}
		var err error
		data, err = binary.Append(data, binary.LittleEndian, row)
		require.NoError(t, err)
	}
	path := filepath.Join(t.TempDir(), "points.npy")
	require.NoError(t, os.WriteFile(path, data, 0o644))
	return path
}

func TestModuleTrainsThroughEveryFloor(t *testing.T) {
	text, err := os.ReadFile("../testdata/runtime/regression.module")
	require.NoError(t, err)
	data := points(t, 63) // 50 to train, 13 held out: two batches and three rows more
	seed := uint64(7)
	var weights [][]byte
	for _, c := range []struct {
		threads int
		fusion  bool
	}{{1, true}, {2, true}, {2, false}} {
		p := compile(t, string(text), c.fusion)
		p.Sources[0].Path = data
		m, err := runtime.Load(p, runtime.Setup{Threads: c.threads})
		require.NoError(t, err)
		out := t.TempDir()
		var lines, shown bytes.Buffer
		r := runtime.NewRunner(m, runtime.Options{Out: out, Seed: &seed, JSON: &lines, Show: &shown})
		require.NoError(t, r.Train())
		records := strings.Split(strings.TrimSpace(lines.String()), "\n")
		require.Len(t, records, 202)
		require.Greater(t, loss(t, records[0]), 1.0)
		require.Less(t, loss(t, records[201]), 1e-4)
		require.Contains(t, records[201], `"block":"eval valid","step":200`)
		require.NoError(t, r.Sample("predict", []runtime.FlagValue{{Name: "at", Value: "2"}}))
		var got [7]float64
		_, err = fmt.Sscan(shown.String(), &got[0], &got[1], &got[2], &got[3], &got[4], &got[5], &got[6])
		require.NoError(t, err)
		for j, v := range got {
			require.InDelta(t, 2*float64(j+1), v, 0.05)
		}
		m.Close()
		file, err := os.ReadFile(filepath.Join(out, "weights.safetensors"))
		require.NoError(t, err)
		weights = append(weights, file)
	}
	require.Equal(t, weights[0], weights[1], "threads change the weights")
	require.Equal(t, weights[0], weights[2], "fusion changes the weights")
}

func loss(t *testing.T, line string) float64 {
	var rec struct{ Loss float64 }
	require.NoError(t, json.Unmarshal([]byte(line), &rec))
	return rec.Loss
}
