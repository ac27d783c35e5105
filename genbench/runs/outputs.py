"""Samples into files: one picture of all, an ``.npz``, or a PNG each, as the name of the output says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from genbench.data.classes import names_of
from genbench.files import written_whole
from genbench.plots import sample_grid
from genbench.spec import Batch, DataSpec, to_bytes

NUMBER = re.compile(r"%0?\d*d")


def check(output: Path) -> None:
    """Refuse an output that :func:`write` does not write, or a folder that holds something.

    Raises:
        ValueError: naming what would do.
    """
    if _is_folder(output):
        if output.is_dir() and any(output.iterdir()):
            raise ValueError(f"-o {output}: a folder that is not empty; give a new one")
    elif output.suffix.lower() not in ((".png",) if NUMBER.search(output.name) else (".png", ".npz")):
        whole = "grid.png for one picture, samples.npz for images and labels"
        raise ValueError(f"-o {output}: give {whole}, img_%03d.png or a new FOLDER/ for a PNG each")


def check_picture(output: Path, what: str) -> None:
    """Refuse, for ``what`` draws one picture alone, an output that is none.

    Raises:
        ValueError: naming what would do.
    """
    if not is_picture(output):
        raise ValueError(f"-o {output}: {what} draws one picture; give a name such as grid.png")


def is_picture(output: Path) -> bool:
    """Return whether an output is one picture of all."""
    return output.suffix.lower() == ".png" and not NUMBER.search(output.name)


def write(output: Path, samples: Tensor, spec: DataSpec, given: Batch | None, names: Sequence[str]) -> None:
    """Write samples as the name of the output says.

    ======================  ========================================================================================
    ``grid.png``            one picture, a row a class where labels were asked for
    ``samples.npz``         ``images`` in the levels of the data, uint8 N×H×W or N×H×W×C, and ``labels``, if any were
    ``img_%03d.png``        a PNG each, numbered; levels are spread over 0 … 255, as in every picture
    ``folder/``             a PNG each, in class folders where labels were asked for
    ======================  ========================================================================================

    Args:
        output: the path.
        samples: the samples, uint8 ``(N, C, H, W)``.
        spec: the spec of the data.
        given: what each sample was asked for.
        names: the names of the classes, none where classes are called by their numbers.
    """
    labels = None if given is None else given.labels
    if output.suffix.lower() == ".npz":
        last = samples.permute(0, 2, 3, 1).numpy()
        arrays = {"images": last[..., 0] if spec.shape[0] == 1 else last}
        arrays |= {} if labels is None else {"labels": labels.numpy()}
        with written_whole(output) as part, part.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
    elif _is_folder(output):
        classes = names_of(names, spec.classes)
        folders = [output / classes[k] for k in labels.tolist()] if labels is not None else [output] * len(samples)
        _write_each([folder / f"{i:05d}.png" for i, folder in enumerate(folders)], samples, spec.levels)
    elif number := NUMBER.search(output.name):
        before, behind = output.name[: number.start()], output.name[number.end() :]
        numbered = (f"{before}{number[0] % i}{behind}" for i in range(len(samples)))
        _write_each([output.with_name(name) for name in numbered], samples, spec.levels)
    else:
        sample_grid.write(output, samples, spec.levels, given, most=None, names=names)


def _is_folder(output: Path) -> bool:
    return output.is_dir() or not output.suffix


def _write_each(paths: Sequence[Path], samples: Tensor, levels: int) -> None:
    for path, image in zip(paths, to_bytes(samples, levels).permute(0, 2, 3, 1).numpy(), strict=True):
        with written_whole(path) as part:
            Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(part, format="PNG")
