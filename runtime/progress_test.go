package runtime

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func recordOf(block string, step int, loss ...float64) *record {
	rec := &record{block: block, step: step}
	for _, v := range loss {
		rec.names, rec.values, rec.whole = append(rec.names, "loss"), append(rec.values, []float64{v}), append(rec.whole, false)
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

// A sample says how far it is if it takes a while.
func TestProgressOfALongSample(t *testing.T) {
	var out bytes.Buffer
	p := NewProgress(&out, 0)
	p.turns("sample s", 0, 1000)
	p.turns("sample s", 10, 1000)
	require.Empty(t, out.String(), "it has just begun")
	p.began, p.shown = time.Now().Add(-10*time.Second), time.Now().Add(-6*time.Second)
	p.turns("sample s", 400, 1000)
	p.turns("sample s", 401, 1000)
	require.Regexp(t, `^sample s  turn 400/1000  \S+ turns/s  1[45]s left\n$`, out.String())

	out.Reset()
	p = NewProgress(&out, 80)
	p.turns("sample s", 0, 1000)
	p.shown = time.Time{}
	p.turns("sample s", 1, 1000)
	require.Equal(t, "\r\x1b[Ksample s  turn 1/1000", out.String())
	p.clear()
	require.True(t, strings.HasSuffix(out.String(), "\r\x1b[K"))
}
