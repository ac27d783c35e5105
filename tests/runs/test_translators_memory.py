"""Simple translations, and the measures of pairs, hold no larger tensors for larger images or for more of them."""

import json
from itertools import accumulate

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from genbench import DataSpec
from genbench.metrics.paired import l1, psnr, ssim
from genbench.runs.simple_translators import affine, linear, nearest_source
from genbench.spec import Split

MOST = 2**29  # four blocks of 2²⁴ numbers in float64


@pytest.fixture
def peak(tmp_path):
    """Return a function that tells how many bytes PyTorch holds at most during a call, beyond those before it.

    Its own allocator counts them, so that the figure is the same on any machine: what the system counts to a process
    depends on when freed pages are taken back, and was three times as much on one machine as on another.
    """

    def most(work):
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
            work()
        found.export_chrome_trace(str(tmp_path / "trace.json"))
        events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
        taken = sorted((event for event in events if event["name"] == "[memory]"), key=lambda event: event["ts"])
        return max(accumulate(event["args"]["Bytes"] for event in taken))

    return most


def pictures(n, side):
    return torch.randint(256, (n, 1, side, side), dtype=torch.uint8)


def filtered():
    split = Split(pictures(12, 256), sources=pictures(12, 256))
    return lambda: linear(split, pictures(1, 256), DataSpec((1, 256, 256), source=(1, 256, 256)))


def filtered_large():
    split = Split(pictures(1, 1024), sources=pictures(1, 1024))
    return lambda: linear(split, split.sources, DataSpec((1, 1024, 1024), source=(1, 1024, 1024)))


def mapped():
    split = Split(pictures(40, 512), sources=pictures(40, 4))
    return lambda: affine(split, split, split.sources.repeat(10, 1, 1, 1), DataSpec((1, 512, 512)))


def looked_up():
    split = Split(pictures(1000, 256), sources=pictures(1000, 256))
    return lambda: nearest_source(split, split.sources[:2])


def compared(measure, count, *levels):
    fake, real = pictures(count, 256), pictures(count, 256)
    return lambda: measure(fake, real, *levels)


@pytest.mark.parametrize(
    "prepare",
    [
        filtered,
        filtered_large,
        mapped,
        looked_up,
        lambda: compared(psnr, 1000, 256),
        lambda: compared(l1, 1000),
        lambda: compared(ssim, 4, 256),
    ],
    ids=["linear", "one large", "affine", "nearest source", "psnr", "l1", "ssim"],
)
def test_large_images_are_taken_some_at_a_time(peak, prepare):
    work = prepare()
    assert 2**26 < peak(work) < MOST


def test_the_count_is_of_what_is_held_at_once(peak):
    one = torch.ones(2**20)
    assert peak(lambda: [one + 1 for _ in range(3)]) >= 3 * one.nbytes
    assert one.nbytes <= peak(lambda: [float((one + 1)[0]) for _ in range(3)]) < 2 * one.nbytes
