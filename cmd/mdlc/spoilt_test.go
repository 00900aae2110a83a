package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mdlc/codegen"
	"mdlc/lang"
	"mdlc/passes"
)

// token is what a model file consists of, a comment among it.
var token = regexp.MustCompile(`//[^\n]*|"[^"\n]*"|[A-Za-z_]\w*|\d+(\.\d+)?(e-?\d+)?|\.\.|<-|->|[<>=!]=|\S`)

// A model with one token too few, too many or in the wrong place that the front end still takes is another model: it
// compiles up to the text of its kernels, or the error has a place. (What the front end says is lang's TestSpoiltTokens.)
// Every 4001st of them is tried, all with MDLC_SPOIL_STEP=1; -run TestSpoiltModels/gpt.mdl tries those of one file.
func TestSpoiltModels(t *testing.T) {
	every := 4001
	if step, err := strconv.Atoi(os.Getenv("MDLC_SPOIL_STEP")); err == nil && step > 0 {
		every = step
	}
	files, err := filepath.Glob("../../stdlib/models/*.mdl")
	require.NoError(t, err)
	n := 0
	for _, file := range files {
		src, err := os.ReadFile(file)
		require.NoError(t, err)
		var chosen []string
		for _, text := range spoilt(string(src)) {
			if n++; n%every == 0 {
				chosen = append(chosen, text)
			}
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			compiled := 0
			for _, text := range chosen {
				if compileSpoilt(t, filepath.Base(file), text) {
					compiled++
				}
			}
			t.Logf("%d of %d are models", compiled, len(chosen))
		})
	}
	require.Greater(t, n, 30000)
}

// spoilt are all texts in which one token is deleted, doubled or swapped with the next.
func spoilt(src string) (out []string) {
	all := token.FindAllStringIndex(src, -1)
	for i, at := range all[:len(all)-1] {
		before, word, between, second, behind := src[:at[0]], src[at[0]:at[1]], src[at[1]:all[i+1][0]], src[all[i+1][0]:all[i+1][1]], src[all[i+1][1]:]
		if word[0] != '/' && second[0] != '/' {
			out = append(out, before+between+second+behind, before+word+" "+word+between+second+behind, before+second+between+word+behind)
		}
	}
	return out
}

// compileSpoilt compiles a text up to its kernels, unless the front end refuses it.
func compileSpoilt(t *testing.T, name, text string) (model bool) {
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	module, ds := lang.Build(name, []byte(text), lang.Options{})
	if lang.HasErrors(ds) {
		return false
	}
	began := time.Now()
	hang := time.AfterFunc(time.Minute, func() { panic("hangs: " + name + "\n" + text) })
	defer hang.Stop()
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("%s: %v\n%s\n%s", name, p, debug.Stack(), text)
		}
	}()
	x := &compilation{module: module, options: passes.Options{}}
	target, err := codegen.HostTarget()
	require.NoError(t, err)
	require.NoError(t, x.setTarget(target.Name))
	for _, stage := range []func() error{x.optimize, x.plan, func() error { _, err := x.emit(); return err }} {
		if err = stage(); err != nil {
			break
		}
	}
	if err != nil && !regexp.MustCompile(fmt.Sprintf(`^%s:\d+:\d+: error: `, regexp.QuoteMeta(name))).MatchString(err.Error()) {
		t.Errorf("%s: no place: %v\n%s", name, err, text)
	}
	if d := time.Since(began); d > 20*time.Second {
		t.Errorf("%s takes %v\n%s", name, d, text)
	}
	return true
}
