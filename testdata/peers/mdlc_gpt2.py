"""GPT-2 as stdlib/models/gpt2.mdl has it, in PyTorch, on weights by their names there."""
import math

import torch
import torch.nn.functional as F


def attention(q, k, v):
    """Causal, on [batch, heads, time, dim], with its scores in memory."""
    T, D = q.shape[-2:]
    score = (q @ k.transpose(-1, -2) / math.sqrt(D)).masked_fill(~torch.ones(T, T, dtype=torch.bool).tril(), -math.inf)
    return score.softmax(-1) @ v


class GPT2:
    """p: the weights; attend: what computes attention."""

    def __init__(self, p, heads, attend=attention):
        self.p, self.heads, self.attend = p, heads, attend
        self.layers = 1 + max(int(k.split(".")[2]) for k in p if k.startswith("gpt.blocks."))

    def norm(self, x, name):
        return F.layer_norm(x, x.shape[-1:], self.p[name + ".scale"], self.p[name + ".shift"], 1e-5)

    def linear(self, x, name):
        return x @ self.p[name + ".weight"] + self.p[name + ".offset"]

    def mix(self, x, name):
        B, T, D = x.shape
        q, k, v = (self.linear(x, f"{name}.{part}").view(B, T, self.heads, D // self.heads).transpose(1, 2) for part in ("query", "key", "value"))
        return self.linear(self.attend(q, k, v).transpose(1, 2).reshape(B, T, D), name + ".mix")

    def loss(self, tok):
        x = self.p["gpt.embed"][tok[:, :-1]] + self.p["gpt.place"][: tok.shape[1] - 1]
        for i in range(self.layers):
            b = f"gpt.blocks.{i}"
            x = x + self.mix(self.norm(x, b + ".norm1"), b)
            x = x + self.linear(F.gelu(self.linear(self.norm(x, b + ".norm2"), b + ".up")), b + ".down")
        return F.cross_entropy((self.norm(x, "gpt.norm") @ self.p["gpt.embed"].T).flatten(0, 1), tok[:, 1:].flatten())

    def groups(self):
        """What decays and what does not, for an optimiser."""
        return [{"params": [v for v in self.p.values() if v.dim() > 1], "weight_decay": 0.1}, {"params": [v for v in self.p.values() if v.dim() <= 1], "weight_decay": 0.0}]


def rate(step, total, peak=1e-3, floor=0.1):
    """optim.cosine without a warm-up."""
    return peak * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(step / total, 1.0))))
