package loop

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The known answers that are published with Random123.
func TestPhilox4x32KnownAnswers(t *testing.T) {
	for _, c := range []struct {
		ctr  [4]uint32
		key  [2]uint32
		want [4]uint32
	}{
		{[4]uint32{}, [2]uint32{}, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{[4]uint32{^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0)}, [2]uint32{^uint32(0), ^uint32(0)},
			[4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [2]uint32{0xa4093822, 0x299f31d0},
			[4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		require.Equal(t, c.want, Philox4x32(c.key, c.ctr))
	}
}

func TestDrawKeyIsSeedXorFNV(t *testing.T) {
	// FNV-1a 64 of "a" is af63dc4c8601ec8c.
	require.Equal(t, [2]uint32{0x8601ec8c, 0xaf63dc4c}, DrawKey(0, "a"))
	require.Equal(t, [2]uint32{0x8601ec8c ^ 7, 0xaf63dc4c ^ 1}, DrawKey(1<<32|7, "a"))
}
