// Package index holds integer expressions over named variables: the maps of
// the graph op `index`, runtime lengths, loop counts and buffer offsets.
package index

// Op is the operation of an Expr.
type Op uint8

const (
	Const Op = iota
	Var
	Add
	Mul
	Div // floored
	Mod // floored
	Min
	Max
)

// Expr is an immutable integer expression. Build it with the constructors,
// which keep it in canonical form, so that Equal is structural.
type Expr struct {
	Op   Op
	K    int    // Const
	Name string // Var
	Args []*Expr
}
