package lang

import "github.com/alecthomas/participle/v2/lexer"

// A Term is an expression without the grammar's ladder of levels: what the builder walks.
type Term interface{ Span() Span }

type place struct{ span Span }

func (p *place) Span() Span { return p.span }

func at(pos, end lexer.Position) place { return place{Span{pos, end}} }

type (
	// NumberTerm is a literal.
	NumberTerm struct {
		place
		Text string
	}
	// TextTerm is a text, unquoted.
	TextTerm struct {
		place
		Quoted string
	}
	// WordTerm is true, false, inf or none.
	WordTerm struct {
		place
		Word string
	}
	// NameTerm is a name.
	NameTerm struct {
		place
		Name string
	}
	// BinaryTerm is an operator between two terms, comparisons, `and` and `or` among them.
	BinaryTerm struct {
		place
		Op   string
		L, R Term
	}
	// UnaryTerm is `-` or `not`.
	UnaryTerm struct {
		place
		Op string
		X  Term
	}
	// WhereTerm chooses.
	WhereTerm struct {
		place
		Cond, Then, Else Term
	}
	// FieldTerm is x.name.
	FieldTerm struct {
		place
		X    Term
		Name string
	}
	// CallTerm is f(args).
	CallTerm struct {
		place
		Fn   Term
		Args []ArgTerm
	}
	// ArgTerm is one argument.
	ArgTerm struct {
		Name  string
		Value Term
		Span  Span
	}
	// IndexTerm is x[indices | outside].
	IndexTerm struct {
		place
		X       Term
		Indices []Subscript
		Outside Term
	}
	// Subscript is one place of a bracket: exactly one of Rest, New, Slice or At.
	Subscript struct {
		Rest, New bool
		Slice     bool
		From, To  Term // Slice; either may be nil
		At        Term
		Span      Span
	}
	// ReduceTerm is sum[i where c] body.
	ReduceTerm struct {
		place
		Name   string
		Bounds []BoundTerm
		Where  Term
		Body   Term
	}
	// BoundTerm is an index that a reducer binds.
	BoundTerm struct {
		Rest  bool
		Name  string
		Below Term
		Span  Span
	}
	// ListTerm is a list or a comprehension: with Counts alone [e for n], with Names [e for i in n].
	ListTerm struct {
		place
		Items  []Term
		Names  []Term
		Counts []Term
	}
)

func (e *Expr) term() Term {
	if e.Where != nil {
		w := e.Where
		return &WhereTerm{at(e.Pos, e.EndPos), w.Cond.term(), w.Then.term(), w.Else.term()}
	}
	return e.Or.term()
}

func (e *Or) term() Term {
	t := e.Terms[0].term()
	for _, r := range e.Terms[1:] {
		t = &BinaryTerm{at(e.Pos, r.EndPos), "or", t, r.term()}
	}
	return t
}

func (e *And) term() Term {
	t := e.Terms[0].term()
	for _, r := range e.Terms[1:] {
		t = &BinaryTerm{at(e.Pos, r.EndPos), "and", t, r.term()}
	}
	return t
}

func (e *Not) term() Term {
	if e.Not {
		return &UnaryTerm{at(e.Pos, e.EndPos), "not", e.Cmp.term()}
	}
	return e.Cmp.term()
}

func (e *Compare) term() Term {
	if e.Right == nil {
		return e.Left.term()
	}
	return &BinaryTerm{at(e.Pos, e.EndPos), e.Op, e.Left.term(), e.Right.term()}
}

func (e *Sum) term() Term {
	t := e.Left.term()
	for _, r := range e.Rest {
		t = &BinaryTerm{at(e.Pos, r.Right.EndPos), r.Op, t, r.Right.term()}
	}
	return t
}

func (e *Product) term() Term {
	t := e.Left.term()
	for _, r := range e.Rest {
		t = &BinaryTerm{at(e.Pos, r.Right.EndPos), r.Op, t, r.Right.term()}
	}
	return t
}

func (e *Unary) term() Term {
	t := e.Base.term()
	if e.Exp != nil {
		t = &BinaryTerm{at(e.Base.Pos, e.EndPos), "^", t, e.Exp.term()}
	}
	if e.Neg {
		t = &UnaryTerm{at(e.Pos, e.EndPos), "-", t}
	}
	return t
}

func (e *Postfix) term() Term {
	t := e.Base.term()
	for _, op := range e.Ops {
		where := at(e.Pos, op.EndPos)
		switch {
		case op.Call != nil:
			call := &CallTerm{where, t, nil}
			for _, a := range op.Call.Args {
				call.Args = append(call.Args, ArgTerm{a.Name, a.Value.term(), Span{a.Pos, a.EndPos}})
			}
			t = call
		case op.Index != nil:
			t = op.Index.term(where, t)
		default:
			t = &FieldTerm{where, t, op.Field}
		}
	}
	return t
}

func (e *Brackets) term(where place, x Term) Term {
	t := &IndexTerm{place: where, X: x, Outside: optional(e.Outside)}
	for _, i := range e.Indices {
		s := Subscript{Rest: i.Rest, New: i.New, Span: Span{i.Pos, i.EndPos}}
		switch {
		case i.Colon:
			s.Slice, s.To = true, optional(i.To)
		case i.Slice:
			s.Slice, s.From, s.To = true, i.Expr.term(), optional(i.End)
		case i.Expr != nil:
			s.At = i.Expr.term()
		}
		t.Indices = append(t.Indices, s)
	}
	return t
}

func optional(e *Expr) Term {
	if e == nil {
		return nil
	}
	return e.term()
}

func (e *Primary) term() Term {
	where := at(e.Pos, e.EndPos)
	switch {
	case e.Reduce != nil:
		return e.Reduce.term(where)
	case e.Number != "":
		return &NumberTerm{where, e.Number}
	case e.String != nil:
		return &TextTerm{where, *e.String}
	case e.Word != "":
		return &WordTerm{where, e.Word}
	case e.Paren != nil:
		return e.Paren.term()
	case e.List != nil:
		l := &ListTerm{place: where}
		l.Items = terms(e.List.Items)
		l.Counts = terms(e.List.For)
		if e.List.In != nil {
			l.Names, l.Counts = l.Counts, terms(e.List.In)
		}
		return l
	}
	return &NameTerm{where, e.Name}
}

func terms(es []*Expr) []Term {
	var out []Term
	for _, e := range es {
		out = append(out, e.term())
	}
	return out
}

func (e *Reduce) term(where place) Term {
	r := &ReduceTerm{place: where, Name: e.Name, Where: optional(e.Where), Body: e.Body.term()}
	for _, b := range e.Bounds {
		bound := BoundTerm{Rest: b.Rest, Name: b.Name, Span: Span{b.Pos, b.EndPos}}
		if b.Below != nil {
			bound.Below = b.Below.term()
		}
		r.Bounds = append(r.Bounds, bound)
	}
	return r
}
