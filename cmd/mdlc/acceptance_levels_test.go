package main

import (
	"path/filepath"
	"testing"

	"mdlc/codegen"
)

// Every model trains and samples to the same bits, whichever level of x86-64 it is compiled for, of those that this machine has.
func TestAcceptanceLevels(t *testing.T) {
	acceptance(t)
	levels := codegen.HostTargets()
	if len(levels) < 2 {
		t.Skip("this CPU has one level only")
	}
	for _, m := range toys {
		t.Run(m.model, func(t *testing.T) { m.onLevels(t, library(t, m.model+".mdl"), levels) })
	}
	for _, m := range newcomers {
		t.Run(m.model, func(t *testing.T) { m.onLevels(t, newcomer(t, m.model), levels) })
	}
}

func (m toy) onLevels(t *testing.T, file string, levels []*codegen.Target) {
	dir := t.TempDir()
	with, _ := m.with(t)
	samples := m.sampled(t)
	var ran []outcome
	for _, level := range levels {
		ran = append(ran, outcomeOf(t, file, filepath.Join(dir, level.Name), 10, samples, append([]string{"--device", "cpu", "--target", level.Name}, with...)))
	}
	for _, other := range ran[1:] {
		sameOutcome(t, ran[0], other)
	}
}
