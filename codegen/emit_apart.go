package codegen

import (
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"mdlc/codegen/llir"
	"mdlc/ir/index"
)

// Lanes that lie a few elements apart, as what a convolution with a stride reads, are read with all that is between them, register by register, and
// picked. 64 images of 28 × 28 by 64 filters of 5 × 5 with a stride of 2 took 0.45 ms so, and 0.91 gathered (Zen 4).

// mostApart is how many elements apart lanes may lie: so many registers are read.
const mostApart = 4

// apart is how many elements lie between one lane and the next, itself included; 0: more than a few, or not alike.
func (e *emitter) apart(p place) int {
	if p.lane.Op != index.Mul {
		return 0
	}
	v := p.lane.Args[0]
	if k, ok := p.lane.Args[1].Const(); ok && k > 1 && k <= mostApart && v.Op == index.Var && e.opaque[v.Name] == nil {
		return k
	}
	return 0
}

// loadApart reads lanes that lie k elements apart. It reads nothing before the first and after the last of them; of those that cond leaves out it reads nothing, and they are 0.
func (e *emitter) loadApart(wide types.Type, base, cond value.Value, k, align int) value.Value {
	t, n := llir.Scalar(wide), llir.Lanes(wide)
	from := func(r int) int { return min(r*n, (k-1)*(n-1)) } // the element that register r begins with
	var mask value.Value
	if cond != nil {
		mask = e.splat(n, cond)
	}
	var x value.Value
	for r := range k {
		at := base
		if r > 0 {
			at = e.b.GEP(t, base, llir.Int(types.I64, int64(from(r))))
		}
		var read value.Value
		if mask == nil {
			read = e.b.Load(wide, at, align)
		} else {
			live := make([]int, n) // of the elements of the register: which lane each is, or n, which is off
			for j := range live {
				if live[j] = n; (from(r)+j)%k == 0 {
					live[j] = (from(r) + j) / k
				}
			}
			off := llir.SplatConst(n, llir.Int(types.I1, 0))
			read = e.maskedLoad(wide, at, e.b.Shuffle(mask, off, live...), align)
		}
		if x == nil {
			x = read
		}
		pick := upTo(n)
		for i := range pick {
			switch of := k * i / n; {
			case of == r && r == 0:
				pick[i] = k * i
			case of == r:
				pick[i] = n + k*i - from(r)
			}
		}
		x = e.b.Shuffle(x, read, pick...)
	}
	return x
}
