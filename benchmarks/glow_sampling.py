"""Glow's sampling with kept inverses against nflows' own 1×1 convolution and actnorm in the same chain.

    python benchmarks/glow_sampling.py [THREADS]

Both chains have the same sizes and share their coupling networks and everything else; only the two bijections differ.
nflows' convolution solves two triangular systems for every pixel of every draw, or with its cache multiplies by an
inverse that it keeps (which goes stale when weights are loaded). The three take turns within one run, with the same
noise. Times are of drawing 28×28 images to uint8, with the recipe's default options.
"""

from __future__ import annotations

import copy
import statistics
import sys
import time
import warnings

import torch
from nflows.transforms.conv import OneByOneConvolution
from nflows.transforms.normalization import ActNorm as TheirActNorm
from torch import nn

from families.flow.convolution import InvertibleConv
from families.flow.model import FlowModel
from families.flow.normalisation import ActNorm
from genbench import DataSpec, build
from genbench.seed import generator

BATCHES = (1, 16, 64, 256)
REPEATS = 9


def theirs(model: FlowModel, using_cache: bool) -> FlowModel:
    """The same model with nflows' bijections for ours; every other part is shared, weights and all."""
    kept = {id(part): part for part in model.modules() if not isinstance(part, ActNorm | InvertibleConv)}
    parameters = {id(p): p for part in kept.values() for p in part.parameters(recurse=False)}
    other = copy.deepcopy(model, parameters)
    for part in list(other.modules()):
        for name, child in list(part.named_children()):
            if isinstance(child, ActNorm):
                setattr(part, name, TheirActNorm(len(child.shift)))
            elif isinstance(child, InvertibleConv):
                swap = OneByOneConvolution(len(child.learned), using_cache, identity_init=False)
                setattr(part, name, swap)
    return other.eval()


def seconds(model: FlowModel, batch: int) -> float:
    """One draw of ``batch`` images."""
    started = time.perf_counter()
    model.sample(batch, generator=generator(0))
    return time.perf_counter() - started


def main() -> None:
    """Print a table of medians and ratios."""
    warnings.simplefilter("ignore")  # of the deprecated solver that nflows calls
    threads = int(sys.argv[1]) if sys.argv[1:] else 1
    torch.set_num_threads(threads)
    ours = build("glow", DataSpec((1, 28, 28))).eval()
    models: dict[str, nn.Module] = {"ours": ours}
    models |= {"nflows": theirs(ours, False), "nflows, cached": theirs(ours, True)}
    print(
        f"Glow, 28×28, {threads} thread{'s' * (threads > 1)}, torch {torch.__version__}; medians of {REPEATS} rounds\n"
    )
    print("| batch | ours, ms | nflows, ms | nflows cached, ms | nflows / ours | nflows cached / ours |")
    print("|---:|---:|---:|---:|---:|---:|")
    for batch in BATCHES:
        times: dict[str, list[float]] = {name: [] for name in models}
        for turn in range(REPEATS + 2):
            for name, model in models.items():
                taken = seconds(model, batch)
                if turn >= 2:  # two warm-ups
                    times[name].append(taken)
        middle = [1000 * statistics.median(times[name]) for name in models]
        ratios = [
            statistics.median(a / b for a, b in zip(times[name], times["ours"], strict=True))
            for name in list(models)[1:]
        ]
        cells = [*(f"{value:.1f}" for value in middle), *(f"{ratio:.2f}" for ratio in ratios)]
        print(f"| {batch} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
