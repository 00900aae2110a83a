package lang

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mdlc/stdlib"
)

// spoiling is a file of which single tokens are deleted, doubled and swapped with the next.
type spoiling struct {
	path  string
	name  string
	src   string
	build func(src string) []Diagnostic
}

// spoilings are all files of the library, used by the files of testdata/lang/library, and all models.
func spoilings(t *testing.T) []spoiling {
	var out []spoiling
	for _, f := range writtenFiles(t) {
		src, err := os.ReadFile(f)
		require.NoError(t, err)
		name := filepath.Base(f)
		s := spoiling{path: strings.TrimPrefix(f, "../"), name: name, src: string(src), build: func(src string) []Diagnostic { return Check(name, []byte(src), Options{}) }}
		if filepath.Dir(f) == "../stdlib" {
			user, err := os.ReadFile("../testdata/lang/library/" + name)
			require.NoError(t, err)
			s.build = func(src string) []Diagnostic {
				return Check("user.mdl", user, Options{ReadFile: func(string) ([]byte, error) { return []byte(src), nil }})
			}
			require.False(t, HasErrors(s.build(s.src)), name)
		}
		out = append(out, s)
	}
	return out
}

// A file with one token too few, too many or in the wrong place gives an error with a place, or compiles. Every
// 1009th of them is tried, every 31st under MDLC_CHECK=1, all with MDLC_SPOIL_STEP=1, which takes about an hour;
// -run TestSpoiltTokens/stdlib/models/gpt.mdl tries those of one file.
func TestSpoiltTokens(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(800))
	every := 1009
	if os.Getenv("MDLC_CHECK") != "" {
		every = 31
	}
	if step, err := strconv.Atoi(os.Getenv("MDLC_SPOIL_STEP")); err == nil && step > 0 {
		every = step
	}
	files := spoilings(t)
	spoilt, n, tried := make([][]spoiltText, len(files)), 0, 0
	for i, s := range files {
		for _, text := range s.spoilt(t) {
			if n++; n%every == 0 {
				spoilt[i] = append(spoilt[i], text)
				tried++
			}
		}
	}
	require.Greater(t, tried, max(1, 30000/every))
	var told sync.Map
	for i, s := range files {
		t.Run(s.path, func(t *testing.T) {
			texts := make(chan spoiltText)
			var wait sync.WaitGroup
			for range runtime.NumCPU() {
				wait.Go(func() {
					for text := range texts {
						spoil(t, s, text, &told)
					}
				})
			}
			for _, text := range spoilt[i] {
				texts <- text
			}
			close(texts)
			wait.Wait()
		})
	}
}

// spoiltText is a file with one mistake, and where it is.
type spoiltText struct {
	text string
	at   int
}

// spoilt are all texts in which one token is deleted, doubled or swapped with the next.
func (s spoiling) spoilt(t *testing.T) (out []spoiltText) {
	toks, d := scan(s.name, s.src)
	require.Nil(t, d)
	for i := range toks[:len(toks)-1] {
		from, to, next := toks[i].Pos.Offset, toks[i].Pos.Offset+len(toks[i].Value), toks[i+1].Pos.Offset
		token, second := s.src[from:to], toks[i+1].Value
		before := s.src[:from]
		out = append(out, spoiltText{before + s.src[to:], from}, spoiltText{before + token + " " + token + s.src[to:], from},
			spoiltText{before + second + s.src[to:next] + token + s.src[next+len(second):], from})
	}
	return out
}

// spoil builds one spoilt text.
func spoil(t *testing.T, s spoiling, spoilt spoiltText, told *sync.Map) {
	text, line := spoilt.text, 1+strings.Count(spoilt.text[:spoilt.at], "\n")
	began := time.Now()
	hang := time.AfterFunc(time.Minute, func() { panic("hangs: " + s.name + "\n" + text) })
	ds := s.build(text)
	hang.Stop()
	if d := time.Since(began); d > 40*time.Second { // others may use the machine
		t.Errorf("%s:%d takes %v", s.name, line, d)
	}
	for _, d := range ds {
		if _, again := told.LoadOrStore(d.Message, true); again {
			continue
		}
		if strings.Contains(d.Message, "internal error") {
			t.Errorf("%s:%d: %s\n%s", s.name, line, d.Text(), strings.Split(text, "\n")[line-1])
		}
		if d.Span.Pos.Line == 0 {
			t.Errorf("%s:%d: no place: %s", s.name, line, d.Text())
		}
	}
}

// Every file of the library has a file that uses it.
func TestTheLibraryIsUsed(t *testing.T) {
	for _, name := range stdlib.Names() {
		src, err := os.ReadFile("../testdata/lang/library/" + name + ".mdl")
		require.NoError(t, err)
		library, _ := stdlib.Library(name)
		file, ds := Parse(name, library)
		require.Empty(t, ds)
		for _, it := range file.Items {
			name := ""
			switch {
			case it.Fn != nil:
				name = it.Fn.Name
			case it.Unit != nil:
				name = it.Unit.Name
			}
			uses := regexp.MustCompile(`\b`+name+`\b`).FindAllString(string(library)+string(src), -1)
			require.Greater(t, len(uses), 1, name)
		}
	}
}
