package emulator

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const header = ".version 8.3\n.target sm_80\n.address_size 64\n"

// read gives a file of testdata/ptx.
func read(t testing.TB, name string) string {
	text, err := os.ReadFile(filepath.Join("../../testdata/ptx", name))
	require.NoError(t, err)
	return string(text)
}

func kernelOf(t testing.TB, text, name string) *Kernel {
	m, err := Load(text)
	require.NoError(t, err)
	k, err := m.Kernel(name)
	require.NoError(t, err)
	return k
}

func bytesOf(v any) []byte {
	b, err := binary.Append(nil, binary.LittleEndian, v)
	if err != nil {
		panic(err)
	}
	return b
}

func (d *Device) with(name string, v any) *Buffer {
	p := bytesOf(v)
	b := d.Alloc(name, len(p))
	if err := b.Write(0, p); err != nil {
		panic(err)
	}
	return b
}

func get[T any](t testing.TB, b *Buffer, n int) []T {
	out := make([]T, n)
	p := make([]byte, binary.Size(out))
	require.NoError(t, b.Read(0, p))
	_, err := binary.Decode(p, binary.LittleEndian, out)
	require.NoError(t, err)
	return out
}

// faultOf runs f and wants a fault of one of the kinds.
func wantFault(t testing.TB, err error, kinds ...Kind) *Fault {
	var f *Fault
	require.Error(t, err)
	require.True(t, errors.As(err, &f), "%v", err)
	require.Contains(t, kinds, f.Kind, "%v", err)
	require.Positive(t, f.Line)
	require.NotEmpty(t, f.Kernel)
	return f
}

// lineOf is the number of the first line of text that contains what.
func lineOf(t testing.TB, text, what string) int {
	for i, l := range strings.Split(text, "\n") {
		if strings.Contains(l, what) {
			return i + 1
		}
	}
	require.Fail(t, "no such line", what)
	return 0
}

// change replaces one occurrence of a piece of text; a fault is planted so.
func change(t testing.TB, text, old, new string, which int) string {
	parts := strings.Split(text, old)
	require.Greater(t, len(parts), which+1, "%q occurs %d times", old, len(parts)-1)
	return strings.Join(parts[:which+1], old) + new + strings.Join(parts[which+1:], old)
}

// one runs a line of PTX, once for each triple of operands. In the line %a, %b, %c
// are the operands and %d is the result; regs are their declared types, d first.
func one(t testing.TB, line string, regs string, approx Approx, operands [][3]uint64) []uint64 {
	k := kernelOf(t, onePTX(line, regs), "k")
	d := &Device{Approx: approx, Workers: 1}
	n := len(operands)
	in, out := d.with("in", operands), d.Alloc("out", 8*n)
	_, err := d.Launch(k, [3]int{(n + 127) / 128, 1, 1}, [3]int{128, 1, 1}, 0, in, out, n)
	require.NoError(t, err, "%s", line)
	return get[uint64](t, out, n)
}

func onePTX(line, regs string) string {
	var b strings.Builder
	b.WriteString(header + ".visible .entry k(.param .u64 in, .param .u64 out, .param .u32 n)\n{\n\t.reg .pred %p<9>; .reg .b16 %rs<9>; .reg .b32 %r<9>; .reg .f32 %f<9>; .reg .b64 %rd<9>; .reg .f64 %fd<9>;\n")
	types := strings.Fields(regs)
	for i, r := range types {
		fmt.Fprintf(&b, "\t.reg .%s %%%c;\n", r, "dabc"[i])
	}
	b.WriteString("\tmov.u32 %r1, %tid.x; mov.u32 %r2, %ctaid.x; mad.lo.u32 %r3, %r2, 128, %r1;\n\tld.param.u32 %r4, [n]; setp.ge.u32 %p1, %r3, %r4;\n\t@%p1 ret;\n" +
		"\tld.param.u64 %rd1, [in]; ld.param.u64 %rd2, [out]; mad.wide.u32 %rd3, %r3, 24, %rd1; mad.wide.u32 %rd4, %r3, 8, %rd2;\n")
	for i, r := range types[1:] {
		fmt.Fprintf(&b, "\tld.global.%s %%%c, [%%rd3+%d];\n", loadType(r), "abc"[i], 8*i)
	}
	fmt.Fprintf(&b, "\t%s\n\tst.global.u64 [%%rd4], 0;\n\tst.global.%s [%%rd4], %%d;\n\tret;\n}\n", line, loadType(types[0]))
	return b.String()
}

func loadType(reg string) string { return "b" + strings.TrimLeft(reg, "bfus") }

func f32s(v ...float32) []uint64 {
	var out []uint64
	for _, x := range v {
		out = append(out, uint64(math.Float32bits(x)))
	}
	return out
}
