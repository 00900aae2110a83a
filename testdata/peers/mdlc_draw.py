"""The random numbers of mdlc, computed anew: Philox4x32-10 and the distributions of stdlib/dist.mdl. ARCHITECTURE.md has the contract."""
import numpy as np

WORD = np.uint64(0xFFFFFFFF)


def philox(key, counter):
    """Salmon et al. 2011, ten rounds. key: two words; counter: four arrays of words. Returns four arrays of words."""
    k0, k1 = key
    x0, x1, x2, x3 = counter
    for _ in range(10):
        a, b = x0 * np.uint64(0xD2511F53), x2 * np.uint64(0xCD9E8D57)
        x0, x1, x2, x3 = (b >> np.uint64(32)) ^ x1 ^ k0, b & WORD, (a >> np.uint64(32)) ^ x3 ^ k1, a & WORD
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & WORD, (k1 + np.uint64(0xBB67AE85)) & WORD
    return x0, x1, x2, x3


class Draws:
    """The draws of a run: `seed` as on the command line; dtype: what it computes in."""

    def __init__(self, seed, dtype=np.float32):
        self.seed, self.dtype = seed, np.dtype(dtype).type

    def bits(self, site, shape, step, turn=0, nth=1):
        """u32 of shape, as u64. site: the draw's path of names; nth: which of those with this path."""
        if nth > 1:
            site += f"#{nth}"
        name = 0xCBF29CE484222325
        for byte in site.encode():
            name = (name ^ byte) * 0x100000001B3 % 2**64
        key = np.uint64((self.seed ^ name) % 2**32), np.uint64(((self.seed >> 32) ^ (name >> 32)) % 2**32)
        count = int(np.prod(shape))
        groups = np.arange((count + 3) // 4, dtype=np.uint64)
        rest = [np.full_like(groups, v) for v in (turn, step, 0)]
        return np.stack(philox(key, [groups, *rest]), -1).reshape(-1)[:count].reshape(shape)

    def uniform(self, site, shape, step, turn=0, nth=1):
        """0 .. 1, with 24 bits."""
        r = self.bits(site + "/uniform/draw/r", shape, step, turn, nth)
        return (r >> np.uint64(8)).astype(self.dtype) / self.dtype(2**24)

    def normal(self, site, shape, step, turn=0, nth=1):
        """By Box and Muller."""
        u = self.uniform(site + "/normal/draw/u", shape, step, turn, nth)
        v = self.uniform(site + "/normal/draw/v", shape, step, turn, nth)
        return np.sqrt(-2 * np.log1p(-u)) * np.cos(self.dtype(2 * np.pi) * v)

    def integers(self, low, high, site, shape, step, turn=0, nth=1):
        """low .. high - 1."""
        u = self.uniform(site + "/integers/draw/u", shape, step, turn, nth)
        return low + np.floor((high - low) * u).astype(np.int64)
