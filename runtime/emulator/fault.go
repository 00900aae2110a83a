package emulator

import (
	"fmt"
	"strings"
)

// Kind names what a kernel did wrong.
type Kind string

// The kinds of faults.
const (
	Race          Kind = "data race"
	Uninitialised Kind = "uninitialised read"
	Undefined     Kind = "undefined value"
	OutOfBounds   Kind = "out of bounds"
	Misaligned    Kind = "misaligned"
	InFlight      Kind = "copy in flight"
	Unfenced      Kind = "missing fence"
	Pending       Kind = "pending product"
	Divergence    Kind = "divergence"
	Deadlock      Kind = "deadlock"
	NoEnd         Kind = "no end"
	AbsentLane    Kind = "absent lane"
	BadBarrier    Kind = "bad barrier"
	BadOperand    Kind = "bad operand"
	ReadOnly      Kind = "write to read-only memory"
	Trapped       Kind = "trap"
)

// Place is an instruction: its line in the PTX text and, where the text has
// .loc directives, the line of the source that it was compiled from.
type Place struct {
	Line   int
	Source string
}

func (p Place) String() string {
	if p.Source == "" {
		return fmt.Sprintf("PTX line %d", p.Line)
	}
	return fmt.Sprintf("PTX line %d (%s)", p.Line, p.Source)
}

// Fault is the report of a kernel's first mistake.
type Fault struct {
	Kind   Kind
	Kernel string
	Place
	Block, Thread [3]int
	Text          string // what happened
	Other         *Place // the access that this one conflicts with
}

func (f *Fault) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s: kernel %s, block %s, thread %s: %s", f.Place, f.Kind, f.Kernel, triple(f.Block), triple(f.Thread), f.Text)
	if f.Other != nil {
		fmt.Fprintf(&b, "; the other access is at %s", *f.Other)
	}
	return b.String()
}

func triple(v [3]int) string { return fmt.Sprintf("(%d,%d,%d)", v[0], v[1], v[2]) }
