import math

import pytest

from genbench.tables import rows
from genbench.tables.columns import FIGURES
from genbench.tables.ranks import interval, ranks
from tests.records import anchor, likelihood, lost, quality, record

NLL, FID, RECALL, LATENCY = (
    next(figure for figure in FIGURES if figure.key == key) for key in ("nll_bpd", "fid", "recall", "latency_ms")
)


def bits(label, per_image, stamp=None, **fields):
    return [record(label, test=likelihood(per_image, **fields), stamp=stamp)]


def fids(label, values, stamp=None, **fields):
    return [record(label, seed=s, quality=quality(v, **fields), stamp=stamp) for s, v in values.items()]


def of(recipe, cells):
    return [cell.model_copy(update={"recipe": recipe}) for cell in cells]


def places(found):
    return [rank and rank.place for rank in found]


def test_interval_is_students_by_hand():
    # mean 2, s = 1, t(0.975, 2) = 4.302653, so 2 ± 4.302653 / √3
    assert interval([1, 2, 3]) == pytest.approx((2 - 2.484138, 2 + 2.484138), abs=1e-6)


@pytest.mark.parametrize("differences", [[], [1.0], [1.0, math.inf], [1.0, math.nan]])
def test_nothing_is_told_from_one_pair_or_one_that_is_not_finite(differences):
    assert interval(differences) is None


def test_ties_share_a_rank_and_best_must_beat_all_others():
    # b - a = (1, 2, 3): 2 ± 2.48, a tie. c - a = (2, 3, 4): 3 ± 2.48, c - b = (1, 1, 1): c is worse than both.
    a, b, c = bits("a", (1, 1, 1)), bits("b", (2, 3, 4)), bits("c", (3, 4, 5))
    found = ranks([c, a, b], NLL)
    assert places(found) == [3, 1, 1]
    assert not any(rank.best for rank in found)
    assert [rank.best for rank in ranks([c, a], NLL)] == [False, True]
    assert {rank.among for rank in found} == {3}


def test_images_are_paired():
    # The images' own spread hides a difference of 0.1 from an unpaired test; each image shows it.
    a, b = bits("a", (1.0, 5.0, 9.0, 3.0)), bits("b", (1.11, 5.09, 9.1, 3.1))
    assert places(ranks([a, b], NLL)) == [1, 2]


@pytest.mark.parametrize(
    "other",
    [
        {"given": ("label",)},
        {"observation": "added"},
        {"kind": "estimate", "method": "ais"},
        {"stamp": {"data": {"name": "mnist5k", "hashes": {"test": "f" * 64}}}},
        {"stamp": {"counts": {"train": 3500, "validation": 500, "test": 999}}},
        {"stamp": {"budget": {"seconds": 300.0}}},
        {"stamp": {"checkpoint": "best on validation"}},
        {"stamp": {"threads": 4}},  # the budget is in seconds
    ],
    ids=str,
)
def test_likelihoods_that_do_not_compare_are_not_ranked_together(other):
    a, b, c = bits("a", (1, 1, 1)), bits("b", (3, 4, 5)), bits("c", (7, 7, 8), **other)
    assert places(ranks([a, b, c], NLL)) == [1, 2, None]


@pytest.mark.parametrize("other", [{"method": "parzen"}, {"draws": 8}, {"effort": "thorough"}], ids=str)
def test_estimates_compare_only_under_one_estimator(other):
    common = {"kind": "estimate", "method": "ais", "draws": 2}
    a, b = bits("a", (1, 1, 1), **common), bits("b", (3, 4, 5), **common | other)
    assert places(ranks([a, b], NLL)) == [None, None]


def test_code_lengths_compare_however_they_were_found():
    a, b, c = (
        bits(label, x, kind=kind, method=method, draws=draws)
        for label, x, kind, method, draws in (
            ("a", (1, 2, 3), "bound", "dequantised", 9),
            ("b", (3, 4, 5), "bound", "iwae", 1000),
            ("c", (2, 3, 4), "exact", "chain rule", 1),
        )
    )
    assert places(ranks([a, b, c], NLL)) == [1, 3, 2]
    guess = bits("d", (0, 0, 0.1), kind="estimate", method="ais", converged=True)
    assert places(ranks([a, b, c, guess], NLL)) == [1, 3, 2, None], "an estimate is no code length"


def test_threads_matter_to_steps_only_through_speed():
    steps = {"budget": {"steps": 1000}}
    a, b = bits("a", (1, 1, 1), stamp=steps), bits("b", (3, 4, 5), stamp=steps | {"threads": 4})
    assert places(ranks([a, b], NLL)) == [1, 2]
    assert places(ranks([a, b], LATENCY)) == [None, None]


def test_unconverged_estimates_are_not_ranked():
    common = {"kind": "estimate", "method": "ais"}
    a, b = bits("a", (1, 1, 1), **common, converged=True), bits("b", (3, 4, 5), **common, converged=True)
    c = bits("c", (0, 0, 0.1), **common, converged=False)
    assert places(ranks([c, a, b], NLL)) == [None, 1, 2]


BAD = (
    ({"by": "genbench check", "failed": {"sum": "probabilities sum to 2"}}, "its recipe fails sum: probabilities sum"),
    ({"by": "genbench check", "unchecked": {"sum": "too large"}}, "its recipe could not be checked: sum: too large"),
    ({"by": "genbench check", "passed": [], "failed": "all"}, "its recipe fails all"),
    (None, "nobody checked its recipe; `genbench check theirs` does"),
    ({}, "nobody checked its recipe"),
    ("passed", "nobody checked its recipe"),
)


@pytest.mark.parametrize(("checked", "why"), BAD, ids=str)
def test_nothing_ranks_a_model_that_broke_a_promise_or_was_not_checked(checked, why):
    stamp = {"checked": checked}
    a, b = bits("a", (1, 1.1, 1)), bits("b", (3, 4, 5))
    c = of("theirs", bits("c", (0, 0, 0.1), stamp))
    assert places(ranks([c, a, b], NLL)) == [None, 1, 2]
    d = of("theirs", fids("d", {0: 1, 1: 1.1}, stamp))
    assert places(ranks([d, fids("e", {0: 10, 1: 10.1}), fids("f", {0: 20, 1: 20.1})], FID)) == [None, 1, 2]
    table = {row["label"]: row for row in rows.rows([*c, *a, *b])}
    assert [row["checked"] for row in table.values()] == [True, True, False], "and it stands last"
    assert any(f"† nothing ranks it: {why}" in note for note in table["c"]["notes"])
    assert table["c"]["refused"] is None, "it is held against nobody"
    assert "c †" in rows.render([*c, *a, *b], "md")
    assert r"c $\dagger$" in rows.render([*c, *a, *b], "tex")


def test_one_seed_that_was_not_checked_takes_its_row_with_it():
    a, b = fids("a", {0: 10, 1: 10.1}), fids("b", {0: 20, 1: 20.1})
    c = of("theirs", [*fids("c", {0: 1}), *fids("c", {1: 1.1}, {"checked": None})])
    assert places(ranks([c, a, b], FID)) == [None, 1, 2]


def test_records_of_our_own_recipes_from_before_checks_are_ranked():
    a, b = of("vae", bits("a", (1, 1.1, 1), {"checked": None})), bits("b", (3, 4, 5))
    assert places(ranks([a, b], NLL)) == [1, 2]
    assert all(row["checked"] for row in rows.rows([*a, *b]))
    (anchor_row,) = rows.rows([anchor("uniform", test=likelihood(), stamp={"checked": None})])
    assert anchor_row["checked"] is None


def test_what_samples_are_given_decides_too():
    a, b = fids("a", {0: 10, 1: 10.1}), fids("b", {0: 20, 1: 20.1})
    c = [r.model_copy(update={"given": ("source",)}) for r in fids("c", {0: 5, 1: 5.1})]
    d = [r.model_copy(update={"given": ("source",)}) for r in fids("d", {0: 4, 1: 4.1})]
    assert places(ranks([a, b, c, d], FID)) == [1, 2, 2, 1]


@pytest.mark.parametrize(
    "other",
    [
        {"stamp": {"extractor": {"name": "efficientnet-lite0", "hash": "f" * 64, "resize": "bilinear to 112"}}},
        {"stamp": {"reference": {"split": "test", "images": 3500}}},
        {"images": 500},
        {"reference_images": 2000},
    ],
    ids=str,
)
def test_fids_that_do_not_compare_are_not_ranked_together(other):
    a, b, c = fids("a", {0: 10, 1: 10.1}), fids("b", {0: 20, 1: 20.1}), fids("c", {0: 5, 1: 5.1}, **other)
    assert places(ranks([a, b, c], FID)) == [1, 2, None]


def test_other_shares_of_the_labels_are_other_data():
    def told(label, per_image, labelled):
        return [record(label, test=likelihood(per_image), labelled=labelled)]

    rows = [told("a", (1, 1, 1), 100), told("b", (3, 4, 5), 100), told("c", (0, 0, 0), None), told("d", (2, 2, 2), 50)]
    assert places(ranks(rows, NLL)) == [1, 2, None, None]
    few = [[r.model_copy(update={"labelled": 100}) for r in fids("c", {0: 1, 1: 1.1})]]
    assert places(ranks([fids("a", {0: 10, 1: 10.1}), fids("b", {0: 20, 1: 20.1}), *few], FID)) == [1, 2, None]


def test_one_seed_gives_no_rank_but_for_likelihood():
    a, b = fids("a", {0: 10}), fids("b", {0: 99})
    assert places(ranks([a, b], FID)) == [None, None]


def test_several_seeds_are_paired_by_seed():
    # b - a = (1, 1.1, 0.9): 1 ± 4.302653 · 0.1 / √3 = 1 ± 0.2484. In another order of seeds it would be hidden.
    a, b = fids("a", {0: 10, 1: 50, 2: 90}), fids("b", {2: 90.9, 0: 11, 1: 51.1})
    assert places(ranks([b, a], FID)) == [2, 1]


def test_several_seeds_rank_likelihoods_by_seeds_not_images():
    # Each image of each seed says a < b; between the seeds the difference is (0.1, 3): 1.55 ± 18.4.
    a = [record("a", seed=s, test=likelihood((1, 1.1, 1.2))) for s in (0, 1)]
    b = [record("b", seed=s, test=likelihood(tuple(x + d for x in (1, 1.1, 1.2)))) for s, d in ((0, 0.1), (1, 3.0))]
    assert places(ranks([a, b], NLL)) == [1, 1]


def test_a_row_without_shared_seeds_is_left_out_and_the_others_ranked():
    a, b, c = fids("a", {0: 10, 1: 10.1}), fids("b", {0: 20, 1: 20.1}), fids("c", {5: 1, 6: 1.1})
    assert places(ranks([a, b, c], FID)) == [1, 2, None]
    assert places(ranks([a, c], FID)) == [None, None]


def test_greater_is_better_where_it_is():
    a, b = fids("a", {0: 9, 1: 9}, recall=0.2), fids("b", {0: 9, 1: 9}, recall=0.6)
    assert places(ranks([a, b], RECALL)) == [2, 1]


def test_lost_cells_and_infinite_likelihoods_are_not_ranked():
    a, b = bits("a", (1, 1, 1)), bits("b", (3, 4, 5))
    rows = [a, b, [lost("c")], bits("d", (1, 1, math.inf), standard_error=math.nan)]
    assert places(ranks(rows, NLL)) == [1, 2, None, None]
