package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen"
)

// The README's first model runs as it is written there.
func TestReadmeFirstModel(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	dir := t.TempDir()
	t.Chdir(dir)
	_, section, ok := strings.Cut(string(text), "\n## A first model\n")
	require.True(t, ok)
	blocks := strings.Split(section, "```")
	model, isModel := strings.CutPrefix(blocks[1], "mdl\n")
	require.True(t, isModel)
	require.NoError(t, os.WriteFile("classify.mdl", []byte(model), 0o644))

	self, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile("mdlc", fmt.Appendf(nil, "#!/bin/sh\nMDLC_TEST_MAIN=1 exec '%s' \"$@\"\n", self), 0o755))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	out, err := exec.Command("sh", "-e", "-c", blocks[3]).CombinedOutput()
	require.NoError(t, err, "%s", out)
	said := string(out)
	require.Contains(t, said, "0 inside, 1 left, 2 right")
	require.Contains(t, said, "train goes on after step 320")
	require.Regexp(t, `eval valid  step 640  loss 0\.\d+  right 0\.9\d+\n`, said)
	require.True(t, strings.HasSuffix(said, "\n2\n"), said)
}

// The README names every target, and every figure of `bench --json` that has a unit.
func TestReadmeNamesTargetsAndFigures(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	for _, target := range codegen.TargetNames() {
		require.Regexp(t, "`--target [^`]*\\b"+target+"\\b", string(text))
	}
	var check func(v reflect.Value, prefix string)
	check = func(v reflect.Value, prefix string) {
		for i := range v.NumField() {
			switch name := v.Type().Field(i).Name; v.Field(i).Kind() {
			case reflect.Struct:
				check(v.Field(i), name+".")
			case reflect.Float64, reflect.Int64:
				whole := strings.TrimSuffix(prefix, ".")
				require.True(t, strings.Contains(string(text), "`"+prefix+name+"`") || whole != "" && strings.Contains(string(text), "`"+whole+"`"), prefix+name)
			}
		}
	}
	check(reflect.ValueOf(figures{}), "")
}
