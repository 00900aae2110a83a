package runtime

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"image"
	_ "image/jpeg" // image.Decode reads JPEG
	_ "image/png"  // and PNG
	"io/fs"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/image/draw"

	"mdlc/ir/loop"
)

// picture is a file of a folder of pictures.
type picture struct {
	path  string
	order uint64 // pictures are mixed by a hash of their paths, so that a split has some of each folder
	part  string
	class string // the folder that it lies in, or ""
}

// mostPixels bounds a picture: a small file can claim to be a very large one.
const mostPixels = 1 << 27

// openImages reads the PNG and JPEG files below a folder, each cut to its middle square and scaled to Size. Folders
// train, valid and test make the parts; the folders in them, or in path, are the labels, numbered by name from 0.
func (s *source) openImages(path string) error {
	all, err := findPictures(path)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return fmt.Errorf("%s has no .png or .jpeg files", path)
	}
	each := 3 * s.Size * s.Size
	if have, ok := availableMemory(); s.Size > 1<<14 || ok && int64(each)*int64(len(all)) > have {
		return fmt.Errorf("%d pictures of %d x %d in colour are more than the memory that is available holds: a smaller size would fit", len(all), s.Size, s.Size)
	}
	if err := s.nameFolders(all); err != nil {
		return err
	}
	parts := map[string]*split{}
	for _, part := range append([]string{""}, splitNames...) {
		var files []picture
		for _, p := range all {
			if p.part == part {
				files = append(files, p)
			}
		}
		if files == nil {
			continue
		}
		if parts[part], err = s.readPictures(files); err != nil {
			return err
		}
	}
	return s.setParts(parts)
}

// nameFolders makes labels of the folders, unless some pictures lie in none.
func (s *source) nameFolders(all []picture) error {
	var names []string
	for _, p := range all {
		names = append(names, p.class)
	}
	classes := classesOf(names)
	if len(classes) > 1<<15 || slices.Contains(classes, "") {
		return nil
	}
	s.setClasses(classes)
	for _, p := range all {
		if err := s.checkLabel(p.class); err != nil {
			return fmt.Errorf("%s: %w", p.path, err)
		}
	}
	return nil
}

// findPictures lists what is below a folder.
func findPictures(dir string) (all []picture, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if strings.HasPrefix(d.Name(), ".") && path != dir {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		ending := strings.ToLower(filepath.Ext(path))
		if !d.Type().IsRegular() || ending != ".png" && ending != ".jpg" && ending != ".jpeg" {
			return nil
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		hash := fnv.New64a()
		hash.Write([]byte(filepath.ToSlash(name)))
		p := picture{path: path, order: hash.Sum64()}
		folders := strings.Split(filepath.ToSlash(filepath.Dir(name)), "/")
		if slices.Contains(splitNames, folders[0]) {
			p.part, folders = folders[0], folders[1:]
		}
		if len(folders) > 0 && folders[0] != "." {
			p.class = folders[0]
		}
		all = append(all, p)
		return nil
	})
	slices.SortStableFunc(all, func(a, b picture) int {
		switch {
		case a.order < b.order:
			return -1
		case a.order > b.order:
			return 1
		}
		return 0
	})
	return all, err
}

// readPictures decodes files, several at once.
func (s *source) readPictures(files []picture) (*split, error) {
	x := &array{elem: loop.U8, scale: []float64{0, 1}, width: 3 * s.Size * s.Size, colors: 3, rows: len(files)}
	if s.Scale != nil {
		x.scale = s.Scale
	}
	x.data = make([]byte, x.rows*x.width)
	errs := make([]error, len(files))
	var workers sync.WaitGroup
	many := goruntime.GOMAXPROCS(0)
	for w := range many {
		workers.Go(func() {
			for i := w; i < len(files); i += many {
				errs[i] = readPicture(files[i].path, x.span(i, i+1), s.Size)
			}
		})
	}
	workers.Wait()
	for _, err := range errs { // the first of them, whoever met it first
		if err != nil {
			return nil, err
		}
	}
	out := &split{columns: []*array{x}}
	if s.classes != nil {
		y := &array{elem: loop.I32, width: 1, rows: len(files), data: make([]byte, 4*len(files))}
		for i, f := range files {
			writeElem(loop.I32, y.data, i, s.label(f.class))
		}
		out.columns = append(out.columns, y)
	}
	return out, nil
}

// readPicture writes the three planes of a picture.
func readPicture(path string, planes []byte, size int) error {
	raw, err := ReadFile(path)
	if err != nil {
		return err
	}
	if err := decodePicture(raw, planes, size); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func decodePicture(raw, planes []byte, size int) error {
	config, _, err := image.DecodeConfig(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	if config.Width <= 0 || config.Height <= 0 || config.Width > mostPixels/config.Height {
		return fmt.Errorf("a picture of %d x %d", config.Width, config.Height)
	}
	img, _, err := image.Decode(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	b := img.Bounds()
	side := min(b.Dx(), b.Dy())
	middle := image.Rect(0, 0, side, side).Add(b.Min).Add(image.Pt((b.Dx()-side)/2, (b.Dy()-side)/2))
	square := image.NewRGBA(image.Rect(0, 0, size, size))
	if side == size {
		draw.Draw(square, square.Rect, img, middle.Min, draw.Src)
	} else {
		draw.CatmullRom.Scale(square, square.Rect, img, middle, draw.Src, nil)
	}
	for p := range size * size {
		for c := range 3 {
			planes[c*size*size+p] = square.Pix[4*p+c]
		}
	}
	return nil
}

// gray is an array of colour pictures as one of lightness: the weights of BT.601.
func (a *array) gray() *array {
	if a.lightness == nil {
		g := *a
		g.width, g.colors = a.width/3, 1
		g.data = make([]byte, g.rows*g.width)
		for r := range a.rows {
			from, to := a.span(r, r+1), g.span(r, r+1)
			for p := range to {
				to[p] = byte((299*int(from[p]) + 587*int(from[g.width+p]) + 114*int(from[2*g.width+p]) + 500) / 1000)
			}
		}
		a.lightness = &g
	}
	return a.lightness
}
