package main

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every kind of feed in one train: rows with labels, taken twice a step, streams, random windows, clips.
const feedsModel = `use optim
data pictures = glyphs(size: 8, count: 60)
data text = bytes("text.txt")
data walk = csv("walk.csv", labels: "kind")
module Net { param w: f32[64] = 0  param kind: f32[62] = 0 }
net = Net()
state read: f32[3] = 0
train for 9 {
  repeat 2 {
    each x: f32[4, 64], y: i32[4] from pictures.train
    loss = mean((sum(x * net.w, axis: 1) + net.kind[y] - 1)^2)
    minimize loss over net with optim.adam(lr: 0.01)
    report loss
  }
  each a: i32[2, 5] from streams(text.train)
  each b: i32[2, 5] from windows(text.train)
  each past: f32[3, 4, 1], now: i32[3], next: i32[3, 2] from clips(walk.train, past: 4, future: 2)
  read <- 0.9 * read + stack([mean(f32(a)), mean(f32(b)), mean(past) + mean(f32(now)) + mean(f32(next))])
  every 3 { show read as table  eval test }
  every 9 { show net.w as histogram }
}
eval test {
  each x: f32[4, 64], y: i32[4] from pictures.test
  show reshape(x, [4, 1, 8, 8]) as images
  report error = mean((sum(x * net.w, axis: 1) + net.kind[y] - 1)^2)
}
sample states(n: int = 3) {
  show read as table
  z ~ normal[n, 2]
  show z as points
}
`

func feedsFolder(t *testing.T) (file string) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	dir := t.TempDir()
	var walk strings.Builder
	walk.WriteString("place,kind\n")
	for i := range 50 {
		fmt.Fprintf(&walk, "%d,%s\n", i%7, []string{"up", "down", "level"}[i%3])
	}
	for name, text := range map[string]string{"feeds.mdl": feedsModel, "walk.csv": walk.String(), "text.txt": strings.Repeat("to and fro; ", 30)} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	return filepath.Join(dir, "feeds.mdl")
}

func TestEveryFeedGoesOnBitForBit(t *testing.T) {
	file := feedsFolder(t)
	dir := filepath.Dir(file)
	run := func(args ...string) string {
		stdout, stderr, code := call(append([]string{"run", file}, args...)...)
		require.Equal(t, 0, code, stderr)
		return stdout + stderr
	}
	said := run("train", "--seed", "4", "--out", dir+"/whole")
	require.Contains(t, said, "3 labels: 0 down, 1 level, 2 up")
	run("train", "--seed", "4", "--out", dir+"/parts", "--steps", "4", "-q")
	run("train", "--out", dir+"/parts", "--resume", "--steps", "9", "-q")
	for _, name := range []string{"weights.safetensors", "log.jsonl"} {
		whole, err := os.ReadFile(filepath.Join(dir, "whole", name))
		require.NoError(t, err)
		parts, err := os.ReadFile(filepath.Join(dir, "parts", name))
		require.NoError(t, err)
		require.Equal(t, whole, parts, name)
	}
	for _, name := range []string{"train-every-3-000006-1.csv", "train-every-9-000009-1.png", "train-every-9-000009-1.csv", "eval-test-000003-1.png", "eval-test-000009-1.png"} {
		require.FileExists(t, filepath.Join(dir, "whole", "samples", name))
	}
	said = run("sample", "--out", dir+"/whole")
	picture := filepath.Join(dir, "whole", "samples", "sample-states-000009-2.png")
	require.Contains(t, said, "wrote "+picture)
	require.FileExists(t, picture)
	require.Regexp(t, `(?m)^\s+0\s+1\s+2$`, said) // the table's head

	first, err := os.ReadFile(picture)
	require.NoError(t, err)
	other := strings.Replace(picture, ".png", "-2.png", 1)
	require.Contains(t, run("sample", "--out", dir+"/whole"), "wrote "+picture)
	require.NoFileExists(t, other, "the same sample is the same picture")
	require.Contains(t, run("sample", "--out", dir+"/whole", "--n", "4"), "wrote "+other)
	again, err := os.ReadFile(picture)
	require.NoError(t, err)
	require.Equal(t, first, again, "an earlier picture stays")
}

// A text goes through the vocabulary of its source and back, and through a sample that goes on with it.
func TestPromptsAreEncodedAndTokensDecoded(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	dir := t.TempDir()
	var vocabulary strings.Builder
	for i := range 256 + 3 {
		token := []byte{byte(i)}
		if i >= 256 {
			token = []byte([]string{"th", "the", " the"}[i-256])
		}
		fmt.Fprintf(&vocabulary, "%s %d\n", base64.StdEncoding.EncodeToString(token), i)
	}
	file := filepath.Join(dir, "m.mdl")
	for name, text := range map[string]string{"v.tiktoken": vocabulary.String(), "m.mdl": `data c = tokens("none.txt", tokenizer: "v.tiktoken")
sample s(prompt: text = "the the th") {
  show c.encode(prompt)
  show prompt as text
  generate tok: i32[1, T] from c.encode(prompt) for 2 { tok[:, T] = 258 }
  show c.decode(tok) as text
}
`} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	stdout, stderr, code := call("run", file, "sample", "-q")
	require.Equal(t, 0, code, stderr)
	require.Equal(t, "257 258 32 256\nthe the th\nthe the th the the\n", stdout)
	stdout, stderr, code = call("run", file, "sample", "-q", "--prompt", "\u00fcber")
	require.Equal(t, 0, code, stderr)
	require.Equal(t, "195 188 98 101 114\n\u00fcber\n\u00fcber the the\n", stdout)
}
