"""One cell on two processors: whether samples are of the same law as on one, and what the exchange costs.

    OMP_NUM_THREADS=1 python benchmarks/devices.py                   gan and vae on digits, 6 seeds of 400 steps
    OMP_NUM_THREADS=1 python benchmarks/devices.py dcgan --devices 4 --seeds 8

Every seed is trained on one device and on several, with batches of 64 in all. Prints the mean FID over seeds with its
standard error, of 1,000 samples against the training images in pixels, and the steps a second.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
import time
from pathlib import Path

import torch
from torch import distributed

import genbench
from genbench import Budget, FitConfig, data
from genbench.metrics.fid import fid
from genbench.runs.spawn import SPAWN
from genbench.seed import generator

SAMPLES = 1000


def train(recipes: list[str], steps: int, seeds: int, devices: int, rank: int, folder: Path) -> None:
    """Train all of it as one of the ranks; the first one writes the FIDs and steps a second of each recipe."""
    if devices > 1:
        store = distributed.FileStore(str(folder / f"meeting-{devices}"), devices)
        distributed.init_process_group("gloo", store=store, rank=rank, world_size=devices)
    dataset = data.load("digits")
    real = dataset.train.images.flatten(1).float()
    found = {}
    for name in recipes:
        values, began = [], time.perf_counter()
        for seed in range(seeds):
            model = genbench.build(name, dataset.spec, seed=seed)
            model.fit(dataset.splits, FitConfig(Budget(steps=steps), 64, seed, devices=devices))
            samples = model.sample(SAMPLES, generator=generator(seed, "devices"))
            values.append(fid(real, samples.flatten(1).float()).fid)
        found[name] = (values, seeds * steps / (time.perf_counter() - began))
    if rank == 0:
        torch.save(found, folder / f"found-{devices}.pt")


def said(values: list[float]) -> str:
    """The mean and its standard error."""
    return f"{statistics.fmean(values):.2f} ± {statistics.stdev(values) / math.sqrt(len(values)):.2f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("recipes", nargs="*", default=["gan", "vae"])
    parser.add_argument("--devices", type=int, default=2)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=6)
    words = parser.parse_args()
    both = (1, words.devices)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for devices in both:
            told = (words.recipes, words.steps, words.seeds, devices)
            ranks = [SPAWN.Process(target=train, args=(*told, rank, folder)) for rank in range(devices)]
            for rank in ranks:
                rank.start()
            for rank in ranks:
                rank.join()
        one, several = (torch.load(folder / f"found-{devices}.pt") for devices in both)
    print(f"| recipe | FID, 1 device | FID, {words.devices} | apart, in errors | steps/s, 1 | {words.devices} |")
    print("|---|---:|---:|---:|---:|---:|")
    for name in words.recipes:
        (first, fast), (second, slow) = one[name], several[name]
        error = math.sqrt((statistics.variance(first) + statistics.variance(second)) / words.seeds)
        apart = (statistics.fmean(second) - statistics.fmean(first)) / error
        print(f"| `{name}` | {said(first)} | {said(second)} | {apart:+.1f} | {fast:.1f} | {slow:.1f} |")


if __name__ == "__main__":
    main()
