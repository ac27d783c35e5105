"""What evaluating 1,000 samples costs, measure by measure, and what memory FID takes for more and more of them.

    OMP_NUM_THREADS=1 python benchmarks/evaluation.py [--samples 1000]

Seconds are the processor's, of all threads, so that a busy machine changes them little. Features of real images and
the classifier are there already, as they are from the second cell of a run on; likelihood and speed depend on the
model and are in each record (`seconds`). The last lines stream features of a known Gaussian through FID's moments.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import torch
from torch import Tensor

from genbench import data
from genbench.metrics import density_coverage, inception_score, kid, precision_recall
from genbench.metrics.fid import fid
from genbench.metrics.frechet import Moments, distance
from genbench.metrics.memory import peak_memory
from genbench.metrics.neighbours import neighbours
from genbench.plots import sample_grid
from genbench.runs import anchors, measures

T = TypeVar("T")
WIDTH, BLOCK = 1280, 1024


def timed(name: str, work: Callable[[], T], total: list[float]) -> T:
    """Do it, and print what it took."""
    began = time.process_time()
    result = work()
    total.append(time.process_time() - began)
    print(f"| {name} | {total[-1]:.2f} |", flush=True)
    return result


def streamed(count: int) -> Iterator[Tensor]:
    """Features in blocks, none of which is kept."""
    source = torch.Generator().manual_seed(0)
    for _ in range(count // BLOCK):
        yield torch.randn(BLOCK, WIDTH, generator=source)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=1000)
    count = parser.parse_args().samples
    dataset = data.load("mnist5k")
    spec, total = dataset.spec, list[float]()
    extractor, judge = (measures.extractor(name, dataset, "cpu") for name in ("efficientnet-lite0", "classifier"))
    real = measures.real(extractor, dataset.train.images, spec)
    measures.real(extractor, dataset.test.images[:count], spec)
    samples = anchors.gaussian(dataset.train.images, count, spec.levels, 0)
    print(f"| {count:,} samples | processor seconds |\n|---|---:|")
    seen = timed("features", lambda: extractor.features(samples, spec.levels), total)
    timed("FID with its standard error", lambda: fid(real.features, seen.features), total)
    timed("KID with its standard error", lambda: kid.kid(real.features, seen.features), total)
    near = timed("neighbours of real images (once a data set)", lambda: neighbours(real.features), [])
    shares = (precision_recall.precision_recall, density_coverage.density_coverage)
    for what, share in zip(("precision, recall", "density, coverage"), shares, strict=True):
        timed(what, lambda share=share: share(real.features, seen.features, near), total)
    timed("inception score", lambda: inception_score.inception_score(seen.logits), total)
    found = timed("classes", lambda: judge.predict(samples, spec.levels), total)
    timed("agreement", lambda: measures.agreement(judge, dataset, found, None), total)
    classes = found.argmax(1)
    _, nearest = timed("collapse", lambda: measures.collapse(extractor, dataset, samples, seen, classes), total)
    timed("Parzen windows", lambda: measures.parzen(dataset, samples), total)
    with TemporaryDirectory() as folder:
        images = dataset.train.images[nearest]
        path = Path(folder) / "neighbours.png"
        timed("pictures", lambda: sample_grid.neighbours(path, samples, images, spec.levels), total)
    print(f"| all | {sum(total):.1f} |\n\n| samples streamed through FID | peak of the process, MB |\n|---:|---:|")
    for many in (4, 16, 64):
        distance(Moments.of([real.features]), Moments.of(streamed(many * BLOCK)))
        print(f"| {many * BLOCK:,} | {peak_memory('cpu').resident_mb:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
