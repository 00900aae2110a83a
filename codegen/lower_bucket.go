package codegen

import (
	"mdlc/ir"
	"mdlc/ir/loop"
)

// bucketBlock is how many elements of a row are a point's: few, since a point takes them one after another, but no fewer than there are buckets.
const bucketBlock = ir.Buckets

// bucketing writes the kernel of a bucket: it counts what blocks of a row have in each bucket, turns that into the places where their
// elements go, and puts them there:
//
//	T[b, v] = 0
//	for i of b { T[b, d[i]] = T[b, d[i]] + 1 }
//	for b { before = T[b, v]; T[b, v] = sum; sum = sum + before }, S[v] = sum    of each bucket, what blocks before b have
//	for v { before = S[v];    S[v] = sum;    sum = sum + before }                what buckets before v have
//	for i of b { Y[S[d[i]] + T[b, d[i]]] = x[i]; T[b, d[i]] = T[b, d[i]] + 1 }
type bucketing struct {
	*lowering
	n              *ir.Node
	last           ir.Dim
	blocks         int
	tables, starts *loop.Buffer
}

func (w *lowering) bucket(n *ir.Node) {
	rank := n.Type.Rank()
	s := &bucketing{lowering: w, n: n, last: n.Type.Dims[rank-1]}
	s.blocks = (s.last.Size + bucketBlock - 1) / bucketBlock
	out, rows := w.output(0, n), sizes(n.Type)[:rank-1:rank-1]
	s.tables = w.b.Buffer("table", loop.I32, loop.Work, append(rows, s.blocks, ir.Buckets)...)
	s.starts = w.b.Buffer("start", loop.I32, loop.Work, append(rows, ir.Buckets)...)

	w.b.Store(s.tables, append(s.row(), s.block(loop.Open), s.bucket(loop.Open)), nil, zero(w.b, loop.I32))
	w.b.Phase()
	s.each(func([]*loop.Value, *loop.Value, *loop.Value, *loop.Value) {})
	w.b.Phase()
	row, b, v := s.row(), s.block(loop.Loop), s.bucket(loop.Open)
	all := s.running(b.Axis, s.tables, append(row, b, v))
	w.b.Store(s.starts, append(row, v), nil, all)
	w.b.Phase()
	row, v = s.row(), s.bucket(loop.Loop)
	s.running(v.Axis, s.starts, append(row, v))
	w.b.Phase()
	s.each(func(row []*loop.Value, i, v, count *loop.Value) {
		place := w.b.Op(loop.Add, w.b.Load(s.starts, append(row, v), nil), count)
		w.b.Store(out, append(row, cast(w.b, loop.I64, place)), nil, w.pull(n.Args[0], append(row, i), nil))
	})
}

// row begins a page: it gives the indices of a row.
func (s *bucketing) row() []*loop.Value {
	s.axes.axes = map[dimension][]*loop.Axis{} // pages share no axes
	var taken []*loop.Axis
	var row []*loop.Value
	for d := range s.n.Type.Rank() - 1 {
		taken = append(taken, s.axis(s.n, d, taken))
		row = append(row, s.b.Index(taken[d]))
	}
	return row[:len(row):len(row)]
}

// block is the number of a block of a row.
func (s *bucketing) block(bind loop.Bind) *loop.Value {
	size := s.b.Int(loop.I64, bucketBlock)
	count := s.b.Op(loop.Div, s.b.Op(loop.Add, s.expr(s.last.Length()), s.b.Int(loop.I64, bucketBlock-1)), size)
	axis := s.b.AxisLen("b", count, s.blocks)
	axis.Bind = bind
	return s.b.Index(axis)
}

func (s *bucketing) bucket(bind loop.Bind) *loop.Value {
	axis := s.b.Axis("v", ir.Buckets)
	axis.Bind = bind
	return s.b.Index(axis)
}

// each is a page that goes through the elements of a block in order and counts them; do gets the row, the element's place in it, its
// bucket, and how many came before it there.
func (s *bucketing) each(do func(row []*loop.Value, i, v, count *loop.Value)) {
	row, block, j := s.row(), s.block(loop.Open), s.b.Axis("j", bucketBlock)
	j.Bind = loop.Loop
	place := s.b.Op(loop.Add, s.b.Op(loop.Mul, block, s.b.Int(loop.I64, bucketBlock)), s.b.Index(j))
	i := s.b.Index(s.b.AxisDef("i", s.expr(s.last.Length()), s.last.Size, place))
	s.b.For(j, nil, nil, nil, func([]*loop.Value) []*loop.Value {
		v := s.b.Let("v", cast(s.b, loop.I64, s.pull(s.n.Args[1], append(row, i), nil)))
		table := append(row, block, v)
		count := s.b.Let("count", s.b.Load(s.tables, table, nil))
		do(row, i, v, count)
		s.b.Store(s.tables, table, nil, s.b.Op(loop.Add, count, s.b.Int(loop.I32, 1)))
		return nil
	})
}

// running puts into counts, along an axis of place, the sum of those before, and gives the sum of all.
func (s *bucketing) running(along *loop.Axis, counts *loop.Buffer, place []*loop.Value) *loop.Value {
	sum := []loop.Init{{Name: "sum", Val: zero(s.b, loop.I32)}}
	return s.b.For(along, nil, nil, sum, func(in []*loop.Value) []*loop.Value {
		before := s.b.Let("before", s.b.Load(counts, place, nil))
		s.b.Store(counts, place, nil, in[0])
		return []*loop.Value{s.b.Op(loop.Add, in[0], before)}
	})[0]
}
