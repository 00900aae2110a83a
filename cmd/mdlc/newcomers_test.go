package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// newcomers are the models of testdata/newcomers: what someone wrote who knew the language from its documentation only.
var newcomers = []toy{
	{model: "hypernetwork", settings: "curves=3 context=4 points=5 code=6", samples: []string{"drawn"}},
	{model: "gaussian_mixture", settings: "k=3 n=40", samples: []string{"clusters"}},
	{model: "gaussian_process", settings: "n=9", samples: []string{"posterior"}},
	{model: "neural_ode", settings: "batch=5 hidden=7 turns=3", samples: []string{"spiral"}},
	{model: "hopfield", settings: "n=196 patterns=20 sweeps=1", samples: []string{"recall"}},
	{model: "mixture_density", settings: "hidden=7 comps=3 batch=11", samples: []string{"inverse --n 20"}},
	{model: "diffusion", settings: "T=6 hidden=7 embed=4 batch=9", samples: []string{"points --n 10"}},
	{model: "unet", settings: "size=8 ch=4 batch=2 pictures=60 shown=2", steps: 2},
	{model: "selective_scan", settings: "len_in=9 keep=2 dim=6 inner=7 N=3 batch=3", samples: []string{"copy --n 2"}},
	{model: "graph_convolution", settings: "nodes=24 edges=50 features=5 hidden=6 labelled=2", samples: []string{"classify"}},
}

// Every newcomer's model trains for 20 steps and samples, and the first steps report what the reference evaluator computes in float64.
func TestAcceptanceNewcomers(t *testing.T) {
	acceptance(t)
	files, err := filepath.Glob("../../testdata/newcomers/*.mdl")
	require.NoError(t, err)
	require.Len(t, newcomers, len(files), "each model has a row")
	for _, m := range newcomers {
		t.Run(m.model, func(t *testing.T) { m.check(t, newcomer(t, m.model)) })
	}
}

// newcomer is the path of a newcomer's model.
func newcomer(t *testing.T, name string) string {
	path, err := filepath.Abs(filepath.Join("../../testdata/newcomers", name+".mdl"))
	require.NoError(t, err)
	return path
}
