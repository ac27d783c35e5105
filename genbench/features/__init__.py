"""Feature extractors, and the features of a real split computed once and kept by hash."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from genbench.features.base import Extractor, Features
from genbench.features.store import read, write
from genbench.files import cache_dir
from genbench.pretrained import HUGGING_FACE, hugging_face, inception_v3
from genbench.spec import Batch, DataSpec

__all__ = ["NAMES", "Extractor", "Features", "check_weights", "extractor", "kept", "real_features"]

NAMES = ("efficientnet-lite0", "classifier", "inception-v3", *HUGGING_FACE)


def extractor(
    name: str,
    *,
    weights: Path | None = None,
    classifier_data: Batch | None = None,
    spec: DataSpec | None = None,
    device: torch.device | str = "cpu",
) -> Extractor:
    """Return the feature extractor called ``name``, known to torch-fidelity under the same name from here on.

    Args:
        name: the name: ``"efficientnet-lite0"`` (embedded), ``"classifier"``, ``"inception-v3"``, or of what the user's
            Hugging Face cache may have, ``"dinov2-vit-b-14"`` or ``"clip-vit-b-32"``.
        weights: a weights file to take instead of the embedded, trained or cached one.
        classifier_data: the training split that a classifier learns from.
        spec: the spec of that split.
        device: the device that the network runs on; features come back to the CPU.

    Raises:
        ValueError: for an unknown name, with the nearest one, or weights that are missing or not the network's.
    """
    # Imported where used: a table of likelihoods alone loads no network.
    if name == "efficientnet-lite0":
        from genbench.features import efficientnet_lite0

        return efficientnet_lite0.make(weights, device)
    if name == "classifier":
        from genbench.features import classifier

        return classifier.make(classifier_data, spec, weights, device)
    if name == "inception-v3":
        from genbench.features import inception

        return inception.make(weights, device)
    if name in HUGGING_FACE:
        from genbench.features import transformers_vision

        return transformers_vision.make(name, weights, device)
    near = difflib.get_close_matches(name, NAMES, n=1, cutoff=0.3)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(f"extractor={name!r} is unknown: {hint}there are {', '.join(NAMES)}")


def check_weights(name: str) -> None:
    """Refuse, in one line, an extractor whose weights are not at hand; none is read.

    Raises:
        ValueError: where they are missing, saying how to get them.
    """
    if name == "inception-v3":
        inception_v3()
    elif name in HUGGING_FACE:
        hugging_face(name, HUGGING_FACE[name])


def real_features(extractor: Extractor, images: Tensor, levels: int, data_hash: str) -> Features:
    """Return the features of a real split: read where they were computed before, else computed and kept.

    Args:
        extractor: the extractor; its hash and resize name the file.
        images: the split's images, uint8 ``(N, C, H, W)``.
        levels: the number of levels that the images have.
        data_hash: the digest of the split; it must change whenever an image does.
    """
    return Features(**kept(extractor, images, levels, data_hash, lambda: vars(extractor.features(images, levels))))


def kept(
    extractor: Extractor,
    images: Tensor,
    levels: int,
    data_hash: str,
    compute: Callable[[], Mapping[str, Tensor]],
    what: str | None = None,
) -> Mapping[str, Tensor]:
    """Return tensors that follow from the features of a real split: read where they were computed before.

    A damaged file is computed again; a cache that cannot be written is done without.

    Args:
        extractor: the extractor that the features are of.
        images: the split's images, uint8 ``(N, C, H, W)``.
        levels: the number of levels that the images have.
        data_hash: the digest of the split.
        compute: what computes the tensors, by name.
        what: what they are, in a word; None for the features themselves.
    """
    identity = {
        "extractor": extractor.name,
        "weights": extractor.hash,
        "resize": extractor.resize,
        "data": data_hash,
        "images": list(images.shape),
        "levels": levels,
    }
    if what is not None:
        identity["what"] = what
    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    path = cache_dir() / "features" / f"{extractor.name}-{key[:32]}.safetensors"
    found = read(path)
    if found is not None and found[1] == identity:
        return found[0]
    computed = compute()
    write(path, computed, identity)
    return computed
