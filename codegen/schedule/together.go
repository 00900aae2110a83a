package schedule

import "mdlc/ir/loop"

// Points go through a loop together (opt Together) where that is all that they do:
//
//	for j0 { for each point i0 { … acc[i0,i1] … } }
//
// instead of the whole loop for each. So what the points of a thread read in a turn lies side by side. Each has sums of its own in the panel, so
// the order makes no difference, and the kernel IR, in which points are apart, says nothing of it.

// TogetherIn is the loop through which the points of a page that a thread gets go together, as opt Together says: it is the page; nil where
// there is none.
func TogetherIn(k *loop.Kernel, page []loop.Stmt) *loop.For {
	if len(page) != 1 {
		return nil
	}
	f, ok := page[0].(*loop.For)
	if !ok || len(f.Carry) > 0 {
		return nil
	}
	for _, o := range k.Opts {
		if o.Kind == Together && o.Word == f.Axis.Name {
			return f
		}
	}
	return nil
}
