"""`genbench compare` of two folders: against the time of its own extractor, and its FID against torch-fidelity's.

    python benchmarks/comparing.py                    5,000 against 5,000 made-up pictures of 32×32 in colour
    python benchmarks/comparing.py --count 500        fewer
    python benchmarks/comparing.py --folders A B      two folders of pictures, each of one size

The whole comparison is timed in one process, reading the folders included, and so is what of it the network's forward
passes take; the ratio of the two is what measuring adds. torch-fidelity reads the same pictures and asks the same
network, by the name under which genbench registers it.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import torch_fidelity
from torch import Tensor
from torch.nn.functional import interpolate
from torch.utils.data import TensorDataset
from torchvision.utils import save_image

from genbench.features import Extractor, Features
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


def main() -> None:
    """Print times, memory, and both programs' FID."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--folders", nargs=2)
    words = parser.parse_args()
    network = [0.0]
    plain = Extractor.features

    def timed(self: Extractor, images: Tensor, levels: int) -> Features:
        began = time.perf_counter()
        found = plain(self, images, levels)
        network[0] += time.perf_counter() - began
        return found

    Extractor.features = timed
    with TemporaryDirectory() as place:
        root = Path(place)
        a, b = words.folders or [folder_of(root / str(k), words.count, k, 6 + 2 * k) for k in range(2)]
        began = time.perf_counter()
        (row,) = compare.compare(a, [b], extractor=EXTRACTOR)
        whole = time.perf_counter() - began
        memory = peak_memory("cpu").resident_mb
        sets = [Pictures(compare.read(source).images) for source in (a, b)]
    theirs = torch_fidelity.calculate_metrics(
        input1=sets[1], input2=sets[0], fid=True, feature_extractor=EXTRACTOR, batch_size=64, cuda=False, verbose=False
    )["frechet_inception_distance"]
    print(f"{row['images']:,} against {row['reference_images']:,} pictures under {EXTRACTOR}")
    print(f"compare {whole:.1f} s, of which the network {network[0]:.1f} s: {whole / network[0]:.3f} times")
    print(f"peak memory {memory:,.0f} MB")
    print(f"FID {row['fid']:.8f}, torch-fidelity's {theirs:.8f}: apart by {abs(row['fid'] / theirs - 1):.1e} of it")


if __name__ == "__main__":
    main()
