package main

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"mdlc/runtime"
)

// splitSampleFlags takes those flags of `mdlc run` that mdlc does not know out
// of args: they are the parameters of a sample, which only the model file knows.
func splitSampleFlags(parser *kong.Kong, args []string) (rest []string, flags []runtime.FlagValue) {
	at := slices.IndexFunc(args, func(a string) bool { return !strings.HasPrefix(a, "-") })
	if at < 0 || args[at] != "run" {
		return args, nil
	}
	takesValue := map[string]bool{}
	known := map[string]bool{}
	for _, child := range parser.Model.Children {
		if child.Name != "run" {
			continue
		}
		for _, group := range child.AllFlags(false) {
			for _, f := range group {
				known["--"+f.Name], takesValue["--"+f.Name] = true, !f.IsBool()
				if f.Short != 0 {
					known["-"+string(f.Short)], takesValue["-"+string(f.Short)] = true, !f.IsBool()
				}
			}
		}
	}
	for i := 0; i < len(args); i++ {
		a := args[i]
		name, value, given := strings.Cut(a, "=")
		switch {
		case a == "--":
			return append(rest, args[i:]...), flags
		case strings.HasPrefix(a, "--") && !known[name]:
			if !given && i+1 < len(args) {
				i++
				value, given = args[i], true
			}
			if !given {
				value = "true"
			}
			flags = append(flags, runtime.FlagValue{Name: strings.TrimPrefix(name, "--"), Value: value})
		default:
			rest = append(rest, a)
			if takesValue[name] && !given && i+1 < len(args) {
				i++
				rest = append(rest, args[i])
			}
		}
	}
	return rest, flags
}
