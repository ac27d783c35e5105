import pytest
import torch
from sklearn.datasets import load_digits

from genbench import features, pretrained
from genbench.features import classifier
from genbench.spec import DataSpec, Split


@pytest.fixture
def cache(tmp_path, monkeypatch):
    for module in (features, classifier, pretrained):
        monkeypatch.setattr(module, "cache_dir", lambda: tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def digits():
    """Real 8×8 digits: train, test, spec."""
    data = load_digits()
    images = torch.from_numpy(data.images.astype("uint8"))[:, None]
    labels = torch.from_numpy(data.target).long()
    rows = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    train, test = rows[:1300], rows[1300:]
    spec = DataSpec((1, 8, 8), levels=17, classes=10)
    return Split(images[train], labels[train]), Split(images[test], labels[test]), spec


@pytest.fixture(scope="session")
def trap():
    """A class whose pickle writes a file when it is unpickled."""

    class Trap:
        def __init__(self, path):
            self.path = path

        def __reduce__(self):
            return open, (str(self.path), "w")

    return Trap
