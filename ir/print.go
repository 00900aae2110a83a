package ir

import (
	"fmt"
	"strconv"
	"strings"
)

// The text form. Values are numbered in the order that they are printed, in each
// graph anew. A line of a node ends in its name and its position, where it has them.
//
//	graph  = "graph" name "{" { sym } { param } { node } { result } "}"
//	sym    = "sym" name "<=" int [ "=" expr ]
//	param  = value "=" "param" kind name type tail          kind = value state feed step seed flag valueof
//	node   = value "=" op { value "," } attr { region } [ ":" type ] tail     no type: const, iota
//	region = "{" { sym } { param } { node } { result } "}"
//	result = kind [ name ] [ "as" name ] [ "axis" int "of" "[" dim "]" ] value [ pos ]      kind = value state report show kept bound finite
//	value  = "%" int [ "@" generation ]
//	tail   = [ string ] [ pos ]                             pos = "@" file ":" line ":" column [ "from" string ]
//	type   = elem "[" { expr [ "<=" int ] "," } "]" | "(" { type "," } ")"
//	name   = a word, or a string
//	attr   = type ( number | "{" { number "," } "}" )                             const
//	       | dims "axis" int                                                      iota
//	       | elem                                                                 cast
//	       | "{(" { "i0" "," } ")" "->" "(" { expr "," } ")}" dims [ "outside" number ]    index, scatter
//	       | kind "[" { int "," } "]"                                             reduce
//	       | "{" labels "," labels "->" labels "}"                                dot
//	       | string dims                                                          bits
//	       | int                                                                  get, top_k
//	       | "count" "(" expr ")" "carry" int "xs" int [ "reverse" ] [ "turn" name ]       loop
//	       | name                                                                 cluster, solve
//
// print_module.go has the module around graphs. `//` starts a comment.

// String is the text form of the graph.
func (g *Graph) String() string {
	p := &printer{}
	p.graph(g)
	return p.b.String()
}

// bare is the text of a graph without names and positions: its meaning.
func (g *Graph) bare() string {
	p := &printer{bare: true}
	p.body(g)
	return p.b.String()
}

type printer struct {
	b     strings.Builder
	depth int
	bare  bool // no names, positions, types
}

func (p *printer) line(format string, args ...any) {
	for range p.depth {
		p.b.WriteString("  ")
	}
	fmt.Fprintf(&p.b, format, args...)
}

func (p *printer) graph(g *Graph) {
	p.line("graph %s {\n", quoteName(g.Name))
	p.block(g)
	p.line("}\n")
}

func (p *printer) block(g *Graph) {
	p.depth++
	p.body(g)
	p.depth--
}

func (p *printer) body(g *Graph) {
	for _, y := range g.Syms {
		p.line("sym %s <= %d", quoteName(y.Name), y.Max)
		if y.Def != nil {
			p.b.WriteString(" = " + y.Def.String())
		}
		p.b.WriteByte('\n')
	}
	names := map[*Node]string{}
	number := func(n *Node) {
		name := "%" + strconv.Itoa(len(names))
		if n.Gen != 0 {
			name += "@" + strconv.Itoa(n.Gen)
		}
		names[n] = name
	}
	for _, n := range g.Params {
		number(n)
		p.line("%s = param %s%s\n", names[n], n.Attr.Text(), p.tail(n))
	}
	for _, n := range g.Nodes() {
		if names[n] != "" {
			continue
		}
		number(n)
		p.node(n, names)
	}
	for _, r := range g.Results {
		p.line("%s", r.Kind)
		if r.Name != "" {
			p.b.WriteString(" " + quoteName(r.Name))
		}
		if r.As != "" {
			p.b.WriteString(" as " + quoteName(r.As))
		}
		if r.Decode != "" {
			p.b.WriteString(" decode " + quoteName(r.Decode))
		}
		if r.Kind == ResultBound {
			fmt.Fprintf(&p.b, " axis %d of %s", r.Axis, dimsText([]Dim{r.Bound}))
		}
		p.b.WriteString(" " + names[r.Value])
		if !p.bare {
			p.b.WriteString(posText(r.Pos))
		}
		p.b.WriteByte('\n')
	}
}

func (p *printer) node(n *Node, names map[*Node]string) {
	p.line("")
	p.b.WriteString(names[n] + " = " + n.Op.Name)
	for i, a := range n.Args {
		if i > 0 {
			p.b.WriteByte(',')
		}
		p.b.WriteString(" " + names[a])
	}
	if n.Attr != nil {
		p.b.WriteString(" " + n.Attr.Text())
	}
	for _, r := range n.Regions {
		p.b.WriteString(" {\n")
		p.block(r)
		p.line("}")
	}
	if !p.bare && n.Op.Class != ClassLeaf {
		p.b.WriteString(" : " + n.Type.String())
	}
	p.b.WriteString(p.tail(n) + "\n")
}

func (p *printer) tail(n *Node) string {
	if p.bare {
		return ""
	}
	s := ""
	if n.Name != "" && n.Name != paramName(n) {
		s = " " + strconv.Quote(n.Name)
	}
	return s + posText(n.Pos)
}

// paramName is the name that a parameter has by itself.
func paramName(n *Node) string {
	if a, ok := n.Attr.(ParamAttr); ok {
		return a.Name
	}
	return ""
}

func posText(p Pos) string {
	if p == (Pos{}) {
		return ""
	}
	s := fmt.Sprintf(" @%s:%d:%d", quoteName(p.File), p.Line, p.Col)
	if p.From != "" {
		s += " from " + strconv.Quote(p.From)
	}
	return s
}

// quoteName prints a name: plain words as they are.
func quoteName(s string) string {
	if s == "" || s == "as" || s == "axis" || strings.Contains(s, "//") {
		return strconv.Quote(s)
	}
	for i := range len(s) {
		if !wordByte(s[i]) {
			return strconv.Quote(s)
		}
	}
	return s
}

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_.#/$-", c) >= 0
}
