package runtime

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/index"
)

// A run that had come to its end tells what its last evals said and does not run them again, unless they were not done or
// something is not as it was.
func TestResumingAFinishedRunRepeatsNoEval(t *testing.T) {
	data := digitRows(t, 33)
	for name, c := range map[string]struct {
		options Options
		change  func(log string) string
		again   bool
	}{
		"as it was":        {again: false},
		"another compiler": {options: Options{Version: "2"}, again: true},
		"other data":       {options: Options{NewData: true}, again: true},
		"not done":         {change: func(log string) string { return log[:strings.LastIndex(log, `{"block":"eval valid"`)] }, again: true},
		"half a record":    {change: func(log string) string { return log[:len(log)-2] }, again: true},
	} {
		out := t.TempDir()
		_, err := trainLearner(t, data, index.C(7), 1, Options{Out: out})
		require.NoError(t, err)
		whole := string(readFile(t, out+"/log.jsonl"))
		told := strings.Replace(whole, `"step":7,"loss":30.5`, `"step":7,"loss":77.25`, 1) // what no eval says
		require.NotEqual(t, whole, told)
		if c.change != nil {
			told = c.change(told)
		}
		writeFile(t, out+"/log.jsonl", []byte(told))
		var lines bytes.Buffer
		c.options.Out, c.options.Resume, c.options.Progress = out, true, NewProgress(&lines, 0)
		text, err := trainLearner(t, data, index.C(7), 1, c.options)
		require.NoError(t, err)
		require.Regexp(t, `\nnothing is left to train: 7 of 7 steps are done; --steps N goes on\ntrain  step 7  loss [0-9.]+\neval valid  step 7  loss `, lines.String(), name)
		loss := map[bool]string{false: "77.25", true: "30.5"}[c.again]
		require.Equal(t, `{"block":"eval valid","step":7,"loss":`+loss+"}\n", text, name)
		require.True(t, strings.HasSuffix(lines.String(), " loss "+loss+"\n"), "%s: %s", name, lines.String())
		if c.again {
			told = whole
		}
		require.Equal(t, told, string(readFile(t, out+"/log.jsonl")), name)
	}
}

func TestARecordIsReadAsItWasWritten(t *testing.T) {
	for _, line := range []string{
		`{"block":"eval valid","step":20,"step":0.1,"block":1e-07,"loss":1.6777216e+07,"a\"b":[1,null,16777216],"none":[],"x":null}`,
		`{"block":"train","step":0}`,
	} {
		rec, ok := parseRecord([]byte(line + "\n"))
		require.True(t, ok)
		require.Equal(t, line+"\n", string(rec.json()))
		for n := range line {
			_, ok := parseRecord([]byte(line[:n] + "\n"))
			require.False(t, ok, line[:n])
		}
	}
	for _, line := range []string{"", "\n", "7\n", "{}\n", `{"step":1}` + "\n", `{"block":"train","step":1}`} {
		_, ok := parseRecord([]byte(line))
		require.False(t, ok, line)
	}
}
