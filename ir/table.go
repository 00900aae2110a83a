package ir

import "sort"

var table = map[string]*Op{}

// define adds a row to the op table. Rows are made in init functions, because
// gradients refer to other rows.
func define(op *Op) *Op {
	if table[op.Name] != nil {
		panic("ir: op " + op.Name + " is defined twice")
	}
	table[op.Name] = op
	return op
}

// Lookup finds an op by name; nil: there is none.
func Lookup(name string) *Op { return table[name] }

// Ops is the op table, by name.
func Ops() []*Op {
	ops := make([]*Op, 0, len(table))
	for _, op := range table {
		ops = append(ops, op)
	}
	sort.Slice(ops, func(i, j int) bool { return ops[i].Name < ops[j].Name })
	return ops
}

// Rows that passes know by what they are.
var (
	OpParam, OpConst, OpIota     *Op
	OpIndex, OpScatter           *Op
	OpReduce, OpDot, OpGroupDot  *Op
	OpBits, OpArgSort, OpTopK    *Op
	OpDigit, OpBucket            *Op
	OpSolve, OpCholesky          *Op
	OpLogAbsDet, OpDetSign       *Op
	OpLoop, OpGet, OpGrad        *Op
	OpCluster, OpPin             *Op
	OpCast, OpStop, OpWhere      *Op
	OpAdd, OpSub, OpMul, OpDiv   *Op
	OpNeg, OpAnd, OpOr, OpNot    *Op
	OpEq, OpNe, OpLt, OpLe       *Op
	OpGt, OpGe, OpMin, OpMax     *Op
	OpIDiv, OpMod, OpPow, OpSqrt *Op
)
