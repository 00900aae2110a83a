package ir

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"mdlc/ir/index"
)

// Plan is a graph as a static program: its launches in order and the place of
// every buffer. Pass plan makes it.
type Plan struct {
	Graph   *Graph
	Bufs    []*PlanBuf
	Code    []PlanInstr
	Settled int       // so many of Code, the first, need not run again until states change
	Results []PlanRef // of Graph.Results, in order
	Peak    int       // bytes of the arena
	Kept    int       // bytes of what lasts from run to run
}

// PlanHome says where a buffer of a plan lives.
type PlanHome uint8

const (
	PlanArena PlanHome = iota
	PlanState          // the memory of the state Name
	PlanInput          // filled from outside
	PlanSym            // i64[]: the symbol Name of the graph or of a loop around
	PlanTable          // a constant table
	PlanKept           // what is settled left, in memory of the graph's own
)

// PlanBuf is a buffer. A buffer of the arena is live from position First to
// position Last of the plan, both included, and owns bytes Offset to Offset+Bytes; one that is kept is always live.
type PlanBuf struct {
	Name        string
	Elem        Elem
	Dims        []int // capacities; a buffer of several slots has the slots first
	Home        PlanHome
	Node        *Node // PlanInput: the parameter; PlanTable: the constant
	Offset      int
	Bytes       int
	First, Last int
}

// PlanRef is a place in a buffer: a byte offset that may depend on the turns of
// the loops around.
type PlanRef struct {
	Buf    int
	Offset *index.Expr // nil: 0
}

// NoBuf is the Buf of a result that nobody needs: it is not stored.
const NoBuf = -1

// PlanInstr is a launch or a loop: one is set.
type PlanInstr struct {
	Launch *PlanLaunch
	Loop   *PlanLoop
}

// PlanLaunch runs the kernel of Node: a cluster, or an op on its own. Node nil is
// a copy of a value of type Type.
type PlanLaunch struct {
	Pos     int // in the order of execution
	Scope   *Scope
	Node    *Node
	Type    Type
	Args    []PlanRef // of Node's arguments; of a copy: the source
	Results []PlanRef // of Node's results; of a copy: the destination
	InPlace []int     // for each result the argument whose memory it takes over, or -1
}

// PlanLoop runs Code Count times.
type PlanLoop struct {
	Pos, End int // positions of the start and the end
	Node     *Node
	Turn     string // symbol that counts the turns made so far
	Count    *index.Expr
	While    *PlanRef // a bool, looked at before each turn; nil: all turns are made
	Made     string   // While: the symbol that the turns made are, once the loop ends
	Over     []int    // While: the buffers in which a turn writes over what the one before it left
	Syms     []Sym    // defined anew each turn: the turn as the region sees it, and what the region defines
	Code     []PlanInstr
}

// String prints the plan: buffers with their places and lifetimes, and the launches.
func (p *Plan) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "plan %s: arena %d bytes\n", p.Graph.Name, p.Peak)
	if p.Settled > 0 {
		fmt.Fprintf(&s, "  settled: %d, kept %d bytes\n", p.Settled, p.Kept)
	}
	for i, b := range p.Bufs {
		fmt.Fprintf(&s, "  %%%d %s: %s%s ", i, b.Name, b.Elem, intsText(b.Dims))
		switch b.Home {
		case PlanArena:
			fmt.Fprintf(&s, "at %d..%d live %d..%d\n", b.Offset, b.Offset+b.Bytes, b.First, b.Last)
		case PlanState:
			s.WriteString("state\n")
		case PlanInput:
			s.WriteString(b.Node.Attr.(ParamAttr).Kind.String() + "\n")
		case PlanSym:
			s.WriteString("symbol\n")
		case PlanTable:
			s.WriteString("table\n")
		case PlanKept:
			fmt.Fprintf(&s, "kept at %d..%d\n", b.Offset, b.Offset+b.Bytes)
		}
	}
	p.printCode(&s, p.Code, "  ")
	for i, r := range p.Graph.Results {
		fmt.Fprintf(&s, "  %s %s = %s\n", r.Kind, r.Name, p.ref(p.Results[i]))
	}
	return s.String()
}

func (p *Plan) printCode(s *strings.Builder, code []PlanInstr, indent string) {
	for _, in := range code {
		if l := in.Loop; l != nil {
			fmt.Fprintf(s, "%s%d for %s in 0..%s", indent, l.Pos, l.Turn, l.Count)
			if l.While != nil {
				fmt.Fprintf(s, " while %s, made %s", p.ref(*l.While), l.Made)
				for _, b := range l.Over {
					fmt.Fprintf(s, ", over %%%d", b)
				}
			}
			for _, y := range l.Syms {
				fmt.Fprintf(s, ", %s = %s", y.Name, y.Def)
			}
			s.WriteString(" {\n")
			p.printCode(s, l.Code, indent+"  ")
			fmt.Fprintf(s, "%s%d }\n", indent, l.End)
			continue
		}
		l := in.Launch
		fmt.Fprintf(s, "%s%d %s = %s(%s)", indent, l.Pos, p.refs(l.Results), l.Title(), p.refs(l.Args))
		for r, a := range l.InPlace {
			if a >= 0 {
				fmt.Fprintf(s, " [%d in place of %d]", r, a)
			}
		}
		s.WriteString("\n")
	}
}

func (p *Plan) refs(refs []PlanRef) string {
	parts := make([]string, len(refs))
	for i, r := range refs {
		parts[i] = p.ref(r)
	}
	return strings.Join(parts, ", ")
}

func (p *Plan) ref(r PlanRef) string {
	if r.Buf == NoBuf {
		return "_"
	}
	s := fmt.Sprintf("%%%d", r.Buf)
	if r.Offset != nil && !r.Offset.IsConst(0) {
		s += "[" + r.Offset.String() + "]"
	}
	return s
}

// Title is a short name of what l computes: the telling ops and the source line.
func (l *PlanLaunch) Title() string {
	if l.Node == nil {
		return "copy"
	}
	return l.Node.Title()
}

// Label names a value for people: its name, or that of the op that computes it in a cluster.
func (n *Node) Label() string {
	if n.Name != "" {
		return n.Name
	}
	if n.Op == OpGet {
		tuple, i := n.Args[0], n.Attr.(GetAttr).I
		if tuple.Op == OpCluster {
			return tuple.Regions[0].Results[i].Value.Label()
		}
		return tuple.Op.Name + strconv.Itoa(i)
	}
	if r, ok := n.Attr.(ReduceAttr); ok {
		return r.Kind.String()
	}
	return n.Op.Name
}

// Title names a kernel of the node: its three most telling ops and the line.
func (n *Node) Title() string {
	nodes := []*Node{n}
	if len(n.Regions) > 0 {
		nodes = slices.DeleteFunc(n.Regions[0].Nodes(), func(x *Node) bool { return x.Op == OpParam })
	}
	slices.SortStableFunc(nodes, func(a, b *Node) int { return cmp.Compare(b.telling(), a.telling()) })
	var words []string
	for _, x := range nodes {
		if len(words) > 0 && x.telling() < 0 {
			break
		}
		w := x.Op.Name
		if r, ok := x.Attr.(ReduceAttr); ok {
			w = r.Kind.String()
		}
		if len(words) < 3 && !slices.Contains(words, w) {
			words = append(words, w)
		}
	}
	title := strings.Join(append(words, "copy")[:max(1, len(words))], "_")
	if n.Pos.Line > 0 {
		title += fmt.Sprintf("_%d", n.Pos.Line)
	}
	return title
}

// telling ranks ops by how much they say about a kernel.
func (n *Node) telling() float64 {
	switch n.Op.Class {
	case ClassDot, ClassReduce, ClassScatter, ClassOther:
		return math.Inf(1)
	case ClassElementwise:
		return n.Op.Cost(n)
	}
	return -1
}
