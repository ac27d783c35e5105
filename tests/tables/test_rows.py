import math
import random
import re

import pytest

from genbench.records.parts import Agreement, Gap
from genbench.tables import rows as table
from genbench.tables import texts
from genbench.tables.columns import FIGURES
from genbench.tables.view import View
from tests.records import GAP, collapse, likelihood, lost, quality, quick, record

SETTLED = [
    *("dataset", "recipe", "label", "family", "seeds", "status", "params", "images", "steps", "fit_seconds"),
    *("nll_bpd", "nll_bpd_std", "nll_train_bpd", "nll_kind", "nll_given", "nll_method", "nll_draws"),
    *("fid", "fid_std", "kid", "precision", "recall", "is", "extractor"),
    *("latency_ms", "images_per_second", "peak_memory_mb", "stamp"),
]


def by_label(records, **options):
    return {row["label"]: row for row in table.rows(records, **options)}


def test_every_row_has_every_settled_key():
    for row in table.rows(quick()):
        assert list(row)[: len(SETTLED)] == SETTLED
        assert row["status"] in ("done", "diverged", "failed", "anchor")


def test_one_seed_is_kept_as_it_is():
    (row,) = table.rows([record(test=likelihood((1.0, 1.2, 1.4)))])
    assert (row["nll_bpd"], row["fid"], row["params"], row["steps"]) == (pytest.approx(1.2), 50.0, 412_545, 1200)
    # s² = (0.04 + 0 + 0.04) / 2, s / √3
    assert row["nll_se"] == pytest.approx(math.sqrt(0.04 / 3))
    assert row["nll_bpd_std"] is None
    assert row["fid_std"] is None
    assert row["seeds"] == [0]


def test_seeds_become_mean_and_sample_standard_deviation():
    cells = [
        record(seed=s, quality=quality(v), test=likelihood((b, b))) for s, v, b in ((0, 10, 1), (1, 12, 2), (2, 17, 6))
    ]
    (row,) = table.rows(cells)
    assert row["fid"] == pytest.approx(13)
    assert row["fid_std"] == pytest.approx(math.sqrt((9 + 1 + 16) / 2))
    assert (row["nll_bpd"], row["nll_bpd_std"]) == (pytest.approx(3), pytest.approx(math.sqrt((4 + 1 + 9) / 2)))
    assert row["nll_se"] is None
    assert (row["seeds"], row["seeds_run"]) == ([0, 1, 2], 3)
    assert next(figure for figure in FIGURES if figure.key == "fid").cell(row) == "13.0 ± 3.6"


def test_lost_seeds_have_a_row_of_their_own_and_are_counted():
    done, gone = table.rows([lost("vae", seed=2), record(seed=0), record(seed=1)])
    assert (done["status"], done["seeds"], done["seeds_run"]) == ("done", [0, 1], 3)
    assert (gone["status"], gone["seeds"], gone["nll_bpd"]) == ("diverged", [2], None)
    assert texts.seeds(done) == "2 of 3"
    assert "step 120" in gone["reason"]
    assert "seed 2, diverged: loss of turn critic is nan at step 120" in table.render([lost("vae", seed=2)], "md")


def test_seeds_are_not_pooled_across_protocols_nor_counted_twice():
    longer = record(seed=1, stamp={"budget": {"seconds": 300.0}})
    other = record(seed=2, stamp={"threads": 64})
    again = record(seed=0)
    assert [row["seeds"] for row in table.rows([record(), longer, other, again])] == [[0], [1], [2], [0]]


def test_absent_is_null_and_never_a_word():
    row = by_label(quick())["f-gan (KL)"]
    assert [row[key] for key in ("nll_bpd", "fid", "latency_ms", "extractor", "nll_kind", "nll_given")] == [None] * 6
    for fmt in ("json", "csv", "md", "tex", "html"):
        text = table.render(quick(), fmt)
        assert not re.search(r"\bN/?A\b|\bNone\b|\bnan\b(?! at step)", text)
        assert "null" not in text or fmt in ("json", "csv")


def test_not_a_number_is_absent():
    (row,) = table.rows([record(quality=quality(inception_score=math.nan), test=likelihood((1.0,)))])
    assert row["is"] is None
    assert row["nll_se"] is None


def test_rows_stand_by_likelihood_what_is_guaranteed_first_whatever_their_order():
    records = list(quick())
    wanted = ["pixelcnn", "vae", "realnvp", "cgan", "wgan-gp", "gan", "f-gan (KL)"]
    wanted += ["real (test)", "pixel-gaussian", "noise", "webp", "png", "uniform"]
    for seed in range(5):
        random.Random(seed).shuffle(records)
        rows = table.rows(records)
        assert [row["label"] for row in rows if row["dataset"] == "mnist5k"] == wanted
        assert [row["dataset"] for row in rows] == ["mnist5k"] * 13 + ["edges:mnist5k"] * 7


def test_an_estimate_stands_behind_what_is_guaranteed_and_one_row_alone_is_not_bold():
    guess = record("gan", test=likelihood((0.1, 0.2), kind="estimate", method="ais", converged=True))
    rows = table.rows([guess, record("vae", test=likelihood((3.0, 3.1), kind="bound", method="iwae"))])
    assert [row["label"] for row in rows] == ["vae", "gan"]
    assert not any(row["nll_rank"] or row["nll_best"] for row in rows)


def test_an_estimate_that_moved_stands_behind_those_that_held():
    moved, held = (likelihood((b, b + 0.2), kind="estimate", method="ais", converged=b > 2) for b in (2.0, 2.5))
    rows = table.rows([record("gan", test=moved), record("sngan", test=held)])
    assert [row["label"] for row in rows] == ["sngan", "gan"]


def test_seeds_whose_samples_show_pixels_in_another_way_are_not_pooled():
    drawn, median = record("vae", seed=0), record("vae", seed=1, stamp={"pixels": "median"})
    assert [row["seeds"] for row in table.rows([drawn, median])] == [[0], [1]]


def test_a_likelihood_worse_than_guessing_or_better_on_unseen_images_says_so():
    above = "bits/dim above the 8.00 of the uniform model"
    said = {
        bpd: "; ".join(
            by_label([record("vae", test=likelihood((bpd, bpd), kind="bound", method="elbo"))])["vae"]["notes"] or []
        )
        for bpd in (7.9, 8.1)
    }
    assert [above in said[bpd] for bpd in (7.9, 8.1)] == [False, True]
    seen = "test images take fewer bits/dim than training images"
    for test, wanted in (((0.9, 1.0, 1.1), True), ((1.2, 1.3, 1.4), False)):  # errors of 0.058 each
        cell = record("vae", test=likelihood(test), train=likelihood((1.2, 1.3, 1.4)))
        assert (seen in "; ".join(by_label([cell])["vae"]["notes"] or [])) == wanted


def test_sort_puts_the_best_first_the_absent_last_and_anchors_behind():
    by_fid = [r["label"] for r in table.rows(quick(), sort="fid") if r["dataset"] == "mnist5k"]
    assert by_fid[:7] == ["gan", "cgan", "wgan-gp", "pixelcnn", "vae", "realnvp", "f-gan (KL)"]
    assert by_fid[7] == "real (test)"
    assert table.rows(quick(), sort="images_per_second")[0]["label"] == "gan"


def test_every_column_sorts():
    few = list(quick())[::5]
    for key in set(table.KEYS) - table.UNSORTABLE:
        assert len(table.rows(few, sort=key)) == len(few) == 4


def test_unknown_columns_and_formats_are_refused_with_the_nearest():
    with pytest.raises(ValueError, match=r"sort='fidd'.*did you mean fid"):
        table.rows(quick(), sort="fidd")
    with pytest.raises(ValueError, match=r"format='markdown'.*md"):
        table.render(quick(), "markdown")


def test_ranks_reach_the_rows_and_only_the_best_is_bold():
    rows = by_label(quick())
    assert (rows["vae"]["nll_rank"], rows["vae"]["nll_ranked"], rows["vae"]["nll_best"]) == (2, 3, False)
    assert (rows["pixelcnn"]["nll_rank"], rows["pixelcnn"]["nll_best"]) == (1, True)
    assert (rows["realnvp"]["nll_rank"], rows["realnvp"]["nll_best"]) == (3, False)
    for label in ("gan", "cgan", "png", "uniform", "f-gan (KL)"):
        assert rows[label]["nll_rank"] is None
    assert all(row["fid_rank"] is None for row in rows.values())
    assert [line.split("|")[1].strip() for line in table.render(quick(), "md").splitlines() if "**" in line] == [
        "pixelcnn"
    ]


def test_settings_are_texts_of_their_recipe_whatever_the_format():
    rows = by_label(quick())
    said = "critic: no norm, 1 step; Adam 0.0002, β 0.5 0.999"
    assert [rows[label]["setting"] for label in ("gan", "vae", "noise", "f-gan (KL)")] == [said, None, None, None]
    for fmt in ("md", "csv", "json", "html"):
        assert said in table.render(quick(), fmt, view=View.of("all"))
    named = View.of("setting")
    assert said.replace("β", r"$\beta$") in table.render(quick(), "tex", view=named)
    assert "</sup> Setting: what a recipe plays by beside its loss" in table.render(quick(), "md", view=named)
    assert "Setting" not in table.render(quick(), "md")
    assert "Setting" not in table.render([record()], "md", view=View.of("all"))


def test_figures_that_are_not_ranked_sort_best_first_and_have_deviations_over_seeds():
    def seed(label, n, copies, agreed):
        agreement = Agreement(agreement=agreed, confidence=1, entropy=0, class_entropy=3, accuracy=0.9)
        return record(label, seed=n, collapse=collapse(copies=copies), agreement=agreement)

    cells = [seed(label, n, c + n / 100, 1 - c) for label, c in (("a", 0.5), ("b", 0.1)) for n in range(2)]
    for key in ("copies", "agreement"):
        assert [row["label"] for row in table.rows(cells, sort=key)] == ["b", "a"]
    row = by_label(cells)["a"]
    assert row["copies_std"] == pytest.approx(0.01 / math.sqrt(2))
    assert "copies_rank" not in row
    assert "agreement_rank" not in row


def test_a_failed_ability_is_a_footnote():
    text = table.render([record("a", abilities={"reconstruct": "failed: RuntimeError: no", "complete": "x.png"})], "md")
    assert "- ⚠ a, seed 0: reconstruct failed: RuntimeError: no" in text
    assert "x.png" not in text


def test_a_seed_without_a_number_leaves_no_mean_of_the_others():
    cells = [record(seed=seed, quality=quality(fid)) for seed, fid in ((0, 50.0), (1, 90.0), (2, math.nan))]
    (row,) = table.rows(cells)
    assert (row["fid"], row["fid_std"], row["fid_rank"]) == (None, None, None)
    assert row["precision"] == 0.7
    assert "vae: no fid of seed 2, so no mean of it." in row["notes"]


def test_a_row_that_lost_seeds_is_ranked_by_the_others_says_so_and_is_never_bold():
    def cells(label, seeds, bits):
        return [record(label, seed=seed, test=likelihood((bits + seed / 100,) * 3)) for seed in seeds]

    worse, better = cells("b", range(5), 2.0), cells("a", range(2), 1.0)
    whole = by_label(worse + better)
    assert (whole["a"]["nll_rank"], whole["a"]["nll_best"]) == (1, True)
    row = next(r for r in table.rows([*worse, *better, *(lost("a", seed=s) for s in (2, 3))]) if r["seeds"] == [0, 1])
    assert (row["nll_rank"], row["nll_best"]) == (1, False)
    assert row["notes"][-1] == "a: its ranks count the seeds that ended well, 2 did not; it is nowhere bold."


def test_figures_of_two_extractors_are_not_sorted_into_each_other():
    cells = [record("a", quality=quality(5.0), extractor="z"), record("b", quality=quality(9.0), extractor="y")]
    cells += [record("c", quality=quality(7.0), extractor="y")]
    assert [row["label"] for row in table.rows(cells, sort="fid")] == ["c", "b", "a"]


def test_a_gap_wider_than_what_counts_as_converged_is_said():
    held = likelihood(kind="estimate", method="ais", draws=2, converged=True, moved=0.01, gap=Gap(**GAP, bpd=0.3))
    said = "vae: the estimate held still when the work doubled, and yet the gap is above 0.15 bits/dim"
    assert said in table.render([record(test=held)], "md")
    still = held.model_copy(update={"gap": Gap(**GAP, bpd=0.04)})
    assert "held still" not in table.render([record(test=still)], "md")


def test_seeds_are_a_list_and_a_shape_is_a_product():
    assert texts.phrase({"seed": [0, 1, 2], "shape": [1, 28, 28]}) == "seed 0 / 1 / 2, shape 1×28×28"


@pytest.mark.parametrize("legs", [5, "x", [1], [{}], [{"budget": None}], {}])
def test_legs_of_a_training_that_are_none_say_nothing(legs):
    (row,) = table.rows([record("a", stamp={"trained_on": legs})])
    assert not any("trained on from" in note for note in row["notes"] or ())
