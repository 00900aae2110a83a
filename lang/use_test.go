package lang

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// A file that is used finds what it uses beside itself, not beside the model.
func TestUsedFilesUseFilesBesideThem(t *testing.T) {
	files := map[string]string{
		"models/lib/mid.mdl":        "use \"part/inner.mdl\" as inner\nfn f(x) = inner.f(x)\n",
		"models/lib/part/inner.mdl": "use \"../other.mdl\" as other\nfn f(x) = other.f(x)\n",
		"models/lib/other.mdl":      "fn f(x) = 2 * x\n",
	}
	var read []string
	m, ds := Build("models/m.mdl", []byte("use \"lib/mid.mdl\" as mid\nsample s { show mid.f(1.5) }\n"), Options{ReadFile: func(path string) ([]byte, error) {
		read = append(read, path)
		if text, ok := files[path]; ok {
			return []byte(text), nil
		}
		return nil, os.ErrNotExist
	}})
	require.Empty(t, ds)
	require.NotNil(t, m)
	require.Equal(t, []string{"models/lib/mid.mdl", "models/lib/part/inner.mdl", "models/lib/other.mdl"}, read)
}
