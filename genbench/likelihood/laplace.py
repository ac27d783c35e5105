"""The Laplace approximation of the noise that made an image: where chains start that have not far to go.

With ``m(u)`` what a decoder makes of noise and ``ℓ(x, m) = Σ_i log P(x_i given m_i)``, the posterior of an image is
``p(u given x) ∝ exp(ℓ(x, m(u)) - ½‖u‖²)``. Near its mode û it is about the Gaussian ``N(û, H⁻¹)`` with

    H = I + Jᵀ W J,    J = ∂m/∂u at û,    W_i = max(0, -∂²ℓ/∂m_i²),

the Gauss-Newton matrix, positive definite whatever û is. With the singular values ``W^½ J = U S Vᵀ`` its root is
``H^-½ = I + V ((1 + S²)^-½ - 1) Vᵀ``, kept as the axes along which an image says something of its noise, at most
min(Z, C·H·W), and no Z × Z matrix: of 2,122 numbers that are noise at every layer, some twenty.

The posteriors of trained decoders are a hundred times narrower along some axes than along others, where a search by
gradients crawls. So it goes in rounds, each in the coordinates that the approximation behind the round before whitens:
some hundred steps then find what many thousands in u do.

A decoder may read the direction of some latents alone, d of them. Nothing then holds their length r but the prior,
under which u = 0 is likeliest and nearly never drawn: round there H would be as narrow as an image is particular of a
direction that a little of u turns all round. So the search is for the mode of length and direction, which counts how
much room there is, ``ℓ + (d - 1) ln r - ½‖u‖²``: of r it is √(d - 1), where the prior's draws are.

Everything here only says where chains start: wherever û lies and however rough H is, their weights stay unbiased.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import scipy.linalg
import torch
from torch import Generator, Tensor
from torch.autograd import forward_ad
from torch.nn.functional import pad

from genbench.spec import Batch

DRAWS = 256  # of the prior, an image: decoding them costs little beside a search
STARTS = 4  # the likeliest of them, from which the first round begins
KEPT = 2  # of those go on to the first whitened round, whose better one goes on alone
ROUNDS = 3  # in whitened coordinates, behind the first, which is in u
RATES = (0.2, 0.4)  # of Adam, in u and in whitened coordinates
LAST = 0.02  # of a rate is left at the end of a round
BETAS = (0.9, 0.99)
AT_ONCE = 256  # rows that are decoded at once
NEAR = 0.99  # a deviation from which on an axis is left the prior's 1: every step of a chain reads all axes


class Decoder(Protocol):
    """What is asked of an implicit model (:class:`genbench.implicit.ImplicitModel`) here."""

    directed: int

    def decode(self, u: Tensor, given: Batch) -> Tensor:
        """Map noise ``(B, Z)`` to images ``(B, C, H, W)`` in levels."""
        ...

    def draw_noise(self, n: int, generator: Generator) -> Tensor:
        """Draw the noise of ``n`` images, ``(n, Z)``."""
        ...

    def observe(self, u: Tensor, batch: Batch) -> Tensor:
        """Return ``log P(x given u)`` of each row, float64 ``(B,)``."""
        ...

    def sharpness(self, mean: Tensor, batch: Batch) -> Tensor:
        """Return W, float64 ``(B, C·H·W)``."""
        ...


@dataclass(frozen=True)
class Laplace:
    """The Gaussians ``N(û, H⁻¹)`` of N images.

    Args:
        mode: û ``(N, Z)``.
        axes: the orthonormal axes V along which an image says something of its noise ``(N, Z, r)``.
        spreads: the deviations ``(1 + S²)^-½`` along them ``(N, r)``; across, it is 1.
    """

    mode: Tensor
    axes: Tensor
    spreads: Tensor

    @property
    def log_volume(self) -> Tensor:
        """The logarithm of the determinant of ``H^-½``, float64 ``(N,)``."""
        return self.spreads.double().log().sum(1)

    def coloured(self, v: Tensor) -> Tensor:
        """Return ``û + H^-½ v`` of whitened ``v`` ``(N, Z)``: a draw of the Gaussian where ``v`` is one of N(0, I)."""
        along = torch.einsum("nzr,nz->nr", self.axes, v)
        return self.mode + v + torch.einsum("nzr,nr->nz", self.axes, (self.spreads - 1) * along)

    def rows(self, index: Tensor | slice) -> Laplace:
        """Return the Gaussians of the rows of ``index``."""
        return Laplace(self.mode[index], self.axes[index], self.spreads[index])

    @classmethod
    def priors(cls, like: Tensor) -> Laplace:
        """Return N(0, I) for each row of noise ``like`` ``(N, Z)``: the Gaussian of an image that says nothing."""
        return cls(torch.zeros_like(like), like.new_zeros(*like.shape, 0), like.new_zeros(len(like), 0))

    @classmethod
    def joined(cls, parts: Sequence[Laplace]) -> Laplace:
        """Return the Gaussians of all ``parts``, one behind the other; those with few axes get some of deviation 1."""
        most = max(part.spreads.shape[1] for part in parts)
        wide = [
            cls(part.mode, pad(part.axes, (0, gap)), pad(part.spreads, (0, gap), value=1.0))
            for part in parts
            for gap in [most - part.spreads.shape[1]]
        ]
        return cls(*(torch.cat([getattr(part, name) for part in wide]) for name in ("mode", "axes", "spreads")))


def approximate(model: Decoder, batch: Batch, steps: int, generator: Generator) -> Laplace | None:
    """Find û by ``steps`` steps a round, and H there; None where the likelihood has no gradient in u to follow.

    Args:
        model: the model, frozen, in evaluation mode.
        batch: the images with their conditions, and a hidden category if there is one, on the model's device.
        steps: the number of gradient steps of each round.
        generator: the source of the starts.
    """
    parts = [_found(model, batch.rows(part), steps, generator) for part in _parts(len(batch), batch.images.device)]
    found = [part for part in parts if part is not None]
    if len(found) < len(parts):
        return None
    return Laplace.joined(found)


def _found(model: Decoder, batch: Batch, steps: int, generator: Generator) -> Laplace | None:
    rows = _times(batch, STARTS)
    begun = _starts(model, batch, generator)
    u, value, guided = _climb(model, rows, lambda v: v, begun, steps, RATES[0])
    if not guided:
        return None
    with torch.no_grad():
        before = _joint(model, begun, rows)
    u = torch.where((before > value)[:, None], begun, u)  # long steps leave a narrow mode
    value = torch.maximum(before, value)
    best = _best(value, len(batch), KEPT)
    u, value = u[best], value[best]
    there = around(model, u, _times(batch, KEPT))
    for _ in range(ROUNDS):
        rows = _times(batch, len(u) // len(batch))
        moved, reached, _ = _climb(model, rows, there.coloured, torch.zeros_like(u), steps, RATES[1])
        u = torch.where((reached > value)[:, None], moved, u)
        value = torch.maximum(reached, value)
        there = around(model, u, rows)
        best = _best(value + there.log_volume, len(batch), 1)
        u, value, there = u[best], value[best], there.rows(best)
    return there


def _times(batch: Batch, times: int) -> Batch:
    """Return the batch's rows so many times, images innermost."""
    return batch.rows(torch.arange(times * len(batch), device=batch.images.device) % len(batch))


def _best(value: Tensor, images: int, count: int) -> Tensor:
    """Return the rows of the largest values of each image, so many, int64 ``(count · images,)``, images innermost."""
    places = value.view(-1, images).topk(count, dim=0).indices
    return (places * images + torch.arange(images, device=value.device)).flatten()


def _starts(model: Decoder, batch: Batch, generator: Generator) -> Tensor:
    """Return where each image is searched from, ``(STARTS · N, Z)``, images innermost: draws under which it is likely.

    A mode that is missed is most of an estimate's error, and draws at random lie round another one mostly.
    """
    found = []
    for i in range(len(batch)):
        u = model.draw_noise(DRAWS, generator)
        rows = batch.rows(torch.full((DRAWS,), i, device=batch.images.device))
        with torch.no_grad():
            values = [_joint(model, u[part], rows.rows(part)) for part in _parts(DRAWS, u.device)]
            found.append(u[torch.cat(values).nan_to_num(-math.inf).topk(STARTS).indices])
    return torch.stack(found, 1).flatten(0, 1)


def _climb(
    model: Decoder, batch: Batch, to_noise: Callable[[Tensor], Tensor], start: Tensor, steps: int, rate: float
) -> tuple[Tensor, Tensor, bool]:
    """Raise ``log p(x, u)`` by Adam in coordinates v; return u, what it reached ``(N,)``, and if it had a gradient."""
    v = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([v], lr=rate, betas=BETAS)
    guided = False
    for i in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * (LAST + (1 - LAST) * (1 + math.cos(math.pi * i / steps)) / 2)
        with torch.enable_grad():
            u = to_noise(v)
            likelihood = model.observe(u, batch)
            if not likelihood.requires_grad:
                break
            (slope,) = torch.autograd.grad(likelihood.sum(), u, retain_graph=u is not v)
            guided = guided or bool(slope.any())
            if not guided:
                break
            falls = _pull(u.detach(), model.directed) - slope
            v.grad = falls if u is v else torch.autograd.grad(u, v, falls)[0]
        optimizer.step()
    u = to_noise(v.detach())
    with torch.no_grad():
        return u, _joint(model, u, batch), guided


def _joint(model: Decoder, u: Tensor, batch: Batch) -> Tensor:
    """Return what is raised: the logarithms of likelihood, prior, and room at the length of what is directed."""
    joint = model.observe(u, batch) - u.double().square().sum(1) / 2
    if model.directed < 2:
        return joint
    return joint + (model.directed - 1) * u[:, : model.directed].double().norm(dim=1).log()


def _pull(u: Tensor, directed: int) -> Tensor:
    """Return minus the gradient of all but the likelihood in :func:`_joint`."""
    if directed < 2:
        return u
    own = u[:, :directed]
    return torch.cat([own - (directed - 1) * own / own.square().sum(1, keepdim=True), u[:, directed:]], 1)


def around(model: Decoder, u: Tensor, batch: Batch) -> Laplace:
    """Return the Gaussians round ``u`` ``(N, Z)``, be it a mode or not."""
    with torch.no_grad():
        weights = model.sharpness(model.decode(u, batch), batch).sqrt()
    slopes = jacobian(lambda v, rows: model.decode(v, batch.rows(rows)), u).double() * weights[:, :, None]
    pixels, latents = slopes.shape[1:]
    if latents <= pixels:
        squares, axes = eigen(slopes.mT @ slopes)
    else:
        squares, left = eigen(slopes @ slopes.mT)
        axes = slopes.mT @ left / squares.clamp(min=torch.finfo(torch.float32).tiny).sqrt()[:, None, :]
    spreads = (1 + squares.clamp(min=0.0)).rsqrt()
    said = max(int((spreads < NEAR).sum(1).max()), 1)  # ascending squares: those that say most are the last
    return Laplace(u.detach(), axes[..., -said:].to(u.dtype).contiguous(), spreads[:, -said:].to(u.dtype))


def eigen(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Return the eigenvalues of symmetric matrices ``(N, k, k)``, ascending, and their vectors.

    Torch's solver divides and conquers, and may not come to an end where most of a matrix is exactly zero, as by pixels
    that are black whatever the noise; then the one that iterates on the whole does.
    """
    try:
        return torch.linalg.eigh(matrices)
    except torch.linalg.LinAlgError:
        found = [scipy.linalg.eigh(one, driver="ev") for one in matrices.cpu().numpy()]
        values, vectors = (torch.stack([torch.from_numpy(one) for one in part]) for part in zip(*found, strict=True))
        return values.to(matrices.device), vectors.to(matrices.device)


def jacobian(decode: Callable[[Tensor, Tensor], Tensor], u: Tensor) -> Tensor:
    """Return ``∂ decode / ∂u`` of each row, ``(N, C·H·W, Z)``: a product a latent, or a pixel where these are fewer.

    Args:
        decode: a function of noise ``(B, Z)`` and of the rows ``(B,)`` that it belongs to, row by row.
        u: the noise ``(N, Z)``.
    """
    rows = torch.arange(len(u), device=u.device)
    with torch.no_grad():
        pixels = decode(u[:1], rows[:1]).numel()
    if u.shape[1] <= pixels:
        try:
            with warnings.catch_warnings():  # of torch's own use of what it deprecates
                warnings.filterwarnings("ignore", message=".*torch.jit.script", category=FutureWarning)
                return _forward(decode, u)
        except RuntimeError:  # an operation, or a kind of tensor, that has no such product
            pass
    return _reverse(decode, u)


def _forward(decode: Callable[[Tensor, Tensor], Tensor], u: Tensor) -> Tensor:
    n, latents = u.shape
    directions = torch.eye(latents, dtype=u.dtype, device=u.device)
    columns = []
    for part in _parts(n * latents, u.device):
        with torch.no_grad(), forward_ad.dual_level():
            dual = forward_ad.make_dual(u[part // latents], directions[part % latents])
            image, slope = forward_ad.unpack_dual(decode(dual, part // latents))
            columns.append((torch.zeros_like(image) if slope is None else slope).flatten(1))
    return torch.cat(columns).unflatten(0, (n, latents)).mT


def _reverse(decode: Callable[[Tensor, Tensor], Tensor], u: Tensor) -> Tensor:
    with torch.enable_grad():
        v = u.detach().requires_grad_()
        image = decode(v, torch.arange(len(u), device=u.device)).flatten(1)
        lines = [torch.autograd.grad(pixel.sum(), v, retain_graph=True)[0] for pixel in image.unbind(1)]
    return torch.stack(lines, 1)


def _parts(n: int, device: torch.device) -> tuple[Tensor, ...]:
    return torch.arange(n, device=device).split(AT_ONCE)
