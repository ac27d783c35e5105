"""`genbench compare` of two folders: against the time of its own extractor, and its FID against torch-fidelity's.

    python benchmarks/comparing.py                    5,000 against 5,000 made-up pictures of 32×32 in colour
    python benchmarks/comparing.py --count 500        fewer
    python benchmarks/comparing.py --folders A B      two folders of pictures, each of one size

The comparison runs in a process of its own, as from the command line, timed without its imports; the memory is its
peak. Beside it stands what the extractor takes of the same pictures by itself, one batch after the other, each on all
threads. torch-fidelity reads the same pictures and asks the same network, by its name in genbench.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import torch_fidelity
from torch import Tensor
from torch.nn.functional import interpolate
from torch.utils.data import TensorDataset
from torchvision.utils import save_image

from genbench import features
from genbench.metrics.memory import peak_memory
from genbench.runs import compare

EXTRACTOR = "efficientnet-lite0"


class Pictures(TensorDataset):
    """Pictures as torch-fidelity takes them: one a row, without a label."""

    def __getitem__(self, index: int) -> Tensor:
        """Return a picture, uint8 ``(3, H, W)``."""
        return super().__getitem__(index)[0]


def folder_of(path: Path, count: int, seed: int, coarse: int) -> str:
    """Write ``count`` pictures of coloured blots, of ``coarse`` patches a side, and return where they lie."""
    path.mkdir()
    source = torch.Generator().manual_seed(seed)
    for start in range(0, count, 500):
        noise = torch.rand(min(500, count - start), 3, coarse, coarse, generator=source)
        for i, picture in enumerate(interpolate(noise, size=32, mode="bicubic").clamp(0, 1), start):
            save_image(picture, path / f"{i:05}.png")
    return str(path)


def compared(a: str, b: str) -> tuple[dict[str, Any], float, float]:
    """Return the figures of ``b`` against ``a``, the seconds they took, and the process's peak memory in MB."""
    began = time.perf_counter()
    (row,) = compare.compare(a, [b], extractor=EXTRACTOR)
    return row, time.perf_counter() - began, peak_memory("cpu").resident_mb


def passed(sets: list[Pictures]) -> float:
    """Return the seconds that the network takes of all pictures, a batch after the other."""
    extractor = features.extractor(EXTRACTOR)
    began = time.perf_counter()
    with torch.inference_mode():
        for pictures in sets:
            for batch in pictures.tensors[0].split(extractor.batch_size):
                extractor.network(batch)
    return time.perf_counter() - began


def main() -> None:
    """Print times, memory, and both programs' FID."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--folders", nargs=2)
    words = parser.parse_args()
    with TemporaryDirectory() as place:
        root = Path(place)
        a, b = words.folders or [folder_of(root / str(k), words.count, k, 6 + 2 * k) for k in range(2)]
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            row, seconds, memory = pool.apply(compared, (a, b))
        sets = [Pictures(compare.read(source).images) for source in (a, b)]
    alone = passed(sets)
    theirs = torch_fidelity.calculate_metrics(
        input1=sets[1], input2=sets[0], fid=True, feature_extractor=EXTRACTOR, batch_size=64, cuda=False, verbose=False
    )["frechet_inception_distance"]
    print(f"{row['images']:,} against {row['reference_images']:,} pictures under {EXTRACTOR}")
    print(f"compare {seconds:.1f} s, the network alone {alone:.1f} s: {seconds / alone:.3f} times")
    print(f"peak memory {memory:,.0f} MB")
    print(f"FID {row['fid']:.8f}, torch-fidelity's {theirs:.8f}: apart by {abs(row['fid'] / theirs - 1):.1e} of it")


if __name__ == "__main__":
    main()
