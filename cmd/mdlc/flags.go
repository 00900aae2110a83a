package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"mdlc/lang"
	"mdlc/runtime"
)

// splitSampleFlags takes those flags of `mdlc run` and `mdlc bench` that mdlc does not know out
// of args: they are the parameters of a sample, which only the model file knows.
func splitSampleFlags(parser *kong.Kong, args []string) (rest []string, flags []runtime.FlagValue) {
	at := slices.IndexFunc(args, func(a string) bool { return !strings.HasPrefix(a, "-") })
	if at < 0 || args[at] != "run" && args[at] != "bench" {
		return args, nil
	}
	known := flagsOf(parser, args[at])
	for i := 0; i < len(args); i++ {
		a := args[i]
		name, value, given := strings.Cut(a, "=")
		switch {
		case a == "--":
			return append(rest, args[i:]...), flags
		case strings.HasPrefix(a, "--") && known[name] == nil:
			if !given && i+1 < len(args) && known[args[i+1]] == nil && !flagName.MatchString(args[i+1]) {
				i++
				value, given = args[i], true
			}
			bare := !given
			if bare {
				value = "true"
			}
			flags = append(flags, runtime.FlagValue{Name: strings.TrimPrefix(name, "--"), Value: value, Bare: bare})
		case known[name] != nil && !known[name].IsBool() && !given && i+1 < len(args) && negative.MatchString(args[i+1]):
			i++
			rest = append(rest, name+"="+args[i]) // a number is no flag
		default:
			rest = append(rest, a)
			if f := known[name]; f != nil && !f.IsBool() && !given && i+1 < len(args) {
				i++
				rest = append(rest, args[i])
			}
		}
	}
	return rest, flags
}

var (
	flagName = regexp.MustCompile(`^--[A-Za-z][\w-]*(=.*)?$`)
	negative = regexp.MustCompile(`^-[\d.]`)
)

// flagsOf are the flags of a command, --name and -n.
func flagsOf(parser *kong.Kong, command string) map[string]*kong.Flag {
	known := map[string]*kong.Flag{}
	for _, child := range parser.Model.Children {
		if child.Name != command {
			continue
		}
		for _, group := range child.AllFlags(false) {
			for _, f := range group {
				known["--"+f.Name] = f
				if f.Short != 0 {
					known["-"+string(f.Short)] = f
				}
			}
		}
	}
	return known
}

// helpFlag lets `mdlc` and `mdlc help [COMMAND]` print the help, as --help does; --version is a command, too.
func helpFlag(args []string) []string {
	switch {
	case len(args) == 0:
		return []string{"--help"}
	case args[0] == "--version":
		return append([]string{"version"}, args[1:]...)
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
	if letter, unknown := strings.CutPrefix(err.Error(), "unknown flag -"); unknown && letter[0] != '-' {
		return unknownLetter(parser, args, letter[:1])
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

// unknownLetter tells of a flag with one dash: a long one that lacks the other, or a letter that is none.
func unknownLetter(parser *kong.Kong, args []string, letter string) error {
	word, known := "-"+letter, flagsOf(parser, args[0])
	for _, a := range args {
		if name, _, _ := strings.Cut(a, "="); strings.HasPrefix(name, word) {
			word = name
			break
		}
	}
	var letters, long []string
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if strings.HasPrefix(name, "--") {
			long = append(long, name)
		} else {
			letters = append(letters, name)
		}
	}
	help := "those of one letter are " + strings.Join(letters, ", ")
	if near := lang.DidYouMean("-"+word, long); near != "" && len(word) > 2 {
		help = near
	} else if args[0] == "run" {
		help += fmt.Sprintf("; a parameter of a sample has two dashes: `-%s`", word)
	}
	return &usageError{fmt.Sprintf("unknown flag %s: %s", word, help)}
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
