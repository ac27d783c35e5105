import pytest
import torch

from genbench.metrics import neighbours as module
from genbench.metrics.neighbours import neighbours


def test_they_are_those_of_all_distances_in_whatever_blocks(monkeypatch):
    rows = torch.randn(40, 6, generator=torch.Generator().manual_seed(0))
    apart = torch.cdist(rows.double(), rows.double()).fill_diagonal_(torch.inf)
    for at_once in (2**26, 40 * 7, 1):
        monkeypatch.setattr(module, "AT_ONCE", at_once)
        found = neighbours(rows)
        assert torch.allclose(found.radii.double(), apart.sort(1).values[:, :5], atol=1e-5)
        assert torch.allclose(found.nearest.double(), apart.amin(1), atol=1e-6)


def test_the_same_image_twice_is_at_no_distance_however_far_from_0():
    rows = 1000 + torch.randn(60, 64, generator=torch.Generator().manual_seed(1))
    rows[7] = rows[50]
    assert float(neighbours(rows).nearest[7]) == float(neighbours(rows).nearest[50]) == 0


def test_few_rows_have_fewer_neighbours_and_one_has_none():
    assert neighbours(torch.eye(3)).radii.shape == (3, 2)
    with pytest.raises(ValueError, match="neighbours: 1 rows: each needs another one"):
        neighbours(torch.eye(3)[:1])
