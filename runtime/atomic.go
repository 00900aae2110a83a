package runtime

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// WriteAtomically writes path so that at every moment it holds either what it held
// before or all of the new. temp is the name, in the same folder, that the file has
// meanwhile. An error says why path could not be written.
func WriteAtomically(path, temp string, write func(w io.Writer) error) (err error) {
	out, err := os.Create(temp)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	w := bufio.NewWriterSize(out, 1<<20)
	err = write(w)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = out.Sync()
	}
	if e := out.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		_ = os.Remove(temp)
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return syncDir(filepath.Dir(path))
}

// replaceFile is WriteAtomically in a folder where nobody else writes path.
func replaceFile(path string, write func(w io.Writer) error) error {
	return WriteAtomically(path, path+".new", write)
}

// replaceText replaces the content of path.
func replaceText(path string, text []byte) error {
	return replaceFile(path, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}

// syncDir makes a rename in dir last through a power failure.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// ReadFile reads a whole file. More than the memory there is would end the process: it is an error.
func ReadFile(path string) ([]byte, error) {
	info, err := fileInfo(path)
	if err != nil {
		return nil, err
	}
	if have, ok := availableMemory(); ok && info.Size() > have {
		return nil, fmt.Errorf("%s is %s and %s of memory are available", path, byteSize(info.Size()), byteSize(have))
	}
	return os.ReadFile(path)
}

// openFile opens a file to read parts of it, and tells how many bytes it has.
func openFile(path string) (*os.File, int64, error) {
	if _, err := fileInfo(path); err != nil {
		return nil, 0, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat() // path may be another file by now
	if err != nil {
		_ = f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// fileInfo is that of a file. A pipe may never end and a device does not: both are errors, and so is a folder.
func fileInfo(path string) (os.FileInfo, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%s is a folder, not a file", path)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is a pipe or a device, not a file", path)
	}
	return info, nil
}
