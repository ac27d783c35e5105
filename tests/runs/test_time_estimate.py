"""What a run says at first of how long it takes is near to what the reference took."""

from types import SimpleNamespace

import pytest
import torch

from genbench import catalog, data
from genbench.likelihood.cost import of_estimate
from genbench.runs import time_estimate
from genbench.runs.config import ANCHORS, Cell
from genbench.runs.time_estimate import anchor_seconds, chain_seconds, kind_of, measure_seconds, timed_gradient
from genbench.spec import DataSpec

SPEC = DataSpec((1, 28, 28), 256, classes=10, source=(1, 28, 28))
DATA = SimpleNamespace(spec=SPEC, aligned=True)
# Seconds behind training, on two cores: results/reference/quick-cpu, of 1,000 samples.
TOOK = {
    "pixelcnn": ("exact", 11.0),
    "vae": ("bound", 6.2),
    "glow": ("bound", 6.6),
    "realnvp": ("bound", 12.3),
    "pix2pix": ("direct", 8.3),
}


def cell(recipe, **fields):
    given = {"dataset": "mnist5k", "recipe": recipe, "label": recipe, "options": {}, "labelled": None, "seed": 0}
    given |= {"size": None, "data": {}, "given": (), "budget": {"seconds": 30.0}, "batch_size": 64, "draws": 4}
    given |= {"extractor": "efficientnet-lite0", "precision": "float32", "device": "cpu", "samples": 1000}
    return Cell(**given | {"likelihoods": 1000, "estimated": 10, "timing": 5.0} | fields)


def model(recipe):
    return catalog.build(recipe, SPEC, **({"dropout": 0} if recipe == "pix2pix" else {}))


@pytest.mark.parametrize("recipe", TOOK)
def test_measuring_is_guessed_as_the_reference_took(recipe):
    how, took = TOOK[recipe]
    assert kind_of(cell(recipe), model(recipe), DATA) == how
    assert measure_seconds(cell(recipe), model(recipe), DATA) == pytest.approx(took, rel=0.5)


def test_anchors_take_a_quarter_of_a_minute_once():
    assert anchor_seconds(cell(ANCHORS), 3500) == pytest.approx(15.0, rel=0.3)
    assert anchor_seconds(cell(ANCHORS, twin="mnist5k"), 3500) == 1.0


def test_chains_take_as_long_as_their_gradients(monkeypatch):
    monkeypatch.setattr(time_estimate, "timed_gradient", lambda *_: 2e-4)
    gan, infogan, translator = map(model, ("gan", "infogan", "pix2pix"))
    assert kind_of(cell("gan"), gan, DATA) == "annealed"
    chains, of_ten = (chain_seconds(one, DATA, cell("gan")) for one in (gan, infogan))
    cost = of_estimate("fast", 10, 64)
    assert chains == pytest.approx(2e-4 * (2 * 64 * 100 + cost.gradients + 0.3 * cost.decodings))
    more = of_estimate("fast", 10, infogan.latents, categories=10)
    assert of_ten == pytest.approx(2e-4 * (10 * 64 * 100 + more.gradients + 0.3 * more.decodings))
    assert 8 < of_ten / chains < 10  # chains backward keep the category that was drawn
    assert chain_seconds(gan, DATA, cell("gan", device="cuda")) == pytest.approx(chains * 1.25)  # no GPU begins
    assert chains == pytest.approx(24, rel=0.1)  # gradients of so long, and the seconds, are those of quick-cpu
    assert measure_seconds(cell("gan"), gan, DATA) == pytest.approx(chains + 1 + 3 + 2.5)
    assert 5 < chain_seconds(gan, DATA, cell("gan", effort="standard")) / chains < 20
    assert measure_seconds(cell("pix2pix", effort="standard"), translator, DATA) < 10
    with_noise = catalog.build("pix2pix", SPEC)
    assert kind_of(cell("pix2pix"), with_noise, DATA) == "annealed"
    apart = SimpleNamespace(spec=SPEC, aligned=False)  # sources that belong to no image: there is no likelihood
    assert kind_of(cell("pix2pix"), with_noise, apart) == "unanswered"
    assert measure_seconds(cell("pix2pix"), with_noise, apart) < 10


def test_a_gradient_is_timed_of_the_model_that_will_be_and_the_model_stays(monkeypatch):
    digits = data.load("digits")
    grown, seen = catalog.build("pggan", digits.spec, width=2, latents=3), []
    before = {name: value.clone() for name, value in grown.state_dict().items()}
    observe = type(grown).observe

    def watched(self, u, batch):
        seen.append((int(self.level), len(u)))
        return observe(self, u, batch)

    monkeypatch.setattr(type(grown), "observe", watched)
    assert 0 < timed_gradient(grown, digits, cell("pggan")) < 1
    assert (int(grown.level), grown.finest) == (0, 1)
    assert {*seen} == {(1, 40)}
    assert all(torch.equal(value, before[name]) for name, value in grown.state_dict().items())
    assert grown.training

    def failing(self, u, batch):
        raise RuntimeError("not yet")

    monkeypatch.setattr(type(grown), "observe", failing)
    assert timed_gradient(grown, digits, cell("pggan")) == time_estimate.GRADIENT


def test_what_is_left_out_takes_no_time():
    short = measure_seconds(cell("gan", measures=("speed",)), model("gan"), DATA)
    assert short < measure_seconds(cell("gan", measures=("fid", "speed")), model("gan"), DATA) < 10
