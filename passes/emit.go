package passes

import (
	"fmt"

	"mdlc/ir"
)

// emit makes the graph of clusters in b.
func (f *fusion) emit(b *ir.Builder, merge bool) (*ir.Graph, error) {
	for _, y := range f.g.Syms {
		b.Sym(y.Name, y.Max, y.Def)
	}
	e := &emitter{f: f, b: b, merge: merge, to: map[int]*ir.Node{}, done: map[*group]bool{}}
	for _, p := range f.g.Params {
		if err := e.node(f.at[p]); err != nil {
			return nil, err
		}
	}
	results := make([]ir.Result, len(f.g.Results))
	for i, r := range f.g.Results {
		if err := e.node(f.at[r.Value]); err != nil {
			return nil, err
		}
		results[i] = r
		results[i].Value = e.to[f.at[r.Value]]
	}
	b.Gen = 0
	return b.Finish(results...), nil
}

type emitter struct {
	f     *fusion
	b     *ir.Builder
	merge bool
	to    map[int]*ir.Node // stored values in the new graph
	done  map[*group]bool
}

// node makes node i, which is in memory, and what it needs.
func (e *emitter) node(i int) error {
	if e.to[i] != nil {
		return nil
	}
	f := e.f
	if f.role[i] == computed {
		return e.cluster(f.in[i][0])
	}
	n := f.nodes[i]
	args := make([]*ir.Node, len(n.Args))
	for k, a := range n.Args {
		if err := e.node(f.at[a]); err != nil {
			return err
		}
		args[k] = e.to[f.at[a]]
	}
	e.b.Pos, e.b.Gen = n.Pos, n.Gen
	if a, ok := n.Attr.(ir.ParamAttr); ok {
		e.to[i] = ir.Named(e.b.Param(a.Kind, a.Name, a.Type), n.Name)
		return nil
	}
	var regions []*ir.Graph
	for _, r := range n.Regions {
		nr, err := fuseGraph(e.b.Region(r.Name), r, e.merge)
		if err != nil {
			return err
		}
		regions = append(regions, nr)
	}
	m, err := e.b.TryMakeWith(n.Op, n.Attr, regions, args...)
	if err != nil {
		return fmt.Errorf("%s: %w", n.Pos, err)
	}
	e.to[i] = ir.Named(m, n.Name)
	return nil
}

// cluster makes the kernel of a group and a value for each result.
func (e *emitter) cluster(k *group) error {
	if e.done[k] {
		panic(fmt.Sprintf("passes: fuse: %s waits for itself", e.f.nodes[k.members[len(k.members)-1]].Op.Name))
	}
	e.done[k] = true
	f := e.f
	last := f.nodes[k.members[len(k.members)-1]]
	r := &region{e: e, k: k, inner: map[*ir.Node]*ir.Node{}}
	for _, i := range k.members {
		for _, x := range f.reads[i] {
			if !k.has(x.from) {
				if err := e.node(x.from); err != nil {
					return err
				}
			}
		}
	}
	r.b = e.b.Region(last.Name)
	var outs []int
	var values []*ir.Node
	t := f.try(k)
	for _, i := range k.members {
		v := r.value(f.nodes[i])
		if f.in[i][0] == k && f.leaves(i, t) {
			outs = append(outs, i)
			values = append(values, v)
		}
	}
	r.b.Gen = 0
	e.b.Pos, e.b.Gen = last.Pos, last.Gen
	c := e.b.Cluster(f.kind(k.members), r.b.FinishValues(values...), r.args...)
	for at, i := range outs {
		n := f.nodes[i]
		e.b.Pos, e.b.Gen = n.Pos, n.Gen
		e.to[i] = ir.Named(e.b.Get(c, at), n.Name)
	}
	return nil
}

// region is the graph of a cluster in the making.
type region struct {
	e     *emitter
	k     *group
	b     *ir.Builder
	inner map[*ir.Node]*ir.Node
	args  []*ir.Node // of the cluster, one for each parameter
}

// value is node n inside the region: computed there, looked through, or a parameter.
func (r *region) value(n *ir.Node) *ir.Node {
	if v := r.inner[n]; v != nil {
		return v
	}
	f := r.e.f
	i := f.at[n]
	var v *ir.Node
	if r.k.has(i) || f.free(i) {
		args := make([]*ir.Node, len(n.Args))
		for a, x := range n.Args {
			args[a] = r.value(x)
		}
		r.b.Pos, r.b.Gen = n.Pos, n.Gen
		v = ir.Named(r.b.Make(n.Op, n.Attr, args...), n.Name)
	} else {
		outer := r.e.to[i]
		r.b.Pos, r.b.Gen = n.Pos, 0
		v = r.b.Param(ir.ParamValue, outer.Name, n.Type)
		r.args = append(r.args, outer)
	}
	r.inner[n] = v
	return v
}
