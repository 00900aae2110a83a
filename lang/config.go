package lang

import (
	"fmt"
	"slices"
	"strings"

	"mdlc/ir"
)

// Settings is the names of the entries of config.
func (f *File) Settings() (names []string) {
	for _, it := range f.Items {
		if it.Config == nil {
			continue
		}
		for _, bind := range it.Config.Binds {
			names = append(names, bind.Names...)
		}
	}
	return names
}

// config evaluates the entries of config, with those that the command line sets.
func (b *builder) config(f *File) {
	set := map[string]string{}
	for _, s := range slices.Concat(b.opts.Past, b.opts.Set) {
		set[s.Name] = s.Value
	}
	var names []string
	for _, it := range f.Items {
		if it.Config == nil {
			continue
		}
		for _, bind := range it.Config.Binds {
			b.guard(func() { names = append(names, b.configEntry(bind, set)) }, func() { b.poison(b.sc, bind.Names) })
		}
	}
	for _, s := range b.opts.Set {
		if _, home := b.sc.find(s.Name); home != b.sc {
			help := DidYouMean(s.Name, names)
			if help == "" && len(names) > 0 {
				help = "the settings are " + strings.Join(names, ", ")
			}
			b.diags = append(b.diags, Diagnostic{Message: fmt.Sprintf("--set %s=%s: %s has no setting `%s`", s.Name, s.Value, b.path, s.Name), Help: help})
		}
	}
}

func (b *builder) configEntry(bind *Bind, set map[string]string) string {
	at := Span{bind.Pos, bind.EndPos}
	if len(bind.Names) != 1 {
		b.fail(at, "a setting has one name")
	}
	name := bind.Names[0]
	if _, home := b.sc.find(name); home == b.sc {
		b.fail(at, "the setting `%s` is there twice", name)
	}
	v := b.eval(bind.Value.term())
	if text, ok := set[name]; ok {
		v = b.setting("--set "+name+"="+text, text, v)
	}
	switch v.(type) {
	case Num, Bool, Text, List:
	default:
		b.fail(at, "the setting `%s` is %s: a setting is a number, a truth value, a text or a list", name, describe(v))
	}
	b.sc.define(name, v)
	b.module.Settings = append(b.module.Settings, ir.Setting{Name: name, Value: settingText(v)})
	return name
}

func settingText(v Value) string {
	switch v := v.(type) {
	case Text:
		return string(v)
	case List:
		parts := make([]string, len(v.Items))
		for i, x := range v.Items {
			parts[i] = settingText(x)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return describe(v)
}

// setting reads the value of a flag, of the kind of the value in the file.
func (b *builder) setting(flag, text string, old Value) Value {
	if _, ok := old.(Text); ok {
		return Text(text)
	}
	expr, err := exprParser().ParseString(flag, text)
	if err == nil {
		var v Value
		b.src[flag] = text
		wrong := len(b.diags)
		b.guard(func() { v = b.eval(expr.term()) }, func() { b.diags = b.diags[:wrong] })
		if fmt.Sprintf("%T", v) == fmt.Sprintf("%T", old) {
			return v
		}
	}
	panic(mistake{Diagnostic{Message: fmt.Sprintf("%s: the setting is %s like %s", flag, old.what(), settingText(old))}})
}
