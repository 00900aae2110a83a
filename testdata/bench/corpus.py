"""The graphs on which kernels that are fused are measured beside ones that are not: every train, eval and sample of the library's models
and of the benchmark's, at sizes where a run takes about a millisecond to a hundred.
"""
from workloads import Workload


def graphs(name, *entries, where="stdlib/models", data={}, **settings):
    """One workload for each entry, which is what `mdlc bench` runs, as a line of words."""
    return [Workload(name, f"{name} {entry}", f"{where}/{name}.mdl", entry.split(), "", settings, data) for entry in entries]


text, bits, digits = dict(corpus="text"), dict(digits="bits"), dict(digits="digits")
here = "testdata/bench"
small = dict(layers=2, heads=4, dim=64, ctx=64, batch=4)

CORPUS = [
    *graphs("fvsbn", "train", "eval test", "sample digits --count 8", data=bits, batch=50),
    *graphs("nade", "train", "eval test", "sample digits --count 8", data=bits, hidden=32, batch=16),
    *graphs("made", "train", "eval test", "sample digits --count 8", data=bits, hidden=200, batch=100),
    *graphs("pixelcnn", "train", "eval test", "sample digits --count 1", data=bits, channels=16, layers=2, batch=8),
    *graphs("gpt", "train", "eval valid", "sample text --n 32", data=text, **small),
    *graphs("gpt2", "train", "eval valid", "sample text --n 32", data=text, **small),
    *graphs("lstm", "train", "eval valid", "sample text --n 64", data=text, dim=32, hidden=64, layers=2, batch=8, chunk=32),
    *graphs("deepseek_llm", "train", "eval valid", "sample text --n 32", data=text, kv_heads=2, **small),
    *graphs("deepseek_v3", "train", "eval valid", "sample text --n 32", data=text,
            dim=64, ctx=32, layers=3, heads=4, size=16, rot=8, rank=16, q_rank=24, wide=128, width=32, experts=8, active=2, batch=4),
    *graphs("copying", "train", "sample copies --count 32", dim=16, hidden=64, batch=16),
    *graphs("fgan", "train", "sample density --count 65536", batch=512),
    *graphs("gan2d", "train", "sample points --count 16384", width=64, batch=128),
    *graphs("wgan_clip", "train", "sample points --count 16384", width=64, batch=128),
    *graphs("wgan_gp", "train", "sample digits --count 16", data=digits, width=8, batch=8, latent=32),
    *graphs("dcgan", "train", "sample digits --count 16", data=digits, width=8, batch=16, latent=32),
    *graphs("byol", "train pretrain", "train linear", "eval test", data=digits, width=8, batch=32, dim=64, hidden=128),
    *graphs("mae", "train pretrain", "train linear", "eval test", data=digits, dim=64, heads=4, layers=2, small=32, small_layers=1, batch=16),
    *graphs("oadtr", "train", "eval test", "sample detect --video {data}/clips/video.npy", data={"videos": "clips/frames", "videos.labels": "clips/classes"},
            features=64, classes=3, past=32, future=8, dim=64, heads=4, layers=2, decoder_heads=4, decoder_layers=2, batch=8),
    *graphs("vqgan", "train stage1", "train stage2", "sample images --count 1", data=dict(photos="photos"),
            size=24, widths="[1,1]", base=32, codes=64, dim=16, window=4, t_dim=32, t_heads=2, t_layers=2, batch=1, disc_start=1),
    *graphs("attention", "sample attend", where=here, heads=4, ctx=256),
    *graphs("autoencoder", "train", where=here, channels=16, size=16, batch=8),
    *graphs("chain", "sample norm", "sample gelu", where=here, rows=2048, dim=512),
    *graphs("product", "sample product", where=here),
    *graphs("sampling", "train", "sample write", where=here, dim=64, heads=4, layers=2, ctx=64, n=32),
]
