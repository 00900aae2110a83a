package main

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The models of the library for `make gpu-check`, each in a folder of its own below $MDLC_RECORD: a bundle for each of
// $MDLC_RECORD_TARGETS (host is this machine's), the data, and what to run, a line a command. $MDLC_RECORD_MODELS
// names those there shall be, $MDLC_RECORD_STEPS how many steps they make. Products of f32 have the CPU's bits on a
// GPU; those of some models are made in bf16 once more, on tensor cores, which are only near: a file says so.
func TestRecordModels(t *testing.T) {
	dir := os.Getenv("MDLC_RECORD")
	if dir == "" {
		t.Skip("$MDLC_RECORD names no folder: scripts/gpu-check.sh")
	}
	chosen, made := strings.Fields(os.Getenv("MDLC_RECORD_MODELS")), 0
	for _, m := range toys {
		if len(chosen) > 0 && !slices.Contains(chosen, m.model) {
			continue
		}
		made++
		t.Run(m.model, func(t *testing.T) { m.record(t, filepath.Join(dir, m.model), "f32") })
		if slices.Contains(onTensorCores, m.model) {
			t.Run(m.model+" near", func(t *testing.T) { m.record(t, filepath.Join(dir, m.model+"_bf16"), "bf16") })
		}
	}
	require.True(t, made > 0 && (len(chosen) == 0 || made == len(chosen)), "no such models: %v", chosen)
}

// onTensorCores are models whose products are large enough for them at these sizes: of heads, experts and gates.
var onTensorCores = []string{"gpt2", "deepseek_v3", "lstm"}

func (m toy) record(t *testing.T, dir, precision string) {
	require.NoError(t, os.MkdirAll(dir, 0o755))
	with, settings := m.with(t)
	settled, data := with[:2*len(settings)], with[2*len(settings):]
	shortText(t, data)
	file, samples := m.settledSamples(t)
	for _, target := range strings.Fields(os.Getenv("MDLC_RECORD_TARGETS")) {
		args := append([]string{"compile", file, "-q", "--precision", precision, "-o", filepath.Join(dir, target+".bundle")}, settled...)
		if target != "host" {
			args = append(args, "--target", target)
		}
		mdlc(t, args...)
		if precision != "f32" && target != "host" {
			made, err := os.ReadFile(filepath.Join(dir, target+".bundle"))
			require.NoError(t, err)
			require.True(t, bytes.Contains(made, []byte("mma.sync")), "%s has no use for tensor cores", m.model)
		}
	}
	carry := func(flag string) string {
		name, path, _ := strings.Cut(flag, "=")
		info, err := os.Stat(path)
		require.NoError(t, err)
		if to := filepath.Join(dir, name); info.IsDir() {
			require.NoError(t, os.CopyFS(to, os.DirFS(path)))
		} else {
			file, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(to, file, 0o644))
		}
		return name + "=" + name
	}
	for i := 1; i < len(data); i += 2 {
		data[i] = carry(data[i])
	}
	steps := cmp.Or(os.Getenv("MDLC_RECORD_STEPS"), "20")
	commands := []string{"train --seed 3 --json --steps " + steps}
	for _, words := range samples {
		for i, word := range words {
			if filepath.IsAbs(word) {
				_, words[i], _ = strings.Cut(carry("video.npy="+word), "=")
			}
		}
		commands = append(commands, "sample "+strings.Join(words, " "))
	}
	var text strings.Builder
	for _, c := range commands {
		fmt.Fprintln(&text, strings.Join(append([]string{c}, data...), " "))
	}
	if precision != "f32" {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "near"), nil, 0o644))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "commands"), []byte(text.String()), 0o644))
}

// settledSamples is a copy of the model with the numbers that m's samples ask for, since a bundle cannot take them any
// more, and the words that are left to ask for each.
func (m toy) settledSamples(t *testing.T) (file string, samples [][]string) {
	text, err := os.ReadFile(library(t, m.model+".mdl"))
	require.NoError(t, err)
	for _, s := range m.sampled(t) {
		words := strings.Fields(s)
		for i := 1; i < len(words); i += 2 {
			if _, err := strconv.Atoi(words[i+1]); err != nil {
				continue
			}
			flag := regexp.MustCompile(`(?m)^(sample ` + words[0] + `\b.*\b` + strings.TrimPrefix(words[i], "--") + `: \w+ = )\d+`)
			require.Len(t, flag.FindAll(text, -1), 1, "%s: %s", m.model, s)
			text = flag.ReplaceAll(text, []byte("${1}"+words[i+1]))
			words = slices.Delete(words, i, i+2)
			i -= 2
		}
		samples = append(samples, words)
	}
	file = filepath.Join(t.TempDir(), m.model+".mdl")
	require.NoError(t, os.WriteFile(file, text, 0o644))
	return file, samples
}

// shortText cuts the text of a model's data: there is little to evaluate then.
func shortText(t *testing.T, data []string) {
	for i, flag := range data {
		if path, ok := strings.CutPrefix(flag, "corpus="); ok {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			short := filepath.Join(t.TempDir(), "text")
			require.NoError(t, os.WriteFile(short, text[:3000], 0o644))
			data[i] = "corpus=" + short
		}
	}
}
