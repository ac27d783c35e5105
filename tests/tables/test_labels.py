import pytest

from genbench.tables import rows as table
from genbench.tables.labels import disambiguated
from tests.records import STAMP, anchor, likelihood, lost, record

CELL = {"draws": 10, "likelihoods": 1000, "estimated": 10, "samples": 1000, "extractor": "efficientnet-lite0"}


def labels(*records):
    return disambiguated([[item] for item in records])


def test_labels_that_are_the_only_ones_stay():
    rows = [record("vae"), record("gan", options={"width": 8}), record("vae", dataset="digits"), anchor("noise")]
    assert labels(*rows) == ["vae", "gan", "vae", "noise"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"options": {"lr": 0.003}}, "vae (lr 0.003)"),
        ({"options": {"temperature": 0.7}}, "vae (temperature 0.7)"),
        ({"options": {"conditional": True, "prior": "vamp"}}, "vae (conditional true)"),
        ({"labelled": 100}, "vae (100 labels)"),
    ],
    ids=str,
)
def test_what_one_row_says_and_the_other_does_not_stands_behind_the_one(changes, said):
    assert labels(record("vae"), record("vae", **changes)) == ["vae", said]


@pytest.mark.parametrize(
    ("stamp", "said"),
    [
        ({"precision": "bfloat16"}, ["vae (float32)", "vae (bfloat16)"]),
        ({"budget": {"seconds": 300.0}}, ["vae (60 seconds)", "vae (300 seconds)"]),
        ({"budget": {"steps": 1}}, ["vae (60 seconds)", "vae (1 step)"]),
        ({"batch_size": 128}, ["vae (64 images a batch)", "vae (128 images a batch)"]),
        ({"data": STAMP["data"] | {"hashes": {"train": "f" * 64}}}, ["vae (train aaaaaaaa)", "vae (train ffffffff)"]),
        ({"threads": 16}, ["vae (2 threads)", "vae (16 threads)"]),
        ({"configuration": {"devices": 2}}, ["vae (1 device)", "vae (2 devices)"]),
        ({"device": "cuda", "threads": 16}, ["vae (cpu)", "vae (cuda)"]),
        ({"processor": "Other"}, ["vae (Some Processor 9000)", "vae (Other)"]),
        ({"machine": {"processor": "Other"}}, ["vae (Some Processor 9000)", "vae (Other)"]),
        ({"revision": "e" * 40 + "-dirty"}, ["vae (revision ddddddd)", "vae (revision eeeeeee-dirty)"]),
        ({"revision": None}, ["vae (revision ddddddd)", "vae"]),
        ({"versions": {"genbench": "0.1.0", "torch": "3.0"}}, ["vae (torch 2.15.0)", "vae (torch 3.0)"]),
        ({"batch_size": 128, "revision": "e" * 40}, ["vae (64 images a batch)", "vae (128 images a batch)"]),
    ],
    ids=str,
)
def test_differences_of_the_stamp_stand_behind_both_what_was_asked_for_first(stamp, said):
    assert labels(record("vae"), record("vae", stamp=stamp)) == said


def test_no_more_is_said_than_tells_the_rows_apart():
    def row(**options):
        return record("glow", options=options)

    assert labels(row(lr=0.1, width=8), row(lr=0.1, width=16), row(lr=0.2, width=32)) == [
        "glow (width 8)", "glow (width 16)", "glow (width 32)",
    ]  # fmt: skip
    grid = [row(lr=lr, width=width) for lr in (0.1, 0.2) for width in (8, 16)]
    assert labels(*grid, row(lr=0.3, width=8)) == [
        "glow (lr 0.1, width 8)", "glow (lr 0.1, width 16)", "glow (lr 0.2, width 8)", "glow (lr 0.2, width 16)",
        "glow (lr 0.3)",
    ]  # fmt: skip


def test_draws_are_said_of_bounds_alone():
    def pair(**fields):
        cells = [{"configuration": CELL}, {"configuration": CELL | {"draws": 1}, "revision": "e" * 40}]
        return labels(*(record("m", stamp=stamp, test=likelihood(**fields)) for stamp in cells))

    assert pair(kind="bound") == ["m (10 draws)", "m (1 draw)"]
    assert pair(kind="exact") == ["m (revision ddddddd)", "m (revision eeeeeee)"]
    fewer = {"configuration": CELL | {"estimated": 2, "extractor": "classifier"}}
    rows = [record("m", stamp=stamp, quality=None, test=likelihood(kind="estimate")) for stamp in ({}, fewer)]
    assert labels(*rows) == ["m", "m (2 images scored)"]
    harder = [{"configuration": CELL}, {"configuration": CELL | {"effort": "paper"}}]  # the first is from before
    rows = [record("m", stamp=stamp, quality=None, test=likelihood(kind="estimate")) for stamp in harder]
    assert labels(*rows) == ["m (fast effort)", "m (paper effort)"]


def test_seeds_of_one_row_that_ended_otherwise_keep_its_label():
    stamp = {"configuration": CELL}
    both = [record("vae", seed=0, stamp=stamp), lost("vae", seed=1, stamp=stamp | {"extractor": None})]
    assert labels(*both) == ["vae", "vae"]
    other = {"options": {"lr": 0.1}, "stamp": stamp}
    assert labels(*both, record("vae", **other), lost("vae", **other)) == ["vae", "vae", "vae (lr 0.1)", "vae (lr 0.1)"]


def test_the_same_row_run_twice_is_numbered():
    assert labels(record("vae"), record("vae"), lost("vae")) == ["vae (run 1)", "vae (run 2)", "vae"]
    one, two = table.rows([record("vae", abilities={"complete": "failed: no"}), record("vae")])
    assert (one["label"], one["plain_label"]) == ("vae (run 1)", "vae")
    assert "vae (run 1), seed 0: complete failed: no" in one["notes"]
    assert two["label"] == "vae (run 2)"


def test_every_form_of_the_table_has_the_longer_label():
    rows = [record("vae", options={"lr": 0.003}), lost("vae", reason="it broke")]
    for fmt in ("md", "csv", "tex", "json", "html"):
        text = table.render(rows, fmt)
        assert "vae (lr 0.003)" in text
    assert "- ⚠ vae, seed 0, diverged: it broke." in table.render(rows, "md")


def test_anchors_of_other_counts_are_told_apart_too():
    rows = [anchor("png", test=likelihood(), stamp={"configuration": CELL | {"likelihoods": n}}) for n in (1000, 2000)]
    assert labels(*rows) == ["png (1,000 images scored)", "png (2,000 images scored)"]
