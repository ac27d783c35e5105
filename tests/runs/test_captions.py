"""A model that is given captions, through a whole cell: its samples, its record, samples of any caption."""

import numpy as np
import pytest
import torch

from genbench import data
from genbench.metrics.caption_agreement import caption_agreement
from genbench.records.record import Record
from genbench.tables.rows import rows
from tests.commands import refused, script
from tests.toys import cell, installed, run, suite

CAPTION = "thick wide slanted seven"


@pytest.fixture(scope="module", autouse=True)
def site(tmp_path_factory):
    with installed(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """The cell of a model that is given captions, beside that of one that is not."""
    out = tmp_path_factory.mktemp("run") / "out"
    both = suite(row=[{"recipe": "told"}, {"recipe": "toy"}], dataset="captions:digits", anchors=False)
    assert run(both, out)[0] == 0
    return cell(out, "told", "captions-digits")


@pytest.fixture
def genbench_(monkeypatch, capsys):
    return script(monkeypatch, capsys)


def test_samples_of_the_captions_of_test_rows_are_measured_by_caption_and_by_class(told):
    record = Record.read(told)
    test = data.load("captions:digits")
    samples = torch.from_numpy(np.load(told / "samples.npy"))
    captions = test.test.fields["caption"][: len(samples)]
    assert torch.equal(samples[:, 0, 0, ::2].long(), captions.clamp(max=16)), "captions in order"
    assert record.caption == caption_agreement(captions, samples, 17, test.vocabulary)
    assert 0 < record.caption.agreement < 1
    assert record.given == ("caption",)
    assert record.agreement.agreement is not None, "a sample keeps the label of the row whose caption it has"
    (row,) = rows([record])
    assert row["caption"] == record.caption.agreement


def test_words_and_thresholds_are_in_the_stamp(told):
    words = data.load("captions:digits").vocabulary
    stamp = Record.read(told).stamp
    assert tuple(stamp["captions"]["words"]) == words.words
    found = {name: tuple(parts) for name, parts in stamp["captions"]["thresholds"].items()}
    assert found == words.thresholds


def test_a_model_that_is_given_no_caption_has_no_such_figure(told):
    other = Record.read(told.parents[1] / "toy" / "seed-0")
    assert other.caption is None
    assert other.agreement.agreement is None


def test_a_caption_of_ones_own_is_drawn(genbench_, told, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("genbench.plots.sample_grid.write", lambda path, samples, *rest, **more: drawn.append(samples))
    for words in (("--caption", CAPTION), ("--caption", "thin narrow upright one"), ()):
        assert genbench_("sample", told, "-n", 3, "-o", tmp_path / "x.png", *words)[0] == 0
    assert drawn[0][:, 0, 0, ::2].tolist() == [[3, 9, 6, 16]] * 3
    assert drawn[1][:, 0, 0, ::2].tolist() == [[1, 7, 4, 11]] * 3
    assert torch.equal(drawn[2], torch.from_numpy(np.load(told / "samples.npy"))[:3])


def test_captions_that_cannot_be_drawn_are_refused(genbench_, told, tmp_path):
    target = tmp_path / "x.png"

    def said(cell, *words):
        return refused(genbench_("sample", cell, "-n", 2, "-o", target, *words))

    fat = said(told, "--caption", "fat wide slanted seven")
    assert "--caption 'fat wide slanted seven': unknown word 'fat'; there are thin, medium" in fat
    lacking = said(told, "--caption", "thick wide seven")
    assert "'thick wide seven': no word for its slant; give one of upright, leaning, slanted" in lacking
    assert "toy draws without captions" in said(told.parents[1] / "toy" / "seed-0", "--caption", CAPTION)
    assert "give the cell's folder" in said(told / "checkpoint" / "model.safetensors", "--caption", CAPTION)
    assert "does not go with --complete" in said(told, "--complete", "--caption", CAPTION)
    record = Record.read(told)
    bare = {name: value for name, value in record.stamp.items() if name != "captions"}
    record.model_copy(update={"stamp": bare}).write(told)
    try:
        assert "holds no words; leave it out" in said(told, "--caption", CAPTION)
    finally:
        record.write(told)
    assert not target.exists()


def test_scoring_needs_captions(genbench_, told):
    status, out, _ = genbench_("score", told, "--dataset", "captions:digits", "--limit", 4)
    assert status == 0
    assert "given caption" in out
    line = refused(genbench_("score", told, "--dataset", "digits", "--limit", 4))
    assert "told needs a caption with each image" in line


def test_captions_of_other_thresholds_than_the_model_was_told_are_not_scored(genbench_, told):
    record = Record.read(told)
    captions = record.stamp["captions"]
    other = {**captions, "thresholds": {**captions["thresholds"], "slant": [0.1, 0.2]}}
    record.model_copy(update={"stamp": {**record.stamp, "captions": other}}).write(told)
    try:
        said = refused(genbench_("score", told, "--dataset", "captions:digits", "--limit", 2))
    finally:
        record.write(told)
    assert "captions:digits: its captions are of other words or thresholds than those the model was told" in said
