"""DINOv2 and CLIP as extractors, where the user's Hugging Face cache has their weights: nothing is ever downloaded.

FID under DINOv2's features follows people's judgement of diverse images better than under Inception's (Stein et al.,
arXiv:2306.04675); CLIP's (Radford et al., arXiv:2103.00020) were learned from captions. Neither says classes, so that
there is no inception score under them.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.transforms.functional import normalize

from genbench.features.base import Extractor, TwoLayers, layers, register, to_rgb
from genbench.files import file_digest
from genbench.pretrained import HUGGING_FACE, hugging_face, reading

SIDE = 224


@dataclass(frozen=True)
class Source:
    """What a network is, and how images are shown to it.

    Args:
        network: the class of transformers that it is.
        output: the field of what that returns which holds an image's features.
        mean: the mean of each channel that images are shifted by, of values in [0, 1].
        std: the deviation that they are divided by.
    """

    network: str
    output: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
OPENAI = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
SOURCES = {
    "dinov2-vit-b-14": Source("Dinov2Model", "pooler_output", *IMAGENET),
    "clip-vit-b-32": Source("CLIPVisionModelWithProjection", "image_embeds", *OPENAI),
}
RESIZE = "bicubic with antialiasing to {0}×{0}, grey three times over, less the mean and over the deviation of {1}"


class VisionTransformer(TwoLayers):
    """Features ``(N, D)`` of uint8 images of any size, and logits ``(N, 0)``: there are no classes.

    Raises:
        ValueError: for weights that are missing or not this network's. No code in a file is ever run.
    """

    def __init__(
        self, name: str, features_list: list[str], feature_extractor_weights_path: Path | None = None, **_: object
    ) -> None:
        super().__init__(name, features_list)
        self.source = SOURCES[name]
        self.network = network(name, hugging_face(name, HUGGING_FACE[name], feature_extractor_weights_path))
        # DINOv2's grid of places is interpolated to what comes; CLIP's is what it is.
        self.side = SIDE if name.startswith("dino") else int(self.network.config.image_size)

    def both(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features of uint8 images ``(N, 1 or 3, H, W)``, and no logits."""
        values = to_rgb(images).float() / 255
        larger = interpolate(values, size=(self.side, self.side), mode="bicubic", antialias=True).clamp(0, 1)
        scaled = normalize(larger, list(self.source.mean), list(self.source.std))
        features: Tensor = getattr(self.network(pixel_values=scaled), self.source.output)
        return features, features.new_zeros(len(features), 0)


def network(name: str, path: Path) -> Any:  # noqa: ANN401 - a class that transformers makes up when asked for it
    """Return the network of a file of weights, whose configuration lies beside it.

    Raises:
        ValueError: for a file that is not this network's, or lacks some of its weights.
    """
    import transformers

    kind = getattr(transformers, SOURCES[name].network)
    with reading(name, path), _quiet():
        made, info = kind.from_pretrained(
            path.parent, local_files_only=True, use_safetensors=True, output_loading_info=True, dtype=torch.float32
        )
    if missing := sorted(info["missing_keys"]):  # which transformers would fill with noise
        raise ValueError(f"weights {path}: not those of {name} ({missing[0]} is missing)")
    return made.eval().requires_grad_(False)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers from showing a bar, and from saying that CLIP's half that reads texts is not used."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    bars = logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if bars:
            logging.enable_progress_bar()


def make(name: str, weights: Path | None = None, device: torch.device | str = "cpu") -> Extractor:
    """Return the extractor of that name, from the file given or the user's cache."""
    path = hugging_face(name, HUGGING_FACE[name], weights)
    register(name, VisionTransformer)
    made = VisionTransformer(name, layers(VisionTransformer), path).to(device)
    whose = "ImageNet" if SOURCES[name].mean == IMAGENET[0] else "CLIP's images"
    files = (path.with_name("config.json"), path)  # heads and the like stand in the configuration alone
    both = hashlib.sha256("".join(map(file_digest, files)).encode()).hexdigest()
    return Extractor(name, both, RESIZE.format(made.side, whose), made, path)
