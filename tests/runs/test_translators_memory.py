"""Simple translations, and the measures of pairs, take no more memory for larger images or for more of them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

MOST = 2**29  # four blocks of 2²⁴ numbers in float64
# In a process of its own: what other tests have freed may be taken again without the system's counting it.
SCRIPT = """
import ctypes, gc, json
from pathlib import Path
import torch
from genbench import DataSpec
from genbench.metrics.paired import l1, psnr, ssim
from genbench.runs.simple_translators import affine, linear, nearest_source
from genbench.spec import Split

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")

def held(key):
    return int(next(line for line in STATUS.read_text().splitlines() if line.startswith(key)).split()[1]) * 1024

def peak(work):
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what is free goes back, so that it counts when it is taken again
    RESET.write_text("5")
    before = held("VmRSS")
    work()
    return held("VmHWM") - before

def pictures(n, side):
    return torch.randint(256, (n, 1, side, side), dtype=torch.uint8)

for work in (psnr, ssim):  # so that all is imported
    work(pictures(1, 16), pictures(1, 16), 256)
spec = DataSpec((1, 256, 256), source=(1, 256, 256))
many, other = pictures(1000, 256), pictures(1000, 256)
few = Split(other[:12], sources=many[:12])
small = Split(pictures(40, 512), sources=pictures(40, 4))
large = Split(pictures(1, 1024), sources=pictures(1, 1024))
print(json.dumps({
    "linear": peak(lambda: linear(few, many[:1], spec)),
    "one large": peak(lambda: linear(large, large.sources, DataSpec((1, 1024, 1024), source=(1, 1024, 1024)))),
    "affine": peak(lambda: affine(small, small, small.sources.repeat(10, 1, 1, 1), DataSpec((1, 512, 512)))),
    "nearest source": peak(lambda: nearest_source(Split(other, sources=many), many[:2])),
    "psnr": peak(lambda: psnr(many, other, 256)),
    "l1": peak(lambda: l1(many, other)),
    "ssim": peak(lambda: ssim(many[:4], other[:4], 256)),
}))
"""


@pytest.fixture(scope="module")
def taken():
    """What each takes at most, in bytes."""
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("the system does not count")
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    if "OSError" in done.stderr and "clear_refs" in done.stderr:
        pytest.skip("the system does not begin its count again")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", ["linear", "one large", "affine", "nearest source", "psnr", "l1", "ssim"])
def test_large_images_are_taken_some_at_a_time(taken, name):
    assert 0 < taken[name] < MOST
