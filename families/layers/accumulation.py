"""A batch's loss and gradient by micro-batches, so that no more activations are kept than one of these has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction, FunctionCtx, once_differentiable
from torch.nn import Parameter


def accumulated(loss: Callable[[Tensor], Tensor], rows: Sequence[Tensor], parameters: Iterable[Parameter]) -> Tensor:
    """Return the sum of ``loss`` over micro-batches, a scalar whose gradient is the whole batch's.

    Each micro-batch is passed forwards and backwards before the next is looked at, and gradients are added up (gradient
    accumulation): nothing is computed twice. The gradient exists once, not that of the gradient, and by the parameters
    alone.

    Args:
        loss: takes rows of the batch to their share of its loss, a scalar.
        rows: the rows of each micro-batch.
        parameters: what the loss depends on; the gradient is taken by those that ask for one.
    """
    return _Accumulated.apply(loss, rows, *(parameter for parameter in parameters if parameter.requires_grad))


class _Accumulated(torch.autograd.Function):
    """Gradients are ready before backward asks for them."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, loss: Callable[[Tensor], Tensor], rows: Sequence[Tensor], *learned: Parameter
    ) -> Tensor:
        gradients = [torch.zeros_like(parameter) for parameter in learned]
        losses = []
        for micro_batch in rows:
            with torch.enable_grad():
                value = loss(micro_batch)
            with torch.autocast(value.device.type, enabled=False):  # meant for the way forwards alone
                added = torch.autograd.grad(value, learned, materialize_grads=True)
            for total, own in zip(gradients, added, strict=True):
                total += own
            losses.append(value.detach())
        ctx.save_for_backward(*gradients)
        return torch.stack(losses).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: BackwardCFunction, slope: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, *(slope * gradient for gradient in ctx.saved_tensors)
