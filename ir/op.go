package ir

import "mdlc/ir/loop"

// Op is a row of the op table: everything that the compiler knows of an op.
type Op struct {
	Name  string
	Arity int // number of arguments; -1: any
	Doc   string

	// Infer gives the result type, or an error in terms of shapes. Arguments,
	// attribute and regions are set; s holds the symbols that the node sees.
	Infer func(s *Scope, n *Node) (Type, error)

	// Grad gives the cotangent of each argument (nil: none flows) for the
	// cotangent dy of the result. NoGrad says why there is none. One is set.
	Grad   func(b *Builder, n *Node, dy *Node) []*Node
	NoGrad string

	// Lower gives the value of the result at idx (one index per axis of the result) in a
	// kernel. nil for ops that are not part of kernels (param, loop, cluster, grad).
	Lower func(c *LowerCtx, n *Node, idx []*loop.Value) *loop.Value

	// Expand rewrites the node into other ops, for ops that kernels do not know (sorting).
	Expand func(b *Builder, n *Node) (*Node, error)

	// Cost is the work of one result element, in units of one multiplication,
	// for fusion. 0: free (movement).
	Cost func(n *Node) float64

	// Eval is the reference: float64 (integers and bools exactly).
	Eval func(e *Evaluator, n *Node, args []*Tensor) *Tensor

	// ParseAttr reads back what Attr.Text printed; nil: no attribute.
	ParseAttr func(p *AttrParser) (Attr, error)

	Class   Class
	Builtin bool // callable by name from mdl (element-wise functions)
}

// Class tells passes what an op is without naming it.
type Class uint8

const (
	ClassOther       Class = iota
	ClassElementwise       // result[i] depends on args[i] only
	ClassMovement          // index
	ClassReduce            // reduce
	ClassDot               // dot
	ClassScatter           // scatter, bucket: elements go where data say
	ClassLeaf              // const, iota, param: no arguments
	ClassControl           // loop, cluster, grad, get
)

// Access reads a value of the graph in a kernel: its element at idx.
type Access func(idx []*loop.Value) *loop.Value

// LowerCtx is what an op's Lower sees of the kernel being built.
type LowerCtx struct {
	B    *loop.Builder
	Args []Access // one for each argument
	// Axis gives an open axis of the kernel for dimension dim of argument arg of
	// the node being lowered: the reductions' and dots' way to bring an axis.
	Axis func(arg, dim int) *loop.Axis
	// Len gives a symbol of the graph as an i64 value.
	Len func(name string) *loop.Value
	// Words gives constants in memory, u32, to kernels that should be one kernel
	// although they differ in them. nil: there is no memory for them.
	Words func(name string, words ...uint32) []*loop.Value
	// Scope is the symbols that the node sees.
	Scope *Scope
	// Guard (nil: always) is where the value being lowered is needed: reads of
	// memory made by an Access happen only where it holds. Index sets it around the reads that
	// may lead outside.
	Guard *loop.Value
}
