"""Data sets by name: a source, and variants of it in front, as in ``edges:mnist5k`` or ``unpaired:edges:digits``.

A source is a file that yields :class:`Raw`; a new one is a line in :data:`SOURCES`. Other packages declare data sets by
entry points (:mod:`genbench.data.declared`). A variant is an entry of :data:`genbench.data.variants.VARIANTS`. Two data
sets with a plus between them, ``domains:A+B``, are two domains.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import EntryPoint
from pathlib import Path

from genbench.data import declared
from genbench.data.dataset import Dataset, finished, split_up
from genbench.data.domains import joined
from genbench.data.raw import Raw
from genbench.data.variants import VARIANTS, Variant, variant_named
from genbench.errors import nearest
from genbench.files import cache_dir
from genbench.image_file import WHITE, ground

__all__ = ["Dataset", "data_dir", "listing", "load"]


@dataclass(frozen=True)
class Source:
    """A data set that has a name of its own.

    Args:
        title: the data set's title, for people.
        module: the module in this package, imported when the data set is loaded.
        shape: the shape of an image, ``(C, H, W)``.
        levels: the number of integer levels.
        classes: the number of labels.
        counts: the numbers of images in training, validation and test split.
        argument: the argument of the module's ``load`` and ``found``, for sources in the data folder.
        where: the place that the images come from, for the others.
        class_names: the name of each class, where they have names.
    """

    title: str
    module: str
    shape: tuple[int, int, int]
    levels: int
    classes: int
    counts: tuple[int, int, int]
    argument: str | None = None
    where: str = "inside a package"
    class_names: tuple[str, ...] = ()


FASHION = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
KMNIST = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
SOURCES = {
    "digits": Source("Handwritten digits of scikit-learn", "digits", (1, 8, 8), 17, 10, (1258, 180, 359)),
    "mnist5k": Source("5,000 MNIST digits", "mnist5k", (1, 28, 28), 256, 10, (3500, 500, 1000)),
    "simulated": Source(
        "Digits of a simulated pen, to refine",
        "simulated",
        (1, 28, 28),
        256,
        10,
        (3500, 500, 1000),
        where="drawn when loaded",
    ),
    "photos": Source(
        "Patches of photographs",
        "photos",
        (3, 32, 32),
        256,
        0,
        (3645, 206, 274),
        where="packages of the extra 'photos'",
    ),
    "faces": Source(
        "Painted faces, 20 of each of 200 identities",
        "faces",
        (1, 32, 32),
        256,
        0,
        (2800, 400, 800),
        where="drawn when loaded",
    ),
    "mnist": Source("MNIST", "mnist", (1, 28, 28), 256, 10, (54000, 6000, 10000), "MNIST"),
    "fashion-mnist": Source(
        "Fashion-MNIST", "mnist", (1, 28, 28), 256, 10, (54000, 6000, 10000), "FashionMNIST", class_names=FASHION
    ),
    "kmnist": Source(
        "Kuzushiji-MNIST", "mnist", (1, 28, 28), 256, 10, (54000, 6000, 10000), "KMNIST", class_names=KMNIST
    ),
    "cifar10": Source(
        "CIFAR-10", "torchvision_sets", (3, 32, 32), 256, 10, (45000, 5000, 10000), "cifar10", class_names=CIFAR10
    ),
    "cifar100": Source("CIFAR-100", "torchvision_sets", (3, 32, 32), 256, 100, (45000, 5000, 10000), "cifar100"),
    "stl10": Source("STL-10, labelled", "torchvision_sets", (3, 96, 96), 256, 10, (4500, 500, 8000), "stl10"),
    "svhn": Source("Street View House Numbers", "torchvision_sets", (3, 32, 32), 256, 10, (65930, 7327, 26032), "svhn"),
}
PATHS = {
    "folder": "a folder of images",
    "pairs": "a folder of pairs: side by side, or of one name in sources/ and images/",
    "npz": "arrays in an .npz file",
}
PICTURES = ("folder", "pairs")  # read from files of images, which may be resized
LAID_OUT = ("folder", "npz")  # mapped, where memory does not hold them
DOMAINS = "domains"  # in front of two data sets


@dataclass(frozen=True)
class Listed:
    """A line of ``genbench datasets``; ``where`` is the place looked in, and ``found`` whether the data are there.

    ``sources`` is the shape of what a variant has images translated from, in letters.
    """

    name: str
    title: str
    shape: tuple[int, int, int] | None
    levels: int | None
    classes: int | None
    counts: tuple[int, int, int] | None
    found: bool
    where: str
    sources: str | None = None


def data_dir(root: Path | None = None) -> Path:
    """Return the data folder: ``root``, else ``GENBENCH_DATA``, else ``data`` in the cache."""
    return Path(root or os.environ.get("GENBENCH_DATA") or cache_dir() / "data").expanduser()


def listing(root: Path | None = None) -> list[Listed]:
    """Return every data set, with whether it is on this machine; nothing is loaded."""
    folder = data_dir(root)
    lines = []
    for name, source in SOURCES.items():
        facts = (source.title, source.shape, source.levels, source.classes, source.counts)
        found = getattr(import_module(f"genbench.data.{source.module}"), "found", lambda *_: True)
        if source.argument is None:
            lines.append(Listed(name, *facts, found(), source.where))
        else:
            lines.append(Listed(name, *facts, found(folder, source.argument), str(folder)))
    unknown = (None, None, None, None, True)
    lines += [Listed(name, point.value, *unknown, "another package") for name, point in _declared().items()]
    lines += [Listed(f"{kind}:PATH", text, *unknown, "PATH") for kind, text in PATHS.items()]
    lines.append(Listed(f"{DOMAINS}:A+B", "two of these of one shape, from A to B", *unknown, "A and B", "C×H×W"))
    for variant in VARIANTS:
        name, levels = f"{variant.prefix}:NAME", variant.levels
        lines.append(Listed(name, variant.title, None, levels, None, None, True, "NAME", variant.sources))
    return lines


def load(
    name: str,
    *,
    root: Path | None = None,
    size: int | None = None,
    alpha: str = WHITE,
    download: bool = False,
) -> Dataset:
    """Return a data set by name, split the same way each time.

    Args:
        name: the name of a source, ours or another package's, ``folder:PATH``, ``pairs:PATH``, ``npz:PATH`` or
            ``domains:A+B`` of two names, with variants in front: ``edges:mnist5k``.
        root: the data folder; see :func:`data_dir`.
        size: the side in pixels that images in folders are resized and cropped to, of two data sets those in folders.
        alpha: what is behind the transparent pixels of images in folders, a colour, or ``"refuse"`` where there are to
            be none: see :func:`genbench.image_file.ground`.
        download: whether torchvision may fetch files that are missing.

    Raises:
        ValueError: in one line, for an unknown name, data that are missing or damaged, or a size or ``alpha`` where
            none applies.
    """
    ground(alpha)
    variants, source = _parsed(name)
    kind, _, path = source.partition(":")
    pictures = any(in_pictures(one) for one in (_two(path) if kind == DOMAINS else [source]))
    if size is not None and not pictures:
        raise ValueError(f"size={size}: only folder:PATH and pairs:PATH are resized; {source} keeps its size")
    if alpha != WHITE and not pictures:
        raise ValueError(f"alpha={alpha!r}: only folder:PATH and pairs:PATH have transparent pixels; leave it out")
    if kind == DOMAINS:
        told = [(one, size, alpha) if in_pictures(one) else (one, None, WHITE) for one in _two(path)]
        a, b = (load(one, root=root, size=side, alpha=behind, download=download) for one, side, behind in told)
        try:
            dataset = joined(a, b)
        except ValueError as error:
            raise ValueError(f"data set {name!r}: {error}") from error
    elif source in SOURCES or kind in PATHS:
        dataset = _split(_raw(source, path, data_dir(root), size, alpha, download), source)
    else:
        dataset = declared.load(_declared()[source])
    for asked, variant, number in reversed(variants):
        try:
            dataset = variant.of(dataset, number)
        except ValueError as error:
            said = str(error).replace("NAME", "each of the two names" if kind == DOMAINS else source)
            raise ValueError(f"data set {name!r}: {asked}: {said}") from error
    return finished(dataset, name)


def _parsed(name: str) -> tuple[list[tuple[str, Variant, int]], str]:
    """Return the variants of a name, each as it was asked for with its number, and the source behind them."""
    variants = []
    rest = name
    while (prefixed := variant_named(rest.partition(":")[0])) is not None and ":" in rest:
        asked, _, rest = rest.partition(":")
        variants.append((asked, *prefixed))
    kind, colon, path = rest.partition(":")
    if kind == DOMAINS:
        _two(path)
    elif rest not in SOURCES and not (kind in PATHS and path) and rest not in _declared():
        known = [*SOURCES, *_declared(), *(f"{kind}:PATH" for kind in PATHS), f"{DOMAINS}:A+B"]
        if colon and kind not in PATHS:
            for variant in VARIANTS:
                stem, numbered, _ = variant.prefix.rpartition("K")
                if numbered and kind.startswith(stem):
                    raise ValueError(f"data set {name!r}: {kind}: give a number, such as {variant.example}")
            near = nearest(kind, [*(variant.example for variant in VARIANTS), *PATHS, DOMAINS])
            raise ValueError(f"unknown variant {kind!r} of data set {name!r}: {near}")
        raise ValueError(f"unknown data set {rest!r}: {nearest(rest, known)}")
    if len({variant.prefix for _, variant, _ in variants}) < len(variants):
        raise ValueError(f"data set {name!r}: a variant is asked for twice")
    return variants, rest


def in_pictures(name: str) -> bool:
    """Return whether a data set is read from files of images; of two domains, whether that of the sources is."""
    kind, _, path = _parsed(name)[1].partition(":")
    return in_pictures(_two(path)[0]) if kind == DOMAINS else kind in PICTURES


def _declared() -> Mapping[str, EntryPoint]:
    """Return the data sets that other packages declare."""
    return declared.declared({*SOURCES, *PATHS, DOMAINS})


def _two(names: str) -> tuple[str, str]:
    """Return the two names with a plus between them; a path among them may hold another plus.

    Raises:
        ValueError: where no plus stands between two names, or several do, or where both are of one source.
    """
    found: list[tuple[str, str]] = []
    said = "give two names with a plus between them"
    parts = names.split("+")
    for i in range(1, len(parts)):
        both = "+".join(parts[:i]), "+".join(parts[i:])
        try:
            sources = [_parsed(one)[1] for one in both]
        except ValueError as error:
            said = str(error)
        else:
            if _placed(sources[0]) == _placed(sources[1]):
                both_of = f"both are made of {sources[0]}, so they would hold pairs"
                raise ValueError(f"data set '{DOMAINS}:{names}': {both_of}")
            found.append(both)
    if len(found) != 1:
        said = "more than one plus may be the one between two names; rename a folder" if found else said
        raise ValueError(f"data set '{DOMAINS}:{names}': {said}")
    return found[0]


def _placed(source: str) -> str:
    """Return a source by its name, one of the user's own by where it lies, however that is spelled."""
    kind, _, path = source.partition(":")
    return f"{kind}:{Path(path).expanduser().resolve()}" if kind in PATHS else source


def _raw(source: str, path: str, root: Path, size: int | None, alpha: str, download: bool) -> Raw:
    if source in SOURCES:
        entry = SOURCES[source]
        module = import_module(f"genbench.data.{entry.module}")
        return module.load() if entry.argument is None else module.load(root, entry.argument, download)
    kind = source.partition(":")[0]
    read: Callable[..., Raw] = import_module(f"genbench.data.{kind}").load
    if kind in PICTURES:
        read = partial(read, size=size, alpha=alpha)
    if kind in LAID_OUT:
        read = partial(read, laid_out=True)
    return read(Path(path).expanduser())


def _split(raw: Raw, source: str) -> Dataset:
    """Return the data set of a source, not varied yet; its hashes are still to be found."""
    known = SOURCES.get(source)
    title, names = (known.title, known.class_names) if known is not None else (source, ())
    # Measures take the first of the test split: folders are read class by class, and MNIST's first half is easier.
    shuffled = source in ("mnist", "kmnist") or source.startswith("folder:")
    try:
        return split_up(raw, source, title, names or raw.class_names, shuffled=shuffled)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error
