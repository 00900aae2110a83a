package lang

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"mdlc/ir"
	"mdlc/ir/loop"
)

// precision is what a file says about how values are stored, where that is not what it computes in.
type precision struct {
	master  ir.Elem // of params; 0: nothing is said, or f32
	moments ir.Elem // of optimizers' states
	product Span    // what is said of products
	keep    []keepPattern
}

// keepPattern names params by their paths.
type keepPattern struct {
	text string
	at   Span
}

var precisionEntries = []string{"compute", "master", "moments", "product", "keep"}

// precision reads the entries of `precision`, and so finds what the file computes in.
func (b *builder) precision(f *File) {
	defer func() {
		b.float = loop.F32
		if b.opts.Float == loop.F64 || b.opts.Float == 0 && b.module.Compute == loop.F64 {
			b.float = loop.F64
		}
	}()
	seen := map[string]bool{}
	for _, it := range f.Items {
		if it.Precision == nil {
			continue
		}
		for _, bind := range it.Precision.Binds {
			b.guard(func() {
				at := Span{bind.Pos, bind.EndPos}
				if len(bind.Names) != 1 {
					b.fail(at, "an entry of `precision` has one name")
				}
				name := bind.Names[0]
				if seen[name] {
					b.fail(at, "`%s` is there twice", name)
				}
				seen[name] = true
				b.precisionEntry(name, bind.Value.term(), at)
			}, func() {})
		}
	}
	if c := b.module.Compute; b.module.Product == loop.BF16 && (c == loop.BF16 || c == loop.F16) {
		b.guard(func() {
			b.failHelp(b.stored.product, "leave out one of the two", "`product = bf16x3` is of products of f32, and `compute = %s` leaves none", c)
		}, func() {})
	}
}

func (b *builder) precisionEntry(name string, t Term, at Span) {
	switch name {
	case "compute":
		b.module.Compute = b.storage(name, t)
	case "master":
		b.stored.master = b.storage(name, t)
	case "moments":
		b.stored.moments = b.storage(name, t)
	case "product":
		b.module.Product, b.stored.product = b.productFloat(t), at
	case "keep":
		list, ok := t.(*ListTerm)
		at, items := t.Span(), []Term(nil)
		if ok {
			items = list.Items
		}
		for _, item := range items {
			var text Text
			if text, ok = b.eval(item).(Text); !ok {
				at = item.Span()
				break
			}
			b.stored.keep = append(b.stored.keep, keepPattern{string(text), item.Span()})
		}
		if !ok {
			b.failHelp(at, "`keep = [\"*.embed\"]`", "`keep` is a list of texts, the paths of params")
		}
	default:
		help := DidYouMean(name, precisionEntries)
		if help == "" {
			help = "its entries are " + strings.Join(precisionEntries, ", ")
		}
		b.failHelp(at, help, "`precision` has no entry `%s`", name)
	}
}

// storage reads the name of a float type: 0 for f32, which is what a file says that says nothing.
func (b *builder) storage(entry string, t Term) ir.Elem {
	types := []ir.Elem{loop.F32, loop.BF16, loop.F16}
	if entry == "compute" {
		types = append(types, loop.F64)
	}
	names := make([]string, len(types))
	for i, e := range types {
		names[i] = e.String()
		if n, ok := t.(*NameTerm); !ok || n.Name != names[i] {
			continue
		}
		if e == loop.F32 {
			return 0
		}
		return e
	}
	last := len(names) - 1
	b.fail(t.Span(), "`%s` is %s or %s, not %s", entry, strings.Join(names[:last], ", "), names[last], b.src.text(t.Span()))
	return 0
}

// products are the types of `product`. That of bf16x3 is three products of bf16.
var products = map[string]ir.Elem{"f8e4m3": loop.F8E4M3, "f8e5m2": loop.F8E5M2, "bf16x3": loop.BF16}

// productFloat reads the name of a type of products.
func (b *builder) productFloat(t Term) ir.Elem {
	n, ok := t.(*NameTerm)
	if !ok || products[n.Name] == 0 {
		b.failHelp(t.Span(), "`product = f8e4m3`, each row of an operand with a scale of its own; `product = bf16x3` makes those of f32 of three", "`product` is f8e4m3, f8e5m2 or bf16x3, not %s", b.src.text(t.Span()))
	}
	return products[n.Name]
}

// keepIn sets how a state is kept: arrays of f32 at the file's precision, what is declared
// otherwise as declared. A scalar may count, which 8 bits cannot.
func (b *builder) keepIn(s *stateDecl, e ir.Elem) {
	if s.typ.Elem == b.float && s.typ.Rank() > 0 && e.IsFloat() {
		s.typ.Elem = e
	}
}

// checkKeep finds the params that `keep` names, and wants every pattern to name one: it is misspelt else.
func (b *builder) checkKeep() {
	for _, k := range b.stored.keep {
		found := false
		for _, s := range b.states {
			ok, err := path.Match(k.text, s.name)
			if err != nil {
				b.diags = append(b.diags, b.diagnostic(k.at, "`*` stands for any text", "%s is no pattern", strconv.Quote(k.text)))
				found = true
				break
			}
			if ok && s.kind == ir.KindParam {
				found = true
				if b.module.Product != 0 && !slices.Contains(b.module.Keep, s.name) {
					b.module.Keep = append(b.module.Keep, s.name)
				}
			}
		}
		if !found {
			b.diags = append(b.diags, b.diagnostic(k.at, "a pattern is the whole path: `*` stands for any text in it", "no param has a path like %s", strconv.Quote(k.text)))
		}
	}
}
