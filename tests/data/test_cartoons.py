"""Cartoons: medians against sorting, tones and lines by hand."""

import numpy as np
import torch

from genbench import data
from genbench.data.cartoons import cartoon, median
from genbench.spec import to_bytes


def test_medians_are_the_middle_of_the_sorted_with_edges_mirrored():
    images = torch.randint(256, (2, 3, 4, 7), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    around = np.pad(images.numpy(), ((0, 0), (0, 0), (2, 2), (2, 2)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(around, (5, 5), (2, 3))
    assert median(images).tolist() == np.sort(windows.reshape(2, 3, 4, 7, 25), -1)[..., 12].tolist()


def test_tones_by_hand():
    for level, tone in ((0, 0), (25, 0), (26, 51), (100, 102), (229, 204), (230, 255), (255, 255)):
        plain = torch.full((1, 1, 4, 4), level, dtype=torch.uint8)
        assert (cartoon(plain) == tone).all(), f"{level} → {tone}"
    colour = torch.tensor([120, 90, 60], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    assert cartoon(colour)[0, :, 1, 2].tolist() == [126, 96, 66], "grey 96 becomes 102, and the colours move as far"
    bright = torch.tensor([255, 230, 220], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    assert cartoon(bright)[0, :, 0, 0].tolist() == [255, 249, 239], "grey 236 becomes 255, and no level more"


def test_medians_are_taken_twice():
    image = torch.zeros(1, 1, 12, 12, dtype=torch.uint8)
    image[..., 4:8, 4:8] = 51  # a median rounds its corners off, and another more of them
    once = median(image)
    assert int((median(once) != once).sum()) > 0
    tones = cartoon(image)
    assert torch.equal(tones, median(once)), "51 is a tone, and too faint for a line"


def test_lines_keep_a_quarter():
    halves = torch.zeros(1, 1, 10, 12, dtype=torch.uint8)
    halves[..., :6] = 204
    assert cartoon(halves)[0, 0, 5].tolist() == [*[204] * 5, 51, *[0] * 6], "a line one pixel wide"


def test_photographs_are_the_sources_of_their_cartoons():
    plain, found = data.load("digits"), data.load("cartoon:digits")
    assert (found.spec.levels, found.spec.source, found.aligned, found.source_of) == (256, (1, 8, 8), True, None)
    for name in ("train", "test"):
        split = getattr(found, name)
        assert torch.equal(split.sources, to_bytes(getattr(plain, name).images, 17))
        assert torch.equal(split.images, cartoon(split.sources))
        assert torch.equal(split.labels, getattr(plain, name).labels)
