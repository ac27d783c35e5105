"""Spectral normalisation of whole networks (1802.05957)."""

from __future__ import annotations

from typing import TypeVar

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

Network = TypeVar("Network", bound=nn.Module)


def spectrally_normalised(network: Network) -> Network:
    """Return the network with every convolution, linear layer and embedding divided by its largest singular value.

    This is torch's parametrisation: one power iteration a pass in training mode, none in evaluation; its vectors are
    buffers. A convolution's kernel counts as the matrix ``(out, in · k · k)``, as in the paper, a transposed one's
    likewise. The network is changed in place, and its attribute ``normalisation`` says so.
    """
    for module in list(network.modules()):
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear | nn.Embedding):
            spectral_norm(module)
    vars(network)["normalisation"] = "spectral norm"
    return network
