package emulator

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every instruction of two kernels is left out in turn. Almost always that is a fault; what
// is none must show in the results, but for instructions that do nothing at these sizes.
func TestEveryDeletion(t *testing.T) {
	for _, c := range []struct {
		file, kernel string
		harmless     int
		run          func(k *Kernel, d *Device, out *Buffer) error
		out          int
	}{
		{"softmax.sm_80.ptx", "softmax", 8, func(k *Kernel, d *Device, out *Buffer) error {
			_, err := d.Launch(k, [3]int{1, 1, 1}, [3]int{128, 1, 1}, 0, d.with("x", floats(200, 1)), out, 200)
			return err
		}, 4 * 200},
		{"transpose.sm_80.ptx", "transpose", 1, func(k *Kernel, d *Device, out *Buffer) error {
			x := make([]uint16, 40*36)
			for i := range x {
				x[i] = uint16(i)
			}
			_, err := d.Launch(k, [3]int{2, 2, 1}, [3]int{32, 8, 1}, 0, d.with("x", x), out, 40, 36)
			return err
		}, 2 * 40 * 36},
	} {
		text := read(t, c.file)
		results := func(text string) ([]byte, error) {
			m, err := Load(text)
			require.NoError(t, err)
			k, err := m.Kernel(c.kernel)
			if err != nil {
				return nil, err
			}
			d := &Device{Limit: 1 << 16}
			out := d.Alloc("out", c.out)
			if err := c.run(k, d, out); err != nil {
				return nil, err
			}
			p := make([]byte, c.out)
			return p, out.Read(0, p)
		}
		right, err := results(text)
		require.NoError(t, err)
		lines := strings.Split(text, "\n")
		tried, faults, harmless := 0, 0, []string{}
		for i, line := range lines {
			code, _, _ := strings.Cut(line, "//")
			if code = strings.TrimSpace(code); !strings.HasSuffix(code, ";") || code[0] == '.' {
				continue
			}
			broken := slices.Clone(lines)
			broken[i] = ""
			got, err := results(strings.Join(broken, "\n"))
			tried++
			switch {
			case err != nil:
				faults++
			case slices.Equal(got, right):
				harmless = append(harmless, code)
			}
		}
		t.Logf("%s: %d instructions, without %d a fault, without %d no difference", c.file, tried, faults, len(harmless))
		require.Greater(t, tried, 60)
		require.Greater(t, faults, tried*3/4)
		require.LessOrEqual(t, len(harmless), c.harmless, "%v", harmless)
		for _, code := range harmless {
			require.NotContains(t, code, "bar.sync")
		}
	}
}
