package loop

// reserved reports whether name is a word of the text form, so that no axis,
// buffer or value may have it.
func reserved(name string) bool {
	if words[name] {
		return true
	}
	if _, err := ParseElem(name); err == nil {
		return true
	}
	_, op := opNames[name]
	_, bracket := bracketNames[name]
	return op || bracket
}

var words = map[string]bool{
	"kernel": true, "axis": true, "local": true, "in": true, "out": true, "inout": true, "work": true, "panel": true,
	"for": true, "carry": true, "yield": true, "if": true, "phase": true, "sched": true, "guarded": true, "strides": true,
	"inf": true, "nan": true, "true": true, "false": true,
	"par": true, "loop": true, "unroll": true, "grid": true, "cluster": true, "reg": true, "lane": true,
	"ring": true, "role": true, "fill": true, "take": true, "free": true, "settle": true, "sync": true, "turn": true, "layout": true,
}
