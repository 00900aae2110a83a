package main

import (
	"fmt"
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

// helpFlag lets `mdlc` and `mdlc help [COMMAND]` print the help, as --help does.
func helpFlag(args []string) []string {
	switch {
	case len(args) == 0:
		return []string{"--help"}
	case args[0] == "help":
		return append(slices.Clone(args[1:]), "--help")
	}
	return args
}

// withRemedy adds to a mistake in the command line what was probably meant.
func withRemedy(parser *kong.Kong, args []string, err error) error {
	if flag, rest, _ := strings.Cut(err.Error(), ":"); strings.HasSuffix(rest, "(<EOL>)") || strings.HasPrefix(rest, " missing value") {
		return &usageError{flag + ": its value is missing"}
	}
	word, unexpected := strings.CutPrefix(err.Error(), "unexpected argument ")
	if !unexpected || strings.Contains(word, "did you mean") {
		return err
	}
	help := ""
	switch {
	case word != args[0]:
		help = repeatedFlag(args, word)
	case strings.HasSuffix(word, ".mdl"):
		help = fmt.Sprintf("`mdlc run %s` runs a model", word)
	case slices.Contains(verbs, word):
		help = fmt.Sprintf("`mdlc run FILE %s`", word)
	default:
		var commands []string
		for _, c := range parser.Model.Children {
			commands = append(commands, c.Name)
		}
		help = "the commands are " + strings.Join(commands, ", ")
	}
	if help == "" {
		return err
	}
	return &usageError{err.Error() + ": " + help}
}

// repeatedFlag tells that each KEY=VALUE wants its flag: `--set a=1 b=2`.
func repeatedFlag(args []string, word string) string {
	at := slices.Index(args, word)
	for ; at > 0 && strings.Contains(args[at], "="); at-- {
		if flag := args[at-1]; flag == "--set" || flag == "--data" {
			return fmt.Sprintf("each has a flag of its own: `%s %s %s %s`", flag, args[at], flag, word)
		}
	}
	return ""
}
