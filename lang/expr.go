package lang

import "github.com/alecthomas/participle/v2/lexer"

// The grammar of expressions, loosest first. term.go turns it into the tree
// that the builder walks.

// Expr is an expression.
type Expr struct {
	Pos    lexer.Position
	EndPos lexer.Position
	Where  *Where `parser:"  @@"`
	Or     *Or    `parser:"| @@"`
}

// Where chooses element by element.
type Where struct {
	Cond *Expr `parser:"'where' @@"`
	Then *Expr `parser:"'then' @@"`
	Else *Expr `parser:"'else' @@"`
}

// Or is a disjunction.
type Or struct {
	Pos    lexer.Position
	EndPos lexer.Position
	Terms  []*And `parser:"@@ ('or' @@)*"`
}

// And is a conjunction.
type And struct {
	Pos    lexer.Position
	EndPos lexer.Position
	Terms  []*Not `parser:"@@ ('and' @@)*"`
}

// Not is a negation or a comparison.
type Not struct {
	Pos    lexer.Position
	EndPos lexer.Position
	Not    bool     `parser:"@'not'?"`
	Cmp    *Compare `parser:"@@"`
}

// Compare is one comparison; comparisons do not chain.
type Compare struct {
	Pos    lexer.Position
	EndPos lexer.Position
	Left   *Sum   `parser:"@@"`
	Op     string `parser:"( @('==' | '!=' | '<=' | '>=' | '<' | '>')"`
	Right  *Sum   `parser:"  @@ )?"`
}

// Sum is + and -.
type Sum struct {
	Pos    lexer.Position
	EndPos lexer.Position
	Left   *Product `parser:"@@"`
	Rest   []*SumOp `parser:"@@*"`
}

// SumOp is one further term.
type SumOp struct {
	Op    string   `parser:"@('+' | '-')"`
	Right *Product `parser:"@@"`
}

// Product is * / div % @.
type Product struct {
	Pos    lexer.Position
	EndPos lexer.Position
	Left   *Unary       `parser:"@@"`
	Rest   []*ProductOp `parser:"@@*"`
}

// ProductOp is one further factor.
type ProductOp struct {
	Op    string `parser:"@('*' | '/' | 'div' | '%' | '@')"`
	Right *Unary `parser:"@@"`
}

// Unary is an optional sign and a power, which binds tighter: -x^2 is -(x^2).
type Unary struct {
	Pos    lexer.Position
	EndPos lexer.Position
	Neg    bool     `parser:"@'-'?"`
	Base   *Postfix `parser:"@@"`
	Exp    *Unary   `parser:"('^' @@)?"`
}

// Postfix is a primary with fields, calls and brackets.
type Postfix struct {
	Pos    lexer.Position
	EndPos lexer.Position
	Base   *Primary  `parser:"@@"`
	Ops    []*Suffix `parser:"@@*"`
}

// Suffix is one field, call or bracket.
type Suffix struct {
	Pos    lexer.Position
	EndPos lexer.Position
	Field  string    `parser:"  '.' @(Ident | Keyword)"`
	Call   *Args     `parser:"| @@"`
	Index  *Brackets `parser:"| @@"`
}

// Args are the arguments of a call.
type Args struct {
	Open string `parser:"@'('"`
	Args []*Arg `parser:"(@@ (',' @@)*)? ')'"`
}

// Arg is an argument by place or by name.
type Arg struct {
	Pos    lexer.Position
	EndPos lexer.Position
	Name   string `parser:"(@Ident ':')?"`
	Value  *Expr  `parser:"@@"`
}

// Brackets are indices, and the value outside.
type Brackets struct {
	Open    string   `parser:"@'['"`
	Indices []*Index `parser:"(@@ (',' @@)*)?"`
	Outside *Expr    `parser:"('|' @@)? ']'"`
}

// Index is one place of a bracket.
type Index struct {
	Pos    lexer.Position
	EndPos lexer.Position
	Rest   bool  `parser:"  @'..'"`
	New    bool  `parser:"| @'none'"`
	Colon  bool  `parser:"| ( @':'"`
	To     *Expr `parser:"    @@? )"`
	Expr   *Expr `parser:"| ( @@"`
	Slice  bool  `parser:"    ( @':'"`
	End    *Expr `parser:"      @@? )? )"`
}

// Primary is an operand.
type Primary struct {
	Pos    lexer.Position
	EndPos lexer.Position
	Reduce *Reduce  `parser:"  @@"`
	Number string   `parser:"| @Number"`
	String *string  `parser:"| @String"`
	Word   string   `parser:"| @('true' | 'false' | 'inf' | 'none')"`
	Name   string   `parser:"| @Ident"`
	Paren  *Expr    `parser:"| '(' @@ ')'"`
	List   *Listing `parser:"| @@"`
}

// Reduce is sum[i, j < n where c] body. The body is a product, so that
// `sum[i] x[i] * w[i] + b` adds b once.
type Reduce struct {
	Name   string   `parser:"@('sum' | 'prod' | 'max' | 'min' | 'mean' | 'any' | 'all' | 'argmax' | 'argmin' | 'logsumexp' | 'softmax' | 'log_softmax' | 'cumsum' | 'cumprod' | 'cummax' | 'cummin' | 'cumlogsumexp') '['"`
	Bounds []*Bound `parser:"@@ (',' @@)*"`
	Where  *Expr    `parser:"('where' @@)? ']'"`
	Body   *Product `parser:"@@"`
}

// Bound is an index that a reducer binds.
type Bound struct {
	Pos    lexer.Position
	EndPos lexer.Position
	Rest   bool   `parser:"  @'..'"`
	Name   string `parser:"| @Ident"`
	Below  *Sum   `parser:"  ('<' @@)?"`
}

// Listing is a list, or a comprehension: [e for n] or [e for i in n].
type Listing struct {
	Open  string  `parser:"@'['"`
	Items []*Expr `parser:"(@@ (',' @@)*)?"`
	For   []*Expr `parser:"('for' @@ (',' @@)*"`
	In    []*Expr `parser:"  ('in' @@ (',' @@)*)? )? ']'"`
}
