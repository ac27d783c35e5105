import subprocess
import sys

import pytest
import torch

from genbench.metrics import memory

MEASURE = """
import importlib.util, sys, types
sys.modules["torch"] = types.ModuleType("torch")  # its own hundreds of megabytes would hide what is tested
spec = importlib.util.spec_from_file_location("memory", sys.argv[1])
module = importlib.util.module_from_spec(spec)
sys.modules["memory"] = module
spec.loader.exec_module(module)
held = bytearray(int(sys.argv[2]))
print(module._peak_bytes() / 1e6)
"""


def in_a_child(held):
    command = [sys.executable, "-c", MEASURE, memory.__file__, str(held)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_it_grows_by_what_is_held_even_after_it_is_let_go():
    before = memory.peak_memory().resident_mb
    held = torch.ones(100_000_000, dtype=torch.uint8)
    small = memory.peak_memory().resident_mb
    del held
    # Linux counts pages in batches: readings differ by a few hundred kilobytes.
    assert memory.peak_memory().resident_mb > small - 5 > before - 10


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems do not hand the peak on")
def test_a_child_does_not_report_its_parents_peak():
    held = torch.ones(300_000_000, dtype=torch.uint8)
    assert in_a_child(0) < 100
    assert in_a_child(150_000_000) > 150
    assert len(held)


def test_without_a_device_there_is_no_device_memory():
    assert memory.peak_memory("cpu").cuda_mb is None
