package codegen

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/loop"
	"mdlc/passes"
)

var update = flag.Bool("update", false, "write golden files")

// Clusters and the kernels that they become, as text; and the kernels compute what the clusters mean.
func TestLowerGolden(t *testing.T) {
	files, err := filepath.Glob("../testdata/lower/clusters/*.graph")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			g := graphOf(t, file)
			m := moduleOf(g)
			c := comparisonOf(t, g, m, lensOf(g))
			c.step(0)
			var text strings.Builder
			for _, k := range c.built.Kernels {
				text.WriteString(k.Page.String() + "\n")
			}
			golden := strings.TrimSuffix(file, ".graph") + ".kir"
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(text.String()), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), text.String())
			back, err := loop.Parse(golden, text.String())
			require.NoError(t, err)
			require.Len(t, back, len(c.built.Kernels))
			c.schedule()
			c.step(1)
		})
	}
}

// Equal kernels are one, whatever their names; depth changes no kernel.
func TestKernelsAreShared(t *testing.T) {
	kernels := func(layers string) []*BuiltKernel {
		text, err := os.ReadFile("../testdata/lower/layers.graph")
		require.NoError(t, err)
		deep := strings.NewReplacer("[3, 6, 6]", "["+layers+", 6, 6]", "f32[3, 6]", "f32["+layers+", 6]", "count(3)", "count("+layers+")").Replace(string(text))
		file := filepath.Join(t.TempDir(), "layers.graph")
		require.NoError(t, os.WriteFile(file, []byte(deep), 0o644))
		m := moduleOf(graphOf(t, file))
		require.NoError(t, passes.Run(m, passes.Options{}))
		require.NoError(t, passes.Plan(m))
		b, err := Pages(m)
		require.NoError(t, err)
		again, err := Pages(m)
		require.NoError(t, err)
		require.Equal(t, b.Program, again.Program, "the same module gives the same program")
		return b.Kernels
	}
	shallow, deep := kernels("6"), kernels("24")
	require.Equal(t, len(shallow), len(deep))
	names := map[string]bool{}
	texts := map[string]bool{}
	for i, k := range deep {
		require.Equal(t, shallow[i].Page.String(), k.Page.String())
		require.False(t, names[k.Page.Name], "two kernels are called %s", k.Page.Name)
		text, _ := canonical(k.Page)
		require.False(t, texts[text], "kernel %s is there twice", k.Page.Name)
		names[k.Page.Name], texts[text] = true, true
	}
}
