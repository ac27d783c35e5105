"""Hand-made data to translate: images of two classes, each with a source, in two domains, of who and under what shade.

Class 0 is bright at the left and class 1 at the right, on noise; domain 1 shows the negative.
"""

from dataclasses import replace

import torch

from genbench.data.dataset import Dataset, digest
from genbench.spec import DataSpec, Field, Split

SIDE = 8


def contents(n, seed):
    """Images in domain 0, uint8 ``(n, 1, 8, 8)``, and their classes."""
    noise = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 2
    images = torch.randint(40, 80, (n, 1, SIDE, SIDE), generator=noise, dtype=torch.uint8)
    for k in range(2):
        images[labels == k, :, :, 4 * k : 4 * k + 4] += 120
    return images, labels


def in_domain(images, domain):
    """Images as the negative where the domain is 1."""
    return torch.where(domain.view(-1, 1, 1, 1) > 0, 255 - images, images)


FIELDS = {
    "domain": Field((), 2),
    "source_domain": Field((), 2, "source"),
    "source_label": Field((), 2, "source"),
    "shadow": Field((1, SIDE, SIDE), 2),
    "identity": Field((), 30),
}


def split(n, seed, names, aligned):
    images, labels = contents(n, seed)
    sources, source_labels = (images, labels) if aligned else contents(n, seed + 100)
    if not aligned:  # in another order, so that labels of rows differ too
        sources, source_labels = sources.roll(1, 0), source_labels.roll(1, 0)
    domain = torch.arange(n) // 2 % 2
    if "domain" in names:
        images, sources = in_domain(images, domain), in_domain(sources, 1 - domain)
    shade = torch.zeros((n, 1, SIDE, SIDE), dtype=torch.uint8)
    shade[:, :, :2] = 1
    values = {"domain": domain, "source_domain": 1 - domain, "source_label": source_labels}
    values |= {"shadow": shade, "identity": torch.arange(n) // 2 % 30}
    return Split(images, labels, sources, {name: values[name] for name in names})


def translated(*names, aligned=True, paired=None, name="hand-made"):
    """A data set with the fields of these names."""
    spec = DataSpec((1, SIDE, SIDE), 256, 2, (1, SIDE, SIDE), aligned if paired is None else paired)
    spec = replace(spec, fields={field: FIELDS[field] for field in names})
    counts = {"train": 200, "validation": 40, "test": 60}
    splits = {part: split(n, seed, names, aligned) for seed, (part, n) in enumerate(counts.items())}
    hashes = {part: digest(values) for part, values in splits.items()}
    return Dataset(name, "Hand-made", spec, **splits, hashes=hashes, aligned=aligned)


def cell_of(dataset, recipe="turner", given=("source",), **more):
    """A cell of 3 steps on it."""
    from genbench.runs.config import Cell

    words = {"dataset": dataset.name, "size": None, "data": dict(dataset.hashes), "recipe": recipe, "label": recipe}
    words |= {"options": {}, "labelled": None, "given": given, "seed": 0, "budget": {"steps": 3}, "batch_size": 16}
    words |= {"extractor": "classifier", "precision": "float32", "samples": 60, "likelihoods": 60, "draws": 1}
    return Cell(**words | {"estimated": 5, "timing": 0.05, "device": "cpu"} | more)
