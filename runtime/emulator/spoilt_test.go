package emulator

import (
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// tryAll decodes every kernel of a text and runs it on made-up parameters. Whatever
// the text is, there may be errors but no panic and no endless run.
func tryAll(text string) (loaded, ran int) {
	m, err := Load(text)
	if err != nil {
		return 0, 0
	}
	for _, name := range m.Kernels() {
		k, err := m.Kernel(name)
		if err != nil {
			continue
		}
		loaded++
		d := &Device{Workers: 1, Limit: 2000}
		var params []any
		for i, p := range k.entry.params {
			switch p.size {
			case 8:
				params = append(params, d.with("p", make([]uint32, 1024)))
			case 4:
				params = append(params, 64>>i)
			default:
				params = append(params, make([]byte, p.size))
			}
		}
		if _, err := d.Launch(k, [3]int{1, 1, 1}, [3]int{64, 1, 1}, 1024, params...); err == nil {
			ran++
		}
	}
	return loaded, ran
}

func TestSpoiltPTX(t *testing.T) {
	files, err := filepath.Glob("../../testdata/ptx/*sm_80.ptx")
	require.NoError(t, err)
	files = append(files, "pipe.ptx", "warp.ptx")
	rnd := rand.New(rand.NewPCG(8, 9))
	loaded, ran := 0, 0
	var texts []string
	for _, file := range files {
		texts = append(texts, read(t, filepath.Base(file)))
	}
	for _, name := range []string{"bf16 none", "f16 registers", "bulk", "push", "cast"} {
		text, _ := hopperKernel(name)
		texts = append(texts, strings.Replace(text, ".reqnctapercluster 2, 1, 1", "", 1))
	}
	texts = append(texts, boxPTX(2, 1024, ".add"))
	for _, text := range texts {
		words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\n,;[]{}().+", r) })
		for range 150 {
			w := words[rnd.IntN(len(words))]
			at := rnd.IntN(len(text))
			spoilt := text
			switch rnd.IntN(5) {
			case 0: // a word becomes another
				at = strings.Index(text, words[rnd.IntN(len(words))])
				spoilt = text[:at] + w + text[at+1:]
			case 1:
				spoilt = strings.Replace(text, w, words[rnd.IntN(len(words))], 1+rnd.IntN(3))
			case 2:
				spoilt = text[:at]
			case 3: // a line is lost
				end := at + strings.IndexByte(text[at:]+"\n", '\n')
				spoilt = text[:at] + text[min(end, len(text)):]
			default:
				spoilt = text[:at] + string(" ,;[]{}()<>@!|-+.:%$0123456789abz\"/*"[rnd.IntN(36)]) + text[at:]
			}
			l, r := tryAll(spoilt)
			loaded, ran = loaded+l, ran+r
		}
	}
	// Otherwise nothing was tried.
	require.Greater(t, loaded, 100)
	require.Greater(t, ran, 20)
}

func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("../../testdata/ptx/*.ptx")
	require.NoError(f, err)
	for _, file := range files {
		f.Add(read(f, filepath.Base(file)))
	}
	for _, r := range integerTable {
		f.Add(onePTX(r.line, r.regs))
	}
	f.Fuzz(func(t *testing.T, text string) { tryAll(text) })
}
