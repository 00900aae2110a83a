package loop

import "fmt"

// Data is what a buffer holds: F for floats, I for integers and bool, row-major
// over Dims whatever the buffer's strides are.
type Data struct {
	Elem   Elem
	Dims   []int
	F      []float64
	I      []int64
	Poison []bool // elements that nothing has written; nil: none
}

// NewData is zeros.
func NewData(elem Elem, dims ...int) *Data {
	d := &Data{Elem: elem, Dims: dims}
	n := size(dims)
	if elem.IsFloat() {
		d.F = make([]float64, n)
	} else {
		d.I = make([]int64, n)
	}
	return d
}

// Floats is data of a float type.
func Floats(elem Elem, x []float64, dims ...int) *Data {
	return &Data{Elem: elem, Dims: dims, F: x}
}

// Ints is data of an integer type or bool.
func Ints(elem Elem, x []int64, dims ...int) *Data { return &Data{Elem: elem, Dims: dims, I: x} }

// Len is the number of elements.
func (d *Data) Len() int { return max(len(d.F), len(d.I)) }

// Clone is a copy.
func (d *Data) Clone() *Data {
	c := *d
	c.F = append([]float64(nil), d.F...)
	c.I = append([]int64(nil), d.I...)
	c.Poison = append([]bool(nil), d.Poison...)
	return &c
}

// Round rounds floats to the element type and wraps integers.
func (d *Data) Round() {
	for i, x := range d.F {
		d.F[i] = round(d.Elem, x)
	}
	for i, x := range d.I {
		d.I[i] = wrap(d.Elem, x)
	}
}

func size(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

// Bytes is the memory that b has: that of its capacity.
func (b *Buffer) Bytes() int { return size(b.Dims) * b.Elem.Size() }

// Sizes are the lengths of b's dimensions in a run of its kernel on args.
func (b *Buffer) Sizes(args map[string]*Data) ([]int, error) {
	if b.Length == nil {
		return b.Dims, nil
	}
	d := args[b.Length.Name]
	if d == nil || len(d.I) != 1 || d.I[0] < 0 || d.I[0] > int64(b.Dims[0]) {
		return nil, fmt.Errorf("%s: %s is no length up to %d", b.Name, b.Length.Name, b.Dims[0])
	}
	return append([]int{int(d.I[0])}, b.Dims[1:]...), nil
}

// memory is a buffer during evaluation: its data and, for each element, who
// wrote and read it last.
type memory struct {
	buf  *Buffer
	dims []int
	*Data
	local          bool
	writer, wphase []int32 // point and phase of the last write; 0: none
	reader, rphase []int32 // of the last read; reader -1: several points in that phase
	stamp          []int32 // the store that wrote last
}

func newMemory(b *Buffer, dims []int, d *Data) *memory {
	m := &memory{buf: b, dims: dims, Data: d, local: b.Mode == Local}
	if b.Mode == In {
		return m
	}
	n := d.Len()
	all := make([]int32, 5*n)
	m.writer, m.wphase, m.reader, m.rphase, m.stamp = all[:n], all[n:2*n], all[2*n:3*n], all[3*n:4*n], all[4*n:]
	return m
}

// argument checks the data given for b of some dims, or makes it.
func argument(b *Buffer, dims []int, args map[string]*Data) (*Data, error) {
	d := args[b.Name]
	switch {
	case d == nil && (b.Mode == In || b.Mode == InOut):
		return nil, fmt.Errorf("no data for %s %s", b.Mode, b.Name)
	case d == nil || b.Mode == Out || b.Mode == Work:
		d = NewData(b.Elem, dims...)
		d.Poison = make([]bool, d.Len())
		for i := range d.Poison {
			d.Poison[i] = true
		}
		args[b.Name] = d
	case d.Elem != b.Elem || size(d.Dims) != size(dims) || d.Len() != size(dims):
		return nil, fmt.Errorf("%s is %s%v, its data %s%v with %d elements", b.Name, b.Elem, dims, d.Elem, d.Dims, d.Len())
	case b.Mode == InOut && d.Poison == nil:
		d.Poison = make([]bool, d.Len())
	}
	return d, nil
}

// poisoned reports whether element i has no value for the par point at hand.
func (m *memory) poisoned(i int, point int32) bool {
	if m.local {
		return m.writer[i] != point
	}
	return m.Poison != nil && m.Poison[i]
}

// read checks a read of element i and notes it.
func (m *memory) read(i int, point, phase int32) error {
	if m.writer == nil || m.local {
		return nil
	}
	if m.wphase[i] == phase && m.writer[i] == nobody {
		return fmt.Errorf("race: %s[%s] is on its way to memory in this phase", m.buf.Name, m.place(i))
	}
	if m.wphase[i] == phase && m.writer[i] != point {
		return fmt.Errorf("race: %s[%s] was written by another par point in this phase", m.buf.Name, m.place(i))
	}
	if m.rphase[i] == phase && m.reader[i] != point {
		m.reader[i] = -1
	} else {
		m.rphase[i], m.reader[i] = phase, point
	}
	return nil
}

// write checks a write of element i by store number stamp and notes it.
func (m *memory) write(i int, point, phase, stamp int32) error {
	switch {
	case m.writer == nil:
		return fmt.Errorf("%s is an input", m.buf.Name)
	case m.stamp[i] == stamp:
		return fmt.Errorf("two points of the store write %s[%s]", m.buf.Name, m.place(i))
	case !m.local && m.wphase[i] == phase && m.writer[i] != point:
		return fmt.Errorf("race: %s[%s] is written by two par points in one phase", m.buf.Name, m.place(i))
	case !m.local && m.rphase[i] == phase && m.reader[i] != point:
		return fmt.Errorf("race: %s[%s] was read by another par point in this phase", m.buf.Name, m.place(i))
	}
	m.stamp[i], m.writer[i], m.wphase[i] = stamp, point, phase
	if m.Poison != nil {
		m.Poison[i] = false
	}
	return nil
}

// place is the index of element i.
func (m *memory) place(i int) string {
	idx := make([]int, len(m.dims))
	for d := len(idx) - 1; d >= 0; d-- {
		idx[d] = i % m.dims[d]
		i /= m.dims[d]
	}
	return ints(idx)
}
