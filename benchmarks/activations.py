"""How much memory a training step takes at a larger shape, and what the option that bounds it costs.

    OMP_NUM_THREADS=1 python benchmarks/activations.py                         all explicit recipes, at 1×64×64
    OMP_NUM_THREADS=1 python benchmarks/activations.py wavenet realnvp --shape 3,64,64 --sizes none,16,4

Each line is a process of its own: it builds the recipe for 256 levels and ten labels, trains a few steps at a batch of
64 on smooth random images, and prints the peak of its resident memory, Python and PyTorch included, in GB of 10⁹ bytes;
the processor time of a step in seconds (the median, the first left out: with one thread it is what other work on the
machine disturbs least); and with ``--likelihoods`` the peak once those of 256 images have been taken too, which takes
minutes where they need a search. Freed memory is kept as `genbench run` keeps it for its cells. A size of none passes
the whole batch at once; other sizes of a micro-batch are tried on the recipes that have the option.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import torch
from torch.nn import functional as F

import genbench
from genbench import Budget, DataSpec, FitConfig, catalog
from genbench.metrics.memory import peak_memory
from genbench.spec import Split, Splits

BATCH = 64
IMAGES = 256
CLASSES = 10
FAMILIES = ("autoregressive", "flow", "autoencoder")
OPTION = "micro_batch"
KEEP = {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**34)}


def images(spec: DataSpec) -> Splits:
    """Random grey or colour clouds, every one labelled."""
    source = torch.Generator().manual_seed(0)
    coarse = torch.rand(IMAGES, spec.shape[0], 8, 8, generator=source)
    clouds = F.interpolate(coarse, spec.shape[1:], mode="bilinear")
    split = Split((clouds * spec.levels).to(torch.uint8), torch.arange(IMAGES) % CLASSES)
    return Splits(split, split)


def measure(name: str, size: int | None, words: argparse.Namespace) -> tuple[float, float, float]:
    """Return GB behind training, seconds a step, and GB behind the likelihoods too where they are asked for."""
    labelled = IMAGES if "labelled" in catalog.recipe(name).needs else None
    spec = DataSpec(words.shape, classes=CLASSES, labelled=labelled)
    model = genbench.build(name, spec, **({} if size is None else {OPTION: size}))
    splits = images(spec)
    seconds: list[float] = []
    hear = [lambda progress: seconds.append(time.process_time())]
    model.fit(splits, FitConfig(Budget(steps=words.steps), BATCH), callbacks=hear)
    trained = peak_memory().resident_mb / 1000
    if words.likelihoods:
        model.log_likelihood(splits.validation)
    step = statistics.median(b - a for a, b in itertools.pairwise(seconds))
    return trained, step, peak_memory().resident_mb / 1000


def compare(name: str, words: argparse.Namespace) -> None:
    """Print a row for each size that the recipe takes, each measured in a process that does nothing else."""
    whole = None
    for size in words.sizes if OPTION in catalog.recipe(name).options() else [None]:
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            trained, step, scored = pool.submit(measure, name, size, words).result()
        whole = whole or step
        row = [f"`{name}`", size or "none", f"{trained:.2f}", f"{step:.2f}", f"{step / whole:.2f}"]
        print("|", " | ".join(map(str, [*row, *([f"{scored:.2f}"] if words.likelihoods else [])])), "|", flush=True)


def main() -> None:
    """Measure the recipes named, or all explicit ones."""
    explicit = [name for name, recipe in catalog.recipes().items() if recipe.family in FAMILIES]
    parser = argparse.ArgumentParser()
    parser.add_argument("recipes", nargs="*", default=explicit)
    parser.add_argument("--shape", type=lambda word: tuple(map(int, word.split(","))), default=(1, 64, 64))
    parser.add_argument("--sizes", type=sizes, default=[None, 16])
    parser.add_argument("--steps", type=int, default=3, help="2 or more: the first is not timed")
    parser.add_argument("--likelihoods", action="store_true")
    words = parser.parse_args()
    if words.steps < 2:
        parser.error(f"--steps {words.steps}: give 2 or more, since the first is not timed")
    os.environ.update(KEEP)
    header = [f"recipe, {'×'.join(map(str, words.shape))}", OPTION, "training, GB", "s a step", "ratio"]
    header += ["with likelihoods, GB"] if words.likelihoods else []
    print("|", " | ".join(header), "|")
    print("|---|" + "---:|" * (len(header) - 1))
    for name in words.recipes:
        compare(name, words)


def sizes(word: str) -> list[int | None]:
    """``none,16`` as the sizes of micro-batches to try."""
    return [None if part == "none" else int(part) for part in word.split(",")]


if __name__ == "__main__":
    main()
