import math

import pytest
import torch
from sklearn.metrics import roc_auc_score

from genbench.metrics.anomaly import auroc


def scores(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_by_hand():
    found = auroc(scores(1, 2, 3), scores(2, 4))
    # Of the pairs 2 is above 1, level with 2 and below 3, and 4 above all: (1 + ½ + 0 + 3) / 6.
    assert found.auroc == 0.75
    # Means for 2 and 4: ½ and 1, s² = ⅛; for 1, 2 and 3: 1, ¾ and ½, s² = 1/16.
    assert found.auroc_standard_error == pytest.approx(math.sqrt(1 / 8 / 2 + 1 / 16 / 3))
    assert (found.normal, found.anomalous) == (3, 2)


def test_the_order_alone_counts_and_scikit_learn_agrees():
    noise = torch.Generator().manual_seed(0)
    normal, strange = (torch.randint(20, (n,), generator=noise).double() + shift for n, shift in ((70, 0), (40, 4)))
    found = auroc(normal, strange)
    truth = [0] * 70 + [1] * 40
    assert found.auroc == pytest.approx(roc_auc_score(truth, torch.cat([normal, strange]).numpy()))
    assert auroc(normal.exp(), strange.exp()).auroc == found.auroc
    assert auroc(-normal, -strange).auroc == pytest.approx(1 - found.auroc)


def test_scores_that_say_nothing_are_a_half_and_that_part_all_are_sure():
    assert auroc(torch.ones(4), torch.ones(3)).auroc == 0.5
    sure = auroc(scores(1, 2, 3), scores(4, 5))
    assert (sure.auroc, sure.auroc_standard_error) == (1, 0)
    assert auroc(scores(1, 2), scores(3)).auroc_standard_error is None


def test_the_standard_error_is_how_far_other_images_move_it():
    noise = torch.Generator().manual_seed(0)
    drawn = [auroc(torch.randn(60, generator=noise), 1 + torch.randn(30, generator=noise)) for _ in range(400)]
    spread = torch.tensor([one.auroc for one in drawn]).std()
    assert sum(one.auroc_standard_error for one in drawn) / 400 == pytest.approx(float(spread), rel=0.1)


@pytest.mark.parametrize(
    ("normal", "strange", "words"),
    [
        (scores(), scores(1), "normal scores"),
        (scores(1), torch.ones(2, 1), r"anomalous scores have shape \(2, 1\)"),
        (scores(1, math.nan), scores(1), "1 are not finite"),
    ],
)
def test_what_are_no_scores_is_refused(normal, strange, words):
    with pytest.raises(ValueError, match=words):
        auroc(normal, strange)
