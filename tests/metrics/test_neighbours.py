import pytest
import torch

from genbench.features import Features
from genbench.metrics import neighbours as module
from genbench.metrics.density_coverage import density_coverage
from genbench.metrics.neighbours import neighbours
from genbench.metrics.precision_recall import precision_recall
from genbench.metrics.quality import quality


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


def test_measures_that_share_distances_reckon_them_once_where_one_block_holds_them(monkeypatch):
    source = torch.Generator().manual_seed(2)
    real, fake = (Features(torch.randn(n, 6, generator=source), torch.zeros(n, 0)) for n in (40, 30))
    near = neighbours(real.features)
    reckoned = []
    plain = torch.cdist
    monkeypatch.setattr(torch, "cdist", lambda a, b: reckoned.append(len(a)) or plain(a, b))
    found = []
    for at_once, blocks in ((2**26, [30, 40]), (40 * 16, [21, 9] + 2 * [21, 19])):
        monkeypatch.setattr(module, "AT_ONCE", at_once)
        reckoned.clear()
        found.append(quality(real, fake, near=near))
        assert reckoned == blocks
    apart = [precision_recall(real.features, fake.features), density_coverage(real.features, fake.features)]
    for shared in found:
        assert [shared.precision, shared.recall] == [apart[0].precision, apart[0].recall]
        assert [shared.density, shared.coverage] == [apart[1].density, apart[1].coverage]
