package codegen

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"mdlc/ir/loop"
)

// Lanes a few elements apart are read register by register and picked, the last at the very end of a page and the first at the very beginning of
// one: nothing else is read. Those further apart, or that data tell, are gathered.
func TestLoadsApart(t *testing.T) {
	eachLevel(t, func(t *testing.T, target *Target) {
		n := target.Lanes()
		for _, elem := range []string{"f32", "u8"} {
			for _, c := range []struct {
				place, guard string
				read         int // elements from the first to the last
				gathers      bool
			}{
				{"j*2", "", 2*n - 1, false},
				{"j*3", "", 3*n - 2, false},
				{"j*4", "", 4*n - 3, false},
				{"j*2", "; j < 5", 9, false},
				{"j*3", "; j < 1", 1, false},
				{"j*4", "; j < 7", 25, false},
				{"j*2", "; M[] > 0", 2*n - 1, false},
				{"j*2", "; M[] > 1", 0, false}, // nothing is
				{"j*3", "; X[j] > 0", 3*n - 2, false},
				{"j*5", "", 5*n - 4, true},
				{"j*2 + j%2", "", 2 * n, true},
			} {
				if masks := c.guard != "" && elem == "u8"; masks && !target.Narrow {
					c.gathers = true
				}
				text := fmt.Sprintf(`kernel apart(in W: %[1]s[%[2]d], in M: i32[], in X: f32[%[3]d], out Y: %[1]s[%[3]d]) guarded {
  axis j: %[3]d lane
  Y[j] = W[%[4]s%[5]s]
}`, elem, max(c.read, 5*n), n, c.place, c.guard)
				k := parseKernel(t, text)
				e, err := Emit(k, target)
				require.NoError(t, err)
				require.Equal(t, c.gathers, strings.Contains(ModuleText([]*Emitted{e}, target), "@llvm.masked.gather"), text)
				args := map[string]*loop.Data{}
				var mem [][]byte
				for _, b := range k.Bufs {
					d := loop.NewData(b.Elem, b.Dims...)
					for i := range d.F {
						d.F[i] = float64(i%97 + 1)
					}
					for i := range d.I {
						d.I[i] = int64(i%97 + 1)
					}
					args[b.Name], mem = d, append(mem, memoryOf(d))
				}
				require.NoError(t, loop.Eval(k, args, loop.EvalOptions{Typed: true}))
				whole := mem[0]
				machine := load(t, target, k)[0]
				for _, end := range []bool{false, true} {
					bytes := k.Bufs[0].Elem.Size()
					mem[0] = atPage(t, whole[:c.read*bytes], end)
					clear(mem[3])
					machine.run(mem)
					equalBits(t, "Y", args["Y"], mem[3])
				}
			}
		}
	})
}

// atPage copies data to the end or the beginning of a page beside which nothing may be read.
func atPage(t *testing.T, data []byte, end bool) []byte {
	t.Helper()
	page := os.Getpagesize()
	mem, err := unix.Mmap(-1, 0, 3*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	require.NoError(t, err)
	t.Cleanup(func() { _ = unix.Munmap(mem) })
	require.NoError(t, unix.Mprotect(mem[:page], unix.PROT_NONE))
	require.NoError(t, unix.Mprotect(mem[2*page:], unix.PROT_NONE))
	at := page
	if end {
		at = 2*page - len(data)
	}
	copy(mem[at:], data)
	return mem[at : at+len(data) : at+len(data)]
}
