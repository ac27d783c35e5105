import math
import re

import pytest

from genbench.records.parts import Accuracy, Agreement, Gap, Parzen
from genbench.tables import rows as table
from genbench.tables import texts
from genbench.tables.columns import FIGURES
from genbench.tables.view import View
from tests.records import anchor, collapse, likelihood, quality, quick, record


def cell_of(key):
    """What writes a figure's text in a row."""
    return next(figure for figure in FIGURES if figure.key == key).cell


def by_label(records):
    return {row["label"]: row for row in table.rows(records)}


def everything(records):
    """The Markdown table with every column, without the letters that lead to its notes."""
    return re.sub("<sup>.</sup> ?", "", table.render(records, "md", view=View.of("all")))


def shown(records):
    """The texts of the first Markdown table: label → heading → cell."""
    lines = [line for line in everything(records).split("\n\n")[2].splitlines() if line.startswith("|")]
    head, _, *body = [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: dict(zip(head, row, strict=True)) for row in body}


def test_marks_say_kind_and_method_what_is_given_and_drawn():
    rows = by_label(quick())
    assert texts.bits(rows["pixelcnn"]).startswith("= 1.2")
    assert texts.bits(rows["vae"]).startswith("≤ 1.6")
    assert re.fullmatch(r"~ 2\.\d{3} ± 0\.\d{3} unconverged", texts.bits(rows["gan"]))
    assert "unconverged" not in texts.bits(rows["wgan-gp"])
    assert texts.method(rows["wgan-gp"]) == "ais, 2 draws, 10 images, noise added"
    (asked,) = table.rows([record(test=likelihood(given=("label",)))])
    assert texts.method(asked) == "chain rule, given label"


def estimate(gap=None, **fields):
    given = {"kind": "estimate", "method": "ais", "observation": "added", "draws": 2, "converged": True, "gap": gap}
    return likelihood(**given | fields)


def sides(bpd, standard_error=0.004):
    return Gap(
        bpd=bpd, standard_error=standard_error, least=2.0, greatest=2.0 + bpd, images=5, draws=2, acceptance=0.6,
        backward_acceptance=0.7,
    )  # fmt: skip


def test_the_worth_of_draws_stands_beside_them_and_an_effort_that_is_not_the_default():
    (row,) = table.rows([record(test=estimate(ess=1.618, effort="paper"))])
    assert texts.method(row) == "ais, 2 draws (1.62 effective), paper effort, 3 images, noise added"
    (row,) = table.rows([record(test=estimate(ess=1.618, work=4))])
    assert texts.method(row) == "ais, 2 draws (1.62 effective), 4 × the work, 3 images, noise added"
    (row,) = table.rows([record(test=likelihood(kind="bound", method="elbo", ess=None))])
    assert texts.method(row) == "elbo"
    assert "Effective" not in everything(quick())


def test_the_gap_has_a_column_where_a_row_has_one_and_ranks_nothing():
    assert "Gap" not in everything(quick())
    rows = [record("gan", test=estimate(sides(0.0123))), record("vae"), record("wgan", test=estimate(sides(0.4, None)))]
    assert {label: row["Gap, bits/dim"] for label, row in shown(rows).items()} == {
        "gan": "0.012 ± 0.004", "wgan": "0.400", "vae": "–",
    }  # fmt: skip
    assert "on 5 images that the model made itself" in everything(rows)
    found = by_label(rows)
    assert (found["gan"]["nll_gap_se"], found["gan"]["nll_gap_images"], found["vae"]["nll_gap"]) == (0.004, 5, None)
    assert not any(key.startswith("nll_gap") and key.endswith(("rank", "best")) for key in found["gan"])
    (both,) = table.rows([record("gan", seed=s, test=estimate(sides(g))) for s, g in enumerate((0.01, 0.03))])
    assert cell_of("nll_gap")(both) == "0.020 ± 0.014"


def test_seeds_of_unequal_effort_are_not_one_row():
    rows = table.rows([record("gan", seed=s, test=estimate(effort=e)) for s, e in enumerate(("fast", "paper"))])
    assert [row["seeds"] for row in rows] == [[0], [1]]


def test_seeds_whose_work_was_doubled_unequally_are_one_row_that_says_the_most():
    (row,) = table.rows([record("gan", seed=s, test=estimate(work=w)) for s, w in enumerate((1, 4, 2))])
    assert (row["seeds"], row["nll_work"]) == ([0, 1, 2], 4)
    assert "up to 4 × the work" in texts.method(row)
    (other,) = table.rows([record("vae")])
    assert other["nll_work"] is None


def test_parzen_windows_are_shown_and_rank_nothing():
    def windows(nats):
        return Parzen(nats=nats, standard_error=2.04, sigma=0.18, samples=1000, images=1000, validation=500)

    rows = [record("gan", parzen=windows(211.3)), record("vae"), record("b", parzen=windows(-98.0), seed=1)]
    assert {label: row["Parzen, nats"] for label, row in shown(rows).items()} == {
        "gan": "211 ± 2", "vae": "–", "b": "−98 ± 2",
    }  # fmt: skip
    assert "it ranks nothing" in everything(rows)
    found = by_label(rows)["gan"]
    assert (found["parzen_samples"], found["parzen_sigma"]) == (1000, 0.18)
    assert not {"parzen_rank", "parzen_best"} & set(found)
    assert "Parzen" not in everything(quick())


def test_each_extractor_has_columns_of_its_own():
    text = everything([record("a"), record("b", extractor="classifier", quality=quality(7.7))])
    head, _, b, a = [line.split("|") for line in text.splitlines() if line.startswith("|")]
    one, two = (next(i for i, h in enumerate(head) if f"FID ({n})" in h) for n in ("efficientnet-lite0", "classifier"))
    assert [x.strip() for x in (a[one], a[two], b[one], b[two])] == ["50.0", "–", "–", "7.70"]


def test_numbers_are_short_and_honest():
    assert [texts.number(x) for x in (0, 1.2249, 45.26, 1365.2, 0.00012, math.inf, None)] == [
        "0", "1.22", "45.3", "1,365", "0.0001", "∞", "",
    ]  # fmt: skip
    assert texts.number(-0.5) == "−0.500"
    assert [texts.count(x) for x in (640, 9_999, 12_345, 412_545, 999_999, 1_234_567)] == [
        "640", "9,999", "12.3k", "413k", "1.00M", "1.23M",
    ]  # fmt: skip


def classified(label, seed, accuracy, labelled=100):
    found = Accuracy(accuracy=accuracy, standard_error=(accuracy * (1 - accuracy) / 1000) ** 0.5, images=1000)
    return record(label, seed=seed, accuracy=found, labelled=labelled)


def test_accuracy_has_a_column_only_where_something_has_it():
    assert "Accuracy" not in everything(quick())
    assert all(row["accuracy"] is None and row["labelled"] is None for row in table.rows(quick()))
    text = everything([record("vae"), classified("aae", 0, 0.9123)])
    head, _, *body = [[x.strip() for x in line.split("|")] for line in text.splitlines() if line.startswith("|")]
    place, labels = head.index("Accuracy ↑"), head.index("Labels")
    assert {row[1]: (row[place], row[labels]) for row in body} == {"aae": ("0.912 ± 0.009", "100"), "vae": ("–", "–")}
    assert "share of test images that the model itself puts in their class" in text


def test_an_accuracy_has_its_binomial_error_for_one_seed_and_the_deviation_over_several():
    cell = cell_of("accuracy")
    (one,) = table.rows([classified("aae", 0, 0.9)])
    assert one["accuracy_se"] == pytest.approx(math.sqrt(0.9 * 0.1 / 1000))
    assert cell(one) == "0.900 ± 0.009"
    (several,) = table.rows([classified("aae", s, a) for s, a in enumerate((0.88, 0.9, 0.92))])
    assert (several["accuracy_se"], cell(several)) == (None, "0.900 ± 0.020")
    (sure,) = table.rows([classified("aae", 0, 1.0)])
    assert cell(sure) == "1.000", "all right says nothing of the next image"
    (bare,) = table.rows([record()])
    assert (bare["accuracy_se"], cell(bare)) == (None, "")
    assert "± of one seed its binomial standard error" in everything([classified("aae", 0, 0.9)])


def test_labels_are_explained_wherever_they_have_a_column():
    text = everything([record("vae", labelled=100)])
    assert "Labels" in text
    assert "- Labels: training images that kept theirs, where not all did." in text
    assert "Accuracy" not in text


def test_accuracies_are_ranked_over_seeds_among_equal_shares_of_labels():
    few = [classified(label, s, a + s / 1000) for label, a in (("a", 0.9), ("b", 0.8)) for s in range(3)]
    rows = by_label([*few, *(classified("all", s, 0.99, None) for s in range(3))])
    assert [rows[label]["accuracy_rank"] for label in ("a", "b", "all")] == [1, 2, None]
    assert rows["a"]["accuracy"] == pytest.approx(0.901)
    assert rows["a"]["accuracy_std"] == pytest.approx(0.001)


def test_shares_of_labels_are_never_pooled_as_seeds():
    rows = table.rows([classified("a", 0, 0.9, 100), classified("a", 1, 0.95, 1000)])
    assert [(row["labelled"], row["seeds"], row["seeds_run"]) for row in rows] == [(100, [0], 1), (1000, [1], 1)]


def judged(share, error=None):
    return Agreement(
        agreement=share, standard_error=error, confidence=0.8, entropy=0.9, class_entropy=3.2, accuracy=0.982
    )


def test_agreement_has_a_column_beside_the_real_images_where_a_model_takes_a_label():
    real = anchor("real (test)", quality=quality(9.0), agreement=judged(0.982, 0.004))
    cells = [record("cvae", agreement=judged(0.9, 0.0098), given=("label",)), record("vae", agreement=judged(None))]
    found = {label: row["Agreement ↑"] for label, row in shown([*cells, real]).items()}
    assert found == {"cvae": "0.900 ± 0.010", "vae": "–", "real (test)": "0.982 ± 0.004"}
    said = "of real test images it puts 98.2 % in theirs."
    assert said in everything([*cells, real])
    without = everything([cells[1], real])
    assert "Agreement" not in without, "the real images' alone scale nothing"


def test_agreement_of_several_seeds_has_their_deviation():
    (row,) = table.rows([record(seed=s, agreement=judged(a, 0.01)) for s, a in enumerate((0.88, 0.9, 0.92))])
    assert (row["agreement_se"], row["agreement_std"]) == (None, pytest.approx(0.02))
    assert cell_of("agreement")(row) == "0.900 ± 0.020"


def test_collapse_has_columns_and_sentences():
    found = shown([record("gan", collapse=collapse(covered=7, divergence=0.5, copies=0.25)), record("old")])
    heads = ("Classes ↑", "Class KL, bits ↓", "Diversity in classes", "Duplicates, %", "Copies, %")
    assert [found["gan"][head] for head in heads] == ["7 of 10", "0.500", "0.91", "2.4", "25.0"]
    assert {found["old"][head] for head in heads} == {"–"}, "records of before have none"
    text = everything([record(collapse=collapse())])
    for said in ("- Classes: ", "- Diversity in classes: ", "- Duplicates and copies: "):
        assert text.count(said) == 1
    assert "Copies" not in everything([record()])


def test_data_without_labels_have_duplicates_and_copies_alone():
    bare = collapse(covered=None, classes=None, divergence=None, diversity=None)
    found = shown([record("gan", collapse=bare)])["gan"]
    assert {"Duplicates, %", "Copies, %"} <= set(found)
    assert not {"Classes ↑", "Class KL, bits ↓", "Diversity in classes"} & set(found)
    assert "Class KL" not in everything([record(collapse=bare)])


def test_classes_of_several_seeds_are_whole_where_they_agree():
    def row(*covered):
        return table.rows([record(seed=s, collapse=collapse(covered=c)) for s, c in enumerate(covered)])[0]

    assert [texts.covered(row(*seeds)) for seeds in ((10,), (10, 10), (8, 9))] == [
        "10 of 10", "10 of 10", "8.5 ± 0.7 of 10",
    ]  # fmt: skip


def test_an_infinite_divergence_is_shown_as_such():
    (row,) = table.rows([record(collapse=collapse(divergence=math.inf))])
    assert cell_of("class_divergence")(row) == "∞"


def test_fid_and_kid_of_one_seed_have_their_standard_errors_and_of_several_the_deviation():
    def measured(seed, fid):
        parts = {"fid_standard_error": 2.0, "kid_standard_error": 0.0004, "fid_infinity": fid - 5}
        parts |= {"fid_infinity_standard_error": 2.5}
        return record(seed=seed, quality=quality(fid, **parts))

    heads = ("FID (efficientnet-lite0) ↓", "FID, N → ∞ ↓", "KID ×10³ ↓")
    one = shown([measured(0, 50.0)])["vae"]
    assert [one[head] for head in heads] == ["50.0 ± 2.0", "45.0 ± 2.5", "5.00 ± 0.40"]
    several = shown([measured(0, 49.0), measured(1, 51.0)])["vae"]
    assert [several[head] for head in heads] == ["50.0 ± 1.4", "45.0 ± 1.4", "5.00 ± 0.14"]
    text = everything([measured(0, 50.0)])
    for said in ("± beside FID of one seed", "- FID, N → ∞: ", "- KID is unbiased"):
        assert text.count(said) == 1
    text = everything([measured(0, 49.0), measured(1, 51.0)])
    assert "± beside FID of one seed" not in text


def test_medians_say_so_and_rank_with_samples_of_one_way():
    cells = [record("vae", stamp={"pixels": "median"}), record("gan"), record("ae", stamp={"pixels": "drawn"})]
    said = "Medians: samples of vae show each pixel's median"
    assert everything(cells).count(said) == 1
    assert not any("not ranked with" in note for row in table.rows(cells) for note in row["notes"] or [])
    assert "Medians" not in everything(cells[1:])


def test_records_from_before_standard_errors_have_figures_alone():
    old = record(quality=quality(50.0, kid_std=0.001))
    assert old.quality.fid_standard_error is None
    found = shown([old])["vae"]
    assert (found["FID (efficientnet-lite0) ↓"], found["KID ×10³ ↓"]) == ("50.0", "5.00")
    assert "FID, N → ∞ ↓" not in found
    assert "jackknife" not in everything([old])
