"""Figures of abilities, on a model whose answers are known."""

from dataclasses import replace

import pytest
import torch

from genbench import data
from genbench.interface import GenerativeModel
from genbench.runs.ability_measures import AbilityMeasures, ability_measures
from genbench.runs.clock import Clock
from genbench.spec import DataSpec, Split, to_bytes


class Knowing(GenerativeModel):
    """Scores an image by its mean, reconstructs it one level too bright, and draws an image above its negative.

    Of the negative, whose bytes are 0, 64, 128, 191 and 255, it draws what lies above half the range as white.
    """

    def __init__(self, spec, broken=""):
        super().__init__(spec)
        self.broken, self.sizes = broken, []

    def fail(self, name):
        if name == self.broken:
            raise RuntimeError(f"no {name}")

    def anomaly(self, batch, *, generator=None):
        self.fail("anomaly")
        self.sizes.append(len(batch))
        return batch.images.flatten(1).double().mean(1)

    def reconstruct(self, batch, *, generator=None):
        self.fail("reconstruct")
        return batch.images + 1

    def classify(self, batch):
        self.fail("classify")
        assert batch.labels is None
        return torch.eye(self.spec.classes)[batch.images[:, 0, 0, 0].long()]

    def pairs(self, n, *, generator):
        self.fail("pairs")
        images = torch.randint(5, (n, 1, 2, 2), generator=generator, dtype=torch.uint8)
        return images, (to_bytes(4 - images, 5) > 127).to(torch.uint8) * 255


def images(n, low=0, high=4):
    noise = torch.Generator().manual_seed(low)
    return torch.randint(low, high, (n, 1, 2, 2), generator=noise, dtype=torch.uint8)


@pytest.fixture
def dataset():
    digits = data.load("digits")
    test = Split(images(300), labels=images(300)[:, 0, 0, 0].long())
    spec = DataSpec((1, 2, 2), 5, classes=5)
    known = replace(digits, spec=spec, test=test)
    return replace(known, anomalous=Split(images(40, 4, 5)), source_of=lambda drawn: to_bytes(4 - drawn, 5))


def measured(model, dataset, pairs=50):
    said = {}
    clock = Clock(lambda stage, fraction: None)
    return ability_measures(model, dataset, said, clock, pairs=pairs, seed=0), said, clock.seconds


def test_every_ability_has_its_figure_on_the_whole_test_split(dataset):
    model = Knowing(dataset.spec)
    found, said, seconds = measured(model, dataset)
    assert said == {}
    assert set(seconds) == {"accuracy", "anomaly", "reconstruction", "joint"}
    assert (found.accuracy.accuracy, found.accuracy.images) == (1, 300)
    assert (found.anomaly.auroc, found.anomaly.normal, found.anomaly.anomalous) == (1, 300, 40)
    assert model.sizes == [256, 44, 40]
    assert found.reconstruction.distance == pytest.approx(2 * 0.25), "four pixels that are a quarter of the range off"
    assert 0 < found.reconstruction.ratio < 1
    assert (found.joint.kappa, found.joint.pairs) == (1, 50)


def test_a_detector_that_is_given_the_label_has_no_figure_and_a_reason(dataset):
    model = Knowing(dataset.spec)
    model.given = ("label",)
    found, said, _ = measured(model, dataset)
    assert found.anomaly is None
    assert said == {
        "anomaly": "failed: anomaly: this model is given the label, and labels of anomalous images are unknown"
    }
    assert model.sizes == []


def test_pairs_are_held_against_the_known_map_and_drawn_from_the_seed(dataset):
    found, _, _ = measured(Knowing(dataset.spec), replace(dataset, source_of=lambda drawn: to_bytes(drawn, 5)))
    again, _, _ = measured(Knowing(dataset.spec), replace(dataset, source_of=lambda drawn: to_bytes(drawn, 5)))
    assert found.joint.kappa < 0
    assert found == again


def test_what_the_data_cannot_judge_is_not_asked(dataset):
    found, _, _ = measured(Knowing(dataset.spec, "anomaly"), replace(dataset, anomalous=None, source_of=None))
    assert (found.anomaly, found.joint) == (None, None)
    assert found.reconstruction is not None
    assert measured(GenerativeModel(dataset.spec), dataset)[0] == AbilityMeasures()


@pytest.mark.parametrize(
    ("ability", "part"),
    [("anomaly", "anomaly"), ("reconstruct", "reconstruction"), ("classify", "accuracy"), ("pairs", "joint")],
)
def test_one_that_fails_costs_its_figure_alone(dataset, ability, part):
    found, said, _ = measured(Knowing(dataset.spec, ability), dataset)
    assert said == {{"reconstruct": "reconstruction"}.get(ability, ability): f"failed: RuntimeError: no {ability}"}
    names = ("anomaly", "reconstruction", "accuracy", "joint")
    assert [name for name in names if getattr(found, name) is None] == [part]


@pytest.mark.parametrize(
    ("method", "answer", "words"),
    [
        ("anomaly", lambda self, batch, generator=None: torch.zeros(1), "give one number an image"),
        ("anomaly", lambda self, batch, generator=None: torch.full((len(batch),), torch.nan), "not finite"),
        ("reconstruct", lambda self, batch, generator=None: batch.images.float(), "float32"),
        ("pairs", lambda self, n, generator: (images(n), images(n - 1)), "give 50 of each"),
    ],
)
def test_an_answer_that_is_none_is_a_failure_with_its_reason(dataset, monkeypatch, method, answer, words):
    monkeypatch.setattr(Knowing, method, answer)
    _, said, _ = measured(Knowing(dataset.spec), dataset)
    assert words in said[{"reconstruct": "reconstruction"}.get(method, method)]


def test_a_picture_that_failed_says_so_and_nothing_is_measured_beside_it(dataset):
    said = {"reconstruct": "failed: RuntimeError: no codes"}
    model = Knowing(dataset.spec)
    found = ability_measures(model, dataset, said, Clock(lambda stage, fraction: None), pairs=50, seed=0)
    assert found.reconstruction is None
    assert said == {"reconstruct": "failed: RuntimeError: no codes"}


def test_a_measure_that_fails_leaves_the_picture_its_name(dataset):
    said = {"reconstruct": "reconstructions.png"}
    model = Knowing(dataset.spec, "reconstruct")
    ability_measures(model, dataset, said, Clock(lambda stage, fraction: None), pairs=50, seed=0)
    assert said["reconstruct"] == "reconstructions.png"
    assert said["reconstruction"].startswith("failed")
