package codegen

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
	"mdlc/ir/loop"
)

// The text of kernels after each step of their schedules reads back as what it was, and obeys the kernel IR's rules.
func TestTextOfSteps(t *testing.T) {
	for _, glob := range []string{"../testdata/lower/clusters/*.kir", "../testdata/schedule/*.kir"} {
		files, err := filepath.Glob(glob)
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			pages, err := loop.Parse(file, string(text))
			require.NoError(t, err)
			for _, k := range pages {
				for _, m := range []*schedule.Machine{schedule.AVX2, schedule.AVX512} {
					steps, err := schedule.Run(k, m)
					require.NoError(t, err)
					for _, s := range steps {
						requireText(t, s)
					}
				}
			}
		}
	}
}

func requireText(t *testing.T, s schedule.Step) {
	text := s.Kernel.String()
	require.NoError(t, loop.Verify(s.Kernel), "%s\n%s", s.Name, text)
	back, err := loop.Parse(s.Name, text)
	require.NoError(t, err, text)
	require.NoError(t, loop.Verify(back[0]), "%s\n%s", s.Name, text)
	require.Equal(t, text, back[0].String(), s.Name)
}
