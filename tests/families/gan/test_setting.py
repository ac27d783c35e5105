import re
from itertools import combinations

import pytest
from torch import nn

from families.layers.attention import Attention
from genbench import DataSpec, catalog
from tests.families.gan.tiny import OFF, build

SPEC = DataSpec((1, 16, 16), levels=17, classes=3, source=(1, 16, 16), labelled=6)
OWN = (
    "lapgan",
    "pggan",
    "stylegan",
    "s2-gan",
    "stackgan",
    "stackgan-pp",
)  # with networks of their own, and settings of other words
CASES = {name: (name, {}) for name, entry in catalog.recipes().items() if entry.family == "gan" and name not in OWN}
CASES |= {f"improved-gan {option}": ("improved-gan", OFF | {option: on}) for option, on in {
    "feature_matching": True, "minibatch_discrimination": True, "historical_averaging": 1e-3,
    "label_smoothing": 0.1, "virtual_batch_normalisation": True}.items()}  # fmt: skip
CASES |= {
    "improved-gan off": ("improved-gan", OFF),
    "f-gan saturating": ("f-gan", {"saturating": True}),
    "f-gan unclipped": ("f-gan", {"clip": 0}),
    "gan augmented": ("gan", {"augment": "color,translation"}),
    "gan cut": ("gan", {"augment": "cutout"}),
    "ebgan without terms": ("ebgan", {"weight": 0}),
    "biggan attending": ("biggan", {"attention": True}),
    "rgan penalised": ("rgan", {"weight": 10.0}),
    "sngan residual": ("sngan", {"network": "residual"}),
    "gan residual": ("gan", {"network": "residual"}),
    "gan dense": ("gan", {"network": "dense"}),
    "gan without average": ("gan", {"average": 0.0}),
    "ebgan residual": ("ebgan", {"network": "residual"}),
}


def made(case):
    name, options = CASES[case]
    return build(name, SPEC, **options)


def mechanisms(case, model):
    """What a text without numbers has to tell apart, found without it."""
    networks = [{type(module) for module in net.modules()} for net in (model.generator, model.critic)]
    norms = [
        {kind.__name__ for kind in kinds if "Norm" in kind.__name__} - {"VirtuallyNormalised"} for kinds in networks
    ]
    critic = getattr(model.critic, "encoder", model.critic)
    return (
        [type(term).__name__ for term in model.terms],
        [type(part).__name__ for part in (model.head, model.code)],
        norms,
        [Attention in kinds for kinds in networks],
        (type(critic).__module__, model.average is None),
        (
            nn.Tanh in networks[0],
            hasattr(model.critic, "decoder"),
            type(model.penalty),
            model.bound is None,
            model.clip,
        ),
        [CASES[case][1].get(option) or None for option in ("augment", "label_smoothing")],
        case in ("gan-minimax", "f-gan saturating"),
    )


def test_recipes_that_differ_in_a_mechanism_differ_in_their_setting():
    models = {case: made(case) for case in CASES}
    texts = {
        case: re.sub(r"\d+(\.\d+)?(e-?\d+)?", "", model.setting).replace("steps", "step")
        for case, model in models.items()
    }
    parts = {case: mechanisms(case, model) for case, model in models.items()}
    alike = [(a, b) for a, b in combinations(CASES, 2) if parts[a] != parts[b] and texts[a] == texts[b]]
    assert not alike


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("ebgan", "autoencoder 64, root mean square error; pull-away 0.1"),
        ("began", "generator: no tanh; autoencoder 64, mean absolute error; balance 0.75, rate 0.1"),
        (
            "improved-gan",
            "virtual norm; label smoothing 0.1; minibatch discrimination 50×5; historical averaging 0.001",
        ),
        ("improved-gan feature_matching", "; feature matching"),
        ("f-gan saturating", "; saturating"),
        ("gan augmented", "; augmented by color and translation"),
        ("dcgan", "generator: no average; 6 uniform latents"),
        ("sngan residual", "critic: spectral norm, 1 step; Adam 0.0002, β 0.5 0.999; residual networks"),
        ("ebgan residual", "autoencoder 64, root mean square error; residual networks; pull-away 0.1"),
        ("biggan attending", "generator: spectral norm, vector batch norm, attention; "),
        ("acgan", "label in the code ×1; auxiliary classifier 1"),
        ("cgan", "label in the code ×3; joint layer 128"),
        ("projection-cgan", "label in the norm; projection on the label"),
        ("infogan", "code of 3 values and 2 numbers; information 1, numbers 0.1"),
    ],
)
def test_the_setting_names_what_a_part_says_of_itself(case, words):
    assert words in made(case).setting
