import signal

import pytest
import torch

from genbench import Split, Splits


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _interrupts():
    """The console script, where a test calls it in this process, answers Ctrl-C in its own way."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


def tiny_splits(shape=(1, 8, 8), levels=4, train=40, validation=16, classes=0, seed=0):
    """Random images of a few levels, with labels where there are classes."""
    source = torch.Generator().manual_seed(seed)

    def split(n):
        images = torch.randint(0, levels, (n, *shape), generator=source, dtype=torch.uint8)
        labels = torch.arange(n) % classes if classes else None
        return Split(images, labels)

    return Splits(split(train), split(validation))


@pytest.fixture
def splits():
    return tiny_splits()
