"""What a translator refuses of data, in one line that says what would do."""

from __future__ import annotations

from genbench.spec import DataSpec

Shape = tuple[int, int, int]


def translates(spec: DataSpec, name: str) -> Shape:
    """Return the source's shape, which must have the image's height and width.

    Args:
        spec: the spec of the data.
        name: the recipe's name.

    Raises:
        ValueError: for data without sources, or with sources of other sides.
    """
    source = _source(spec, name)
    if source[1:] != spec.shape[1:]:
        raise ValueError(f"source={source}: {name} needs the image's height and width, {spec.shape[1:]}")
    return source


def pairs(spec: DataSpec, name: str) -> Shape:
    """Return the source's shape; there must be pairs, and source and image of equal sides.

    Raises:
        ValueError: for data without sources, without pairs, or with sources of other sides.
    """
    _paired(spec, name)
    return translates(spec, name)


def unpaired(spec: DataSpec, name: str) -> Shape:
    """Return the source's shape; sources and images must be two unpaired domains of equal sides.

    Raises:
        ValueError: for data without sources, of pairs, of several domains told by a field, or with sources of other
            sides.
    """
    source = translates(spec, name)
    if {"domain", "source_domain"} <= spec.fields.keys():
        several = spec.fields["domain"].levels
        said = f"{name} learns from sources of one domain and images of another, and both are of {several} here"
        raise ValueError(f"fields['domain']: {said}; take stargan or combogan")
    if spec.paired:
        raise ValueError(f"paired=True: {name} learns from two domains without pairs; say unpaired:… of these data")
    return source


def enlarges(spec: DataSpec, name: str) -> tuple[Shape, int]:
    """Return the source's shape, and how many times its sides are the image's: there must be pairs.

    Raises:
        ValueError: for data without sources or pairs, or whose image has not the source's sides times a whole number.
    """
    _paired(spec, name)
    source = _source(spec, name)
    factor = spec.shape[1] // source[1]
    if spec.shape[1:] != (factor * source[1], factor * source[2]):
        raise ValueError(
            f"source={source}: {name} enlarges by a whole number, the same both ways: give {spec.shape[1:]} divided by "
            "it, as lowres4:… does"
        )
    return source, factor


def needs(spec: DataSpec, name: str, *fields: str) -> None:
    """Refuse data that lack one of the ``fields``.

    Raises:
        ValueError: naming the field.
    """
    for field in fields:
        if field not in spec.fields:
            raise ValueError(f"fields={sorted(spec.fields)}: {name} needs a field {field!r} with each image")


def domains(spec: DataSpec, name: str, *fields: str) -> int:
    """Return the number of domains; sources and images must be of one shape.

    Args:
        spec: the spec of the data.
        name: the recipe's name.
        fields: fields that it needs beside ``domain``.

    Raises:
        ValueError: for data without sources, with sources of another shape, without a field, or with a single domain.
    """
    source = translates(spec, name)
    if source != spec.shape:
        raise ValueError(f"source={source}: {name} translates between domains of one shape, the image's {spec.shape}")
    needs(spec, name, "domain", *fields)
    count = spec.fields["domain"].levels
    if count < 2:
        raise ValueError(f"fields['domain'] has {count} value: {name} translates between 2 domains or more")
    return count


def wide(spec: DataSpec, name: str, least: int = 2) -> None:
    """Refuse images with a side below ``least``.

    Raises:
        ValueError: naming the image's shape.
    """
    if min(spec.shape[1:]) < least:
        raise ValueError(f"shape={spec.shape}: {name} needs images of {least} px or more each way")


def coloured(spec: DataSpec, name: str, *channels: int) -> None:
    """Refuse images of another number of channels.

    Args:
        spec: the spec of the data.
        name: the recipe's name.
        channels: the numbers that will do.

    Raises:
        ValueError: naming the image's shape.
    """
    if spec.shape[0] not in channels:
        raise ValueError(f"shape={spec.shape}: {name} draws images of {' or '.join(map(str, channels))} channels")


def _source(spec: DataSpec, name: str) -> Shape:
    if spec.source is None:
        raise ValueError(f"source=None: {name} translates from a source image, and this data set has none")
    return spec.source


def _paired(spec: DataSpec, name: str) -> None:
    _source(spec, name)
    if not spec.paired:
        raise ValueError(f"paired=False: {name} learns from pairs of source and image; leave unpaired: out")
