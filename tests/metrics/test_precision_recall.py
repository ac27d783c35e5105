import pytest
import torch
from torch_fidelity.metric_prc import KEY_METRIC_PRECISION, KEY_METRIC_RECALL, prc_features_to_metric

from genbench.metrics import neighbours
from genbench.metrics.precision_recall import precision_recall


def cluster(count, centre, seed):
    return centre + torch.rand(count, 2, generator=torch.Generator().manual_seed(seed))


REAL = torch.cat([cluster(50, 0, 0), cluster(50, 100, 1)])


def test_samples_of_half_the_modes_are_precise_and_recall_half():
    half = precision_recall(REAL, REAL[:50].clone())
    assert (half.precision, half.recall) == (1, 0.5)


def test_samples_beyond_the_modes_recall_all_and_are_less_precise():
    """The other way round: a swap of the arguments fails one of the two."""
    beyond = precision_recall(REAL[:50].clone(), REAL)
    assert (beyond.precision, beyond.recall) == (0.5, 1)


def test_sets_apart_share_nothing_and_equal_sets_all():
    apart = precision_recall(REAL, REAL + 1000)
    assert (apart.precision, apart.recall) == (0, 0)
    same = precision_recall(REAL, REAL.clone())
    assert (same.precision, same.recall) == (1, 1)


def test_a_ball_reaches_to_the_third_neighbour():
    line = torch.tensor([[0.0, 0], [1, 0], [2, 0], [3, 0]])  # radii 3, 2, 2, 3
    probes = torch.tensor([[-2.9, 0], [5.9, 0], [6.1, 0], [-3.1, 0]])
    assert precision_recall(line, probes).precision == 0.5


@pytest.mark.parametrize(("m", "n", "width"), [(300, 80, 20), (50, 200, 3), (4, 4, 2)])
def test_it_is_torch_fidelitys_in_blocks_too(monkeypatch, m, n, width):
    monkeypatch.setattr(neighbours, "AT_ONCE", 1000)
    real, fake = (torch.randn(k, width, generator=torch.Generator().manual_seed(k + width)) for k in (m, n))
    theirs = prc_features_to_metric(
        1.1 * fake, real, prc_neighborhood=3, prc_batch_size=37, save_cpu_ram=True, verbose=False
    )
    ours = precision_recall(real, 1.1 * fake)
    assert ours.precision == pytest.approx(float(theirs[KEY_METRIC_PRECISION]), abs=1e-6)
    assert ours.recall == pytest.approx(float(theirs[KEY_METRIC_RECALL]), abs=1e-6)
    assert ours.recall > 0


def test_too_few_images_are_refused():
    with pytest.raises(ValueError, match="3 fake images are too few: give at least 4"):
        precision_recall(REAL, REAL[:3])
