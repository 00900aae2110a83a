package index

import "fmt"

// maxText bounds the text that UnmarshalText reads, and so the depth of what it builds.
const maxText = 4096

// MarshalText gives the canonical text.
func (e *Expr) MarshalText() ([]byte, error) { return []byte(e.text), nil }

// UnmarshalText parses b.
func (e *Expr) UnmarshalText(b []byte) error {
	if len(b) > maxText {
		return fmt.Errorf("index expression of %d bytes; at most %d", len(b), maxText)
	}
	x, err := Parse(string(b))
	if err != nil {
		return err
	}
	*e = *x
	return nil
}
