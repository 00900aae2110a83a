package loop

import (
	"hash/fnv"
	"math/bits"
)

// Philox4x32 is Philox4x32-10: the four words that key gives for counter ctr
// (Salmon, Moraes, Dror, Shaw, Parallel Random Numbers: As Easy as 1, 2, 3, 2011).
func Philox4x32(key [2]uint32, ctr [4]uint32) [4]uint32 {
	for range 10 {
		hi0, lo0 := bits.Mul32(0xD2511F53, ctr[0])
		hi1, lo1 := bits.Mul32(0xCD9E8D57, ctr[2])
		ctr = [4]uint32{hi1 ^ ctr[1] ^ key[0], lo1, hi0 ^ ctr[3] ^ key[1], lo0}
		key[0] += 0x9E3779B9
		key[1] += 0xBB67AE85
	}
	return ctr
}

// DrawKey is the Philox key of the draw site with this path under a seed.
func DrawKey(seed uint64, site string) [2]uint32 {
	h := fnv.New64a()
	h.Write([]byte(site))
	k := seed ^ h.Sum64()
	return [2]uint32{uint32(k), uint32(k >> 32)}
}
