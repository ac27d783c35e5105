"""Every recipe of the catalogue on small images, with whatever it needs beside them."""

import genbench
from genbench import DataSpec, catalog
from genbench.contract import tiny
from genbench.contract.tiny import noise as noise
from genbench.contract.tiny import splits as data

RECIPES = list(catalog.recipes())
CONDITIONAL = {f"{name} (conditional)": name for name in RECIPES if "conditional" in catalog.recipe(name).options()}
CASES = [*RECIPES, *CONDITIONAL]
SPEC = DataSpec((1, 8, 8), levels=256, classes=4, source=(1, 8, 8))
COLOUR = DataSpec((3, 8, 8), levels=17, classes=4, source=(1, 8, 8))
ENLARGING = ("gln",)  # their source is the image at half its sides
COLOURED = ("animegan",)  # they draw in colour alone


def spec_for(name, spec):
    """``spec`` as the recipe's entry in the catalogue says that it needs it."""
    channels, height, width = spec.shape
    shape = (3 if name in COLOURED else channels, height, width)
    source = (channels, height // 2, width // 2) if name in ENLARGING else spec.source
    return tiny.spec_for(catalog.recipe(name), shape, spec.levels, source)


def options(case):
    """What makes the recipe small, and conditional where the case says so."""
    known = catalog.recipe(CONDITIONAL.get(case, case)).options()
    small = {"width": 8, "steps": 5}  # steps of a search that detects: what it finds is tested beside the recipe
    asked = {"conditional": True} if case in CONDITIONAL else {}
    return asked | {option: value for option, value in small.items() if option in known}


def build(case, spec=SPEC, seed=0):
    name = CONDITIONAL.get(case, case)
    return genbench.build(name, spec_for(name, spec), seed=seed, **options(case))


def conditions(model, n):
    return tiny.told(model, data(model.spec).validation.rows(slice(n)))


def draw(model, n=6, seed=1):
    return tiny.draw(model, data(model.spec).validation.rows(slice(n)), seed)
