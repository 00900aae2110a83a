package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen"
	"mdlc/codegen/schedule"
	"mdlc/ir/loop"
	"mdlc/lang"
	"mdlc/passes"
)

// What `--dump loops:STEP` prints of the library's models reads back, obeys the kernel IR's rules and prints the same again.
// It takes seconds a model: the others than gpt.mdl are checked with MDLC_CHECK=1.
func TestDumpedStepsReadBack(t *testing.T) {
	files, err := filepath.Glob("../../stdlib/models/*.mdl")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		if os.Getenv("MDLC_CHECK") == "" && filepath.Base(file) != "gpt.mdl" {
			continue
		}
		src, err := os.ReadFile(file)
		require.NoError(t, err)
		m, ds := lang.Build(filepath.Base(file), src, lang.Options{})
		for _, d := range ds {
			require.NotEqual(t, lang.Error, d.Severity, d.Text())
		}
		require.NoError(t, passes.Run(m, passes.Options{}))
		require.NoError(t, passes.Plan(m))
		b, err := codegen.Pages(m)
		require.NoError(t, err)
		for _, k := range b.Kernels {
			steps, err := schedule.Run(k.Page, schedule.AVX2)
			require.NoError(t, err)
			for _, s := range steps {
				text := s.Kernel.String()
				require.NoError(t, loop.Verify(s.Kernel), "%s\n%s", s.Name, text)
				back, err := loop.Parse(s.Name, text)
				require.NoError(t, err, text)
				require.NoError(t, loop.Verify(back[0]), "%s\n%s", s.Name, text)
				require.Equal(t, text, back[0].String(), s.Name)
			}
		}
	}
}
