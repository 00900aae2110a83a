// Package lang is the front end: it parses model files, runs them at compile
// time and gives what they mean as an ir.Module, or says in the language's own
// words what is wrong with them.
//
// The road of a file: lex.go and grammar.go (the syntax tree), parse.go (syntax
// mistakes), term.go (expressions as the builder walks them), build.go (files
// and names), entry.go (train, eval and sample), init.go, every.go, each.go and report.go (what they consist of). Values are either known to the
// compiler or tensors, nodes of the graph being built (value.go, frame.go). Index notation is
// in index.go, access.go, ranges.go and reduce.go.
package lang

import "github.com/alecthomas/participle/v2/lexer"

// The structs of this file are the grammar of the language and its syntax
// tree: each carries its rule. Line breaks are white space, because no
// statement starts with an operator or a bracket and no expression is continued by a word that
// starts a statement. A branch needs one token of lookahead.

// File is one .mdl file.
type File struct {
	Items []*Item `parser:"@@*"`
}

// Item is a declaration at file level.
type Item struct {
	Pos       lexer.Position
	EndPos    lexer.Position
	Use       *Use     `parser:"  @@"`
	Config    *Entries `parser:"| 'config' @@"`
	Precision *Entries `parser:"| 'precision' @@"`
	Data      *Data    `parser:"| @@"`
	Unit      *Unit    `parser:"| @@"`
	Fn        *Fn      `parser:"| @@"`
	State     *State   `parser:"| @@"`
	Train     *Train   `parser:"| @@"`
	Sample    *Sample  `parser:"| @@"`
	Eval      *Eval    `parser:"| @@"`
	Bind      *Bind    `parser:"| @@"`
}

// Use imports library files by name and neighbours by path.
type Use struct {
	Names []*UseName `parser:"'use' @@ (',' @@)*"`
}

// UseName is one imported file.
type UseName struct {
	Pos    lexer.Position
	EndPos lexer.Position
	Name   string `parser:"( @Ident"`
	Path   string `parser:"| @String )"`
	As     string `parser:"('as' @Ident)?"`
}

// Entries are the bindings of config and precision.
type Entries struct {
	Binds []*Bind `parser:"'{' @@* '}'"`
}

// Data declares a data source.
type Data struct {
	Pos    lexer.Position
	EndPos lexer.Position
	Name   string `parser:"'data' @Ident"`
	Value  *Expr  `parser:"'=' @@"`
}

// Unit is a module, an optimizer or a distribution.
type Unit struct {
	Pos     lexer.Position
	EndPos  lexer.Position
	Kind    string    `parser:"@('module' | 'optimizer' | 'distribution')"`
	Name    string    `parser:"@Ident"`
	Params  []*Param  `parser:"('(' (@@ (',' @@)*)? ')')?"`
	Members []*Member `parser:"'{' @@* '}'"`
}

// Member is a declaration in a unit.
type Member struct {
	Pos    lexer.Position
	EndPos lexer.Position
	State  *State    `parser:"  @@"`
	Fn     *Fn       `parser:"| @@"`
	If     *MemberIf `parser:"| @@"`
	Bind   *Bind     `parser:"| @@"`
}

// MemberIf chooses members when the instance is made.
type MemberIf struct {
	Cond *Expr     `parser:"'if' @@"`
	Then []*Member `parser:"'{' @@* '}'"`
	Else []*Member `parser:"('else' '{' @@* '}')?"`
}

// State declares a param or a state.
type State struct {
	Pos    lexer.Position
	EndPos lexer.Position
	Kind   string `parser:"@('param' | 'state')"`
	Name   string `parser:"@Ident ':'"`
	Type   *Type  `parser:"@@"`
	Op     string `parser:"@('~' | '=')"`
	Init   *Expr  `parser:"@@"`
}

// Bind names a value in config, a file or a unit.
type Bind struct {
	Pos    lexer.Position
	EndPos lexer.Position
	Names  []string `parser:"@Ident (',' @Ident)*"`
	Type   *Type    `parser:"(':' @@)?"`
	Value  *Expr    `parser:"'=' @@"`
}

// Fn is a function; in a unit the unnamed one is the unit's call.
type Fn struct {
	Pos    lexer.Position
	EndPos lexer.Position
	Name   string   `parser:"'fn' @Ident?"`
	Params []*Param `parser:"'(' (@@ (',' @@)*)? ')'"`
	Result *Type    `parser:"('->' @@)?"`
	Expr   *Expr    `parser:"( '=' @@"`
	Body   *Block   `parser:"| @@ )"`
}

// Param is a parameter of a function, unit or sample.
type Param struct {
	Pos     lexer.Position
	EndPos  lexer.Position
	Name    string `parser:"@Ident"`
	Type    *Type  `parser:"(':' @@)?"`
	Default *Expr  `parser:"('=' @@)?"`
}

// Train is a training stage.
type Train struct {
	Pos    lexer.Position
	EndPos lexer.Position
	Name   string `parser:"'train' @Ident?"`
	Steps  *Expr  `parser:"('for' @@)?"`
	Body   *Block `parser:"@@"`
}

// Sample is a run of the model that shows something.
type Sample struct {
	Pos    lexer.Position
	EndPos lexer.Position
	Name   string   `parser:"'sample' @Ident"`
	Params []*Param `parser:"('(' (@@ (',' @@)*)? ')')?"`
	Body   *Block   `parser:"@@"`
}

// Eval is a pass through held-out data.
type Eval struct {
	Pos    lexer.Position
	EndPos lexer.Position
	Name   string `parser:"'eval' @Ident"`
	Body   *Block `parser:"@@"`
}

// Type is the type of a value: an element with dimensions, a setting, or a tuple.
type Type struct {
	Pos    lexer.Position
	EndPos lexer.Position
	Tuple  []*Type `parser:"  '(' @@ (',' @@)* ')'"`
	Name   string  `parser:"| ( @Ident | @('module' | 'fn') )"`
	Array  bool    `parser:"  ( @'['"`
	Dims   []*Dim  `parser:"    (@@ (',' @@)*)? ']' )?"`
}

// Dim is one dimension of a type.
type Dim struct {
	Pos    lexer.Position
	EndPos lexer.Position
	Rest   bool   `parser:"  @'..'"`
	Ragged string `parser:"| '~' @Ident"`
	Size   *Sum   `parser:"| @@"`
}

// Block is a sequence of statements.
type Block struct {
	Pos    lexer.Position
	EndPos lexer.Position
	Stmts  []*Stmt `parser:"'{' @@* '}'"`
}

// Stmt is a statement: exactly one field is set.
type Stmt struct {
	Pos      lexer.Position
	EndPos   lexer.Position
	Return   *Return   `parser:"  @@"`
	If       *If       `parser:"| @@"`
	For      *For      `parser:"| @@"`
	Repeat   *Repeat   `parser:"| @@"`
	While    *While    `parser:"| @@"`
	Every    *Every    `parser:"| @@"`
	Each     *Each     `parser:"| @@"`
	Minimize *Minimize `parser:"| @@"`
	Report   *Report   `parser:"| @@"`
	Show     *Show     `parser:"| @@"`
	Eval     string    `parser:"| 'eval' @Ident"`
	Generate *Generate `parser:"| @@"`
	Assign   *Assign   `parser:"| @@"`
}

// Return leaves a function. With Def, Values[0] names the result's axes.
type Return struct {
	Values []*Expr `parser:"'return' @@ (',' @@)*"`
	Def    *Expr   `parser:"('=' @@)?"`
}

// If is a conditional statement.
type If struct {
	Cond   *Expr  `parser:"'if' @@"`
	Then   *Block `parser:"@@"`
	ElseIf *If    `parser:"('else' ( @@"`
	Else   *Block `parser:"| @@ ))?"`
}

// For is a loop over counts, ranges and lists, in step.
type For struct {
	Names []string `parser:"'for' @Ident (',' @Ident)*"`
	In    []*Expr  `parser:"'in' @@ (',' @@)*"`
	Body  *Block   `parser:"@@"`
}

// Repeat is a for without a name.
type Repeat struct {
	Count *Expr  `parser:"'repeat' @@"`
	Body  *Block `parser:"@@"`
}

// While is a loop until a scalar is false.
type While struct {
	Cond *Expr  `parser:"'while' @@"`
	Body *Block `parser:"@@"`
}

// Every runs at the end of every Nth step.
type Every struct {
	Count *Expr  `parser:"'every' @@"`
	Body  *Block `parser:"@@"`
}

// Each takes the next batch.
type Each struct {
	Vars []*Typed `parser:"'each' @@ (',' @@)*"`
	From *Expr    `parser:"'from' @@"`
}

// Typed is a name with its type.
type Typed struct {
	Pos    lexer.Position
	EndPos lexer.Position
	Name   string `parser:"@Ident ':'"`
	Type   *Type  `parser:"@@"`
}

// Minimize updates parameters.
type Minimize struct {
	Loss   *Expr   `parser:"'minimize' @@"`
	Over   []*Expr `parser:"'over' @@ (',' @@)*"`
	Except []*Expr `parser:"('except' @@ (',' @@)*)?"`
	With   *Expr   `parser:"'with' @@"`
}

// Report records scalars.
type Report struct {
	Items []*ReportItem `parser:"'report' @@ (',' @@)*"`
}

// ReportItem is one recorded value.
type ReportItem struct {
	Pos    lexer.Position
	EndPos lexer.Position
	Name   string `parser:"(@Ident '=')?"`
	Value  *Expr  `parser:"@@"`
}

// Show writes a value for people.
type Show struct {
	Value *Expr  `parser:"'show' @@"`
	As    string `parser:"('as' @Ident)?"`
}

// Generate draws a sequence element by element.
type Generate struct {
	Var   *Typed `parser:"'generate' @@"`
	From  *Expr  `parser:"'from' @@"`
	Count *Expr  `parser:"'for' @@"`
	Until *Expr  `parser:"('until' @@)?"`
	Body  *Block `parser:"@@"`
}

// Assign is `=`, `<-`, `~`, or, with no Op, a call for its effect.
type Assign struct {
	Targets []*Postfix `parser:"@@ (',' @@)*"`
	Type    *Type      `parser:"(':' @@)?"`
	Op      string     `parser:"( @('=' | '<-' | '~')"`
	Values  []*Expr    `parser:"  @@ (',' @@)* )?"`
}
