package ir

import (
	"hash/fnv"

	"mdlc/ir/loop"
)

func init() {
	OpBits = define(&Op{
		Name: "bits", Arity: 3, Doc: "random bits of a draw site: Philox4x32-10 of seed u32[2], step i32[], turn i32[]",
		Infer: func(_ *Scope, n *Node) (Type, error) {
			a := n.Attr.(BitsAttr)
			t := OfDims(loop.U32, a.Shape)
			for i, want := range []Type{TensorOf(loop.U32, 2), TensorOf(loop.I32), TensorOf(loop.I32)} {
				if got := n.Args[i].Type; !got.Equal(want) {
					return t, shapesDiffer(got, want)
				}
			}
			return t, nil
		},
		NoGrad:    "bits are integers",
		Lower:     lowerBits,
		Cost:      func(*Node) float64 { return 40 },
		Eval:      evalBits,
		ParseAttr: parseBits,
	})
}

// siteHash is FNV-1a 64 of a draw site's path.
func siteHash(site string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(site))
	return h.Sum64()
}

// lowerBits counts elements by capacity, so that an element's place in memory is its place in the draw.
func lowerBits(c *LowerCtx, n *Node, idx []*loop.Value) *loop.Value {
	a := n.Attr.(BitsAttr)
	u := func(v uint64) *loop.Value { return c.B.Int(loop.U32, int64(v)) }
	flat := number(c, loop.I64, 0)
	for k, d := range a.Shape {
		flat = c.B.Op(loop.Add, c.B.Op(loop.Mul, flat, number(c, loop.I64, float64(d.Size))), idx[k])
	}
	s := siteHash(a.Site)
	site := []*loop.Value{u(s & 0xffffffff), u(s >> 32)}
	if c.Words != nil { // draws of one shape at several sites are one kernel
		site = c.Words("site", uint32(s), uint32(s>>32))
	}
	key := func(word int) *loop.Value {
		seed := c.Args[0]([]*loop.Value{number(c, loop.I64, float64(word))})
		return c.B.Op(loop.Xor, seed, site[word])
	}
	four := number(c, loop.I64, 4)
	return c.B.Philox(key(0), key(1),
		convert(c, c.B.Op(loop.Div, flat, four), loop.U32),
		convert(c, c.Args[2](nil), loop.U32), convert(c, c.Args[1](nil), loop.U32), u(0),
		convert(c, c.B.Op(loop.Mod, flat, four), loop.U32))
}

func evalBits(e *Evaluator, n *Node, args []*Tensor) *Tensor {
	a := n.Attr.(BitsAttr)
	seed := uint64(uint32(args[0].I[0])) | uint64(uint32(args[0].I[1]))<<32
	key := loop.DrawKey(seed, a.Site)
	step, turn := uint32(args[1].I[0]), uint32(args[2].I[0])
	return e.fill(n.Type, func(t *Tensor, at int, idx []int) {
		flat := 0
		for k, d := range a.Shape {
			flat = flat*d.Size + idx[k]
		}
		t.I[at] = int64(loop.Philox4x32(key, [4]uint32{uint32(flat / 4), turn, step, 0})[flat%4])
	})
}
