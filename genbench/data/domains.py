"""Several domains of one content, ``colours:`` and ``styles:``, and two data sets as two domains, ``domains:A+B``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256

import torch
from torch import Tensor
from torch.nn import functional as F

from genbench.data.classes import names_of
from genbench.data.dataset import Dataset
from genbench.data.sources import with_fields, without_source
from genbench.seed import generator, uniform
from genbench.spec import DataSpec, Field, Split, to_bytes

TINTS = ((255, 64, 64), (64, 255, 64), (64, 96, 255), (255, 224, 64))  # red, green, blue, yellow
DOMAINS = 4  # tints, and styles as many


def domains_spec(spec: DataSpec, channels: int) -> DataSpec:
    """Return the spec of grey images seen in :data:`DOMAINS` domains, each of ``channels`` channels.

    Raises:
        ValueError: for images in colour, with sources, or with domains of their own.
    """
    grey, height, width = without_source(spec).shape
    if grey != 1:
        raise ValueError(f"it makes domains of grey images, and these have {grey} channels")
    shape = (channels, height, width)
    fields = with_fields(spec, domain=Field((), DOMAINS), source_domain=Field((), DOMAINS, "source"))
    return replace(spec, shape=shape, source=shape, paired=False, fields=fields)


def in_domains(seen: Callable[[Tensor, Tensor, int], Tensor], prefix: str, dataset: Dataset) -> Dataset:
    """Return the data set whose images are ``seen(images, domain, levels)``, with fields that say in which domain.

    In training an image stands in one domain alone, and is its own source: nothing shows it in two. Elsewhere a source
    in a domain that is drawn belongs to its image in another one.
    """
    levels = dataset.spec.levels

    def change(split: Split, name: str) -> Split:
        own = there = torch.arange(len(split)) % DOMAINS
        if name != "train":
            drawn = uniform((len(split), 2), generator(0, prefix, name))
            own = (drawn[:, 0] * DOMAINS).long()
            there = (own + 1 + (drawn[:, 1] * (DOMAINS - 1)).long()) % DOMAINS
        sources = to_bytes(seen(split.images, own, levels), levels)
        fields = {**split.fields, "domain": there, "source_domain": own}
        return Split(seen(split.images, there, levels), split.labels, sources, fields)

    return replace(dataset.each(change), aligned=True)


def tinted(images: Tensor, domain: Tensor, _: int) -> Tensor:
    """Return ``(x·t + 127) // 255`` in the tint t of each domain, from grey x: uint8 ``(N, 3, H, W)``."""
    tints = torch.tensor(TINTS, dtype=torch.int32)[domain][:, :, None, None]
    return ((images * tints + 127) // 255).to(torch.uint8)


def styled(images: Tensor, domain: Tensor, levels: int) -> Tensor:
    """Return x, its bold b (the 3×3 maximum), its outline b - x, or its negative, as domain says: uint8 as images."""
    bold = F.max_pool2d(images.float(), 3, stride=1, padding=1).to(torch.uint8)
    every = torch.stack([images, bold, bold - images, levels - 1 - images])
    return every[domain, torch.arange(len(images))]


def joined(a: Dataset, b: Dataset) -> Dataset:
    """Return the data set with the images of ``b`` and those of ``a`` as sources, of which none belongs to another.

    Labels and fields are of ``b``; those of ``a`` become fields ``source_…`` of the source, its labels where both name
    their classes alike, so that a translation can be held against the class of its source. Sources are shuffled, since
    two data sets with equally many of each class have their labels in one order. Outside training there are as many
    sources as images.

    Raises:
        ValueError: for images of another shape or other levels, for data with sources, or where one image is in both.
    """
    if (a.spec.shape, a.spec.levels) != (b.spec.shape, b.spec.levels):
        what = [f"{one.name} has shape {one.spec.shape} in {one.spec.levels} levels" for one in (a, b)]
        raise ValueError(f"{' and '.join(what)}; give two data sets of one shape and as many levels")
    for one in (a, b):
        if one.spec.source is not None:
            raise ValueError(f"{one.name} has sources of its own; give two data sets without")
    there = set(_digests(a))
    if shared := sum(one in there for one in _digests(b)):
        said = f"1 image of {b.name} is" if shared == 1 else f"{shared:,} images of {b.name} are"
        raise ValueError(f"{said} in {a.name} too, so they would hold pairs; keep each in one of the two")
    names = [names_of(one.class_names, one.spec.classes) for one in (a, b)]
    alike = bool(a.spec.classes) and names[0] == names[1]
    known = {**a.spec.fields, **({"label": Field((), a.spec.classes)} if alike else {})}
    theirs = {f"source_{name}": replace(field, of="source") for name, field in known.items()}
    spec = replace(b.spec, source=a.spec.shape, paired=False)
    spec = replace(spec, fields=with_fields(spec, **theirs))

    def split(name: str) -> Split:
        images, theirs = getattr(b, name), getattr(a, name)
        sources = theirs.rows(torch.randperm(len(theirs), generator=generator(0, "domains", name)))
        if name != "train":
            both = slice(min(len(sources), len(images)))
            sources, images = sources.rows(both), images.rows(both)
        values = {**sources.fields, **({"label": sources.labels} if alike else {})}
        fields = {**images.fields, **{f"source_{name}": value for name, value in values.items()}}
        return Split(images.images, images.labels, to_bytes(sources.images, a.spec.levels), fields)

    title = f"{a.title} to {b.title}"
    told = "; ".join(f"{one.name}: {one.told}" for one in (a, b) if one.told)
    train, validation, test = (split(name) for name in ("train", "validation", "test"))
    name = f"{a.name}+{b.name}"
    return Dataset(name, title, spec, train, validation, test, {}, told=told, class_names=b.class_names)


def _digests(dataset: Dataset) -> Iterator[bytes]:
    """Yield a hash of each image of all three splits."""
    for split in (dataset.train, dataset.validation, dataset.test):
        for image in split.images.contiguous().numpy():
            yield sha256(image.data).digest()
