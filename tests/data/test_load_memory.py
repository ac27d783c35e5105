"""Loading takes hardly more memory than the pixels: what is read is put in order where it lies."""

import ctypes
import gc
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import genbench
from genbench import data
from genbench.data.arrays import brought_forward
from tests.data.pixels import pixels

SHARE = 1.3
STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def held(key):
    """What the system says that the process holds, or held at most, in bytes."""
    return int(next(line for line in STATUS.read_text().splitlines() if line.startswith(key)).split()[1]) * 1024


@pytest.fixture
def peak():
    def peak(load):
        gc.collect()
        try:
            ctypes.CDLL(None).malloc_trim(0)  # what is free goes back, so that it counts when it is taken again
            RESET.write_text("5")
        except (OSError, AttributeError):
            pytest.skip("the system does not begin its count again")
        before = held("VmRSS")
        found = load()
        return held("VmHWM") - before, found

    if not RESET.exists():
        pytest.skip("the system does not count")
    return peak


def test_the_count_sees_a_copy(peak):
    ones = np.ones(2**24, np.uint8)
    assert peak(lambda: ones.copy())[0] > 0.9 * 2**24


@pytest.mark.parametrize("kind", ["folder", "npz"])
def test_loading_takes_at_most_a_third_more_than_the_pixels(tmp_path, peak, kind):
    image = np.full((240, 320, 3), (200, 7, 9), np.uint8)
    path = tmp_path / "some.npz"
    if kind == "npz":
        np.savez(path, images=np.broadcast_to(image, (160, *image.shape)))
    else:
        path = tmp_path
        for i in range(160):  # bitmaps are quickly read
            Image.fromarray(image).save(tmp_path / f"{i}.bmp")
    genbench.Dataset.from_arrays(pixels(20, 4, 4))  # so that all is imported
    most, found = peak(lambda: data.load(f"{kind}:{path}"))
    whole = sum(split.images.nbytes for split in (found.train, found.validation, found.test))
    assert whole == 160 * image.nbytes
    assert 0.9 * whole < most < SHARE * whole


def test_rows_come_forward_in_their_own_memory():

    values = torch.from_numpy(pixels(50, 3, 7, 5))
    rows = torch.randperm(50, generator=torch.Generator().manual_seed(1))[:30]
    wanted, place = values[rows], values.data_ptr()
    found = brought_forward(values, rows)
    assert torch.equal(found, wanted)
    assert found.data_ptr() == place
