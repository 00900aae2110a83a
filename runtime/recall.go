package runtime

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"strings"
)

// records are lines of a log.
type records []record

// parseRecords reads whole lines of a log; what is none is left out.
func parseRecords(log []byte) (out records) {
	for line := range bytes.Lines(log) {
		if rec, ok := parseRecord(line); ok {
			out = append(out, rec)
		}
	}
	return out
}

// of is the last record of a block at a step, nil if there is none.
func (rs records) of(block string, step int) *record {
	for i := len(rs) - 1; i >= 0; i-- {
		if rs[i].block == block && rs[i].step == step {
			return &rs[i]
		}
	}
	return nil
}

// parseRecord is the inverse of record.json; null becomes NaN.
func parseRecord(line []byte) (rec record, ok bool) {
	if !bytes.HasSuffix(line, []byte("}\n")) || !json.Valid(line) {
		return rec, false
	}
	rec.bits = 64
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if t, _ := d.Token(); t != json.Delim('{') {
		return rec, false
	}
	for key := 0; d.More(); key++ {
		name, _ := d.Token()
		var value any
		if d.Decode(&value) != nil {
			return rec, false
		}
		values, vector := value.([]any)
		switch {
		case key == 0:
			rec.block, ok = value.(string)
		case key == 1:
			rec.step = int(numberOf(value))
		case vector:
			rec.add(name.(string), false, values)
		default:
			rec.add(name.(string), true, []any{value})
		}
	}
	return rec, ok
}

func (rec *record) add(name string, scalar bool, values []any) {
	numbers, whole := make([]float64, len(values)), true
	for i, v := range values {
		numbers[i] = numberOf(v)
		n, _ := v.(json.Number) // null is any number's
		whole = whole && !strings.ContainsAny(string(n), ".e")
	}
	rec.names, rec.values, rec.scalar = append(rec.names, name), append(rec.values, numbers), append(rec.scalar, scalar)
	rec.whole = append(rec.whole, whole)
}

// numberOf is a number of a log.
func numberOf(v any) float64 {
	n, _ := v.(json.Number)
	if x, err := n.Float64(); err == nil {
		return x
	}
	return math.NaN()
}

// recall tells what the log has of the last step of a train block that is done.
func (r *Runner) recall(train *entry, step int) error {
	const room = 1 << 20
	log, err := os.ReadFile(r.log.Name())
	if err != nil {
		return err
	}
	last := parseRecords(log[max(len(log)-room, 0):])
	for _, e := range r.m.entries {
		if rec := last.of(e.title(), step); rec != nil && (e == train || e.Kind == "eval") {
			r.o.Progress.record(rec)
		}
	}
	return nil
}
