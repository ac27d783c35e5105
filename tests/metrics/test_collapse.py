import math

import pytest
import torch

from genbench.metrics.collapse import classes, closer, diversity, nearest, relative


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def clusters(n, spread=1.0, seed=0, k=4):
    """``n`` points a class round distant centres, and their classes."""
    labels = torch.arange(n * k) % k
    centres = 100 * torch.eye(k, 6)
    return centres[labels] + spread * torch.randn(n * k, 6, generator=generator(seed)), labels


def test_samples_in_the_data_s_proportions_cover_all_classes_and_diverge_by_nothing():
    labels = torch.tensor([0, 0, 0, 1, 1, 2, -1, -1])
    found = classes(labels[:6].repeat(3), labels, 3)
    assert (found.covered, found.divergence) == (3, pytest.approx(0))


def test_the_divergence_is_kl_in_bits_from_the_data_to_the_samples_histogram():
    labels = torch.tensor([0, 0, 0, 1])
    predicted = torch.tensor([0, 1, 1, 1])
    expected = 0.25 * math.log2(0.25 / 0.75) + 0.75 * math.log2(0.75 / 0.25)
    assert classes(predicted, labels, 2).divergence == pytest.approx(expected)


def test_a_sampler_of_one_class_diverges_by_log2_k_and_half_of_the_classes_by_one_bit():
    labels = torch.arange(80) % 8
    one, half = classes(torch.full((50,), 3), labels, 8), classes(torch.arange(80) % 4, labels, 8)
    assert (one.covered, one.divergence) == (1, pytest.approx(3))
    assert (half.covered, half.divergence) == (4, pytest.approx(1))


def test_a_class_with_less_than_a_tenth_of_its_share_is_missing():
    labels = torch.arange(100) % 2
    few, enough = (torch.cat([torch.zeros(1000 - n), torch.ones(n)]).long() for n in (49, 50))
    assert classes(few, labels, 2).covered == 1
    assert classes(enough, labels, 2).covered == 2


def test_a_class_that_the_data_lack_is_infinitely_far_and_not_covered():
    found = classes(torch.tensor([0, 1]), torch.tensor([0, 0]), 2)
    assert (found.covered, found.divergence) == (1, math.inf)


def test_diversity_is_the_ratio_of_mean_distances_within_each_class():
    real, labels = clusters(60, seed=1)
    own, same = clusters(60, spread=0.5, seed=2)
    by_hand = []
    for k in range(4):
        pairs = [torch.stack([(a - b).norm() for a in x for b in x]).sum() for x in (own[same == k], real[labels == k])]
        by_hand.append(pairs[0] / pairs[1])
    assert diversity(own, same, real, labels) == pytest.approx(float(sum(by_hand)) / 4, rel=1e-5)
    assert diversity(own, same, real, labels) == pytest.approx(0.5, abs=0.05)
    assert diversity(real, labels, real, labels) == pytest.approx(1)


def test_one_image_a_class_has_no_diversity_though_classes_are_all_there():
    real, labels = clusters(20)
    repeated, same = clusters(20, spread=0.0)
    assert diversity(repeated, same, real, labels) == pytest.approx(0)
    assert classes(same, labels, 4).covered == 4


def test_diversity_leaves_out_what_has_no_pairs_and_unknown_labels():
    real, labels = clusters(20)
    only = labels == 0
    assert diversity(real[only], labels[only], real, labels) == pytest.approx(1)
    unknown = torch.where(labels == 1, -1, labels)
    assert diversity(real, labels, real, unknown) == pytest.approx(1)
    assert math.isnan(diversity(real[:1], labels[:1], real, labels))


def test_the_nearest_is_that_of_a_loop(monkeypatch):
    monkeypatch.setattr("genbench.metrics.collapse.BLOCK", 7)
    rows, others = torch.randn(20, 3, generator=generator()), torch.randn(30, 3, generator=generator(1))
    found, within = nearest(rows, others), nearest(rows)
    for i, row in enumerate(rows):
        away = (others - row).norm(dim=1)
        assert int(found.index[i]) == int(away.argmin())
        assert float(found.distance[i]) == pytest.approx(float(away.min()), rel=1e-4)
        away = (rows - row).norm(dim=1)
        away[i] = math.inf
        assert int(within.index[i]) == int(away.argmin())
        assert float(within.distance[i]) == pytest.approx(float(away.min()), rel=1e-4)


def test_the_same_image_is_no_distance_away_however_far_from_the_origin():
    rows = 1000 + torch.randn(50, 64, generator=generator())
    assert torch.cdist(rows, rows).diag().max() > 0, "by matrix products it is"
    assert float(nearest(rows, rows).distance.max()) == 0
    assert float(nearest(rows.repeat(2, 1)).distance.max()) == 0


@pytest.mark.parametrize(("rows", "others"), [(0, 3), (1, None), (0, None), (2, 0)])
def test_what_has_no_neighbour_is_refused(rows, others):
    with pytest.raises(ValueError, match="too few rows"):
        nearest(torch.zeros(rows, 2), None if others is None else torch.zeros(others, 2))


def test_copies_of_the_training_images_and_repeated_samples_are_caught_and_fresh_ones_are_not():
    train, test, fresh = (torch.randn(n, 8, generator=generator(s)) for n, s in ((2000, 0), (500, 1), (500, 2)))
    real = nearest(test, train).distance
    assert closer(nearest(train[:500] + 1e-3, train).distance, real) == 1
    assert closer(nearest(fresh, train).distance, real) < 0.04
    assert closer(real, real) == pytest.approx(0.01, abs=0.003)
    half = torch.cat([fresh[:250], fresh[:250]])
    within = nearest(test).distance
    assert closer(nearest(half).distance, within) == 1
    assert closer(nearest(fresh).distance, within) < 0.04


def test_distances_are_relative_to_how_far_apart_real_images_are_there():
    index, apart = torch.tensor([2, 0, 1]), torch.tensor([4.0, 0.0, 0.5])
    assert relative(torch.tensor([1.0, 1.0, 0.0]), index, apart).tolist() == [2.0, 0.25, 0.0]


def test_a_crowded_class_has_no_more_near_ones_than_a_wide_one():
    """Two clusters, one a tenth as wide: by the bare distance all that is near is in it."""

    def draw(n, seed):
        labels = torch.arange(n) % 2
        wide = torch.where(labels == 0, 1.0, 0.1)[:, None]
        return 50 * labels[:, None] + wide * torch.randn(n, 6, generator=generator(seed)), labels

    (train, _), (test, labels) = draw(4000, 0), draw(2000, 1)
    near, apart = nearest(test, train), nearest(train).distance
    distances = relative(near.distance, near.index, apart)
    shares = [closer(distances[labels == k], distances) for k in range(2)]
    assert all(0.003 < share < 0.02 for share in shares), shares
    assert closer(near.distance[labels == 0], near.distance) == 0


@pytest.mark.parametrize(("predicted", "labels"), [(0, 3), (3, 0)])
def test_nothing_to_count_is_refused(predicted, labels):
    with pytest.raises(ValueError, match="give at least 1 of each"):
        classes(torch.zeros(predicted, dtype=torch.int64), torch.zeros(labels, dtype=torch.int64), 2)
