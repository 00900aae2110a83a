"""What the models read, made of this repository's text and of random numbers, which are the same every time."""
import os
import random
import struct
import zlib
from array import array

root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

TEXT = 1 << 18  # bytes


def make_data(folder, features=64):
    """Text, random bits of which each pixel has its own share, random pictures, digits and clips."""
    draw = random.Random(1)
    make_text(f"{folder}/text")
    os.mkdir(f"{folder}/bits")
    share = [draw.random() for _ in range(784)]
    for split, rows in (("train", 2000), ("valid", 200), ("test", 200)):
        npy(f"{folder}/bits/{split}.npy", "|u1", (rows, 98), b"".join(bits(draw, share) for _ in range(rows)))
    os.mkdir(f"{folder}/digits")
    for part, many in (("train", 2000), ("t10k", 200)):
        idx(f"{folder}/digits/{part}-images-idx3-ubyte", (many, 28, 28), draw.randbytes(many * 784))
        idx(f"{folder}/digits/{part}-labels-idx1-ubyte", (many,), bytes(draw.randrange(10) for _ in range(many)))
    os.mkdir(f"{folder}/photos")
    for n in range(20):
        png(f"{folder}/photos/{n:02}.png", 48, 48, draw.randbytes(48 * 48 * 3))
    for kind in ("frames", "classes"):
        os.makedirs(f"{folder}/clips/{kind}")
    for part, many in (("train", 500), ("test", 100)):
        npy(f"{folder}/clips/frames/{part}.npy", "<f4", (many, features), floats(draw, many * features))
        npy(f"{folder}/clips/classes/{part}.npy", "<i4", (many,), array("i", (draw.randrange(3) for _ in range(many))).tobytes())
    npy(f"{folder}/clips/video.npy", "<f4", (1, 64, features), floats(draw, 64 * features))


def make_text(path):
    """Little of it: its last tenth is evaluated after the steps that are compared."""
    with open(path, "wb") as out:
        for base, folders, files in os.walk(root):
            folders[:] = sorted(f for f in folders if not f.startswith(".") and not os.path.islink(os.path.join(base, f)))
            for name in sorted(files):
                if name.endswith((".go", ".md", ".mdl")) and out.tell() < TEXT:
                    with open(os.path.join(base, name), "rb") as f:
                        out.write(f.read(TEXT - out.tell()))


def bits(draw, share):
    """A bit for each share, which is how often it is set, eight a byte, the first the highest."""
    return int("".join("01"[draw.random() < p] for p in share), 2).to_bytes(len(share) // 8, "big")


def floats(draw, many):
    return array("f", (draw.gauss(0, 1) for _ in range(many))).tobytes()


def npy(path, kind, shape, data):
    """An array in NumPy's format."""
    head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}}}"
    head += " " * (-(len(head) + 11) % 64) + "\n"
    with open(path, "wb") as out:
        out.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + data)


def idx(path, shape, data):
    """An array of bytes in MNIST's format."""
    with open(path, "wb") as out:
        out.write(struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape) + data)


def png(path, width, height, data):
    """A picture of 8 bits for each of red, green and blue."""
    lines = b"".join(b"\0" + data[y * width * 3:(y + 1) * width * 3] for y in range(height))
    with open(path, "wb") as out:
        out.write(b"\x89PNG\r\n\x1a\n")
        for kind, body in ((b"IHDR", struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")):
            out.write(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)))
