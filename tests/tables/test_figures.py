"""A figure is declared once: everything that tables, files and rankings say of it follows."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import genbench
from genbench.records.parts import Anomaly, CaptionAgreement, Joint, Reconstruction
from genbench.records.record import Record
from genbench.tables import comparable, keys, tooltips
from genbench.tables import rows as table
from genbench.tables.columns import COLUMNS, FIGURES
from genbench.tables.tooltips import measured_on
from genbench.tables.view import View
from tests.records import quality, quick, record

TOY = """
import json, sys
from genbench.records.parts import Toy
from genbench.records.record import Record
from genbench.tables import comparable, rows
from genbench.tables.columns import columns
from genbench.tables.keys import TYPES
from genbench.tables.tooltips import measured_on
from genbench.tables.view import View

base = Record.model_validate_json(sys.stdin.read())
def cell(label, seed, value):
    made = {"label": label, "seed": seed, "toy": None if value is None else Toy(value=value, error=0.25)}
    return base.model_copy(update=made)

records = [cell(label, seed, x + seed / 100) for label, x in (("a", 2.0), ("b", 1.0)) for seed in (0, 1)]
found = rows.rows(records, sort="toy")
shown = [column for column in columns(found) if column.key == "toy"]
one = rows.rows([cell("a", 0, 2.0)])
print(json.dumps({
    "heads": [column.head for column in shown],
    "cells": [column.cell(row) for column in shown for row in found],
    "bold": [column.bold(row) for column in shown for row in found],
    "tooltip": measured_on(shown[0], found[0]),
    "one": shown[0].cell(one[0]),
    "ranks": [[row["label"], row["toy_rank"], row["toy_ranked"]] for row in found],
    "csv": rows.render(records, "csv").partition("\\n")[0],
    "md": rows.render(records, "md", view=View.of("all")),
    "types": {key: TYPES[key].__name__ for key in TYPES if key.startswith("toy")},
    "without": [c.key for c in columns(rows.rows([cell("a", 0, None)])) if c.key == "toy"],
    "heading": comparable.HEADS[next(group for group in comparable.GROUPS if group.name == "toy")],
}))
"""


def test_a_part_and_one_figure_make_column_keys_types_rank_tooltip_and_footnote(tmp_path):
    site = tmp_path / "site"
    shutil.copytree(Path(genbench.__file__).parent, site / "genbench", ignore=shutil.ignore_patterns("__pycache__"))
    edited = {
        "records/parts.py": (
            "class Anomaly(Part):",
            'class Toy(Part):\n    """A toy."""\n\n    value: float\n    error: float | None\n\n\nclass Anomaly(Part):',
        ),
        "records/record.py": ("    Anomaly,\n", "    Anomaly,\n    Toy,\n"),
        "tables/figures/answers.py": (
            "COLUMNS: tuple[Column, ...] = (",
            "from genbench.tables.groups import FigureGroup\n\nCOLUMNS: tuple[Column, ...] = (\n    Figure(\n"
            '        "toy", "Toy", path="toy.value", unit="m", better="low", format=Number(1), error="toy.error",\n'
            '        group=FigureGroup("toy", "toy", counts=()), caption="Toy: how far.", tooltip="By hand",\n    ),',
        ),
    }
    for name, (old, new) in edited.items():
        file = site / "genbench" / name
        text = file.read_text(encoding="utf-8")
        assert old in text
        if name == "records/record.py":
            text = text.replace("    anomaly: ", "    toy: Toy | None = None\n    anomaly: ", 1)
        file.write_text(text.replace(old, new, 1), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", TOY],
        cwd=site,
        env=os.environ | {"PYTHONPATH": str(site)},
        input=record().model_dump_json(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["heads"] == ["Toy, m ↓"]
    assert found["cells"] == ["1.0 ± 0.0", "2.0 ± 0.0"], "sorted best first, ± over seeds"
    assert found["bold"] == [True, False]
    assert found["ranks"] == [["b", 1, 2], ["a", 2, 2]]
    assert found["one"] == "2.0 ± 0.2", "± of one seed is its standard error"
    assert found["tooltip"].startswith("By hand\n± ")
    assert "Rank 1 among the 2 rows" in found["tooltip"]
    assert found["md"].count("</sup> Toy: how far.") == 1
    assert {"toy", "toy_se", "toy_std", "toy_rank", "toy_ranked", "toy_best"} <= set(found["csv"].split(","))
    kinds = {"toy": "float", "toy_se": "float", "toy_std": "float", "toy_rank": "int", "toy_ranked": "int"}
    assert found["types"] == kinds | {"toy_best": "bool"}
    assert found["without"] == []
    assert found["heading"] == "toy"


def test_no_key_is_declared_twice():
    names = [column.key for column in COLUMNS]
    assert len(names) == len(set(names))
    assert not {figure.key for figure in FIGURES} & set(keys.FACTS)
    assert list(keys.KEYS)[: len(keys.SETTLED)] == list(keys.SETTLED)


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.key)
def test_paths_lead_to_numbers_of_a_record(figure):
    def kind(model, path):
        first, _, rest = path.partition(".")
        return kind_of(model.model_fields[first].annotation, rest)

    def kind_of(annotation, rest):
        choices = [choice for choice in getattr(annotation, "__args__", (annotation,)) if choice is not type(None)]
        chosen = getattr(choices[0], "__origin__", choices[0])  # a count is an annotated int
        return kind(chosen, rest) if rest else chosen

    assert kind(Record, figure.path) in (int, float)
    assert figure.error is None or kind(Record, figure.error) is float


def test_headings_of_groups_are_the_names_of_their_figures():
    found = {group.name: text for group, text in comparable.HEADS.items()}
    assert found == {
        "likelihood": "bits/dim",
        "quality": "FID, KID, precision, recall, density, coverage, IS",
        "speed": "latency, images/s",
        "pairs": "PSNR, SSIM, L1, gradient histogram",
        "shadow": "RMSE in the shadow",
        "mask": "mask error",
        "identity": "rank-1",
        "labels": "accuracy",
        "anomaly": "AUROC",
        "reconstruction": "reconstruction, reconstruction ratio",
        "joint": "joint κ",
        "caption": "caption",
    }


ABLE = {
    "anomaly": Anomaly(auroc=0.75, auroc_standard_error=0.0123, normal=900, anomalous=100),
    "reconstruction": Reconstruction(
        distance=4.5, distance_standard_error=0.12, ratio=0.5, ratio_standard_error=0.01, images=1000
    ),
    "caption": CaptionAgreement(agreement=0.62, standard_error=0.01, attributes={"slant": 0.6}, images=1000),
    "joint": Joint(kappa=0.6, kappa_standard_error=0.02, agreement=0.93, chance=0.83, pairs=1000),
}
HEADS = {
    "AUROC ↑": "0.750 ± 0.012",
    "Reconstruction ↓": "4.50 ± 0.12",
    "Reconstruction ratio ↓": "0.500 ± 0.010",
    "Joint κ ↑": "0.600 ± 0.020",
    "Caption ↑": "0.620 ± 0.010",
}


def test_abilities_have_columns_and_sentences_only_where_a_row_has_the_figure():
    text = table.render([record("able", **ABLE), record("plain")], "md", view=View.of("all"))
    lines = [[x.partition("<")[0].strip() for x in s.split("|")] for s in text.splitlines() if s.startswith("|")]
    head, rows = lines[0], {line[1]: line for line in lines[2:]}
    for name, said in HEADS.items():
        assert (rows["able"][head.index(name)], rows["plain"][head.index(name)]) == (said, "–")
    for said in (
        "</sup> AUROC: share of pairs",
        "</sup> Reconstruction: mean",
        "</sup> Joint κ: how well",
        "</sup> Caption: share",
    ):
        assert text.count(said) == 1
    without = table.render(quick(), "md", view=View.of("all"))
    assert not [name for name in (*HEADS, "AUROC", "Reconstruction", "Joint") if name in without]
    assert r"Joint $\kappa$ $\uparrow$" in table.render([record("able", **ABLE)], "tex", view=View.of("joint", "none"))


def test_counts_and_parts_of_a_figure_stand_in_its_tooltip():
    (row,) = table.rows([record(**ABLE)])
    said = {
        key: measured_on(next(column for column in COLUMNS if column.key == key), row) for key in ("auroc", "joint")
    }
    assert said["auroc"].startswith("100 held-out images against 900 test images\nData: mnist5k, test split")
    assert said["joint"].startswith("Agreement 0.930, by chance 0.830\nOver 1,000 pairs\n± 0.0200: standard error")


def test_captions_that_a_data_set_made_are_said_to_be():
    made = record("made", given=("caption",), stamp={"captions": {"words": [], "thresholds": {}}})
    rows = table.rows([made, record("written", given=("caption",)), record("told", given=("label", "source"))])
    given = next(column for column in COLUMNS if column.key == "given")
    said = {row["label"]: given.cell(row) for row in rows}
    assert said == {"made": "caption (synthetic)", "written": "caption", "told": "label and source"}
    assert "Given: caption (synthetic)" in tooltips.recipe(rows[0])


def test_abilities_are_ranked_over_seeds():
    cells = [
        record(label, seed=seed, anomaly=ABLE["anomaly"].model_copy(update={"auroc": share + seed / 100}))
        for label, share in (("a", 0.7), ("b", 0.8))
        for seed in (0, 1)
    ]
    found = {row["label"]: row for row in table.rows(cells, sort="auroc")}
    assert list(found) == ["b", "a"]
    assert [found[label]["auroc_rank"] for label in "ab"] == [2, 1]


def test_what_was_trained_on_an_extractor_is_neither_shown_nor_ranked_under_it_alone():
    def cells(label, fid, **fields):
        return [record(label, seed=seed, quality=quality(fid + seed / 10), **fields) for seed in (0, 1)]

    own = {"trained_on": "efficientnet-lite0"}
    found = {row["label"]: row for row in table.rows([*cells("a", 9), *cells("b", 8), *cells("seen", 1, **own)])}
    assert [found[label]["fid_rank"] for label in ("a", "b", "seen")] == [2, 1, None]
    assert [found["seen"][key] for key in ("fid", "kid", "precision", "recall", "is", "fid_std")] == [None] * 6
    assert found["seen"]["trained_on"] == "efficientnet-lite0"
    assert not found["seen"]["refused"]
    assert sum("trained on efficientnet-lite0" in note for note in found["seen"]["notes"]) == 1
    other = {row["label"]: row for row in table.rows(cells("seen", 1, trained_on="inception-v3"))}
    assert other["seen"]["fid"] == pytest.approx(1.05)
