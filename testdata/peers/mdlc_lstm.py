"""PyTorch's LSTM with the weights of nn.LSTM."""
import torch


def lstm(weights, name):
    """The LSTM whose weights are name.wx, name.wh and name.offset: gates in the same order, and one bias instead of two."""
    inputs, _, hidden = weights[name + ".wx"].shape
    out = torch.nn.LSTM(inputs, hidden, batch_first=True)
    with torch.no_grad():
        out.weight_ih_l0.copy_(weights[name + ".wx"].reshape(inputs, 4 * hidden).T)
        out.weight_hh_l0.copy_(weights[name + ".wh"].reshape(hidden, 4 * hidden).T)
        out.bias_ih_l0.copy_(weights[name + ".offset"].flatten())
        out.bias_hh_l0.zero_().requires_grad_(False)
    return out


def trained(modules):
    """The parameters of modules that are trained."""
    return [p for m in modules for p in m.parameters() if p.requires_grad]
