package schedule

import (
	"fmt"

	"mdlc/ir/loop"
)

// The kinds of opts. Axis names an axis, a value or a buffer.
const (
	Split    = "Split"    // Split p: the sums over p have partials and a second phase
	Pack     = "Pack"     // Pack v phase: v is computed into a buffer in a phase of its own; Pack v a: so, and the buffer is contiguous along axis a; Pack v a n: in panels of n indices of a, one of its axes; Pack v window n: with its margin, rows n elements longer; Pack v standing: with its margin, along columns that do not slide
	Apart    = "Apart"    // Apart j: what sums up axis j is a page of its own, before what does not
	Cut      = "Cut"      // Cut i n: blocks of n; word tight: the last block's inner axis is shorter
	Fuse     = "Fuse"     // Fuse i j: i and the faster j become one axis; Fuse i 64 j: of as many blocks of 64 as j has begun
	Chop     = "Chop"     // Chop z n: product z is the sum of products over n summands; word lanes: each lane adds up blocks of n
	Deal     = "Deal"     // Deal Y n: the rows of Y that a scatter adds to belong to n points
	Part     = "Part"     // Part k n: blocks of n of axis k, of which an operand of a product has only which one, are an axis
	Join     = "Join"     // Join i n: axis i is axis n, of the same extent
	Guard    = "Guard"    // Guard v: v, which is 0 outside of a window, is read under the window's condition
	Last     = "Last"     // Last c z: product z sums up axis c fastest
	Swap     = "Swap"     // Swap z: rows and columns of a dot exchanged
	Bind     = "Bind"     // Bind i par
	Order    = "Order"    // Order i n: the loop over i is the n-th of its page, outermost first
	Block    = "Block"    // Block i n: the page of outer axis i is part of that of n, which is the same axis
	Rounds   = "Rounds"   // Rounds i: the loop over i is one of launches: each turn launches all pages of the block, and what they pass on is in memory
	Finite   = "Finite"   // Finite z n: a page before looks whether operand n of product z has only finite numbers
	Beyond   = "Beyond"   // Beyond v j: sum v adds once what it adds up where column j is greater than its row
	Limit    = "Limit"    // Limit j n i: axis j ends with block i of n others
	Ends     = "Ends"     // Ends j n i: loops over blocks of columns j end with block i of n rows; a product goes on with what it multiplies beyond
	Begins   = "Begins"   // Begins t n j: loops over blocks of rows t begin with block j of n columns; a product begins with what it multiplies before
	Promote  = "Promote"  // Promote k z: what product z sums up in a turn of the loop over k is added up besides, in f32
	Descend  = "Descend"  // Descend i: the points of axis i come in descending order
	Taps     = "Taps"     // Taps m z: summed axis m of product z ends where a packed operand has only zeros from there on
	Unless   = "Unless"   // Unless j W: the limit of axis j does not hold where W is set
	Vec      = "Vec"      // Vec i n: the innermost n of i on lanes
	Spill    = "Spill"    // Spill v: a value needed in a later sweep is kept in a panel, not computed again; word apart: its sums are such a sweep
	Evict    = "Evict"    // Evict E: panel E is scratch memory with a place for each point
	Skew     = "Skew"     // Skew i: the last sweep in the loop over i runs within the dearest one of the next i
	Together = "Together" // Together i j: the points along i that a thread gets go through the loop over j together
	Stage    = "Stage"    // Stage v n: operand v of a product waits in n slots that the warps of a point share
	Bulk     = "Bulk"     // Bulk z: the slots of product z's operands are a ring that the hardware fills, box by box
	Roles    = "Roles"    // Roles z: four warps of their own fill the ring of product z, or those of all products of its page of scores, the others multiply
	Persist  = "Persist"  // Persist z n: n points make all tiles of product z, one after another
	Cluster  = "Cluster"  // Cluster z n: n neighbouring points make tiles of product z side by side, and share one of its operands
	Via      = "Via"      // Via z: the results of product z wait in shared memory for what is computed of them; word bulk: what is computed of them waits there until the hardware has stored it
	Stream   = "Stream"   // Stream Y: the stores to buffer Y go past the caches
	Prefetch = "Prefetch" // Prefetch X i: the dearest sweep in the loop over i fetches X where the next i reads it
	Follow   = "Follow"   // Follow X i: the product in the loop over i fetches what follows in X on what it reads, a share in each turn
	Mma      = "Mma"      // Mma z: the instruction row of a dot
)

const bulkWord = "bulk"

// The kinds of the steps split and axes.
var (
	splitting = []string{Split, Pack, Apart, Fuse, Join, Swap, Guard, Last, Part, Deal, Chop, Finite, Beyond}
	cutting   = []string{Cut, Bind, Limit, Taps, Unless, Promote}
)

func opt(kind, axis string, arg int, word string) loop.Opt {
	return loop.Opt{Kind: kind, Axis: axis, Arg: arg, Word: word}
}

// axisNamed finds an axis.
func axisNamed(k *loop.Kernel, name string) (*loop.Axis, error) {
	for _, a := range k.Axes {
		if a.Name == name {
			return a, nil
		}
	}
	return nil, fmt.Errorf("there is no axis %s", name)
}

// valueNamed finds a named value.
func valueNamed(k *loop.Kernel, name string) (*loop.Value, error) {
	var found *loop.Value
	walkBody(k.Body, func(v *loop.Value) {
		if v.Name == name {
			found = v
		}
	})
	if found == nil {
		return nil, fmt.Errorf("there is no value %s", name)
	}
	return found, nil
}

// applySplit applies an opt of the step split to k in place.
func applySplit(k *loop.Kernel, o loop.Opt) error {
	switch o.Kind {
	case Split, Apart, Fuse, Join, Part:
		a, err := axisNamed(k, o.Axis)
		if err != nil {
			return err
		}
		if o.Kind == Split {
			return splitSums(k, a)
		}
		if o.Kind == Apart {
			return partSums(k, a)
		}
		if o.Kind == Part {
			return part(k, a, o.Arg)
		}
		b, err := axisNamed(k, o.Word)
		if err != nil {
			return err
		}
		if o.Kind == Join {
			return join(k, a, b)
		}
		return fuse(k, a, b, max(o.Arg, 1))
	}
	switch o.Kind {
	case Deal:
		return deal(k, o.Axis, o.Arg)
	case Last:
		a, err := axisNamed(k, o.Axis)
		if err != nil {
			return err
		}
		d, err := valueNamed(k, o.Word)
		if err != nil {
			return err
		}
		return sumLast(d, a)
	}
	v, err := valueNamed(k, o.Axis)
	if err != nil {
		return err
	}
	if o.Kind == Pack {
		defer nameApart(k) // pages may have copies of one value now
	}
	switch {
	case o.Kind == Guard:
		return guardWindow(v)
	case o.Kind == Finite:
		return finiteOf(k, v, o.Arg)
	case o.Kind == Beyond:
		a, err := axisNamed(k, o.Word)
		if err != nil {
			return err
		}
		return addBeyond(k, v, a)
	case o.Kind == Chop:
		return chop(k, v, o.Arg, o.Word)
	case o.Kind == Swap && v.Op != loop.Dot:
		return fmt.Errorf("%s is no dot", o.Axis)
	case o.Kind == Swap:
		v.Args[0], v.Args[1] = v.Args[1], v.Args[0]
		return nil
	case o.Word == "window":
		w := windowOf(v)
		if w == nil {
			return fmt.Errorf("%s is no window", o.Axis)
		}
		return packWindow(k, v, w, o.Arg, nil)
	case o.Word == "standing":
		w, d := windowOf(v), dotOf(k, v)
		if w == nil || d == nil || w.standing(shapeOf(d).cols) == nil {
			return fmt.Errorf("%s is no window with columns", o.Axis)
		}
		return packWindow(k, v, w, 0, w.standing(shapeOf(d).cols))
	case o.Word == "phase":
		return packValue(k, v, nil)
	}
	a, err := axisNamed(k, o.Word)
	if err != nil {
		return err
	}
	if o.Arg == 0 {
		if !loop.Has(newDepends().value(v), a) {
			return fmt.Errorf("%s has no axis %s", o.Axis, a.Name)
		}
		return packValue(k, v, a)
	}
	d := dotReading(k, v)
	if d == nil {
		return fmt.Errorf("%s is no operand of a dot, nor what one is computed from", o.Axis)
	}
	s := shapeOf(d)
	if !loop.Has(newDepends().value(v), a) || loop.Has(s.over, a) {
		return fmt.Errorf("%s is no row or column of %s", a.Name, o.Axis)
	}
	return packPanels(k, v, s.over, a, o.Arg)
}

// applyAxes applies an opt of the step axes to k in place.
func applyAxes(k *loop.Kernel, o loop.Opt) error {
	a, err := axisNamed(k, o.Axis)
	if err != nil {
		return err
	}
	switch o.Kind {
	case Cut:
		return cut(k, a, o.Arg, o.Word == "tight")
	case Limit:
		outer, err := axisNamed(k, o.Word)
		if err != nil {
			return err
		}
		return limitAxis(a, outer, o.Arg)
	case Taps:
		return endTaps(k, a, o.Word)
	case Promote:
		return promote(k, a, o.Word)
	case Unless:
		for _, b := range k.Bufs {
			if b.Name == o.Word {
				return unless(a, b)
			}
		}
		return fmt.Errorf("there is no buffer %s", o.Word)
	}
	return bindAxis(a, o.Word)
}

// dotOf is the dot that has v as an operand.
func dotOf(k *loop.Kernel, v *loop.Value) *loop.Value {
	var found *loop.Value
	eachStmt(k.Body, func(_ loop.Stmt, vs []*loop.Value) {
		walk(vs, func(d *loop.Value) {
			if d.Op == loop.Dot && (d.Args[0] == v || d.Args[1] == v) {
				found = d
			}
		})
	})
	return found
}

// dotReading is a dot whose operands are v or computed from it.
func dotReading(k *loop.Kernel, v *loop.Value) *loop.Value {
	var found *loop.Value
	eachStmt(k.Body, func(_ loop.Stmt, vs []*loop.Value) {
		walk(vs, func(d *loop.Value) {
			if d.Op == loop.Dot {
				walk(d.Args[:2], func(x *loop.Value) {
					if x == v {
						found = d
					}
				})
			}
		})
	})
	return found
}

// dotShape sorts the axes of a product.
type dotShape struct{ batch, rows, cols, over []*loop.Axis }

// open is the shape without axes that are bound.
func (s dotShape) open() dotShape {
	return dotShape{openAxes(s.batch), openAxes(s.rows), openAxes(s.cols), openAxes(s.over)}
}

// last is the contracted axis that goes fastest.
func (s dotShape) last() *loop.Axis { return s.over[len(s.over)-1] }

func shapeOf(d *loop.Value) dotShape {
	deps := newDepends()
	a, b := deps.value(d.Args[0]), deps.value(d.Args[1])
	s := dotShape{over: deps.over(d)}
	for _, x := range a {
		switch {
		case loop.Has(s.over, x):
		case loop.Has(b, x):
			s.batch = append(s.batch, x)
		default:
			s.rows = append(s.rows, x)
		}
	}
	for _, x := range b {
		if !loop.Has(s.over, x) && !loop.Has(a, x) {
			s.cols = append(s.cols, x)
		}
	}
	return s
}
