"""A mismatch planted in each part of a stamp that a figure rests on: no rank across it, and a note that names it."""

import json
from functools import partial

import pytest

from genbench import data
from genbench.records.parts import Accuracy, Anomaly, CaptionAgreement, Joint, Paired, Reconstruction
from genbench.runs import stamping
from genbench.runs.command import verbatim
from genbench.runs.config import Cell, Setting
from genbench.tables import columns, comparable, ranks, tooltips
from genbench.tables import rows as table
from genbench.training.config import FitReport
from tests.records import likelihood, quality, record, speed

PAIRED = Paired(psnr=19.0, psnr_standard_error=0.1, ssim=0.8, ssim_standard_error=0.01, images=359)
ANOMALY = Anomaly(auroc=0.9, auroc_standard_error=0.01, normal=359, anomalous=40)
RECONSTRUCTION = Reconstruction(
    distance=1, distance_standard_error=0.1, ratio=0.5, ratio_standard_error=0.01, images=359
)
JOINT = Joint(kappa=0.5, kappa_standard_error=0.01, agreement=0.9, chance=0.8, pairs=359)
CAPTION = CaptionAgreement(agreement=0.6, standard_error=0.01, attributes={}, images=359)
GROUP = {group.name: group for group in comparable.GROUPS}
FIGURE = {"likelihood": "nll_bpd", "quality": "fid", "speed": "latency_ms", "pairs": "psnr", "labels": "accuracy"}
FIGURE |= {"anomaly": "auroc", "reconstruction": "reconstruction", "joint": "joint", "caption": "caption"}
# Of a stamp: what a cell is called, what became of it, and what is said without parting any figures.
PARTS_NOTHING = {
    *("title", "seed", "command", "configuration", "spent", "likelihood", "judge", "labelled", "measures", "course"),
    *("pixels", "checked"),
    *("revision", "timing.seconds"),
    *(f"versions.{name}" for name in ("genbench", "torchvision", "torchmetrics", "nflows", "numpy", "scipy", "pillow")),
}


@pytest.fixture(scope="module")
def stamp():
    """The stamp of a real cell, without its training."""
    digits = data.load("edges:digits")
    cell = Cell(
        dataset="edges:digits", size=None, data=dict(digits.hashes), recipe="pix2pix", label="pix2pix", options={},
        labelled=50, given=("source",), seed=0, budget={"seconds": 1.0}, batch_size=8, extractor="classifier",
        precision="float32", samples=359, likelihoods=20, draws=1, estimated=2, timing=1.0, device="cpu",
    )  # fmt: skip
    setting = Setting("Toys", None, "d" * 40, partial(verbatim, "genbench run toys"))
    extractor = {"name": "classifier", "hash": "c" * 64, "resize": "none", "judge": "c" * 64}
    report = FitReport(64, 8, 1.0, 0.0, {"gan": 8}, [0.0] * 8)
    test = likelihood(kind="estimate", method="ais", draws=2)
    found = stamping.stamped(cell, setting, digits, extractor, report, 0.5, test)
    return json.loads(json.dumps(found))


def planted(stamp, name, value="another"):
    """A copy with one leaf changed; None takes it away."""
    copy = json.loads(json.dumps(stamp))
    *path, last = name.split(".")
    inner = copy
    for step in path:
        inner = inner[step]
    inner.pop(last) if value is None else inner.update({last: value})
    return copy


def row(label, stamp, shift=0.0, **fields):
    """Two seeds with every figure, ``shift`` worse than those without: enough for a rank in each column."""
    figures = {
        "test": likelihood((1 + shift, 1.2 + shift, 1.4 + shift)),
        "quality": quality(50 + shift, images=359, reference_images=1258),
        "speed": speed(4 + shift, 900 - shift),
        "paired": PAIRED.model_copy(update={"psnr": 19 - shift}),
        "accuracy": Accuracy(accuracy=0.9 - shift / 100, standard_error=0.01, images=359),
        "anomaly": ANOMALY.model_copy(update={"auroc": 0.9 - shift / 100}),
        "reconstruction": RECONSTRUCTION.model_copy(update={"distance": 1 + shift, "ratio": 0.5 + shift / 100}),
        "joint": JOINT.model_copy(update={"kappa": 0.5 - shift / 100}),
        "caption": CAPTION.model_copy(update={"agreement": 0.6 - shift / 100}),
    }
    return [record(label, seed=seed, **figures | fields).model_copy(update={"stamp": stamp}) for seed in (0, 1)]


def ranked(rows, group):
    figure = next(figure for figure in columns.RANKED if figure.key == FIGURE[group])
    return [place is not None for place in ranks.ranks(rows, figure)]


def notes(rows, labels=("a", "b")):
    return comparable.refusals(rows, labels)


def test_what_agrees_is_ranked_in_every_column_and_refused_in_none(stamp):
    rows = [row("a", stamp), row("b", stamp, 1.0)]
    assert all(ranked(rows, group) == [True, True] for group in FIGURE)
    assert notes(rows) == [[], []]


@pytest.mark.parametrize("group", FIGURE)
def test_each_part_that_differs_parts_the_figures_and_is_named(stamp, group):
    leaves = dict(comparable.leaves(stamp))
    rests_on = [name for name in leaves if name.replace(".", " ") in comparable.parts(row("a", stamp)[0], GROUP[group])]
    assert len(rests_on) >= 10
    for name in rests_on:
        rows = [row("a", stamp), row("b", planted(stamp, name), 1.0)]
        assert ranked(rows, group) == [False, False], name
        ours, theirs = notes(rows)
        assert ours == theirs
        (said,) = [text for text in ours if comparable.HEADS[GROUP[group]].lower() in text.lower()]
        assert "of a " in said
        assert "not ranked with b: " in said
        was = comparable.short(json.dumps(leaves[name]))
        assert f"{name.replace('.', ' ')} differs ({was} / another)" in said
        # Taken away altogether, it differs as much.
        if name != "timing.dtype":
            gone = [row("a", stamp), row("b", planted(stamp, name, None), 1.0)]
            assert ranked(gone, group) == [False, False]
            assert any(f"{name.replace('.', ' ')} differs ({was} / absent)" in text for text in notes(gone)[0])


@pytest.mark.parametrize(
    ("group", "change", "said"),
    [
        ("likelihood", {"test": likelihood((3, 4))}, "test images differs (3 / 2)"),
        (
            "quality",
            {"quality": quality(60, images=100, reference_images=1258)},
            "samples measured differs (359 / 100)",
        ),
        ("quality", {"quality": quality(60, images=359, reference_images=9)}, "reference measured differs (1258 / 9)"),
        ("pairs", {"paired": PAIRED.model_copy(update={"images": 5})}, "pairs differs (359 / 5)"),
        ("labels", {"accuracy": Accuracy(accuracy=0.5, standard_error=0.1, images=5)}, "test images differs (359 / 5)"),
        ("anomaly", {"anomaly": ANOMALY.model_copy(update={"anomalous": 5})}, "held-out images differs (40 / 5)"),
        (
            "reconstruction",
            {"reconstruction": RECONSTRUCTION.model_copy(update={"images": 5})},
            "images differs (359 / 5)",
        ),
        ("caption", {"caption": CAPTION.model_copy(update={"images": 5})}, "samples measured differs (359 / 5)"),
        ("joint", {"joint": JOINT.model_copy(update={"pairs": 5})}, "pairs drawn differs (359 / 5)"),
    ],
)
def test_counts_of_the_figures_themselves_part_them_too(stamp, group, change, said):
    rows = [row("a", stamp), row("b", stamp, 1.0, **change)]
    assert ranked(rows, group) == [False, False]
    assert any(said in text for text in notes(rows)[0])


@pytest.mark.parametrize("change", [{"method": "parzen"}, {"draws": 8}, {"effort": "paper"}], ids=str)
def test_estimates_name_their_estimator(stamp, change):
    common = {"kind": "estimate", "method": "ais", "draws": 2, "converged": True}
    rows = [row("a", stamp, test=likelihood(**common)), row("b", stamp, test=likelihood((3, 4, 5), **common | change))]
    assert ranked(rows, "likelihood") == [False, False]
    ((name, value),) = change.items()
    was = (common | {"effort": "fast"})[name]
    assert any(f"Bits/dim of a are not ranked with b: {name} differs ({was} / {value})" in t for t in notes(rows)[0])


def test_another_version_of_a_measure_parts_its_own_figures_alone(stamp):
    first = planted(stamp, "measures.quality", 1)
    rows = [row("a", first), row("b", planted(stamp, "measures.quality", 2), 1.0)]
    assert [group for group in FIGURE if ranked(rows, group) == [False, False]] == ["quality"]
    assert "measures differs (1 / 2)" in notes(rows)[0][0]
    older = planted(stamp, "measures", None)
    assert ranked([row("a", older), row("b", first, 1.0)], "quality") == [True, True], "older stamps have all at 1"


def test_somebody_decided_about_every_part_of_a_stamp(stamp):
    def is_one(name, parts):
        return any(name == part or name.startswith(f"{part}.") for part in parts)

    wanted = {part for group in comparable.GROUPS for part in group.rests_on}
    unknown = [name for name, _ in comparable.leaves(stamp) if is_one(name, wanted) == is_one(name, PARTS_NOTHING)]
    assert not unknown


def test_what_differs_without_parting_figures_is_said_once(stamp):
    other = planted(planted(stamp, "revision", "e" * 40), "versions.nflows", "0.15")
    rows = [row("a", stamp), row("b", other, 1.0)]
    assert all(ranked(rows, group) == [True, True] for group in FIGURE)
    text = table.render([cell for cells in rows for cell in cells], "md")
    assert text.count("differ in revision dddddddd / eeeeeeee; versions nflows 0.14 / 0.15, which keeps none") == 1


def test_devices_that_shared_a_training_part_what_the_clock_decided_and_speed(stamp):
    steps = {**stamp, "budget": {"steps": 9}}
    shared = {"parallel": "2 devices by gloo"}
    rows = [row("a", steps), row("b", steps | shared, 1.0)]
    why = "parallel differs (one device / 2 devices by gloo)"
    assert notes(rows)[0] == [f"Latency, images/s of a are not ranked with b: {why}."]
    (timed,) = notes([row("a", stamp), row("b", stamp | shared, 1.0)])[0]
    assert timed.endswith(f"of a are not ranked with b: {why}.")
    assert "bits/dim" in timed.lower()


def test_threads_decide_nothing_but_speed_where_steps_are_counted(stamp):
    steps = planted(planted(stamp, "budget.seconds", None), "budget.steps", 1000)
    rows = [row("a", planted(steps, "threads", 1)), row("b", planted(steps, "threads", 64), 1.0)]
    assert [group for group in FIGURE if ranked(rows, group) == [False, False]] == ["speed"]
    assert notes(rows)[0] == ["Latency, images/s of a are not ranked with b: threads differs (1 / 64)."]


def test_a_cell_that_was_measured_again_rests_on_where_it_was_trained(stamp):
    place = ("revision", "device", "threads", "machine", "versions")
    trained = {"trained": {name: stamp[name] for name in place}}
    assert "seconds" in stamp["budget"]
    moved = planted(stamp | trained, "threads", 64)
    rows = [row("a", stamp), row("b", moved, 1.0)]
    assert [group for group in FIGURE if ranked(rows, group) == [False, False]] == ["speed"]
    slower = planted(stamp | trained, "trained.threads", 64)
    rows = [row("a", stamp), row("b", slower, 1.0)]
    assert [group for group in FIGURE if ranked(rows, group) != [False, False]] == ["speed"]


def test_the_revision_of_a_training_is_said_where_it_was_measured_again(stamp):
    again = planted(stamp | {"trained": {"revision": stamp["revision"]}}, "revision", "e" * 40)
    rows = [row("a", again), row("b", planted(stamp, "revision", "e" * 40), 1.0)]
    said = "Rows of mnist5k differ in trained revision dddddddd / eeeeeeee, which keeps none apart by itself."
    assert comparable.remarks(rows) == [[said], [said]]


def test_a_label_and_the_cost_of_a_row_tell_where_it_was_trained(stamp):
    away = {name: stamp[name] for name in ("revision", "device", "machine", "versions")} | {"threads": 7}
    rows = [row("a", stamp), row("a", stamp | {"trained": away}, 1.0)]
    found = table.rows([cell for cells in rows for cell in cells])
    labels = [line["label"] for line in found if line["status"] == "done"]
    assert len(labels) == 2
    assert sum("7 threads" in label for label in labels) == 1
    costs = [list(tooltips.cost(line)) for line in found]
    assert [any("7 threads" in (text or "") for text in cost) for cost in costs] == ["7 threads" in x for x in labels]


def test_many_rows_and_parts_of_one_cause_are_one_short_note(stamp):
    other = planted(planted(stamp, "extractor.hash", "f" * 64), "extractor.resize", "to 8")
    labels = [f"m{i}" for i in range(6)] + ["x", "y"]
    rows = [row(label, stamp if label[0] == "m" else other, i) for i, label in enumerate(labels)]
    assert {text for said in notes(rows, labels) for text in said} == {
        "FID, KID, precision, recall, density, coverage, IS of m0, m1, m2 and 3 more are not ranked with x, y: "
        "extractor hash differs (cccccccc / ffffffff); extractor resize differs (none / to 8)."
    }
    third = planted(stamp, "extractor.hash", "a" * 64)
    text = notes([*rows, row("z", third, 9)], [*labels, "z"])[0][0]
    assert "not ranked with x, y; nor with z: extractor hash differs (cccccccc / ffffffff / aaaaaaaa)" in text
    many = json.loads(json.dumps(stamp).replace('"train": "', '"train": "x').replace('"test": "', '"test": "x'))
    for name in ("counts.train", "counts.test", "split"):
        many = planted(many, name)
    assert "; and 1 more parts." in notes([row("a", stamp), row("b", many)])[0][0]


def test_rows_that_the_table_shows_apart_need_no_note(stamp):
    own, added = row("a", stamp), row("b", planted(stamp, "threads", 9), test=likelihood(observation="added"))
    assert not any("its/dim" in text for text in notes([own, added])[0])
    other = [r.model_copy(update={"dataset": "else"}) for r in row("b", planted(stamp, "threads", 9))]
    assert notes([own, other]) == [[], []]


def test_refusals_reach_every_format_and_the_rows(stamp):
    cells = [*row("a", stamp), *row("b", planted(stamp, "extractor.hash", "f" * 64), 1.0)]
    rows = table.rows(cells)
    said = (
        "FID, KID, precision, recall, density, coverage, IS of a are not ranked with b: "
        "extractor hash differs (cccccccc / ffffffff)."
    )
    assert [row["refused"] for row in rows] == [[said], [said]]
    assert rows[0]["nll_rank"] == 1, "column by column: the likelihoods are ranked"
    for fmt in ("md", "csv", "json", "html", "tex"):
        assert said in table.render(cells, fmt)
    assert table.render(cells, "md").count(said) == 1


def test_evaluated_rows_are_told_apart_by_how_they_were_measured_alone(stamp):
    bare = json.loads(json.dumps(stamp))
    for name in ("budget", "batch_size", "checkpoint", "timing"):
        del bare[name]
    none = {"test": None, "speed": None, "paired": None, "accuracy": None}
    mine = [record("mine", status="evaluated", quality=quality(9, images=359, reference_images=1258), **none)]
    same = [r.model_copy(update={"stamp": bare}) for r in mine]
    other = [r.model_copy(update={"stamp": planted(bare, "extractor.hash", "f" * 64)}) for r in mine]
    assert notes([row("a", stamp), same]) == [[], []]
    assert "extractor hash differs" in notes([row("a", stamp), other])[0][0]
    assert ranked([row("a", stamp), row("b", stamp, 1), same], "quality") == [True, True, False]
    assert "nothing ranks them" in " ".join(table.rows(same)[0]["notes"])


def test_a_code_length_is_one_however_it_was_found(stamp):
    common = {"kind": "bound", "method": "iwae", "draws": 10}
    for change in ({"method": "dequantised"}, {"draws": 1000}, {"kind": "exact", "method": "chain rule", "draws": 1}):
        theirs = likelihood((3, 4, 5), **common | change)
        rows = [row("a", stamp, test=likelihood(**common)), row("b", stamp, test=theirs)]
        assert ranked(rows, "likelihood") == [True, True]


def test_a_seed_without_an_ability_s_figure_keeps_its_place_in_the_row():
    again = Reconstruction(distance=3.0, distance_standard_error=0.1, ratio=0.5, ratio_standard_error=0.1, images=9)
    both = [record("vae", seed=0), record("vae", seed=1, reconstruction=again)]
    (row,) = table.rows(both)
    assert row["seeds"] == [0, 1]
    assert row["fid_std"] is not None
    assert row["reconstruction"] is None
    assert "vae: no reconstruction of seed 0, so no mean of it." in row["notes"]
