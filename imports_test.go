// Package mdlc holds the tests of the whole project's structure.
package mdlc

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// mayImport reads the table of ARCHITECTURE.md: for each folder, the folders
// that it may import; nil means all. A folder stands for all below it that have
// no row of their own.
func mayImport(t *testing.T) map[string][]string {
	text, err := os.ReadFile("ARCHITECTURE.md")
	require.NoError(t, err)
	name := regexp.MustCompile("`([a-z/]+?)/?`")
	table := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.HasPrefix(cells[1], " `") || !strings.HasSuffix(cells[1], "/` ") {
			continue
		}
		var may []string
		if strings.TrimSpace(cells[3]) != "all" {
			may = []string{}
		}
		for _, m := range name.FindAllStringSubmatch(cells[3], -1) {
			may = append(may, m[1])
		}
		table[name.FindStringSubmatch(cells[1])[1]] = may
	}
	require.GreaterOrEqual(t, len(table), 11, "rows of the table in ARCHITECTURE.md")
	return table
}

// floor is the row of the table that folder belongs to.
func floor(table map[string][]string, folder string) (string, bool) {
	for ; folder != "."; folder = filepath.Dir(folder) {
		if _, ok := table[folder]; ok {
			return folder, true
		}
	}
	return "", false
}

// Tests may import more: the floors below, to make their input and to judge the output.
func TestImportRules(t *testing.T) {
	table := mayImport(t)
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != ".") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		from, known := floor(table, filepath.Dir(path))
		require.True(t, known, "%s is in no folder of ARCHITECTURE.md's table", path)
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, imp := range file.Imports {
			name, err := strconv.Unquote(imp.Path.Value)
			require.NoError(t, err)
			to, ours := strings.CutPrefix(name, "mdlc/")
			if !ours || table[from] == nil {
				continue
			}
			row, _ := floor(table, to)
			require.True(t, row == from || slices.Contains(table[from], row), "%s imports %s; ARCHITECTURE.md lets %s import %v", path, to, from, table[from])
		}
		return nil
	})
	require.NoError(t, err)
}

func TestFloorsThatNeverSeeEachOther(t *testing.T) {
	table := mayImport(t)
	for _, pair := range [][2]string{{"lang", "passes"}, {"passes", "lang"}, {"runtime", "lang"}, {"runtime", "passes"}, {"runtime", "ir"}, {"runtime", "codegen"}} {
		require.NotNil(t, table[pair[0]])
		require.NotContains(t, table[pair[0]], pair[1])
	}
}
