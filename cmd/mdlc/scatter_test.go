package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir"
	"mdlc/lang"
	"mdlc/passes"
)

// What a model scatters goes where data say: a map that the compiler knows is inverted, since a scatter
// runs in order and in memory. Gradients of windows, of groups of channels and of upsampling are such maps.
func TestModelsScatterByDataOnly(t *testing.T) {
	files, err := filepath.Glob("../../stdlib/models/*.mdl")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			src, err := os.ReadFile(file)
			require.NoError(t, err)
			module, ds := lang.Build(file, src, lang.Options{})
			require.False(t, lang.HasErrors(ds))
			require.NoError(t, passes.Run(module, passes.Options{}))
			var look func(g *ir.Graph)
			look = func(g *ir.Graph) {
				for _, n := range g.Nodes() {
					require.False(t, n.Op == ir.OpScatter && len(n.Args) == 1, "%s: %s scatters by a map", n.Pos, n.Label())
					for _, r := range n.Regions {
						look(r)
					}
				}
			}
			for _, e := range module.Entries {
				look(e.Graph)
				for _, v := range e.Every {
					if v.Graph != nil {
						look(v.Graph)
					}
				}
			}
		})
	}
}
