"""The pictures that a cell has beside its samples, each a section of the report page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Picture:
    """A kind of picture, of which a cell has one at most.

    Args:
        file: the picture's name in the cell's folder.
        title: its title on the report page.
        hint: a sentence on how to read it.
        ability: the method that draws it, where it shows what a model can do; None where it is drawn of any samples.
    """

    file: str
    title: str
    hint: str
    ability: str | None = None


NEIGHBOURS = Picture(
    "neighbours.png",
    "Nearest training images",
    "The first 16 samples; below each, the training image nearest to it by the features that FID is computed from. A "
    "model that memorises shows pairs of the same image; how near unseen images come by themselves, real (test) shows.",
)
PICTURES = (
    NEIGHBOURS,
    Picture(
        "reconstructions.png",
        "Reconstructions",
        "The first 16 test images; below each, the model's image from its code. Where three rows belong together, that "
        "in the middle is the image in the other domain, from which it came back. None was chosen.",
        "reconstruct",
    ),
    Picture(
        "interpolations.png",
        "Interpolations",
        "From the code of one test image to that of another, in eight steps: the first eight, as they came.",
        "interpolate",
    ),
    Picture(
        "traversals.png",
        "Latent traversals",
        "One latent moved a row, the others and any class as they were drawn: the eight that change the image most or, "
        "where a model has codes beside its noise, these: first a category's values, then each number.",
        "traverse",
    ),
    Picture(
        "completions.png",
        "Completions",
        "The first four test images, and seven completions of each, not chosen: the upper half is kept.",
        "complete",
    ),
)
