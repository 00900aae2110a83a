package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The tests named TestAcceptance run whole trainings. scripts/check.sh sets
// MDLC_CHECK for them; they print what they measured.
func acceptance(t *testing.T) {
	t.Helper()
	if os.Getenv("MDLC_CHECK") == "" {
		t.Skip("takes minutes: scripts/check.sh runs it")
	}
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
}

// library is the path of a model of the standard library.
func library(t *testing.T, name string) string {
	path, err := filepath.Abs(filepath.Join("../../stdlib/models", name))
	require.NoError(t, err)
	return path
}

// realData is the path of a file or folder of the real data, beside the
// checkout or in $MDLC_DATA; "" where they are absent.
func realData(t *testing.T, name string) string {
	dir := os.Getenv("MDLC_DATA")
	if dir == "" {
		dir = "../../../shared/data"
	}
	path, err := filepath.Abs(filepath.Join(dir, name))
	require.NoError(t, err)
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// needData skips where the real data are absent.
func needData(t *testing.T, name string) string {
	path := realData(t, name)
	if path == "" {
		t.Skipf("%s is neither in ../shared/data nor in $MDLC_DATA", name)
	}
	return path
}

// text is a text to train on: the real one, or words at random.
func text(t *testing.T) string {
	if path := realData(t, "text/tinyshakespeare_input.txt"); path != "" {
		return path
	}
	t.Log("the text is random words: there is no tinyshakespeare here")
	random := rand.New(rand.NewPCG(1, 1))
	var b bytes.Buffer
	for b.Len() < 300_000 {
		// Small numbers are frequent, as words are.
		n := int(200 * random.Float64() * random.Float64())
		for ; n > 0; n /= 7 {
			b.WriteString([]string{"ka", "to", "re", "mi", "an", "is", "u"}[n%7])
		}
		b.WriteByte(" \n"[random.IntN(9)/8])
	}
	path := filepath.Join(t.TempDir(), "words.txt")
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o644))
	return path
}

// digits is a folder of binary vectors of 784 bits: the real one, or noise around prototypes.
func digits(t *testing.T) string {
	if path := realData(t, "binarized_mnist"); path != "" {
		return path
	}
	t.Log("the digits are noise around prototypes: there is no binarized MNIST here")
	return writeBits(t, 784, map[string]int{"train": 4000, "test": 500})
}

// writeBits makes a folder of packed binary vectors of n bits, with the rows of each part.
func writeBits(t *testing.T, n int, parts map[string]int) string {
	random := rand.New(rand.NewPCG(2, uint64(n)))
	prototypes := make([][]bool, 5)
	for k := range prototypes {
		prototypes[k] = make([]bool, n)
		for i := range n {
			prototypes[k][i] = random.IntN(3) == 0
		}
	}
	dir := t.TempDir()
	for _, part := range splitOrder(parts) {
		wide := (n + 7) / 8
		var data []byte
		for range parts[part] {
			row := make([]byte, wide)
			for i, bit := range prototypes[random.IntN(len(prototypes))] {
				if bit != (random.IntN(10) == 0) {
					row[i/8] |= 0x80 >> (i % 8)
				}
			}
			data = append(data, row...)
		}
		writeNpy(t, filepath.Join(dir, part+".npy"), "|u1", []int{parts[part], wide}, data)
	}
	return dir
}

// writeNpy writes an array, with its folder where that is not there.
func writeNpy(t *testing.T, path, descr string, shape []int, data []byte) {
	dims := strings.Trim(strings.ReplaceAll(fmt.Sprint(shape), " ", ", "), "[]")
	head := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s,), }\n", descr, dims)
	file := append([]byte("\x93NUMPY\x01\x00"), byte(len(head)), byte(len(head)>>8))
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, append(append(file, head...), data...), 0o644))
}

func splitOrder(parts map[string]int) (out []string) {
	for _, part := range []string{"train", "valid", "test"} {
		if parts[part] > 0 {
			out = append(out, part)
		}
	}
	return out
}

// command is `mdlc args` as a process of its own.
func command(t *testing.T, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), "MDLC_TEST_MAIN=1")
	cmd.Stderr = os.Stderr
	return cmd
}

// mdlc runs `mdlc args` to its end.
func mdlc(t *testing.T, args ...string) (stdout []byte, took time.Duration) {
	t.Helper()
	began := time.Now()
	out, err := command(t, args...).Output()
	require.NoError(t, err, "mdlc %s", strings.Join(args, " "))
	return out, time.Since(began)
}

// jsonRecord is a line of --json.
type jsonRecord struct {
	Block string
	Step  int
	Loss  float64
	One   float64
}

// lastRecord is the last one of a block.
func lastRecord(t *testing.T, stdout []byte, block string) jsonRecord {
	t.Helper()
	var last *jsonRecord
	for line := range bytes.Lines(stdout) {
		var r jsonRecord
		require.NoError(t, json.Unmarshal(line, &r))
		if r.Block == block {
			last = &r
		}
	}
	require.NotNil(t, last, "no record of %s", block)
	return *last
}

// sameFile requires that a file of two folders has the same bytes.
func sameFile(t *testing.T, name, a, b string) {
	t.Helper()
	x, err := os.ReadFile(filepath.Join(a, name))
	require.NoError(t, err)
	y, err := os.ReadFile(filepath.Join(b, name))
	require.NoError(t, err)
	require.NotEmpty(t, x)
	require.True(t, bytes.Equal(x, y), "%s differs between %s and %s", name, filepath.Base(a), filepath.Base(b))
}
