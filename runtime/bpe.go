package runtime

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"mdlc/ir/loop"
)

// bpe is a byte-level byte-pair encoding: tokens are byte strings, and of two neighbours those that
// make the token of the lowest number are joined first (Sennrich et al. 2016, Radford et al. 2019).
type bpe struct {
	rank  map[string]int
	token []string
	words map[string][]int // what was encoded already
}

// longestWord bounds the pieces that are joined as one: the time is quadratic in their length.
const longestWord = 4096

// parseTiktoken reads a vocabulary as tiktoken keeps it: a line for each token, its bytes in
// base64 and its number. Each byte must be a token.
func parseTiktoken(raw []byte) (*bpe, error) {
	v := &bpe{rank: map[string]int{}, words: map[string][]int{}}
	n := 0
	for line := range strings.Lines(string(raw)) {
		n++
		text, number, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok && text == "" {
			continue
		}
		token, err := base64.StdEncoding.DecodeString(text)
		rank, e := strconv.Atoi(number)
		if err != nil || e != nil || len(token) == 0 {
			return nil, fmt.Errorf("line %d is not a token in base64 and its number: %.40q", n, strings.TrimSpace(line))
		}
		if _, twice := v.rank[string(token)]; twice || rank != len(v.token) {
			return nil, fmt.Errorf("line %d: token %q has number %d, where a new one with number %d is expected", n, token, rank, len(v.token))
		}
		v.rank[string(token)] = rank
		v.token = append(v.token, string(token))
	}
	for b := range 256 {
		if _, ok := v.rank[string([]byte{byte(b)})]; !ok {
			return nil, fmt.Errorf("byte %d is no token: not every text could be encoded", b)
		}
	}
	return v, nil
}

// encode is a text as tokens.
func (v *bpe) encode(text []byte) []int {
	var out []int
	for len(text) > 0 {
		n := min(wordLength(text), longestWord)
		word := string(text[:n])
		tokens, known := v.words[word]
		if !known {
			tokens = v.join(word)
			v.words[word] = tokens
		}
		out = append(out, tokens...)
		text = text[n:]
	}
	return out
}

// join encodes one word.
func (v *bpe) join(word string) []int {
	ends := make([]int, len(word)+1) // part i is word[ends[i]:ends[i+1]]
	for i := range ends {
		ends[i] = i
	}
	const none = 1 << 62
	rankOf := func(i int) int { // of parts i and i+1 joined
		if i+2 < len(ends) {
			if r, ok := v.rank[word[ends[i]:ends[i+2]]]; ok {
				return r
			}
		}
		return none
	}
	ranks := make([]int, len(word))
	for i := range ranks {
		ranks[i] = rankOf(i)
	}
	for {
		best := 0
		for i, r := range ranks {
			if r < ranks[best] {
				best = i
			}
		}
		if len(ranks) == 0 || ranks[best] == none {
			break
		}
		ends = append(ends[:best+1], ends[best+2:]...)
		ranks = append(ranks[:best+1], ranks[best+2:]...)
		ranks[best] = rankOf(best)
		if best > 0 {
			ranks[best-1] = rankOf(best - 1)
		}
	}
	var out []int
	for i := range len(ends) - 1 {
		out = append(out, v.rank[word[ends[i]:ends[i+1]]])
	}
	return out
}

// decode appends the bytes of a token; one that there is not has the sign of a letter unknown.
func (v *bpe) decode(text []byte, token int) []byte {
	if token < 0 || token >= len(v.token) {
		return append(text, "\ufffd"...)
	}
	return append(text, v.token[token]...)
}

var contractions = []string{"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}

// wordLength is the length of the first word of a text as GPT-2 cuts it: letters, digits or signs with at most one
// space before them, what English contracts after an apostrophe, or white space, of which the last one before a word is left to that.
func wordLength(text []byte) int {
	for _, c := range contractions {
		if bytes.HasPrefix(text, []byte(c)) {
			return len(c)
		}
	}
	start := 0
	if text[0] == ' ' {
		start = 1
	}
	if kind := kindAt(text[start:]); kind != kindSpace && kind != kindEnd {
		return start + runOf(text[start:], kind)
	}
	n := runOf(text, kindSpace)
	if _, last := utf8.DecodeLastRune(text[:n]); n < len(text) && n > last {
		return n - last
	}
	return n
}

type letterKind uint8

const (
	kindEnd letterKind = iota
	kindSpace
	kindLetter
	kindDigit
	kindSign
)

func kindAt(text []byte) letterKind {
	if len(text) == 0 {
		return kindEnd
	}
	r, size := utf8.DecodeRune(text)
	switch {
	case r == utf8.RuneError && size == 1:
		return kindSign
	case unicode.IsSpace(r):
		return kindSpace
	case unicode.IsLetter(r):
		return kindLetter
	case unicode.IsNumber(r):
		return kindDigit
	}
	return kindSign
}

// runOf is the number of bytes from the start on that are of a kind.
func runOf(text []byte, kind letterKind) int {
	n := 0
	for n < len(text) && kindAt(text[n:]) == kind {
		_, size := utf8.DecodeRune(text[n:])
		n += size
	}
	return n
}

// tokens is a text as an array of its tokens.
func (v *bpe) tokens(text []byte) *array {
	a := &array{elem: loop.U32, width: 1}
	if len(v.token) <= 1<<16 {
		a.packing = packedShorts
	}
	for _, t := range v.encode(text) {
		if a.packing == packedShorts {
			a.data = little.AppendUint16(a.data, uint16(t))
		} else {
			a.data = little.AppendUint32(a.data, uint32(t))
		}
		a.rows++
	}
	return a
}
