package lang

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every built-in name is in the manual, but for those that are refused.
func TestBuiltinsAreDescribed(t *testing.T) {
	var have []string
	for _, theme := range Builtins {
		for _, b := range theme.Names {
			have = append(have, b.Name)
			require.Contains(t, b.Signature, b.Name)
		}
	}
	want := slices.DeleteFunc(slices.Clone(builtins().order), func(n string) bool { return n == "padded" || n == "pack" || n == "fp8" })
	slices.Sort(have)
	require.Equal(t, want, have)
}
