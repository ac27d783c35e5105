"""Every recipe of the catalogue on small images, with whatever it needs beside them."""

from dataclasses import replace

import torch

import genbench
from genbench import DataSpec, Field, catalog
from genbench.spec import Split, Splits

RECIPES = list(catalog.recipes())
CONDITIONAL = {f"{name} (conditional)": name for name in RECIPES if "conditional" in catalog.recipe(name).options()}
CASES = [*RECIPES, *CONDITIONAL]
SPEC = DataSpec((1, 8, 8), levels=256, classes=4, source=(1, 8, 8))
COLOUR = DataSpec((3, 8, 8), levels=17, classes=4, source=(1, 8, 8))
ENLARGING = ("gln",)  # their source is the image at half its sides
COLOURED = ("animegan",)  # they draw in colour alone


def data(spec, train=48, validation=16):
    source = torch.Generator().manual_seed(0)
    values = torch.Generator().manual_seed(1)

    def split(n, more=0):
        smooth = torch.rand(n, spec.shape[0], 2, 2, generator=source).repeat_interleave(4, 2).repeat_interleave(4, 3)
        noise = torch.rand(n, *spec.shape, generator=source)
        images = ((0.7 * smooth + 0.3 * noise) * spec.levels).to(torch.uint8)
        images[:, :, 0, 0] = 0  # in an end bin, where flows have noise of their own
        channels, height, breadth = spec.source or (1, *spec.shape[1:])
        seen = images[:, :channels, :: spec.shape[1] // height, :: spec.shape[2] // breadth]
        edges = (seen > spec.levels // 2).to(torch.uint8) * 255
        edges = edges[torch.arange(n + more).roll(more) % n]  # unpaired training: another number, in another order
        rows = {"image": n, "source": n + more}
        fields = {
            name: torch.randint(one.levels, (rows[one.of], *one.shape), generator=values)
            for name, one in sorted(spec.fields.items())  # a loaded spec may have them in another order
        }
        return Split(images, torch.arange(n) % spec.classes, edges, fields)

    splits = Splits(split(train, 0 if spec.paired else 5), split(validation))
    if spec.labelled is not None:
        splits.train.labels[spec.labelled :] = -1
    return splits


FIELDS = {
    "caption": Field((4,), 9),
    "domain": Field((), 3),
    "source_domain": Field((), 3, "source"),
    "shadow": Field((1, 8, 8), 2),
    "landmarks": Field((4, 2), 8, "source"),
    "identity": Field((), 6),
}


def spec_for(name, spec):
    """``spec`` as the recipe's entry in the catalogue says that it needs it."""
    entry = catalog.recipe(name)
    asked = {*entry.needs, *entry.given}
    fields = {field: FIELDS[field] for field in FIELDS if field in asked}
    labelled = 12 if "labelled" in asked else None
    shape = (3, *spec.shape[1:]) if name in COLOURED else spec.shape
    source = (spec.shape[0], spec.shape[1] // 2, spec.shape[2] // 2) if name in ENLARGING else spec.source
    if "domain" in asked:
        source = shape  # domains of one shape
    paired = "unpaired" not in asked
    return replace(spec, shape=shape, labelled=labelled, source=source, paired=paired, fields=fields)


def build(case, spec=SPEC, seed=0):
    name = CONDITIONAL.get(case, case)
    options = {"conditional": True} if case in CONDITIONAL else {}
    small = {"width": 8, "steps": 5}  # steps of a search that detects: what it finds is tested beside the recipe
    options |= {option: value for option, value in small.items() if option in catalog.recipe(name).options()}
    return genbench.build(name, spec_for(name, spec), seed=seed, **options)


def conditions(model, n):
    batch, out = data(model.spec).validation, {}
    if "label" in model.given:
        out["labels"] = torch.arange(n) % model.spec.classes
    if "source" in model.given:
        out["sources"] = batch.sources[:n]
    if fields := {name: batch.fields[name][:n] for name in model.given if name in batch.fields}:
        out["fields"] = fields
    return out


def noise(seed=1):
    return torch.Generator().manual_seed(seed)


def draw(model, n=6, seed=1):
    return model.sample(n, generator=noise(seed), **conditions(model, n))
