package emulator

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite golden files")

// ptxas finds the assembler; tests that need it say why they do not run.
func ptxas(t *testing.T) string {
	p, err := ptxasPath()
	if err != nil {
		t.Skip("skipped: ptxas is neither on PATH nor in bin/ (make ptxas brings it)")
	}
	return p
}

func ptxasPath() (string, error) {
	if p, err := exec.LookPath("ptxas"); err == nil {
		return p, nil
	}
	p, err := filepath.Abs("../../bin/ptxas")
	if err == nil {
		_, err = os.Stat(p)
	}
	return p, err
}

// assemble runs ptxas on a text for a target and gives what it says of each kernel.
func assemble(t *testing.T, tool, text, arch string) string {
	dir := t.TempDir()
	in := filepath.Join(dir, "k.ptx")
	require.NoError(t, os.WriteFile(in, []byte(text), 0o644))
	out, err := exec.Command(tool, "-arch="+arch, "-v", in, "-o", filepath.Join(dir, "k.cubin")).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

// A usage is what a kernel takes of the machine.
type usage struct{ registers, spills, stack, shared int }

var usageForms = []struct {
	form *regexp.Regexp
	to   func(u *usage) *int
}{
	{regexp.MustCompile(`Used (\d+) registers`), func(u *usage) *int { return &u.registers }},
	{regexp.MustCompile(`(\d+) bytes spill stores`), func(u *usage) *int { return &u.spills }},
	{regexp.MustCompile(`(\d+) bytes spill loads`), func(u *usage) *int { return &u.spills }},
	{regexp.MustCompile(`(\d+) bytes stack frame`), func(u *usage) *int { return &u.stack }},
	{regexp.MustCompile(`(\d+) bytes smem`), func(u *usage) *int { return &u.shared }},
}

func usages(t *testing.T, report string) map[string]usage {
	out := map[string]usage{}
	entry := regexp.MustCompile(`Compiling entry function '(\w+)'`)
	name := ""
	for line := range strings.Lines(report) {
		if m := entry.FindStringSubmatch(line); m != nil {
			name = m[1]
		}
		for _, f := range usageForms {
			if m := f.form.FindStringSubmatch(line); m != nil && name != "" {
				u := out[name]
				n, err := strconv.Atoi(m[1])
				require.NoError(t, err)
				*f.to(&u) += n
				out[name] = u
			}
		}
		if strings.Contains(line, "Compile time") {
			name = "" // what follows is of device functions
		}
	}
	return out
}

// goldens are the files of testdata/ptx that hold PTX, from there: written by hand, by LLVM and by the compiler.
func goldens() ([]string, error) {
	var out []string
	for _, form := range []string{"*.ptx", "kernels/*.ptx"} {
		files, err := filepath.Glob("../../testdata/ptx/" + form)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			out = append(out, strings.TrimPrefix(filepath.ToSlash(f), "../../testdata/ptx/"))
		}
	}
	return out, nil
}

// Every golden PTX assembles, for all targets that run it, without spills, within the
// registers, stack and shared memory that usage.txt has beside it.
func TestGoldenPTXAssembles(t *testing.T) {
	tool := ptxas(t)
	const list = "../../testdata/ptx/usage.txt"
	recorded := map[string]usage{}
	if !*update {
		text, err := os.ReadFile(list)
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			var key [3]string
			var u usage
			if strings.HasPrefix(line, "#") {
				continue
			}
			_, err := fmt.Sscan(line, &key[0], &key[1], &key[2], &u.registers, &u.spills, &u.stack, &u.shared)
			require.NoError(t, err, line)
			recorded[strings.Join(key[:], " ")] = u
		}
	}
	version, err := exec.Command(tool, "--version").CombinedOutput()
	require.NoError(t, err)
	same := strings.Contains(string(version), "release 12.9") // another release may choose other registers
	files, err := goldens()
	require.NoError(t, err)
	require.NotEmpty(t, files)
	var mu sync.Mutex
	var lines []string
	t.Run("files", func(t *testing.T) { // ends when all are assembled, side by side
		for _, file := range files {
			text := read(t, file)
			archs := []string{"sm_80", "sm_90a"}
			if strings.Contains(text, ".target sm_90a") {
				archs = archs[1:]
			}
			for _, arch := range archs {
				t.Run(file+" "+arch, func(t *testing.T) {
					t.Parallel()
					report := assemble(t, tool, text, arch)
					require.NotContains(t, report, "C75", "products wait for each other")
					for kernel, u := range usages(t, report) {
						key := file + " " + arch + " " + kernel
						mu.Lock()
						lines = append(lines, fmt.Sprintf("%s %d %d %d %d\n", key, u.registers, u.spills, u.stack, u.shared))
						mu.Unlock()
						if *update {
							continue
						}
						most, ok := recorded[key]
						require.True(t, ok, "%s is not in usage.txt (run with -update)", key)
						if same {
							require.LessOrEqual(t, u.registers, most.registers, "registers of %s", key)
						}
						require.Zero(t, u.spills, "bytes spilt by %s", key)
						require.LessOrEqual(t, u.stack, most.stack, "stack of %s", key)
						require.Equal(t, most.shared, u.shared, "shared memory of %s", key)
					}
				})
			}
		}
	})
	if *update {
		slices.Sort(lines)
		head := "# file, target, kernel: registers, bytes spilt, stack bytes, shared bytes (ptxas 12.9)\n"
		require.NoError(t, os.WriteFile(list, []byte(head+strings.Join(lines, "")), 0o644))
	}
	require.Equal(t, max(len(recorded), len(lines)), len(lines), "usage.txt has kernels that are gone")
}

// What the tables of the tests take for PTX is PTX.
func TestTablesAssemble(t *testing.T) {
	tool := ptxas(t)
	var lines, regs []string
	for _, r := range integerTable {
		lines, regs = append(lines, strings.Replace(r.line, "selp.b32 %d, %a, %b, %p1;", "", 1)), append(regs, r.regs)
	}
	for _, r := range floatTable {
		lines, regs = append(lines, r.line), append(regs, r.regs)
	}
	text := strings.Replace(header, "sm_80", "sm_90a", 1)
	for i, l := range lines {
		text += strings.Replace(strings.TrimPrefix(onePTX(l, regs[i]), header), "entry k(", fmt.Sprintf("entry k%d(", i), 1)
	}
	for i, s := range productTests {
		text += strings.Replace(strings.TrimPrefix(productPTX(s.name, s.types, s.m, s.n, s.k, s.bits), header), "entry k(", fmt.Sprintf("entry m%d(", i), 1)
	}
	assemble(t, tool, text, "sm_90a")
}
