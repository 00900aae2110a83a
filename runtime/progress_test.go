package runtime

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func recordOf(block string, step int, loss ...float64) *record {
	rec := &record{block: block, step: step}
	for _, v := range loss {
		rec.names, rec.values = append(rec.names, "loss"), append(rec.values, []float64{v})
	}
	return rec
}

// A block without reports has no empty columns, and frequent evals do not flood.
func TestProgressIsCalm(t *testing.T) {
	var out bytes.Buffer
	p := NewProgress(&out, 0)
	p.start(0)
	for step := 1; step <= 100; step++ {
		p.step(recordOf("train", step), 100)
		p.record(recordOf("eval valid", step, 0.5))
		p.wrote("picture.png")
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 6)
	require.Equal(t, []string{"train  step 1/100", "eval valid  step 1  loss 0.5", "wrote picture.png"}, lines[:3])
	require.Regexp(t, `^train  step 100/100  \S+ steps/s$`, lines[3])
	require.Equal(t, []string{"eval valid  step 100  loss 0.5  (log.jsonl has 98 before it)", "wrote picture.png  (and 98 before it)"}, lines[4:])
	out.Reset()
	p.record(recordOf("eval valid", 100, 0.25)) // after the training each one counts
	require.Equal(t, "eval valid  step 100  loss 0.25\n", out.String())
}
