package runtime

import (
	"fmt"
	"strings"

	"mdlc/ir/loop"
)

// openTokens reads files of whole numbers of Bits bits, little endian without a header, or arrays of rank 1 in .npy
// files: a file, or a folder with one for each part. With a Tokenizer they are texts.
func (s *source) openTokens(path string) error {
	endings := []string{".bin", ".npy", ".u16", ".u32"}
	if s.Tokenizer != "" {
		endings = []string{".txt"}
	}
	files, err := filesOf(path, withEnding(endings...))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("%s has no files of tokens: %s", path, strings.Join(endings, ", "))
	}
	if s.Tokenizer != "" {
		if s.vocabulary, err = s.readVocabulary(); err != nil {
			return err
		}
	}
	arrays := map[string][]*array{}
	for _, f := range files {
		raw, err := readData(f.path, nil)
		if err != nil {
			return err
		}
		parse := func(raw []byte) (*array, error) { return parseTokens(raw, s.Bits) }
		if s.vocabulary != nil {
			parse = func(raw []byte) (*array, error) { return s.vocabulary.tokens(raw), nil }
		} else if strings.HasSuffix(strings.TrimSuffix(f.path, ".gz"), ".npy") {
			parse = parseNpyTokens
		}
		a, err := parse(raw)
		if err == nil && len(arrays[f.part]) > 0 && (a.elem != arrays[f.part][0].elem || a.packing != arrays[f.part][0].packing) {
			err = fmt.Errorf("its tokens are of another type than those of the files before it")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.path, err)
		}
		arrays[f.part] = append(arrays[f.part], a)
	}
	parts := map[string]*split{}
	for _, part := range append([]string{""}, splitNames...) {
		if arrays[part] != nil {
			parts[part] = &split{columns: []*array{joined(arrays[part])}}
		}
	}
	return s.setParts(parts)
}

// readVocabulary reads the source's tokenizer.
func (s *source) readVocabulary() (*bpe, error) {
	path := s.resolve(s.Tokenizer)
	raw, err := readData(path, nil)
	if err != nil {
		return nil, err
	}
	v, err := parseTiktoken(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return v, nil
}

// parseTokens takes raw as numbers of so many bits.
func parseTokens(raw []byte, bits int) (*array, error) {
	if n := bits / 8; len(raw)%n != 0 {
		return nil, fmt.Errorf("its %d bytes are no whole number of tokens of %d bits", len(raw), bits)
	}
	a := &array{elem: loop.U32, width: 1, data: raw, rows: len(raw) * 8 / bits}
	if bits == 16 {
		a.packing = packedShorts
	}
	return a, nil
}

func parseNpyTokens(raw []byte) (*array, error) {
	a, err := parseNpy(raw)
	if err == nil && (a.width != 1 || a.elem.IsFloat()) {
		err = fmt.Errorf("tokens are an array of rank 1 of whole numbers")
	}
	return a, err
}
