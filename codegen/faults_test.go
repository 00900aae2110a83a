package codegen

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/runtime/emulator"
)

const (
	near    = 15      // lines between an edit and its report
	seeds   = 3       // orders of warps that every fault is run in
	endless = 1 << 21 // instructions of a block that none of the launches comes near
)

// A planted fault: edits of PTX, as testdata/ptx/faults/README.md describes them, and what is to be reported.
type planted struct {
	name, file, kernel string
	shared             int // bytes of dynamic shared memory, or -1
	edits              []edit
	want, at           []string
}

type edit struct {
	which    int // from 1
	old, new []string
}

// line is a line of changed PTX; edited are those that an edit wrote or, if it only deleted, the next one.
type line struct {
	text   string
	edited bool
}

// code is a line of PTX without blanks and comments.
func code(text string) string {
	text, _, _ = strings.Cut(text, "//")
	return strings.Join(strings.Fields(text), " ")
}

// parseFaults reads a file of planted faults.
func parseFaults(t *testing.T, file string) []*planted {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var out []*planted
	open := false // the last line was of an edit
	for s := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(s), " ")
		if key == "=" {
			out = append(out, &planted{name: value, shared: -1})
		}
		if len(out) == 0 {
			continue
		}
		f := out[len(out)-1]
		within := key == "-" || key == "+"
		if within && !open {
			f.edits = append(f.edits, edit{which: 1})
		}
		switch key {
		case "in:":
			f.file = value
		case "run:":
			f.kernel = value
		case "launch:":
			_, err := fmt.Sscanf(value, "shared=%d", &f.shared)
			require.NoError(t, err, s)
		case "@":
			f.edits = append(f.edits, edit{})
			_, err := fmt.Sscan(value, &f.edits[len(f.edits)-1].which)
			require.NoError(t, err, s)
			within = true
		case "-":
			e := &f.edits[len(f.edits)-1]
			e.old = append(e.old, code(value))
		case "+":
			e := &f.edits[len(f.edits)-1]
			e.new = append(e.new, value)
		case "want:":
			f.want = strings.Split(value, " | ")
		case "at:":
			f.at = strings.Split(value, " | ")
		case "=", "", "#":
		default:
			require.Fail(t, "no line of a fault", "%s: %s", file, s)
		}
		open = within
	}
	return out
}

// plant makes the edits in a text.
func (f *planted) plant(t *testing.T, text string) []line {
	var lines []line
	for s := range strings.SplitSeq(text, "\n") {
		lines = append(lines, line{text: s})
	}
	for _, e := range f.edits {
		which := e.which
		found := false
		for i := range lines {
			end, ok := fits(lines[i:], e.old)
			if !ok {
				continue
			}
			if which--; which > 0 {
				continue
			}
			var put []line
			for _, s := range e.new {
				put = append(put, line{s, true})
			}
			if put == nil {
				lines[i+end].edited = true
			}
			lines = slices.Replace(lines, i, i+end, put...)
			found = true
			break
		}
		require.True(t, found, "%q does not occur %d times in %s", e.old, e.which, f.file)
	}
	return lines
}

// fits reports whether lines begin with the code of old, and where that ends.
func fits(lines []line, old []string) (int, bool) {
	if len(lines) == 0 || code(lines[0].text) == "" {
		return 0, false
	}
	for i, l := range lines {
		c := code(l.text)
		if c == "" {
			continue
		}
		if c != old[0] {
			return 0, false
		}
		if old = old[1:]; len(old) == 0 {
			return i + 1, true
		}
	}
	return 0, false
}

func joined(lines []line) string {
	var texts []string
	for _, l := range lines {
		texts = append(texts, l.text)
	}
	return strings.Join(texts, "\n")
}

// placed reports whether a report's line is where f says: at an instruction, or near an edit.
func (f *planted) placed(lines []line, at int) bool {
	if at < 1 || at > len(lines) {
		return false
	}
	if f.at != nil {
		c := code(lines[at-1].text)
		return slices.ContainsFunc(f.at, func(p string) bool { return strings.HasPrefix(c, p) })
	}
	for i := max(at-1-near, 0); i < min(at+near, len(lines)); i++ {
		if lines[i].edited {
			return true
		}
	}
	return false
}

// The emulator has nothing to report of the golden PTX, and of each fault that is planted in it says the kind and the place.
func TestPlantedFaults(t *testing.T) {
	files, err := filepath.Glob("../testdata/ptx/faults/*.faults")
	require.NoError(t, err)
	caught, compared := 0, 0
	right := map[string][][]byte{} // what launches give without a fault
	for _, file := range files {
		for _, f := range parseFaults(t, file) {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".faults")+"/"+f.file+"/"+f.name, func(t *testing.T) {
				text := ptxOf(t, f.file)
				run := launchOf(t, f.file, f.kernel)
				for seed := range uint64(seeds) {
					key := fmt.Sprint(f.file, " ", f.kernel, " ", seed)
					if right[key] == nil {
						out, err := run(t, text, &emulator.Device{Seed: seed, Limit: endless, Workers: 1}, -1)
						require.NoError(t, err, "the PTX without the fault")
						right[key] = out
					}
					lines := f.plant(t, text)
					got, err := run(t, joined(lines), &emulator.Device{Seed: seed, Limit: endless, Workers: 1}, f.shared)
					if slices.Equal(f.want, []string{"results"}) {
						require.NoError(t, err)
						require.NotEqual(t, right[key], got)
						compared++
						continue
					}
					f.check(t, lines, err)
					caught++
				}
			})
		}
	}
	t.Logf("%d faults are reported, %d seen in results only", caught/seeds, compared/seeds)
}

func (f *planted) check(t *testing.T, lines []line, err error) {
	require.Error(t, err)
	var fault *emulator.Fault
	require.True(t, errors.As(err, &fault), "%v", err)
	require.Contains(t, f.want, string(fault.Kind), "%v", err)
	ok := f.placed(lines, fault.Line) || fault.Other != nil && f.placed(lines, fault.Other.Line)
	require.True(t, ok, "not where the fault is: %v", err)
}

// ptxOf is a golden PTX for sm_80, or for whatever it is written.
func ptxOf(t *testing.T, name string) string {
	text, err := os.ReadFile("../testdata/ptx/" + name + ".sm_80.ptx")
	for _, end := range []string{".sm_90a.ptx", ".ptx"} {
		if errors.Is(err, os.ErrNotExist) {
			text, err = os.ReadFile("../testdata/ptx/" + name + end)
		}
	}
	require.NoError(t, err)
	return string(text)
}

// The emulator has nothing to report of what the compiler writes for either target.
func TestGoldenPTXHasNoFault(t *testing.T) {
	for _, arch := range []string{"sm_80", "sm_90a"} {
		for _, name := range goldens(arch) {
			text, err := os.ReadFile(goldenFile(name, gpuTarget(t, arch)))
			require.NoError(t, err)
			for seed := range uint64(seeds) {
				_, err := generatedLaunch(t, name)(t, string(text), &emulator.Device{Seed: seed}, -1)
				require.NoError(t, err, "%s %s", name, arch)
			}
		}
	}
}
