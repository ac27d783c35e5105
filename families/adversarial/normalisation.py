"""What normalises a network, in the words of its own layers."""

from __future__ import annotations

from torch import nn

# torch's layers say nothing of themselves; ours have an attribute ``normalisation``.
TORCH = {
    nn.BatchNorm1d: "batch norm",
    nn.BatchNorm2d: "batch norm",
    nn.InstanceNorm1d: "instance norm",
    nn.InstanceNorm2d: "instance norm",
    nn.LayerNorm: "layer norm",
    nn.GroupNorm: "group norm",
}


def normalisations(network: nn.Module) -> list[str]:
    """Return every kind of normalisation in a network, each once, in alphabetical order.

    A module says what it is by an attribute ``normalisation``, such as ``"class batch norm"``; so does a network that
    is normalised as a whole.
    """
    said = (getattr(module, "normalisation", TORCH.get(type(module), "")) for module in network.modules())
    return sorted({words for words in said if words})
