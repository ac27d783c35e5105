"""What is measured of translations, by whole cells of a recipe whose answers are known, on hand-made data."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from genbench import data
from genbench.metrics.fidelity import paired
from genbench.runs.cell import work
from genbench.runs.clock import Clock
from genbench.runs.conditions import asked, asked_labels, conditions, of_translation, shown
from genbench.runs.config import Setting
from genbench.runs.evaluate import evaluate
from genbench.runs.translations import taught, translation_measures
from genbench.tables.rows import rows
from tests.toys import installed
from tests.translated import cell_of, in_domain, translated

QUIET = Setting("Toys", None, None, lambda cell, spent: "again")


@pytest.fixture(scope="module", autouse=True)
def site(tmp_path_factory):
    with installed(tmp_path_factory.mktemp("site")):
        yield


@pytest.fixture
def made(monkeypatch, tmp_path):
    """A function that makes a cell of a data set, and returns its record."""

    def make(dataset, **more):
        monkeypatch.setattr(data, "load", lambda name, **words: dataset)
        (tmp_path / "checkpoint" / "training.pt").unlink(missing_ok=True)
        given = ("source", "domain") if "domain" in dataset.spec.fields else ("source",)
        return work(cell_of(dataset, **{"given": given} | more), QUIET, tmp_path, lambda stage, fraction: None)

    return make


def test_a_sample_is_asked_for_the_domain_of_its_test_row(made, tmp_path):
    dataset = translated("domain", "source_domain")
    record = made(dataset)
    test = dataset.test
    drawn = torch.from_numpy(np.load(tmp_path / "samples.npy"))
    assert torch.equal(drawn, in_domain(test.sources, test.fields["domain"]))
    assert record.paired == paired(drawn, test.images, 256)
    assert record.stamp["drawn"] == "source, domain of the test split, in order"
    assert record.agreement.agreement > 0.9, "by the label of the image, which belongs to the source"
    # The turner makes a negative of a source that is none where domain 1 is asked for, and of domain 0 a copy of one:
    # every sample is in domain 1.
    assert (record.domains.accuracy, record.domains.images) == (0.5, 60)
    assert record.domains.judge_accuracy == 1
    assert record.domains.standard_error == pytest.approx((0.25 / 59) ** 0.5)
    assert record.stamp["samples"]["count"] == record.quality.images == 60
    assert record.quality.reference_images == len(dataset.train)
    assert record.taught is None, "no source says its class"
    assert (record.test.method, record.test.images) == ("direct", 60)


def test_what_is_not_aligned_has_no_fidelity_no_likelihood_and_no_target(made, tmp_path):
    dataset = translated("source_label", aligned=False)
    record = made(dataset)
    assert (record.paired, record.test, record.train) == (None, None, None)
    assert record.stamp["likelihood"] == {"test": "not measured: its sources belong to no image"}
    assert record.quality is not None
    # Sources stand in another order than images: agreement is with theirs, and the images' labels would give 0.
    assert record.agreement.agreement > 0.9
    assert (record.taught.accuracy, record.taught.images) == (1, 60)
    picture = Image.open(tmp_path / "samples.png")
    assert picture.height == pytest.approx(16 * (8 * 7 + 2), abs=2), "8 rows of sources, 8 of outputs, none of targets"
    aligned = shown(dataset.test, ("source",), replace(dataset, aligned=True))
    assert torch.equal(aligned.images, dataset.test.images)


def test_shadow_and_identity_are_measured_where_the_data_have_them(made):
    dataset = translated("shadow", "identity")
    assert torch.equal(dataset.test.sources, dataset.test.images)
    record = made(dataset)
    assert (record.shadow.rmse, record.shadow.images) == (0, 60)
    assert (record.rank_1.images, record.rank_1.identities) == (60, 30)
    # Pixels below 128 are taken for shadow: half of the first two rows, and half of the others.
    assert record.mask.error == pytest.approx(0.5)
    assert record.abilities.get("detect") is None
    plain = made(translated())
    assert (plain.shadow, plain.rank_1, plain.mask, plain.domains, plain.taught) == (None,) * 5
    assert plain.paired.images == 60


def test_samples_that_were_told_no_source_are_no_translations():
    dataset = translated("shadow", "identity", "source_label")
    clock = Clock(lambda stage, fraction: None)
    found = translation_measures(dataset.test.images, dataset.test, ("label",), cell_of(dataset), dataset, clock)
    assert set(vars(found).values()) == {None}
    assert not clock.seconds


def test_nothing_is_trained_for_a_cell_that_leaves_fid_out():
    dataset = translated("source_label", "domain", aligned=False)
    cell = cell_of(dataset, measures=("nll",))
    found = translation_measures(
        dataset.test.images, dataset.test, ("source", "domain"), cell, dataset, Clock(lambda stage, fraction: None)
    )
    assert (found.domains, found.taught) == (None, None)


def test_taught_learns_from_the_samples_and_their_labels_alone():
    dataset = translated("source_label", aligned=False)
    wrong = 1 - dataset.test.fields["source_label"].long()
    assert taught(dataset.test.sources, wrong, dataset, "cpu").accuracy == 0


def test_labels_asked_for_are_those_given_else_the_sources_else_the_images():
    apart = translated("source_label", "domain", aligned=False)
    test = apart.test
    assert torch.equal(asked_labels(test, ("source",), apart), test.fields["source_label"])
    assert torch.equal(asked_labels(test, ("source", "label"), apart), test.labels)
    assert torch.equal(asked_labels(test, ("domain",), apart), test.labels), "a field of the image, in order"
    assert asked_labels(test, (), apart) is None
    unknown = translated(aligned=False)
    assert asked_labels(unknown.test, ("source",), unknown) is None
    pairs = translated()
    assert torch.equal(asked_labels(pairs.test, ("source",), pairs), pairs.test.labels)
    others = replace(apart, spec=replace(apart.spec, classes=3))
    assert asked_labels(test, ("source",), others) is None, "classes of other images"


def test_conditions_of_a_translation_are_the_test_rows_in_order():
    dataset = translated("domain", "source_domain")
    assert of_translation(dataset.spec) == ("source", "domain")
    assert of_translation(translated().spec) == ("source",)
    given = asked(("source", "domain"), dataset, 7)
    words = conditions(given, ("source", "domain"))
    assert set(words) == {"sources", "fields"}
    assert torch.equal(words["sources"], dataset.test.sources[:7])
    assert torch.equal(words["fields"]["domain"], dataset.test.fields["domain"][:7])
    assert set(words["fields"]) == {"domain"}


def test_a_row_trained_on_the_classifier_keeps_its_agreement_with_a_note(made):
    record = made(translated(), options={"perceptual": "classifier"})
    (row,) = rows([record])
    assert record.trained_on == "classifier"
    names = ("fid", "kid", "precision", "recall", "is", "density", "coverage")
    assert [row[name] for name in names] == [None] * 7
    assert row["agreement"] == record.agreement.agreement
    assert any("the judge of its agreement is another network of that kind" in note for note in row["notes"])
    (other,) = rows([made(translated(), options={"perceptual": ""})])
    assert other["trained_on"] is None
    assert not any("network of that kind" in note for note in other["notes"])
    assert other["fid"] is not None


def test_translations_from_elsewhere_need_no_target(monkeypatch, tmp_path):
    dataset = translated("source_label", aligned=False)
    monkeypatch.setattr(data, "load", lambda name, **words: dataset)
    words = {"dataset": dataset.name, "extractor": "classifier", "translations": True}
    found = evaluate(dataset.test.sources, label="theirs", out=tmp_path / "run", **words)
    assert found.paired is None
    assert (found.taught.accuracy, found.given) == (1, ("source",))
    assert found.agreement.agreement > 0.9
    several = translated("domain")
    monkeypatch.setattr(data, "load", lambda name, **words: several)
    turned = evaluate(several.test.images, label="truth", out=tmp_path / "run", **words)
    assert (turned.domains.accuracy, turned.given) == (1, ("source", "domain"))
    assert turned.paired.l1 == 0
