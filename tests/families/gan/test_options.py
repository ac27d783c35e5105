import pytest
import torch

from genbench import Batch, DataSpec, Field, catalog
from tests.families.gan.tiny import build, step

CAPTION = {"caption": Field((4,), 13)}
SPEC = DataSpec((1, 8, 8), levels=17, classes=3, source=(1, 8, 8), labelled=6, fields=CAPTION)
GANS = [name for name, entry in catalog.recipes().items() if entry.family == "gan"]
SWITCHES = [
    (name, option)
    for name in GANS
    for option, default in catalog.recipe(name).options().items()
    if isinstance(default, bool)
]


def refused(name, spec=SPEC, **options):
    with pytest.raises(ValueError, match=r"\w") as raised:
        build(name, spec, **options)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("value", ["off", "no", 0, 1, None])
@pytest.mark.parametrize(("name", "option"), SWITCHES)
def test_an_option_to_be_on_or_off_is_refused_where_it_is_neither(name, option, value):
    assert refused(name, **{option: value}) == f"{option}={value!r}: give True or False"


def test_there_are_options_to_be_on_or_off():
    assert {"improved-gan", "f-gan", "biggan"} <= {name for name, _ in SWITCHES}


@pytest.mark.parametrize("name", GANS)
def test_a_gan_without_noise_is_refused(name):
    assert refused(name, latents=0) == "latents=0: give a whole number, 1 or more"


@pytest.mark.parametrize("value", ["x", [1], 1, None, {"a": 2}])
@pytest.mark.parametrize("option", ["network", "augment"])
def test_words_of_the_wrong_type_are_refused_by_every_recipe(option, value):
    for name in (name for name in GANS if option in catalog.recipe(name).options()):
        assert refused(name, **{option: value}).startswith(f"{option}={value!r}: ")


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("gan", "average", "x"),
        ("gan", "average", None),
        ("gan", "average", [0.5]),
        ("gan", "augment", ["color"]),
        ("improved-gan", "label_smoothing", "x"),
        ("improved-gan", "label_smoothing", None),
        ("improved-gan", "historical_averaging", "x"),
        ("f-gan", "divergence", ["kl"]),
        ("f-gan", "divergence", {"kl": 1}),
        ("f-gan", "divergence", None),
    ],
)
def test_values_of_the_wrong_type_are_refused(name, option, value):
    assert refused(name, **{option: value}).startswith((f"{option}={value!r}: ", f"{option}={value}: "))


def test_infogan_says_that_data_of_one_class_leave_no_category():
    spec = DataSpec((1, 8, 8), levels=17, classes=1)
    assert refused("infogan", spec).startswith("classes=1: ")
    assert build("infogan", spec, categories=2).code.categories == 2


@pytest.mark.parametrize("network", ["convolutional", "residual", "dense"])
def test_infogan_refuses_a_batch_of_one_in_training_in_its_own_words(network):
    model = build("infogan", network=network).train()
    one = Batch(torch.zeros(1, 1, 8, 8, dtype=torch.uint8))
    for turn in (model.critic_loss, model.generator_loss):
        with pytest.raises(ValueError, match="batch_size=1: Q normalises by the batch: give 2 or more"):
            turn(one, step())
    model.eval().generator_loss(one, step())
