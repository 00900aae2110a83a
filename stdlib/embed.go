// Package stdlib is the standard library of mdl, written in mdl.
package stdlib

import "embed"

//go:embed *.mdl models/*.mdl
var files embed.FS

// Prelude are the files whose names are in scope everywhere, in order.
var Prelude = []string{"math", "dist", "loss"}

// Library gives the source of the library file `name`, as in `use name`.
func Library(name string) ([]byte, bool) {
	src, err := files.ReadFile(name + ".mdl")
	return src, err == nil
}

// Model gives the source of the model file `name`.
func Model(name string) ([]byte, bool) {
	src, err := files.ReadFile("models/" + name + ".mdl")
	return src, err == nil
}

// Names lists the library files, for messages.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic("stdlib: the embedded files cannot be listed: " + err.Error())
	}
	var out []string
	for _, e := range entries {
		if name, ok := cutMdl(e.Name()); ok {
			out = append(out, name)
		}
	}
	return out
}

func cutMdl(name string) (string, bool) {
	if len(name) > 4 && name[len(name)-4:] == ".mdl" {
		return name[:len(name)-4], true
	}
	return "", false
}
