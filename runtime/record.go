package runtime

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"mdlc/ir/loop"
	"mdlc/runtime/program"
)

// record is what a run of a block reported: one line of the log.
type record struct {
	block  string
	step   int
	names  []string
	values [][]float64 // of each name; one number unless it is a vector
	scalar []bool
	whole  []bool // integers, and means of them
	bits   int    // of the numbers, for printing: 32 or 64
}

// newRecord lists the reports of b; read fills in the values.
func newRecord(title string, b *block) record {
	rec := record{block: title, bits: 32}
	for _, out := range b.Outputs {
		if out.Kind == program.OutputReport {
			buf := &b.Bufs[out.Buf]
			rec.names = append(rec.names, out.Name)
			rec.values = append(rec.values, make([]float64, product(buf.Dims)))
			rec.scalar = append(rec.scalar, len(buf.Dims) == 0)
			rec.whole = append(rec.whole, !buf.Elem.IsFloat())
			if !buf.Elem.IsFloat() || buf.Elem == loop.F64 {
				rec.bits = 64
			}
		}
	}
	return rec
}

func (rec *record) read(b *block, step int) {
	rec.step = step
	n := 0
	for _, out := range b.Outputs {
		if out.Kind == program.OutputReport {
			for i := range rec.values[n] {
				rec.values[n][i] = readElem(b.Bufs[out.Buf].Elem, b.bufs[out.Buf].host, i)
			}
			n++
		}
	}
}

// json is the record as one line. Numbers that JSON has not are null.
func (rec *record) json() []byte {
	line := append([]byte(`{"block":`), quote(rec.block)...)
	line = append(line, `,"step":`...)
	line = strconv.AppendInt(line, int64(rec.step), 10)
	for i, name := range rec.names {
		line = append(append(append(line, ','), quote(name)...), ':')
		if rec.scalar[i] {
			line = rec.number(line, i, 0)
			continue
		}
		line = append(line, '[')
		for j := range rec.values[i] {
			if j > 0 {
				line = append(line, ',')
			}
			line = rec.number(line, i, j)
		}
		line = append(line, ']')
	}
	return append(line, '}', '\n')
}

func (rec *record) number(line []byte, i, j int) []byte {
	v := rec.values[i][j]
	if !finite(v) {
		return append(line, "null"...)
	}
	return rec.append(line, i, v, -1, rec.bits)
}

// append writes v, one of name i: in full where it is an integer of integers, which a mean of some need not be.
func (rec *record) append(line []byte, i int, v float64, digits, bits int) []byte {
	if rec.whole[i] && v == math.Trunc(v) {
		return strconv.AppendFloat(line, v, 'f', 0, 64)
	}
	return strconv.AppendFloat(line, v, 'g', digits, bits)
}

func quote(s string) []byte {
	q, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string has always a JSON form
	}
	return q
}

// text is the record for people, to some digits: `loss 1.885  accuracy 0.31`.
func (rec *record) text(digits int) string {
	var parts []string
	for i, name := range rec.names {
		part := name
		for j, v := range rec.values[i] {
			if j == 8 {
				part += " …"
				break
			}
			part = string(rec.append(append([]byte(part), ' '), i, v, digits, 64))
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "  ")
}
