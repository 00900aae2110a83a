package emulator

// builders has, for the base of an opcode, what decodes it. Families of
// instructions are in files of their own; each adds its rows here.
var builders map[string]func(d *decoder)

func init() {
	builders = map[string]func(d *decoder){}
	for _, family := range []map[string]func(d *decoder){integerBuilders, bitBuilders, floatBuilders, moveBuilders, compareBuilders, convertBuilders, memoryBuilders, syncBuilders, proxyBuilders, clusterBuilders, productBuilders, warpBuilders, asyncBuilders, mbarrierBuilders, matrixBuilders, refused} {
		for op, build := range family {
			builders[op] = build
		}
	}
}

// refuse is for instructions that are known and not let through.
func refuse(why string) func(d *decoder) {
	return func(d *decoder) { d.fail("%s", why) }
}

var refused = map[string]func(d *decoder){
	"atom":      refuse("atomics are refused: their order is that of the blocks, and results would depend on it"),
	"red":       refuse("atomics are refused: their order is that of the blocks, and results would depend on it"),
	"brx":       refuse("jumps through a table are not supported"),
	"nanosleep": refuse("time does not pass here: wait for a barrier"),
}

// ternary emits d = f(a, b, c) with operands of one type; missing ones are zero.
func (d *decoder) ternary(e elem, n int, f func(a, b, c uint64) uint64) {
	args := d.args(n + 1)
	in := inst{op: opALU, f: f, d: d.dst(args[0], e, false)}
	for i, to := range []*int32{&in.a, &in.b, &in.c} {
		if i < n {
			*to = d.src(args[i+1], e, false)
		}
	}
	d.emit(in)
}
