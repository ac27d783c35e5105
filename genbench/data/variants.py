"""Variants of data sets: a table of prefixes, such as ``edges:``; each is a pure function of split and name.

Prefixes compose: ``unpaired:edges:mnist5k`` is read from the right. What a split contains is settled before any pair is
made. Sources are always 0 … 255, and whole numbers are reckoned with, so that every machine finds the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from genbench.data.binarized import binarized, binarized_spec
from genbench.data.blurred import blurred
from genbench.data.captions import captioned, captions_spec
from genbench.data.cartoons import cartoon_spec, drawn
from genbench.data.dataset import Dataset
from genbench.data.degraded import lowres, lowres_spec
from genbench.data.domains import domains_spec, in_domains, styled, tinted
from genbench.data.edges import edge_map, edges_spec
from genbench.data.rows import unpaired, unpaired_spec, without, without_spec
from genbench.data.shadows import shadow_spec, shadowed
from genbench.data.sources import from_itself, negative, same_shape
from genbench.data.turned import profile, profile_spec
from genbench.spec import DataSpec


@dataclass(frozen=True)
class Variant:
    """A prefix in front of a data set's name, and what it makes of the data set.

    Args:
        prefix: the prefix as it is typed, without the colon; a ``K`` at its end stands for a number.
        title: its title for people, in the list of data sets.
        said: the words that it adds to a data set's title; ``{}`` stands for the number.
        spec: a function ``(spec, number) → spec`` of the varied data; it refuses (``ValueError``) a spec that it cannot
            vary, in words where NAME is the source's name.
        vary: a function ``(dataset, number) → dataset`` with other splits; :meth:`of` sets spec and title.
        levels: the number of levels of its images, where it settles them.
        sources: the shape of the sources that it makes, in letters: ``"C×H/K×W/K"``.
    """

    prefix: str
    title: str
    said: str
    spec: Callable[[DataSpec, int], DataSpec]
    vary: Callable[[Dataset, int], Dataset]
    levels: int | None = None
    sources: str | None = None

    @property
    def example(self) -> str:
        """The prefix as it may be typed, with a number where it takes one: ``without-2``."""
        stem, numbered, _ = self.prefix.rpartition("K")
        return f"{stem}2" if numbered else self.prefix

    def of(self, dataset: Dataset, number: int) -> Dataset:
        """Return the varied data set; its hashes are still those of ``dataset``.

        Raises:
            ValueError: for a data set that it cannot vary.
        """
        spec = self.spec(dataset.spec, number)
        return replace(self.vary(dataset, number), spec=spec, title=f"{dataset.title}, {self.said.format(number)}")


def variant_named(prefix: str) -> tuple[Variant, int] | None:
    """Return the variant of a prefix and the number in it, 0 where it takes none; None for an unknown prefix."""
    for variant in VARIANTS:
        stem, number, _ = variant.prefix.rpartition("K")
        if not number and prefix == variant.prefix:
            return variant, 0
        if number and (found := re.fullmatch(rf"{stem}(\d{{1,9}})", prefix, re.ASCII)):
            return variant, int(found[1])
    return None


VARIANTS = (
    Variant(
        "binarized",
        "any of these, each pixel drawn once as 0 or 1",
        "binarised",
        binarized_spec,
        binarized,
        levels=2,
    ),
    Variant(
        "edges",
        "any of these, with edge maps to translate from",
        "from edges",
        edges_spec,
        partial(from_itself, edge_map),
        sources="1×H×W",
    ),
    Variant(
        "negative",
        "any of these, with negatives to translate from",
        "from negatives",
        same_shape,
        partial(from_itself, negative),
        sources="C×H×W",
    ),
    Variant(
        "lowresK",
        "any of these, with images K times smaller to enlarge (super-resolution)",
        "from images {} times smaller",
        lowres_spec,
        lowres,
        sources="C×H/K×W/K",
    ),
    Variant(
        "blur",
        "any of these, with images of a shaken camera to sharpen",
        "deblurred",
        same_shape,
        blurred,
        sources="C×H×W",
    ),
    Variant(
        "shadow",
        "any of these, with images under a shadow to take off, and its mask",
        "out of shadows",
        shadow_spec,
        shadowed,
        sources="C×H×W",
    ),
    Variant(
        "profile",
        "any of these, with images turned aside to bring to the front",
        "from profiles",
        profile_spec,
        profile,
        sources="C×H×W",
    ),
    Variant(
        "cartoon",
        "any of these made cartoons, from the images themselves (style transfer)",
        "as cartoons",
        cartoon_spec,
        drawn,
        levels=256,
        sources="C×H×W",
    ),
    Variant(
        "colours",
        "grey ones of these in 4 domains: red, green, blue, yellow",
        "in four colours",
        lambda spec, _: domains_spec(spec, 3),
        lambda dataset, _: in_domains(tinted, "colours", dataset),
        sources="3×H×W",
    ),
    Variant(
        "styles",
        "grey ones of these in 4 domains: plain, bold, outlined, negative",
        "in four styles",
        lambda spec, _: domains_spec(spec, 1),
        lambda dataset, _: in_domains(styled, "styles", dataset),
        sources="1×H×W",
    ),
    Variant(
        "unpaired",
        "any of these that has sources, trained on sources of one half and images of the other",
        "unpaired",
        unpaired_spec,
        unpaired,
    ),
    Variant(
        "without-K",
        "any of these that has labels, class K left out and held as anomalous",
        "without class {}",
        without_spec,
        without,
    ),
    Variant(
        "captions",
        "any of these that has labels, with captions made of what is measured",
        "with made captions",
        captions_spec,
        captioned,
    ),
)
