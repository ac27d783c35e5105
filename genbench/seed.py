"""Randomness that is named, so that it can be repeated."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Generator, Tensor


def derive(seed: int, *names: object) -> int:
    """Return a 63-bit seed for a use of ``seed``: ``derive(0, "data", epoch)``. Other names give unrelated streams."""
    text = "\x1f".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *names: object, device: torch.device | str = "cpu") -> Generator:
    """Return a fresh generator on ``device`` for one named use of ``seed``."""
    return Generator(device).manual_seed(derive(seed, *names))


def twin(source: Generator) -> Generator:
    """Return a generator that draws what ``source`` would draw next, and leaves ``source`` where it is."""
    made = Generator(source.device)
    made.set_state(source.get_state())
    return made


def draw_seed(source: Generator) -> int:
    """Draw a seed from a generator, for what takes a seed and no generator."""
    return int(torch.randint(2**62, (), generator=source, device=source.device))


@contextmanager
def kept_rng() -> Iterator[None]:
    """Put torch's global generators back behind the block, whatever is drawn from them inside."""
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    apple = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None
    with torch.random.fork_rng(devices):
        try:
            yield
        finally:
            if apple is not None:
                torch.mps.set_rng_state(apple)


@contextmanager
def fork_rng(seed: int | Generator) -> Iterator[None]:
    """Seed torch's global generators inside the block and put them back behind it.

    For what takes no generator: initialisation, dropout, ``torch.distributions``.
    """
    with kept_rng():
        torch.manual_seed(draw_seed(seed) if isinstance(seed, Generator) else seed)
        yield


def normal(shape: Sequence[int], source: Generator, device: torch.device | str | None = None) -> Tensor:
    """Draw standard normal noise from ``source``, float32, moved to ``device`` wherever the generator lives."""
    return torch.randn(tuple(shape), generator=source, device=source.device).to(device or source.device)


def uniform(shape: Sequence[int], source: Generator, device: torch.device | str | None = None) -> Tensor:
    """Draw uniform noise on [0, 1) from ``source``, float32, moved to ``device`` wherever the generator lives."""
    return torch.rand(tuple(shape), generator=source, device=source.device).to(device or source.device)
