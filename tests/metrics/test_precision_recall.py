import pytest
import torch

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


def test_too_few_images_are_refused():
    with pytest.raises(ValueError, match="3 fake images are too few: give at least 4"):
        precision_recall(REAL, REAL[:3])
