package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a file asks for and the lengths of a run do not have ends the run before it begins, with place, lengths and remedy;
// nothing is read that is not there, and what is there is read.
func TestLengthsOfARun(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	t.Chdir(t.TempDir())
	vector := func(n int) string {
		name := fmt.Sprintf("x%d.npy", n)
		data := make([]byte, 4*n)
		for i := range n {
			binary.LittleEndian.PutUint32(data[4*i:], math.Float32bits(float32(i+1)))
		}
		writeNpy(t, name, "<f4", []int{n}, data)
		return name
	}
	for _, c := range []struct {
		body string
		n    int
		want string // what it shows, or its error
	}{
		{"show sum(a[:N])", 4, "10"},
		{"show sum(a[:N])", 5, "the slice ends at 5, the axis has 4; `x` has the length 5 (sample s)\n"},
		{"show sum(a[:N])", 4096, "the slice ends at 4096, the axis has 4;"},
		{"show sum(a[:N | 0.5])", 6, "11"},
		{"show sum(a[:min(N, 4)])", 6, "10"},
		{"show sum(a[N:])", 3, "4"},
		{"show sum(a[N:])", 5, "the slice ends before it starts: from 5 to 4; `x` has the length 5"},
		{"show sum(a[N - 1:N + 1])", 3, "7"},
		{"show sum(a[N - 1:N + 1])", 4, "the slice ends at 5, the axis has 4;"},
		{"show sum(a[N - 1:N + 1])", 0, "the slice starts at -1, which is before the axis;"},
		{"show sum(x[:3])", 3, "6"},
		{"show sum(x[:3])", 2, "the slice ends at 3, the axis has 2;"},
		{"show sum(x[2:])", 2, "0"},
		{"show sum(x[2:])", 1, "the slice ends before it starts: from 2 to 1;"},
		{"show sum(x[-3:])", 1, "1"}, // as many as there are
		{"show a[N]", 3, "4"},
		{"show a[N]", 4, "there is no element 4: the axis has 4; `x` has the length 4"},
		{"show x[N - 3]", 3, "1"},
		{"show x[N - 3]", 2, "there is no element -1: the axis has 2;"},
		{"show x[2]", 2, "there is no element 2: the axis has 2;"},
		{"show x[-2]", 2, "1"},
		{"show x[-2]", 1, "there is no element -2: the axis has 1;"},
		{"show x[-1] + x[N - 1]", 0, "0"}, // the last place of an empty axis
		{"show x[2 | 7]", 2, "7"},
		{"show where N > 2 then x[N - 3] else 8", 1, "8"},
		{"few = N < 3    show where not few and N < 9 then x[N - 3] else 8", 1, "8"},
		{"show where N > 1 then x[N - 3] else 8", 2, "there is no element -1: the axis has 2;"},
		{"show where N < 3 then 8 else x[N - 3]", 1, "8"},
		{"show where sum(x) > 6 then x[N - 3] else 8", 1, "8"}, // data decide
		{"y = 8.0    if N <= 4 { y = sum(a[:N]) }    show y", 9, "8"},
		{"y = 8.0    if N > 4 { y = 9 } else { y = sum(a[:N]) }    show y", 9, "9"},
		{"y = 8.0    if N <= 5 { y = sum(a[:N]) }    show y", 5, "the slice ends at 5, the axis has 4;"},
		{"y = 8.0    if N <= 4 { for i in 3 { y = y + sum(a[:N]) } }    show y", 5, "8"},
		{"y = 8.0    if N == 9 { y = 9 } else { y = sum(a[:N]) }    show y", 9, "9"},
		{"y = 8.0    if N == 9 { y = 9 } else { y = sum(a[:N]) }    show y", 8, "the slice ends at 8, the axis has 4;"},
		{"y = 8.0    if N == 0 { y = 7 } else if N == 1 { y = 6 } else if N == 2 { y = 5 } else if N == 3 { y = 4 } else if N == 4 { y = 3 } else { y = sum(x[N - 5:]) }    show y", 2, "5"},
		{"y = 8.0    if N != 9 { y = sum(a[:min(N, 5)]) }    show y", 9, "8"},
		{"y = 8.0    if N <= 4 or N == 9 { y = sum(a[:min(N, 8 - N)]) }    show y", 6, "8"},
		{"y = 8.0    if N <= 4 or N == 9 { y = sum(a[:N]) }    show y", 9, "the slice ends at 9, the axis has 4;"},
		{"y = 8.0    if not (N > 4 or N == 0) { y = sum(a[:N]) }    show y", 6, "8"},
		{"y = 8.0    if not (N > 1 and N < 9) { y = 7 } else { y = sum(a[:N]) }    show y", 9, "7"},
		{"y = 8.0    if N <= 4 and sum(x) > 0 { y = sum(a[:N]) }    show y", 6, "8"},
		{"y = 8.0    if N <= 4 or sum(x) < 0 { y = sum(a[:N]) }    show y", 6, "the slice ends at 6, the axis has 4;"},
		{"y = 8.0    if N < 7 { y = first(N) }    show y + first(N)", 4, "20"},
		{"y = 8.0    if N < 7 { y = first(N) }    show y + first(N)", 8, "the slice ends at 8, the axis has 4;"}, // the same place, whatever else led there
		{"show where N <= 4 then sum(a[:N]) else 8", 5, "the slice ends at 5, the axis has 4;"},                  // both are computed
		{"y = 8.0    for i in N { y = y + x[N - 3] }    show y", 0, "8"},                                         // no turn
		{"y = 8.0    for i in N { y = y + x[N - 3] }    show y", 2, "there is no element -1: the axis has 2;"},
		{"k = top_k(x, 2)    show x[k]", 3, "3 2"},
		{"k = top_k(x, 2)    show x[k]", 2, "2 1"},
		{"k = top_k(x, 2)    show x[k]", 1, "there are no 2 largest of 1; `x` has the length 1"},
		{"y = 0.0    if N >= 2 { y = x[top_k(x, 2)[1]] }    show y", 1, "0"},
		{"for i in 3 { y[i] = sum(a[i:N]) }    show y", 4, "10 9 7"},
		{"for i in 3 { y[i] = sum(a[i:N]) }    show y", 1, "the slice ends before it starts: from 2 to 1;"},
		{"y[i] = x[i] * mean(a[:N])    show y", 2, "1.5 3"},
		{"y[i] = x[i] * mean(a[:N])    show y", 5, "the slice ends at 5, the axis has 4;"},
		{"show sum[i < 4 where i < N] a[i]", 9, "10"},
		{"y[i < 4] = a[i + N | 0]    show y", 3, "4 0 0 0"},
		{"y[i < N - 2] = i    show y", 4, "0 1"},
		{"y[i < N - 2] = i    show y", 1, "the size -1 is negative; `x` has the length 1"},
		{"a[N] = 9    show a", 2, "1 2 9 4"},
		{"a[N] = 9    show a", 4, "there is no element 4: the axis has 4;"},
		{"x[-1] = 9    show x", 2, "1 9"},
		{"k = argmax(x)    c[i < 4, j < 3] = 10 * i + j    show c[N, k]    show c[N - 1:, none, k]", 3, "32\n22\n32"},
		{"k = argmax(x)    c[i < 4, j < 2] = i + 1    show c[N, k]", 3, "index 2 is outside of the axis of 2 of `c` (sample s)\n"}, // data are looked at, too
		{"show 7 div N    show a[7 % N]", 0, "0\n1"},                                                                               // by what may be 0: that is data, and no length
		{"show 7 div N    show a[7 % N]", 2, "3\n2"},
		{"y[i < 4] = a[i % N | 0]    show y", 0, "1 1 1 1"},
		{"y[i < 4, j < 2] = a[i div j | 0]    show y[:, 0]    show y[:, 1]", 1, "1 1 1 1\n1 2 3 4"},
		{"c[i < 4] = i32(i) - 1    y[i] = a[3 div c[i] | 0]    show y", 1, "0 1 4 2"},
		{"generate tok: i32[1, T] from i32(x)[none] for 4 { tok[:, T] = i32(sum(b[:T])) }    show tok", 4, "1 2 3 4 4 5 6 7"},
		{"generate tok: i32[1, T] from i32(x)[none] for 4 { tok[:, T] = i32(sum(b[:T])) }    show tok", 5, "the slice ends at 8, the axis has 7; `x` has the length 5"},
		{"generate tok: i32[1, T] from i32(x)[none] for 4 { k = 0    if T <= 7 { k = i32(sum(b[:T])) }    tok[:, T] = k }    show tok[:, 6:]", 5, "6 7 0"},
		{"generate tok: i32[1, T] from i32(x)[none] for N - 2 { tok[:, T] = T }    show tok", 4, "1 2 3 4 4 5"},
		{"generate tok: i32[1, T] from i32(x)[none] for N - 2 { tok[:, T] = T }    show tok", 1, "`generate` cannot add -1 elements; `x` has the length 1"},
		{"generate tok: i32[1, T] from i32(x)[none] for 4 until tok[0, -1] > 4 { tok[:, T] = T }    show tok[0, 2]", 2, "2"}, // there is one turn at least
		{"generate tok: i32[1, T] from i32(x)[none] for 4 until tok[0, -1] > 4 { tok[:, T] = T }    show tok[0, 3]", 2, "there is no element 3: the axis has 3;"},
	} {
		src := "fn row(n: int) -> f32[n] { return r[i < n] = i + 1.0 }\nfn ones() -> f32[7] { return r[i < 7] = 1.0 } fn first(n: int) = sum(row(4)[:n])\nsample s(x: f32[N]) {\n  a = row(4)    b = ones()\n  " + c.body + "\n}\n"
		require.NoError(t, os.WriteFile("m.mdl", []byte(src), 0o644))
		stdout, stderr, code := call("run", "m.mdl", "sample", "s", "--x", vector(c.n), "-q")
		if regexp.MustCompile("^(the|index|`)").MatchString(c.want) {
			require.Equal(t, exitFailure, code, "%s of %d: %s", c.body, c.n, stdout)
			require.Regexp(t, `^m\.mdl:[25]:\d+: error: `, stderr)
			require.Contains(t, stderr, "error: "+c.want, c.body)
			require.Contains(t, stderr, "\n   = help: `", c.body)
			continue
		}
		require.Equal(t, 0, code, "%s of %d: %s", c.body, c.n, stderr)
		require.Equal(t, c.want, strings.TrimSpace(stdout), "%s of %d", c.body, c.n)
	}
}

// Arrays that share a length have it from the first of them; messages say which lengths are asked for.
func TestArraysThatShareALength(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("m.mdl", []byte(`sample rows(a: f32[N, 3], b: f32[N, 3]) { show sum(a * b, axis: 1) }
sample columns(a: f32[2, N], b: f32[3, N]) { show sum(a, axis: 1)    show b }
sample square(a: f32[N, N]) { show sum(a, axis: 0) }
sample product(a: f32[N, 3], b: f32[M, N]) { show b @ a }
`), 0o644))
	array := func(rows, cols int) string {
		name := fmt.Sprintf("x%dx%d.npy", rows, cols)
		data := make([]byte, 4*rows*cols)
		for i := range rows * cols {
			binary.LittleEndian.PutUint32(data[4*i:], math.Float32bits(float32(i)))
		}
		writeNpy(t, name, "<f4", []int{rows, cols}, data)
		return name
	}
	for _, c := range []struct {
		sample string
		sizes  [][2]int
		want   string // what it shows, or its error
	}{
		{"rows", [][2]int{{2, 3}, {2, 3}}, "5 50"},
		{"rows", [][2]int{{2, 3}, {4, 3}}, "--b x4x3.npy holds 4 rows of 3 numbers; sample rows takes f32[2, 3], where 2 is the length of --a"},
		{"rows", [][2]int{{6, 1}, {2, 3}}, "--a x6x1.npy holds 6 rows of 1 numbers; sample rows takes f32[4096, 3], where 4096 may be less"},
		{"columns", [][2]int{{2, 2}, {3, 2}}, "1 5\n0 1\n2 3\n4 5"},
		{"columns", [][2]int{{2, 2}, {3, 3}}, "--b x3x3.npy holds 3 rows of 3 numbers; sample columns takes f32[3, 2], where 2 is the length of --a"},
		{"columns", [][2]int{{3, 2}, {3, 3}}, "--a x3x2.npy holds 3 rows of 2 numbers; sample columns takes f32[2, 4096], where 4096 may be less"},
		{"square", [][2]int{{3, 3}}, "9 12 15"},
		{"square", [][2]int{{3, 2}}, "--a x3x2.npy holds 3 rows of 2 numbers; sample square takes f32[4096, 3], where 4096 may be less and 3 is the length of --a"},
		{"product", [][2]int{{2, 3}, {3, 2}}, "3 4 5\n9 14 19\n15 24 33"},
		{"product", [][2]int{{2, 3}, {2, 3}}, "--b x2x3.npy holds 2 rows of 3 numbers; sample product takes f32[4096, 2], where 4096 may be less and 2 is the length of --a"},
	} {
		args := []string{"run", "m.mdl", "sample", c.sample, "-q"}
		for i, s := range c.sizes {
			args = append(args, []string{"--a", "--b"}[i], array(s[0], s[1]))
		}
		stdout, stderr, code := call(args...)
		if strings.HasPrefix(c.want, "--") {
			require.NotEqual(t, 0, code, stdout)
			require.Contains(t, stderr, c.want+"\n")
			continue
		}
		require.Equal(t, 0, code, stderr)
		require.Equal(t, c.want, strings.TrimSpace(stdout), args)
	}
}

// What lengths do not allow is told before anything is compiled, and of a bundle, too.
func TestLengthsAreLookedAtFirst(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	t.Chdir(t.TempDir())
	src := "fn row() -> f32[4] { return r[i < 4] = i + 1.0 }\nsample s(prompt: text = \"ab\") {\n  a = row()\n  show sum(a[:len(prompt[0])])\n}\n"
	require.NoError(t, os.WriteFile("m.mdl", []byte(src), 0o644))
	stdout, stderr, code := call("compile", "m.mdl", "-o", "m.bundle")
	require.Equal(t, 0, code, stdout+stderr)
	for _, file := range []string{"m.mdl", "m.bundle"} {
		stdout, stderr, code = call("run", file, "sample", "-q")
		require.Equal(t, 0, code, stderr)
		require.Equal(t, "3\n", stdout)
		_, stderr, code = call("run", file, "sample", "--prompt", "abcde", "-q")
		require.Equal(t, exitFailure, code)
		require.Contains(t, stderr, "m.mdl:4:14: error: the slice ends at 5, the axis has 4; `prompt` has the length 5 (sample s)\n")
	}
	t.Setenv("MDLC_CACHE", t.TempDir())
	_, stderr, _ = call("run", "m.mdl", "sample", "--prompt", "abcde")
	require.NotContains(t, stderr, "compil")
	_, stderr, code = call("bench", "m.mdl", "sample", "--prompt", "abcde")
	require.Equal(t, exitFailure, code)
	require.Contains(t, stderr, "the slice ends at 5")
}

// More elements than a number counts are not few.
func TestLargerThanAnyMemory(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("m.mdl", []byte("sample s { z ~ normal[4294967296, 4294967296]   show z[0, 0] + sum(z) }\n"), 0o644))
	_, stderr, code := call("run", "m.mdl", "sample", "s", "-q")
	require.Equal(t, exitFailure, code)
	require.Contains(t, stderr, "m.mdl needs more than 64 TiB of memory")
}

// An axis of no elements behind others is none to divide by.
func TestAxesOfNoElements(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("none.mdl", []byte("sample s { x ~ normal[3, 2, 0]  show x  show sum(x)  y ~ normal[3, 2, 4]  show y[:, :, :0]  show y[:, :0, :] + 1  show one_hot(i32(y[:, :, 0]), 0) }\n"), 0o644))
	stdout, stderr, code := call("run", "none.mdl", "sample", "-q")
	require.Equal(t, 0, code, stderr)
	require.Equal(t, []string{"0"}, strings.Fields(stdout))
}
