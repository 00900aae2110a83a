package lang

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"mdlc/stdlib"
)

// Files that a model uses: the prelude, the library, and those beside it.

// prelude is the scope of builtins and of the files that need no `use`.
func (c *core) prelude() *scope {
	if c.libraries[""] == nil {
		s := builtins()
		c.libraries[""] = s
		for _, name := range stdlib.Prelude {
			src, _ := stdlib.Library(name)
			c.load(libraryFolder+name+".mdl", src, s)
		}
	}
	return c.libraries[""]
}

// load declares what a library file declares in s.
func (c *core) load(name string, src []byte, s *scope) {
	c.src[name] = string(src)
	parsed, ds := c.parsed(name, src)
	if parsed == nil {
		c.diags = append(c.diags, ds...)
		panic(silent{})
	}
	(&builder{core: c, sc: s}).declarations(parsed, false)
}

// parsing is what Parse gave.
type parsing struct {
	file  *File
	diags []Diagnostic
}

// libraryFiles are the files of the library that this process has parsed or is parsing, by name: functions
// that wait for a parsing. Nobody changes a syntax tree.
var libraryFiles sync.Map

// parseAhead starts to parse the library files that f will need.
func (c *core) parseAhead(f *File) {
	names := append([]string{}, stdlib.Prelude...)
	for _, it := range f.Items {
		if it.Use != nil {
			for _, u := range it.Use.Names {
				names = append(names, u.Name)
			}
		}
	}
	for _, n := range names {
		src, ok := stdlib.Library(n)
		if !ok {
			continue
		}
		name := libraryFolder + n + ".mdl"
		parse := sync.OnceValue(func() parsing {
			file, diags := Parse(name, src)
			return parsing{file, diags}
		})
		if _, begun := libraryFiles.LoadOrStore(name, parse); !begun {
			go parse()
		}
	}
}

func (c *core) parsed(name string, src []byte) (*File, []Diagnostic) {
	if parse, ok := libraryFiles.Load(name); ok {
		p := parse.(func() parsing)()
		return p.file, p.diags
	}
	return Parse(name, src)
}

func (c *core) use(u *UseName) *scope {
	at := Span{u.Pos, u.EndPos}
	if u.Path != "" {
		return c.useFile(u, at)
	}
	src, ok := stdlib.Library(u.Name)
	if !ok {
		c.failHelp(at, DidYouMean(u.Name, stdlib.Names()), "the library has no file `%s`", u.Name)
	}
	return c.library(libraryFolder+u.Name+".mdl", src)
}

func (c *core) library(name string, src []byte) *scope {
	if s := c.libraries[name]; s != nil {
		return s
	}
	s := newScope(c.prelude(), libraryScope)
	c.libraries[name] = s
	c.load(name, src, s)
	return s
}

func (c *core) useFile(u *UseName, at Span) *scope {
	if u.As == "" {
		c.failHelp(at, "`use \"blocks.mdl\" as blocks`", "a file that is used by path needs a name")
	}
	path, err := strconv.Unquote(u.Path)
	if err != nil {
		c.fail(at, "this path cannot be read as text")
	}
	full := filepath.Join(filepath.Dir(at.Pos.Filename), path)
	read := c.opts.ReadFile
	if read == nil {
		read = os.ReadFile
	}
	if s, ok := c.libraries[full]; ok {
		if s == nil {
			c.fail(at, "%s uses itself", path)
		}
		return s
	}
	src, err := read(full)
	if err != nil {
		var named *fs.PathError // says the path again
		if errors.As(err, &named) {
			err = named.Err
		}
		c.fail(at, "%s cannot be read: %v", full, err)
	}
	c.libraries[full] = nil
	return c.libraryFile(full, src)
}

func (c *core) libraryFile(full string, src []byte) *scope {
	s := newScope(c.prelude(), libraryScope)
	c.load(full, withoutMark(src), s)
	c.libraries[full] = s
	return s
}
