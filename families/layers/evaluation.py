"""How a trained model is asked: in evaluation mode, without gradients, in chunks that fit memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Generator, Tensor, nn

from genbench.interface import frozen
from genbench.seed import generator as seeded
from genbench.spec import Batch


@contextmanager
def evaluation(model: nn.Module) -> Iterator[None]:
    """Put the model in evaluation mode, without gradients; every module's own mode comes back behind the block."""
    with frozen(model), torch.no_grad():
        yield


@torch.no_grad()
def restated(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Set the running statistics of batch normalisation to their means over ``batches``; nothing else is changed.

    Args:
        network: the network, in whatever mode.
        batches: what it is given, of two rows or more each; of one alone there is no variance.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, nn.modules.batchnorm._NormBase)]
    layers = [layer for layer in layers if layer.track_running_stats]
    momenta = [layer.momentum for layer in layers]
    modes = [(module, module.training) for module in network.modules()]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the mean of all batches
    network.train()
    for batch in batches:
        network(batch)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    for module, mode in modes:
        module.training = mode


def chunks(n: int, at_once: int) -> list[int]:
    """Split ``n`` into a sum of numbers up to ``at_once``.

    Raises:
        ValueError: for fewer than one.
    """
    if n < 1:
        raise ValueError(f"n={n}: draw at least 1 image")
    return [min(at_once, n - start) for start in range(0, n, at_once)]


def weigh(
    log_weights: Callable[[Batch, int, Generator], Tensor],
    batch: Batch,
    draws: int,
    generator: Generator | None,
    at_once: int = 256,
) -> Tensor:
    """Return logarithms of ``draws`` importance weights for each image, float64 ``(draws, B)``.

    The logarithm of their mean is by Jensen's inequality a lower bound on ``log E[w]`` in the mean, and tighter as the
    draws grow (1509.00519).

    Args:
        log_weights: ``(images, draws, generator) → (draws, images)`` log-weights, in nats.
        batch: the images.
        draws: the number ``K`` of draws.
        generator: source of the noise; without one, the same noise at every call.
        at_once: images × draws that fit memory.

    Raises:
        ValueError: for fewer than one draw.
    """
    if draws < 1:
        raise ValueError(f"draws={draws}: give at least 1 importance weight an image")
    source = generator or seeded(0, "log_likelihood")
    logs = []
    for rows in torch.arange(len(batch), device=batch.images.device).split(at_once):
        images = batch.rows(rows)
        counts = chunks(draws, max(at_once // len(rows), 1))
        logs.append(torch.cat([log_weights(images, count, source).double() for count in counts]))
    return torch.cat(logs, 1)
