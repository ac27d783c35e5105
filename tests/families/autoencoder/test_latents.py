import pytest

import genbench
from families.autoencoder.latents import code_size
from genbench import DataSpec


@pytest.mark.parametrize(
    ("shape", "at_digits", "size"),
    [((1, 28, 28), 32, 32), ((3, 32, 32), 32, 63), ((1, 8, 8), 32, 9), ((3, 32, 32), 16, 32), ((1, 1, 1), 16, 2)],
)
def test_the_code_grows_with_the_root_of_the_image(shape, at_digits, size):
    assert code_size(None, shape, at_digits) == size


def test_a_size_that_is_asked_for_stays():
    assert code_size(5, (3, 32, 32), 16) == 5
    for latents in (0, 2.5, True):
        with pytest.raises(ValueError, match=f"latents={latents}: give a whole number, 1 or more"):
            code_size(latents, (3, 32, 32), 16)


def test_every_recipe_follows_the_shape_from_its_own_number_for_digits():
    sizes = {}
    for name in ("vae", "cvae", "ae", "aae", "aae-supervised", "aae-semi-supervised", "vae-gan"):
        sizes[name] = []
        for shape in ((1, 28, 28), (3, 28, 56)):
            spec = DataSpec(shape, classes=3, labelled=9 if "semi" in name else None)
            model = genbench.build(name, spec, width=4)
            given = model.conditions(1, generator=genbench.seed.generator(0))
            sizes[name].append(model.prior(given).mean.shape[1] - (3 if "semi" in name else 0))
    assert sizes == {
        "vae": [32, 78],
        "cvae": [32, 78],
        "ae": [16, 39],
        "aae": [16, 39],
        "aae-supervised": [8, 20],
        "aae-semi-supervised": [6, 15],
        "vae-gan": [16, 39],
    }
