import math

import pytest
import torch

from genbench.metrics.agreement import agreement
from genbench.metrics.inception_score import inception_score


def test_a_network_that_sees_nothing_scores_one():
    result = inception_score(torch.zeros(50, 7))
    assert (result.score, result.std) == (pytest.approx(1), pytest.approx(0, abs=1e-12))


def test_sure_and_balanced_predictions_score_the_number_of_classes():
    logits = 1000 * torch.eye(5).repeat(20, 1)
    assert inception_score(logits, splits=1).score == pytest.approx(5)


def test_one_class_alone_scores_one():
    assert inception_score(1000 * torch.eye(5)[[2] * 40]).score == pytest.approx(1)


def test_splits_of_few_images_score_less():
    logits = 1000 * torch.eye(10).repeat(4, 1)
    assert inception_score(logits).score < inception_score(logits, splits=1).score == pytest.approx(10)


def test_its_logarithm_is_what_agreement_calls_class_entropy_less_entropy():
    logits = torch.randn(60, 5, generator=torch.Generator().manual_seed(0))
    looks = agreement(logits.double().softmax(dim=1), accuracy=1.0)
    bits = math.log2(inception_score(logits, splits=1).score)
    assert bits == pytest.approx(looks.class_entropy - looks.entropy, rel=1e-9)


def test_order_of_splits_is_the_seeds():
    logits = torch.randn(60, 5, generator=torch.Generator().manual_seed(0))
    assert inception_score(logits, seed=3) == inception_score(logits, seed=3)
    assert inception_score(logits, seed=3) != inception_score(logits, seed=4)


def test_fewer_images_than_splits_are_refused_rather_than_not_a_number():
    with pytest.raises(ValueError, match="9 fake images are too few: give at least 10"):
        inception_score(torch.zeros(9, 3))
    assert math.isfinite(inception_score(torch.zeros(10, 3)).std)
