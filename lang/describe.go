package lang

import (
	"reflect"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"

	"mdlc/ir"
)

// A Description is what a file declares, for people.
type Description struct {
	Comment  string // at the top of the file
	Settings []ir.Setting
	Items    []Described
}

// Described is one declaration: of a file, or of a unit.
type Described struct {
	Kind      string // module, optimizer, distribution, fn, param, state, data, train, eval, sample, or "" for a value
	Name      string
	Signature string // its head in one line
	Comment   string // right above it, or behind its head
	Members   []Described
	Instances []Sized // of a module of the described file
}

// Sized is an instance of a module with its params, those of its submodules among them.
type Sized struct {
	Path   string
	Count  int // how many there are, in lists of equal ones
	Params []SizedParam
}

// SizedParam is a param of an instance: its path below the instance, the type of one, and how many one instance has.
type SizedParam struct {
	Path  string
	Type  ir.Type
	Count int
}

// Size is the number of values of all params of one instance.
func (s Sized) Size() int {
	n := 0
	for _, p := range s.Params {
		n += p.Count * p.Type.Size()
	}
	return n
}

// Describe reads the declarations off a file.
func Describe(name string, src []byte) (*Description, []Diagnostic) {
	src = withoutMark(src)
	file, ds := Parse(name, src)
	if file == nil {
		return nil, ds
	}
	h := newHeads(file, name, string(src))
	d := &Description{Comment: h.top()}
	for _, it := range file.Items {
		d.Items = append(d.Items, h.item(it)...)
	}
	return d, nil
}

// DescribeModel reads the declarations off a model file and sizes the instances of its modules.
func DescribeModel(name string, src []byte, opts Options) (*Description, []Diagnostic) {
	src = withoutMark(src)
	c := newCore(name, src, opts)
	m := c.run(name, src)
	ds := finish(c.diags, c.src)
	if HasErrors(ds) {
		return nil, ds
	}
	d, _ := Describe(name, src)
	d.Settings = m.Settings
	found := map[string][]Sized{}
	seen := map[*Instance]bool{}
	for _, n := range c.top.order {
		c.size(c.top.vars[n], 1, seen, found)
	}
	for i, it := range d.Items {
		if it.Kind == "module" {
			d.Items[i].Instances = found[it.Name]
		}
	}
	return d, ds
}

// size finds the instances in a value and gives the params of all of them. An instance that is shared counts once.
func (c *core) size(v Value, count int, seen map[*Instance]bool, found map[string][]Sized) []SizedParam {
	switch v := v.(type) {
	case InstanceRef:
		return c.sizeInstance(v.Instance, count, seen, found)
	case StackedList:
		params := c.sizeInstance(v.Proto, count*v.Level.n, seen, found)
		for i := range params {
			params[i].Count *= v.Level.n
		}
		return params
	case List:
		var out []SizedParam
		for _, x := range v.Items {
			out = append(out, c.size(x, count, seen, found)...)
		}
		return out
	}
	return nil
}

func (c *core) sizeInstance(m *Instance, count int, seen map[*Instance]bool, found map[string][]Sized) []SizedParam {
	if seen[m] {
		return nil
	}
	seen[m] = true
	var full []SizedParam // with whole paths
	for _, n := range m.Scope.order {
		if s, ok := m.Scope.vars[n].(StateRef); ok && s.State.kind == ir.KindParam {
			full = append(full, SizedParam{s.State.name, s.State.typ, 1})
			continue
		}
		full = append(full, c.size(m.Scope.vars[n], count, seen, found)...)
	}
	s := Sized{Path: m.Path, Count: count}
	for _, p := range full {
		p.Path = strings.TrimPrefix(p.Path, m.Path+".")
		s.Params = append(s.Params, p)
	}
	if m.Unit.Scope == c.top {
		found[m.Unit.Decl.Name] = append(found[m.Unit.Decl.Name], s)
	}
	return full
}

// heads reads signatures and comments off a file.
type heads struct {
	pieces []piece // comments among them
	code   []piece // without comments
	index  map[int]int
}

func newHeads(file *File, name, text string) *heads {
	h := &heads{pieces: layoutPieces(name, text), index: map[int]int{}}
	starts := map[int]bool{}
	statementStarts(reflect.ValueOf(file), starts)
	for _, p := range h.pieces {
		if !p.comment() {
			p.starts = starts[p.Pos.Offset]
			h.index[p.Pos.Offset] = len(h.code)
			h.code = append(h.code, p)
		}
	}
	matchBrackets(h.code)
	return h
}

// top is the comment that a file starts with.
func (h *heads) top() string {
	var lines []string
	for i, p := range h.pieces {
		if !p.comment() || i > 0 && p.breaks > 1 {
			break
		}
		lines = append(lines, commentText(p))
	}
	return strings.Join(lines, "\n")
}

func commentText(p piece) string {
	return strings.TrimPrefix(strings.TrimPrefix(p.Value, "//"), " ")
}

// head is the declaration that starts at a place, up to its body, or whole where it has none.
func (h *heads) head(at lexer.Position, kind, name string, body bool) Described {
	first := h.index[at.Offset]
	var b strings.Builder
	last := first
	for i := first; i < len(h.code); i++ {
		p := h.code[i]
		if depth := h.depth(first, i); depth < 0 || depth == 0 && i > first && (p.starts || body && p.is("{", "=")) {
			break
		}
		if i > first && spaced(h.code, i) {
			b.WriteByte(' ')
		}
		b.WriteString(p.Value)
		last = i
	}
	return Described{Kind: kind, Name: name, Signature: b.String(), Comment: h.comment(at.Offset, h.code[last].Pos.Offset)}
}

// depth counts the brackets that are open before piece i, from first on; -1: more were closed.
func (h *heads) depth(first, i int) int {
	n := 0
	for _, p := range h.code[first:i] {
		switch {
		case p.is("(", "[", "{"):
			n++
		case p.is(")", "]", "}"):
			n--
		}
	}
	if h.code[i].is("}") {
		n--
	}
	return n
}

// comment is what stands right above a declaration, or behind the line in which its head ends.
func (h *heads) comment(first, last int) string {
	var above []string
	for _, p := range h.pieces {
		switch {
		case p.Pos.Offset == first:
			if len(above) > 0 && p.breaks == 1 {
				return strings.Join(above, "\n")
			}
		case p.Pos.Offset > last && p.breaks > 0:
			return ""
		case p.Pos.Offset > last && p.comment():
			return commentText(p)
		case p.comment() && p.breaks > 0:
			if p.breaks > 1 {
				above = nil
			}
			above = append(above, commentText(p))
		default:
			above = nil
		}
	}
	return ""
}

// item describes an item of a file.
func (h *heads) item(it *Item) []Described {
	switch {
	case it.Unit != nil:
		d := h.head(it.Pos, it.Unit.Kind, it.Unit.Name, true)
		d.Members = h.members(it.Unit.Members)
		return []Described{d}
	case it.Fn != nil:
		return []Described{h.head(it.Pos, "fn", it.Fn.Name, true)}
	case it.State != nil:
		return []Described{h.head(it.Pos, it.State.Kind, it.State.Name, false)}
	case it.Data != nil:
		return []Described{h.head(it.Pos, "data", it.Data.Name, false)}
	case it.Bind != nil:
		return []Described{h.head(it.Pos, "", strings.Join(it.Bind.Names, ", "), false)}
	case it.Train != nil:
		return []Described{h.head(it.Pos, "train", it.Train.Name, true)}
	case it.Eval != nil:
		return []Described{h.head(it.Pos, "eval", it.Eval.Name, true)}
	case it.Sample != nil:
		return []Described{h.head(it.Pos, "sample", it.Sample.Name, true)}
	}
	return nil
}

// members describes what a unit declares; of a condition, what stands in it.
func (h *heads) members(ms []*Member) []Described {
	var out []Described
	for _, m := range ms {
		switch {
		case m.State != nil:
			out = append(out, h.head(m.Pos, m.State.Kind, m.State.Name, false))
		case m.Fn != nil:
			out = append(out, h.head(m.Pos, "fn", m.Fn.Name, true))
		case m.Bind != nil:
			out = append(out, h.head(m.Pos, "", strings.Join(m.Bind.Names, ", "), false))
		case m.If != nil:
			out = append(append(out, h.members(m.If.Then)...), h.members(m.If.Else)...)
		}
	}
	return out
}
