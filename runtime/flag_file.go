package runtime

import (
	"errors"
	"fmt"
	"io/fs"

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
	have, room, length := file.rows*file.width, product(buf.Dims), 0
	outer, inner := product(buf.Dims[:f.Axis]), product(buf.Dims[f.Axis+1:])
	if in.Len != "" {
		if length = have / max(outer*inner, 1); length > buf.Dims[f.Axis] {
			return flagError("--%s %s has a length of %d; %s takes %d", f.Name, path, length, e.title(), buf.Dims[f.Axis])
		}
		room = outer * inner * length
		e.block.setLength(in.Len, length)
	} else {
		outer, inner, length = 1, room, 1
	}
	if have != room || len(buf.Dims) > 0 && f.Axis == 0 && file.width != product(buf.Dims[1:]) {
		takes := typeText(buf.Elem, buf.Dims)
		if longest := buf.Dims[f.Axis]; in.Len != "" {
			takes += fmt.Sprintf(", in place of %d any length below it", longest)
		}
		return flagError("--%s %s holds %d rows of %d numbers; %s takes %s", f.Name, path, file.rows, file.width, e.title(), takes)
	}
	step := inner * max(length, buf.Dims[f.Axis])
	if in.Len == "" {
		step = inner
	}
	for i := range have {
		at := i/max(inner*length, 1)*step + i%max(inner*length, 1)
		writeElem(buf.Elem, mem, at, file.number(file.data, i))
	}
	return nil
}
