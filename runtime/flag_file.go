package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"mdlc/runtime/program"
)

// setArray fills a flag that is an array from a .npy file. The axis whose length the
// program leaves open takes what the file has.
func (e *entry) setArray(in *program.Input, f *program.Flag, path string) error {
	if path == "" {
		return &FlagError{Missing: true, text: fmt.Sprintf("%s needs --%s FILE.npy", e.title(), f.Name)}
	}
	file, err := readNpy(path, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return flagError("--%s %s: there is no such file; --%s takes the path of a .npy file, as `numpy.save` writes one", f.Name, path, f.Name)
	}
	if err != nil {
		return flagError("--%s: %v", f.Name, err)
	}
	buf, mem := &e.block.Bufs[in.Buf], e.block.bufs[in.Buf].host
	have := file.rows * file.width
	if in.Len != "" {
		length := file.rows
		if f.Axis > 0 {
			e.block.setLength(in.Len, buf.Dims[f.Axis])
			length = have / max(product(e.block.sizes(buf, in.Lens))/buf.Dims[f.Axis], 1)
		}
		if length > buf.Dims[f.Axis] {
			return flagError("--%s %s has a length of %d; %s takes %d", f.Name, path, length, e.title(), buf.Dims[f.Axis])
		}
		e.block.setLength(in.Len, length)
	}
	dims := e.block.sizes(buf, in.Lens)
	if have != product(dims) || file.rows != dims[0] {
		return flagError("--%s %s holds %d rows of %d numbers; %s takes %s", f.Name, path, file.rows, file.width, e.title(), e.takes(in, f, dims))
	}
	for i := range have {
		writeElem(buf.Elem, mem, placed(i, dims, buf.Dims), file.number(file.data, i))
	}
	return nil
}

// takes says what an array of some sizes is to be, and which lengths are those of flags before it.
func (e *entry) takes(in *program.Input, f *program.Flag, dims []int) string {
	dims = slices.Clone(dims)
	var known []string
	for i, n := range in.Lens {
		switch {
		case n == nil:
		case in.Len != "" && i == f.Axis:
			dims[i] = e.block.Bufs[in.Buf].Dims[i]
			known = append(known, fmt.Sprintf("%d may be less", dims[i]))
		default:
			from := ""
			n.Vars(func(name string) {
				for _, other := range e.block.Inputs {
					if other.Len == name {
						from = other.Name
					}
				}
			})
			known = append(known, fmt.Sprintf("%d is the length of --%s", dims[i], from))
		}
	}
	text := typeText(e.block.Bufs[in.Buf].Elem, dims)
	if len(known) > 0 {
		text += ", where " + strings.Join(known, " and ")
	}
	return text
}

// placed is where element i of an array of sizes dims is in a buffer that has room for sizes room.
func placed(i int, dims, room []int) int {
	at, step := 0, 1
	for k := len(dims) - 1; k >= 0; k-- {
		at += i % dims[k] * step
		i /= dims[k]
		step *= room[k]
	}
	return at
}
