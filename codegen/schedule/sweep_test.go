package schedule_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/ebitengine/purego"
	"github.com/stretchr/testify/require"

	"mdlc/codegen"
	"mdlc/codegen/schedule"
	"mdlc/ir/loop"
)

// Products of one row sweep the rows of a large matrix: the points of a thread together while their sums fit a panel, with what follows
// fetched where elements are narrow; not where rows do not come out even, or caches hold the matrix. They compute the same, whichever points
// a thread gets.
func TestSweptBits(t *testing.T) {
	target, m := host(t)
	for _, c := range []struct {
		name, elem, w   string
		n, k, l2        int
		rows            int // that are read at a time; 0: it is not swept
		together, ahead bool
	}{
		{"alone", "f32", "W[k,j]", 70, 8, 1 << 9, 8, false, false},
		{"shares", "f32", "W[k,j]", 1030, 268, m.L2 / 16, 4, true, false},
		{"scales", "u8", "f32(W[k,j]) * S[k / 32,j]", 2100, 512, m.L2, 8, true, true},
		{"fours", "u8", "f32(W[k,j])", 2100, 516, m.L2, 4, true, true},
		{"wide", "f32", "W[k,j]", 9001, 8, m.L2 / 32, 8, false, false},
		{"uneven", "f32", "W[k,j]", 300, 258, 1 << 10, 0, false, false},
		{"near", "f32", "W[k,j]", 300, 64, m.L2, 0, false, false},
		{"kept", "f32", "W[k,j]", 1030, 268, m.L2, 0, false, false}, // by caches
	} {
		t.Run(c.name, func(t *testing.T) {
			ks, err := loop.Parse("swept", fmt.Sprintf(`kernel swept(in X: f32[%[2]d], in W: %[3]s[%[2]d,%[1]d], in S: f32[%[5]d,%[1]d], out Y: f32[%[1]d]) {
  axis j: %[1]d, k: %[2]d
  z = dot[k](X[k], %[4]s)
  Y[j] = z + S[0,j]
}`, c.n, c.k, c.elem, c.w, (c.k+31)/32))
			require.NoError(t, err)
			machine := *m
			machine.L2 = c.l2
			steps, err := schedule.Run(ks[0], &machine)
			require.NoError(t, err)
			k := steps[len(steps)-1].Kernel
			has := func(kind string) bool {
				return slices.ContainsFunc(k.Opts, func(o loop.Opt) bool { return o.Kind == kind })
			}
			for _, rows := range []int{4, 8} {
				require.Equal(t, c.rows == rows, strings.Contains(k.String(), fmt.Sprintf("Cut k %d, Bind k0 loop", rows)))
			}
			require.Equal(t, c.together, has(schedule.Together))
			require.Equal(t, c.ahead, has(schedule.Prefetch))
			swept := compile(t, target, k)[0]
			require.Equal(t, c.together, swept.phases[0].Whole)
			equalsEvaluator(t, schedule.Expand(ks[0]), swept)
			want := bytes.Clone(swept.mem["Y"])
			clear(swept.mem["Y"])
			swept.runApart()
			require.Equal(t, want, swept.mem["Y"], "points apart")
		})
	}
}

// runApart calls the first phase for each of its points, the last one first, as threads may.
func (c *compiled) runApart() {
	var args []unsafe.Pointer
	for _, b := range c.k.Bufs {
		if b.Mode != loop.Local {
			args = append(args, unsafe.Pointer(unsafe.SliceData(c.mem[b.Name])))
		}
	}
	points := 1
	for _, v := range c.phases[0].Points() {
		points *= constant(v)
	}
	for i := points - 1; i >= 0; i-- {
		purego.SyscallN(c.entries[0], uintptr(unsafe.Pointer(&args[0])), uintptr(i), uintptr(i+1), uintptr(unsafe.Pointer(unsafe.SliceData(c.scratch))))
	}
}

// What is fetched ahead is each line of the next rows once, also where a row has less than a line; nothing where data tell which rows these
// are, since those of the row after the last one lie outside.
func TestFetchedLines(t *testing.T) {
	_, m := host(t)
	target, err := codegen.HostTarget()
	require.NoError(t, err)
	machine := *m
	machine.L2 = 1 << 10
	for at, want := range map[string]int{"k": 8, "k + i64(I[k])": 0} { // eight rows, of each of which a turn reads a line or half of one
		ks, err := loop.Parse("swept", fmt.Sprintf(`kernel swept(in X: f32[64], in W: u8[99,4096], in I: i32[64], out Y: f32[4096]) {
  axis j: 4096, k: 64
  Y[j] = dot[k](X[k], f32(W[%s,j]))
}`, at))
		require.NoError(t, err)
		steps, err := schedule.Run(ks[0], &machine)
		require.NoError(t, err)
		e, err := codegen.Emit(steps[len(steps)-1].Kernel, target)
		require.NoError(t, err)
		text := codegen.ModuleText([]*codegen.Emitted{e}, target)
		require.Equal(t, want, strings.Count(text, "call void @llvm.prefetch"), at)
	}
}

// A vector times a large matrix that lies along the summands reads as many rows as there are lanes, a line of each at a time, and fetches
// the same of the rows that follow; not of a matrix that L2 holds. It computes the same.
func TestFetchedRows(t *testing.T) {
	target, m := host(t)
	for _, elem := range []string{"f32", "u8"} {
		for l2, want := range map[int]int{1 << 10: m.Lanes, 1 << 30: 0} {
			ks, err := loop.Parse("turned", fmt.Sprintf(`kernel turned(in X: f32[64], in W: %s[1003,64], out Y: f32[1003]) {
  axis j: 1003, k: 64
  Y[j] = dot[k](X[k], f32(W[j,k]))
}`, elem))
			require.NoError(t, err)
			machine := *m
			machine.L2 = l2
			steps, err := schedule.Run(ks[0], &machine)
			require.NoError(t, err)
			k := steps[len(steps)-1].Kernel
			e, err := codegen.Emit(k, target)
			require.NoError(t, err)
			text := codegen.ModuleText([]*codegen.Emitted{e}, target)
			require.Equal(t, want, strings.Count(text, "call void @llvm.prefetch"), "%s, L2 of %d", elem, l2)
			equalsEvaluator(t, schedule.Expand(ks[0]), compile(t, target, k)[0])
		}
	}
}
