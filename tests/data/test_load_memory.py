"""Loading takes hardly more memory than the pixels: what is read is put in order where it lies."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from genbench.data.arrays import brought_forward
from tests.data.pixels import pixels

SHARE = 1.3
IMAGE = np.full((240, 320, 3), (200, 7, 9), np.uint8)
COUNT, FEW = 160, 20
# In a process of its own: what other tests have freed may be taken again without the system's counting it.
SCRIPT = """
import ctypes, gc, json, sys
from pathlib import Path
import numpy as np
import genbench
from genbench import data

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")

def held(key):
    return int(next(line for line in STATUS.read_text().splitlines() if line.startswith(key)).split()[1]) * 1024

def peak(load):
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what is free goes back, so that it counts when it is taken again
    RESET.write_text("5")
    before = held("VmRSS")
    found = load()
    return held("VmHWM") - before, found

ones = np.ones(2**24, np.uint8)
said = {"copy": peak(ones.copy)[0]}
for kind, few, path in (("folder", *sys.argv[1:3]), ("npz", *sys.argv[3:])):
    data.load(f"{kind}:{few}")  # so that all is imported, and what reading takes once is taken
    most, found = peak(lambda: data.load(f"{kind}:{path}"))
    whole = sum(split.images.nbytes for split in (found.train, found.validation, found.test))
    said[kind] = most, whole
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    """What was taken at most, in bytes: by a copy of 16 MB; by a folder and an archive, and what their pixels are."""
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("the system does not count")
    paths = []
    for count in (FEW, COUNT):
        folder = tmp_path_factory.mktemp("images")
        for i in range(count):  # bitmaps are quickly read
            Image.fromarray(IMAGE).save(folder / f"{i}.bmp")
        paths.append(folder)
    for count in (FEW, COUNT):
        paths.append(tmp_path_factory.mktemp("archive") / "some.npz")
        np.savez(paths[-1], images=np.broadcast_to(IMAGE, (count, *IMAGE.shape)))
    words = [sys.executable, "-c", SCRIPT, *map(str, paths)]
    done = subprocess.run(words, capture_output=True, text=True)
    if "OSError" in done.stderr and "clear_refs" in done.stderr:
        pytest.skip("the system does not begin its count again")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_count_sees_a_copy(counted):
    assert counted["copy"] > 0.9 * 2**24


@pytest.mark.parametrize("kind", ["folder", "npz"])
def test_loading_takes_at_most_a_third_more_than_the_pixels(counted, kind):
    most, whole = counted[kind]
    assert whole == COUNT * IMAGE.nbytes
    assert 0.9 * whole < most < SHARE * whole


def test_rows_come_forward_in_their_own_memory():
    values = torch.from_numpy(pixels(50, 3, 7, 5))
    rows = torch.randperm(50, generator=torch.Generator().manual_seed(1))[:30]
    wanted, place = values[rows], values.data_ptr()
    found = brought_forward(values, rows)
    assert torch.equal(found, wanted)
    assert found.data_ptr() == place
