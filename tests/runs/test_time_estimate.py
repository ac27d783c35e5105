"""What a run says at first of how long it takes is near to what the reference took."""

from types import SimpleNamespace

import pytest

from genbench import catalog
from genbench.runs.config import ANCHORS, Cell
from genbench.runs.time_estimate import anchor_seconds, kind_of, measure_seconds
from genbench.spec import DataSpec

SPEC = DataSpec((1, 28, 28), 256, classes=10, source=(1, 28, 28))
DATA = SimpleNamespace(spec=SPEC, aligned=True)
# Seconds behind training, on two cores: results/reference/quick-cpu, of 1,000 samples.
TOOK = {
    "pixelcnn": ("exact", 11.0),
    "vae": ("bound", 6.2),
    "glow": ("bound", 6.6),
    "realnvp": ("bound", 12.3),
    "gan": ("annealed", 24.0),
    "dcgan": ("annealed", 28.9),
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


def test_chains_are_run_under_each_hidden_category_and_effort_is_of_chains_alone():
    harder = {"effort": "standard"}
    gan, infogan, translator = map(model, ("gan", "infogan", "pix2pix"))
    assert measure_seconds(cell("infogan"), infogan, DATA) > 5 * measure_seconds(cell("gan"), gan, DATA)
    assert measure_seconds(cell("gan", **harder), gan, DATA) > 10 * measure_seconds(cell("gan"), gan, DATA)
    assert measure_seconds(cell("pix2pix", **harder), translator, DATA) == measure_seconds(
        cell("pix2pix"), translator, DATA
    )
    with_noise = catalog.build("pix2pix", SPEC)
    assert kind_of(cell("pix2pix"), with_noise, DATA) == "annealed"
    apart = SimpleNamespace(spec=SPEC, aligned=False)  # sources that belong to no image: there is no likelihood
    assert kind_of(cell("pix2pix"), with_noise, apart) == "unanswered"
    assert measure_seconds(cell("pix2pix"), with_noise, apart) < 10


def test_what_is_left_out_takes_no_time():
    short = measure_seconds(cell("gan", measures=("speed",)), model("gan"), DATA)
    assert short < measure_seconds(cell("gan", measures=("fid", "speed")), model("gan"), DATA) < 10
