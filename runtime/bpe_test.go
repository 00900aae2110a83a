package runtime

import (
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/loop"
	"mdlc/runtime/program"
)

// vocabulary has all bytes and these tokens.
func vocabulary(tokens ...string) []byte {
	var out strings.Builder
	for b := range 256 {
		fmt.Fprintf(&out, "%s %d\n", base64.StdEncoding.EncodeToString([]byte{byte(b)}), b)
	}
	for i, t := range tokens {
		fmt.Fprintf(&out, "%s %d\n", base64.StdEncoding.EncodeToString([]byte(t)), 256+i)
	}
	return []byte(out.String())
}

func TestPairsOfLowRankAreJoinedFirst(t *testing.T) {
	v, err := parseTiktoken(vocabulary("bc", "ab", " a"))
	require.NoError(t, err)
	require.Equal(t, []int{'a', 256}, v.encode([]byte("abc")))
	require.Equal(t, []int{257, 257}, v.encode([]byte("abab")))
	require.Equal(t, []int{'b', 258, ' ', 258}, v.encode([]byte("b a  a")))
	require.Equal(t, "b a", string(v.decode(v.decode(nil, 'b'), 258)))
	require.Equal(t, "\ufffd", string(v.decode(nil, 999)))
}

func TestWordsOfGPT2(t *testing.T) {
	for text, want := range map[string]string{
		"Hello, world":    "Hello|,| world",
		"it's we'll 'tis": "it|'s| we|'ll| '|tis",
		"a  b\n\n c 42nd": "a| | b|\n\n| c| 42|nd",
		"end  ":           "end|  ",
		"über³ \u00a0x":   "über|³| |\u00a0|x",
		"\xff\xfe!":       "\xff\xfe!",
	} {
		var words []string
		for rest := []byte(text); len(rest) > 0; {
			n := wordLength(rest)
			words, rest = append(words, string(rest[:n])), rest[n:]
		}
		require.Equal(t, want, strings.Join(words, "|"), "%q", text)
	}
}

func TestGPT2(t *testing.T) {
	raw, err := os.ReadFile("../../shared/data/tokenizers/gpt2.tiktoken")
	if err != nil {
		t.Skip("the vocabulary of GPT-2 is not on this machine")
	}
	v, err := parseTiktoken(raw)
	require.NoError(t, err)
	require.Equal(t, []int{15496, 11, 995, 0}, v.encode([]byte("Hello, world!"))) // as the README of OpenAI's GPT-2 encoder and tiktoken say
	text := "The quick brown fox's 12 jumps —\n\n\tüber  den Zaun."
	var back []byte
	for _, token := range v.encode([]byte(text)) {
		back = v.decode(back, token)
	}
	require.Equal(t, text, string(back))
}

func TestTextAsTokens(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir+"/v.tiktoken", vocabulary("th", "the", " the"))
	writeFile(t, dir+"/in.txt", []byte("the the a"))
	s := open(t, program.Source{Kind: "tokens", Path: "in.txt", Tokenizer: "v.tiktoken", Split: []float64{1}}, dir)
	f := feedOf(t, s, program.Feed{Split: "train", Kind: "windows"}, loop.I32, true, 1, 4)
	require.Equal(t, []float64{257, 258, ' ', 'a'}, numbers(f, func(dst []byte) { f.fillInOrder(dst, 0, 1) }))
	require.Contains(t, refused(t, program.Source{Kind: "tokens", Path: dir + "/in.txt", Tokenizer: dir + "/in.txt"}), "line 1 is not a token in base64 and its number")
	require.Contains(t, refused(t, program.Source{Kind: "tokens", Path: dir + "/in.txt", Tokenizer: dir + "/no"}), "no is not there")
}

func TestVocabulariesThatAreNone(t *testing.T) {
	_, err := parseTiktoken([]byte("IQ== 0\n"))
	require.ErrorContains(t, err, "byte 0 is no token")
	_, err = parseTiktoken(vocabulary("a"))
	require.ErrorContains(t, err, `token "a" has number 256`)
	_, err = parseTiktoken([]byte("IQ== 7\n"))
	require.ErrorContains(t, err, "a new one with number 0 is expected")
}

func FuzzBpe(f *testing.F) {
	v, err := parseTiktoken(vocabulary("th", "the", " t", " the", "'s", "  ", "é"))
	require.NoError(f, err)
	f.Add([]byte("the other's  \n thé\xff"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var back []byte
		for _, token := range v.encode(text) {
			back = v.decode(back, token)
		}
		require.Equal(t, string(text), string(back))
		_, _ = parseTiktoken(text)
	})
}
