package passes

import (
	"mdlc/ir"
	"mdlc/ir/index"
)

// What a loop reads of an invariant at its turn becomes a stacked input, so
// that its cotangent is an output of the reversed loop and not a sum of arrays that are zero but for one row:
//
//	%2 = loop %c, %w count(784) carry 1 xs 0 { turn, c, w: … index w, turn {() -> ($1)} … }
//
// becomes
//
//	%2 = loop %c, %w count(784) carry 1 xs 1 { turn, c, row: … row … }

// turnSlice is an axis of an invariant that a loop reads at its turn.
type turnSlice struct {
	param int // of the region
	axis  int
	arg   *ir.Node // the argument with that axis first
	row   *ir.Node // one turn's slice, in the new region
}

// sliceTurns is loop n with such reads as stacked inputs, where a gradient will flow through them.
func (r *reverse) sliceTurns(n *ir.Node) (*ir.Node, []*turnSlice, error) {
	a, old := n.Attr.(ir.LoopAttr), n.Regions[0]
	first := 1 + a.Carry + a.Xs
	var slices []*turnSlice
	at := map[*ir.Node]*turnSlice{} // by index node
	rest := map[*ir.Node]bool{}     // values with other uses
	for _, u := range old.Nodes() {
		for j, x := range u.Args {
			rest[x] = rest[x] || j > 0 || u.Op != ir.OpIndex
		}
		if u.Op != ir.OpIndex {
			continue
		}
		i := paramPlace(old, u.Args[0])
		axis := -1
		if i >= first && r.active[n.Args[i-1]] {
			axis = turnAxis(n, r.b.Scope(), u)
		}
		if axis < 0 {
			rest[u.Args[0]] = true
			continue
		}
		at[u] = sliceOf(&slices, i, axis)
	}
	if len(slices) == 0 {
		return n, nil, nil
	}
	for _, x := range old.Results {
		rest[x.Value] = true
	}
	for _, s := range slices {
		arg := n.Args[s.param-1]
		axes := []int{s.axis}
		for k := range arg.Type.Dims {
			if k != s.axis {
				axes = append(axes, k)
			}
		}
		s.arg = r.b.Permute(arg, axes...)
		r.active[s.arg] = true
	}
	loop, err := r.withSlices(n, slices, at, rest)
	return loop, slices, err
}

func paramPlace(g *ir.Graph, n *ir.Node) int {
	for i, p := range g.Params {
		if p == n {
			return i
		}
	}
	return -1
}

func sliceOf(slices *[]*turnSlice, param, axis int) *turnSlice {
	for _, s := range *slices {
		if s.param == param && s.axis == axis {
			return s
		}
	}
	s := &turnSlice{param: param, axis: axis}
	*slices = append(*slices, s)
	return s
}

// turnAxis is the axis that index op u of the body of loop n reads at the turn, or -1.
func turnAxis(n *ir.Node, scope *ir.Scope, u *ir.Node) int {
	a, turn := n.Attr.(ir.LoopAttr), n.Regions[0].Params[0]
	turns := a.Turns(scope)
	for k, e := range u.Attr.(ir.IndexAttr).Out {
		if !u.Args[0].Type.Dims[k].Equal(turns) {
			continue
		}
		if a.Sym != "" && index.Equal(e, index.V(a.Sym)) {
			return k
		}
		for j := 1; j < len(u.Args); j++ {
			d := u.Args[j]
			if index.Equal(e, ir.Data(j)) && (d == turn || d.Op == ir.OpIndex && d.Args[0] == turn) {
				return k
			}
		}
	}
	return -1
}

// withSlices rebuilds the loop; at says which index ops read a slice, rest which values are read otherwise.
func (r *reverse) withSlices(n *ir.Node, slices []*turnSlice, at map[*ir.Node]*turnSlice, rest map[*ir.Node]bool) (*ir.Node, error) {
	a, old := n.Attr.(ir.LoopAttr), n.Regions[0]
	first := 1 + a.Carry + a.Xs
	b := r.b.Region(old.Name)
	for _, y := range old.Syms {
		b.Sym(y.Name, y.Max, y.Def)
	}
	m := ir.Mapping{}
	param := func(p *ir.Node, t ir.Type) *ir.Node {
		b.Pos = p.Pos
		return b.Param(ir.ParamValue, paramName(p), t)
	}
	for _, p := range old.Params[:first] {
		m[p] = param(p, p.Type)
	}
	args := append([]*ir.Node(nil), n.Args[:first-1]...)
	for _, s := range slices {
		t := s.arg.Type
		s.row = param(old.Params[s.param], ir.OfDims(t.Elem, t.Dims[1:]))
		args = append(args, s.arg)
	}
	for i := first; i < len(old.Params); i++ {
		p := old.Params[i]
		sliced := false
		for _, s := range slices {
			sliced = sliced || s.param == i
		}
		if !sliced || rest[p] {
			m[p] = param(p, p.Type)
			args = append(args, n.Args[i-1])
		}
	}
	for _, u := range old.Nodes() {
		if m[u] != nil || u.Op == ir.OpParam {
			continue
		}
		if s := at[u]; s != nil {
			b.Pos = u.Pos
			m[u] = readRow(b, m, u, s)
			continue
		}
		if _, err := m.Copy(b, u, nil); err != nil {
			return nil, err
		}
	}
	results := append([]ir.Result(nil), old.Results...)
	for i := range results {
		results[i].Value = m[results[i].Value]
	}
	a.Xs += len(slices)
	return r.b.TryMakeWith(ir.OpLoop, a, []*ir.Graph{b.Finish(results...)}, args...)
}

// readRow is index op u on the slice: without the axis, and without data that only the axis used.
func readRow(b *ir.Builder, m ir.Mapping, u *ir.Node, s *turnSlice) *ir.Node {
	a := u.Attr.(ir.IndexAttr)
	var out []*index.Expr
	for k, e := range a.Out {
		if k != s.axis {
			out = append(out, e)
		}
	}
	number := map[string]*index.Expr{}
	var data []*ir.Node
	for j := 1; j < len(u.Args); j++ {
		name := ir.Data(j).Name
		used := false
		for _, e := range out {
			e.Vars(func(v string) { used = used || v == name })
		}
		if used {
			data = append(data, m[u.Args[j]])
			number[name] = ir.Data(len(data))
		}
	}
	same := len(out) == len(a.Shape) && ir.SameDims(a.Shape, s.row.Type.Dims)
	for k := range out {
		out[k] = out[k].Subst(func(v string) *index.Expr { return number[v] })
		same = same && index.Equal(out[k], ir.Var(k))
	}
	if same {
		return s.row
	}
	return b.Index(s.row, a.Shape, out, a.Outside, data...)
}
