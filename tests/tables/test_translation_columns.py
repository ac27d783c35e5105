"""Columns of translations: shown where they apply, ranked where nothing judges but pixels, absent in older records."""

import json

from genbench.records.parts import Accuracy, DomainAccuracy, MaskError, Paired, Rank1, Shadow
from genbench.records.record import records
from genbench.records.stamp import older
from genbench.tables import page as report
from genbench.tables import rows as table
from genbench.tables.captions import footnotes
from genbench.tables.columns import columns
from genbench.tables.tooltips import measured_on
from genbench.tables.view import View
from tests.records import anchor, record, run

PAIRED = Paired(
    psnr=19.0, psnr_standard_error=0.1, ssim=0.8, ssim_standard_error=0.01, l1=12.34, l1_standard_error=0.5,
    gradients=0.25, gradients_standard_error=0.01, images=359,
)  # fmt: skip
DOMAINS = DomainAccuracy(accuracy=0.97, standard_error=0.01, images=300, judge="c" * 64, judge_accuracy=0.995)
OTHERS = {
    "shadow": Shadow(rmse=11.0, standard_error=0.5, images=359),
    "rank_1": Rank1(share=0.5, standard_error=0.02, images=800, identities=40),
    "domains": DOMAINS,
    "taught": Accuracy(accuracy=0.61, standard_error=0.02, images=1000),
    "mask": MaskError(error=0.125, standard_error=0.01, images=359),
}
NEW = ("l1", "gradient_histogram", "shadow_rmse", "mask_error", "rank_1", "domain_accuracy", "taught")


def shown(cells, wanted=("default",)):
    return {column.key: column for column in columns(table.rows(cells), wanted)}


def test_each_is_among_the_usual_columns_only_where_the_data_have_what_it_judges():
    assert not set(NEW) & set(shown([record("vae")], ("all",)))
    plain = shown([record("pix2pix", paired=PAIRED)])
    assert [key for key in NEW if key in plain] == []
    for part, key in {
        "shadow": "shadow_rmse",
        "rank_1": "rank_1",
        "domains": "domain_accuracy",
        "taught": "taught",
    }.items():
        assert [k for k in NEW if k in shown([record("x", **{part: OTHERS[part]})])] == [key]
    every = shown([record("x", paired=PAIRED, **OTHERS)], ("all",))
    assert [key for key in every if key in NEW] == list(NEW)


def test_they_say_their_figure_its_error_and_what_it_was_measured_on():
    (row,) = table.rows([record("x", paired=PAIRED, **OTHERS)])
    every = shown([record("x", paired=PAIRED, **OTHERS)], ("all",))
    assert {key: every[key].cell(row) for key in NEW} == {
        "l1": "12.3 ± 0.5",
        "gradient_histogram": "0.250 ± 0.010",
        "shadow_rmse": "11.0 ± 0.5",
        "mask_error": "12.5 ± 1.0",
        "rank_1": "0.500 ± 0.020",
        "domain_accuracy": "0.970 ± 0.010",
        "taught": "0.610 ± 0.020",
    }
    assert every["shadow_rmse"].head == "RMSE in the shadow, levels ↓"
    notes = [note.text for note in footnotes([row], list(every.values()))]
    assert any("of real test images it puts 99.5 % in theirs" in text for text in notes)
    for key in NEW:
        assert measured_on(every[key], row), key
    assert "40 test identities" in measured_on(every["rank_1"], row)


def test_pixels_rank_and_networks_do_not():
    cells = []
    for label, better in (("a", 0), ("b", 1)):
        for seed in range(3):
            error = 10 - 5 * better + seed / 100
            parts = {"paired": PAIRED.model_copy(update={"l1": error}), "taught": OTHERS["taught"]}
            parts |= {"rank_1": OTHERS["rank_1"].model_copy(update={"share": 0.2 + better / 2 + seed / 100})}
            parts |= {"shadow": OTHERS["shadow"].model_copy(update={"rmse": error}), "domains": DOMAINS}
            cells.append(record(label, seed=seed, **parts))
    found = {row["label"]: row for row in table.rows(cells)}
    for key in ("l1", "rank_1", "shadow_rmse"):
        assert [found[label][f"{key}_rank"] for label in "ab"] == [2, 1], key
    assert not {"taught_rank", "domain_accuracy_rank"} & set(found["a"])


def test_records_of_before_are_tabled_and_told_to_be_older(tmp_path):
    old = record("pix2pix", paired=PAIRED).model_dump(mode="json")
    for name in ("l1", "gradients"):
        del old["paired"][name], old["paired"][f"{name}_standard_error"]
    for name in OTHERS:
        del old[name]
    folder = tmp_path / "cells" / "edges" / "pix2pix" / "seed-0"
    folder.mkdir(parents=True)
    (folder / "record.json").write_text(json.dumps(old))
    (read,) = records(tmp_path)
    (row,) = table.rows([read])
    assert (row["psnr"], *(row[key] for key in NEW)) == (19.0, *(None,) * 7)
    measured = {"likelihood": 3, "quality": 2}
    density = {
        "quality": read.quality.model_copy(update={"density": 1.0}),
        "stamp": read.stamp | {"measures": measured},
    }
    assert older(read.model_copy(update=density))
    assert not older(read.model_copy(update=density | {"paired": PAIRED}))


def test_anchors_stand_among_them():
    cells = [record("pix2pix", paired=PAIRED), anchor("copy", paired=PAIRED.model_copy(update={"psnr": 9.37}))]
    text = table.render(cells, "md", view=View.of("psnr,l1"))
    assert "9.37" in text


def test_the_page_says_what_rows_of_pictures_are_where_samples_are_made_of_sources(tmp_path):
    for recipe, given, times in (("vae", (), 0), ("pix2pix", ("source",), 1)):
        text = report.write(run(tmp_path / recipe, [record(recipe, given=given)])).read_text()
        assert text.count("Rows repeat: sources, what was made of them, and the true images") == times
