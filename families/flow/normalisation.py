"""Normalisations that can be undone and counted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from nflows.transforms.base import Transform
from torch import Tensor, nn


class BatchNorm(Transform):
    """Batch normalisation as a bijection: ``y = (x - μ) / √(σ² + ε)`` a channel (1605.08803, §3.7).

    ``log |det| = -½ H·W Σ log(σ² + ε)`` over channels. In training μ and σ² are the batch's and gradients flow through
    them; in evaluation, and for the inverse always, they are running averages, so that no image depends on another.
    There is no learned scale: the couplings have one.

    Args:
        channels: the number ``C`` of channels.
        momentum: weight of a new batch in the running averages, once there have been enough batches for it: the first
            ones are averaged evenly, so that the averages never remember where they began.
        eps: the number added to the variance.
    """

    running_mean: Tensor
    running_var: Tensor
    batches: Tensor

    def __init__(self, channels: int, momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__()
        self.momentum = momentum
        self.eps = eps
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))

    def forward(self, inputs: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return normalised ``(B, C, H, W)`` and ``log |det|``, float64 ``(B,)``."""
        if not self.training:
            return self._normalise(inputs, self.running_mean, self.running_var)
        var, mean = torch.var_mean(inputs, (0, 2, 3), correction=0)
        with torch.no_grad():
            self.batches += 1
            weight = (1 / self.batches).clamp(min=self.momentum).to(mean.dtype)
            self.running_mean.lerp_(mean, weight)
            self.running_var.lerp_(var, weight)
        return self._normalise(inputs, mean, var)

    def inverse(self, inputs: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Undo the normalisation by the running averages, whatever the mode, and return ``log |det|`` of that."""
        std = (self.running_var + self.eps).sqrt()[:, None, None]
        return inputs * std + self.running_mean[:, None, None], -self._log_det(inputs, self.running_var)

    def _normalise(self, inputs: Tensor, mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor]:
        outputs = (inputs - mean[:, None, None]) * (var + self.eps).rsqrt()[:, None, None]
        return outputs, self._log_det(inputs, var)

    def _log_det(self, inputs: Tensor, var: Tensor) -> Tensor:
        pixels = inputs[0, 0].numel()
        return (-0.5 * pixels * (var + self.eps).log().sum(dtype=torch.float64)).expand(len(inputs))


class Started(Transform):
    """A bijection that begins where one batch of its data says, once: in ``Phase.enter``, under :func:`starting`.

    Until then it changes nothing. Passing values, in training or evaluation, never starts it: nflows' own actnorm
    starts from whatever it is first shown in training mode.
    """

    started: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))

    def start(self, inputs: Tensor) -> None:
        """Set what is learned from one batch, ``inputs``."""
        raise NotImplementedError(f"{type(self).__name__} is not whole: write start()")


class ActNorm(Started):
    """Activation normalisation: ``y = (x + b)·exp(a)`` with two learned numbers a channel (1807.03039, §3.1).

    ``log |det| = H·W Σ a`` over channels. It starts with the b and a that give the channels of one batch mean 0 and
    variance 1.

    What is learned is ``a / rate``. Adam moves a number by about its learning rate a step, and a scale has far to go:
    as couplings learn to predict, what is left shrinks a hundredfold. The authors' code has a rate of 3.

    Args:
        channels: the number ``C`` of channels.
        least: standard deviation that a channel is taken to have at least, so that a constant one stays finite.
        rate: how many times as fast as other weights a learns.
    """

    def __init__(self, channels: int, least: float = 1e-3, rate: float = 10.0) -> None:
        super().__init__()
        self.least = least
        self.rate = rate
        self.shift = nn.Parameter(torch.zeros(channels, 1, 1))
        self.stretch = nn.Parameter(torch.zeros(channels, 1, 1))

    @property
    def log_scale(self) -> Tensor:
        """The logarithm ``a`` of each channel's scale, ``(C, 1, 1)``."""
        return self.rate * self.stretch

    @torch.no_grad()
    def start(self, inputs: Tensor) -> None:
        """Set shift and scale so that ``inputs``, ``(B, C, H, W)``, come out normalised."""
        std, mean = torch.std_mean(inputs, (0, 2, 3), correction=0)
        self.shift.copy_(-mean[:, None, None])
        self.stretch.copy_(-std.clamp(min=self.least).log()[:, None, None] / self.rate)
        self.started.fill_(True)

    def forward(self, inputs: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return shifted and scaled ``(B, C, H, W)`` and ``log |det|``, float64 ``(B,)``."""
        return (inputs + self.shift) * self.log_scale.exp(), self._log_det(inputs)

    def inverse(self, inputs: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Undo scale and shift of ``(B, C, H, W)``, and return ``log |det|`` of that, float64 ``(B,)``."""
        return inputs * (-self.log_scale).exp() - self.shift, -self._log_det(inputs)

    def _log_det(self, inputs: Tensor) -> Tensor:
        return (inputs[0, 0].numel() * self.log_scale.sum(dtype=torch.float64)).expand(len(inputs))


class Scaling(Started):
    """``y = exp(s)·x`` on vectors, ``log |det| = Σ s``: what stretches where couplings keep volume (1410.8516, §3.3).

    It starts with the s that give the dimensions of one batch the variance 1.

    Args:
        size: dimensions of a vector.
        least: standard deviation that a dimension is taken to have at least: where all images of a batch agree, one
            that does not must not be thrown far out.
    """

    def __init__(self, size: int, least: float = 0.01) -> None:
        super().__init__()
        self.least = least
        self.log_scale = nn.Parameter(torch.zeros(size))

    @torch.no_grad()
    def start(self, inputs: Tensor) -> None:
        """Set the scales so that the dimensions of ``inputs``, ``(B, D)``, come out alike."""
        self.log_scale.copy_(-inputs.std(0, correction=0).clamp(min=self.least).log())
        self.started.fill_(True)

    def forward(self, inputs: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return stretched ``(B, D)`` and ``log |det|``, float64 ``(B,)``."""
        return inputs * self.log_scale.exp(), self._log_det(inputs)

    def inverse(self, inputs: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Undo the stretching of ``(B, D)``, and return ``log |det|`` of that, float64 ``(B,)``."""
        return inputs * (-self.log_scale).exp(), -self._log_det(inputs)

    def _log_det(self, inputs: Tensor) -> Tensor:
        return self.log_scale.sum(dtype=torch.float64).expand(len(inputs))


@contextmanager
def starting(model: nn.Module) -> Iterator[None]:
    """Start, inside the block, each part that has not been started by what flows into it, one behind the other."""
    bijections = [each for each in model.modules() if isinstance(each, Started) and not each.started]
    hooks = [each.register_forward_pre_hook(lambda its, given: its.start(given[0])) for each in bijections]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
