"""The words of captions that are made and not written, and what is measured of an image to choose among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

CHUNK = 1024  # images at once, in float64
EPSILON = 1e-8
PLACES = 6  # decimals of what is measured: the order in which a machine adds must not decide a word
PADDING = ""  # the word of token 0
GREY = {
    "thickness": ("thin", "medium", "thick"),
    "slant": ("upright", "leaning", "slanted"),
    "width": ("narrow", "middling", "wide"),
}
COLOUR = {
    "brightness": ("dark", "dusky", "bright"),
    "contrast": ("faint", "clear", "stark"),
    "hue": ("red", "green", "blue"),
}
FIXED = {"hue": (0.5, 1.5)}  # thresholds that no data set moves: a hue is the number of its channel


@dataclass(frozen=True)
class Vocabulary:
    """The words that captions of a data set consist of: adjectives by what is measured, and a noun a class.

    Args:
        words: the word of each token; the first, of token 0, is empty and pads.
        thresholds: the two values of each attribute that part its three adjectives, in the order of the words.
    """

    words: Sequence[str]
    thresholds: Mapping[str, Sequence[float]]

    @classmethod
    def of(cls, images: Tensor, levels: int, nouns: Sequence[str]) -> Vocabulary:
        """Return the words for images like these, whose terciles are the thresholds.

        Args:
            images: the training images, uint8 ``(N, C, H, W)``, grey or of three colours.
            levels: their number of levels.
            nouns: a word for each class.
        """
        adjectives = adjectives_of(images.shape[1])
        thresholds = dict(FIXED)
        for name, values in measured(images, levels).items():
            ordered = values.sort().values
            lower, upper = (float(ordered[k * (len(ordered) - 1) // 3]) for k in (1, 2))
            thresholds.setdefault(name, (lower, upper))
        words = [PADDING, *(word for three in adjectives.values() for word in three), *nouns]
        return cls(tuple(words), {name: thresholds[name] for name in adjectives})

    @property
    def kinds(self) -> Mapping[str, range]:
        """The tokens of each attribute by its name, and of the nouns as ``"class"``."""
        nouns = 1 + 3 * len(self.thresholds)
        adjectives = {name: range(1 + 3 * i, 4 + 3 * i) for i, name in enumerate(self.thresholds)}
        return {**adjectives, "class": range(nouns, len(self.words))}

    def adjectives(self, images: Tensor, levels: int) -> Tensor:
        """Return the token of each attribute's adjective, int64 ``(N, attributes)``; a black image has the first ones.

        Args:
            images: the images, uint8 ``(N, C, H, W)``.
            levels: their number of levels.
        """
        values = measured(images, levels)
        lit = images.flatten(1).amax(1) > 0
        tokens = [
            self.kinds[name].start + lit * torch.bucketize(values[name], torch.tensor(parts, dtype=torch.float64))
            for name, parts in self.thresholds.items()
        ]
        return torch.stack(tokens, 1)

    def tokens(self, caption: str) -> Tensor:
        """Return the tokens of a caption, int64 ``(T,)``: its adjectives as they stand, then its noun.

        Raises:
            ValueError: for a word that there is not, and an attribute or class that is said never or twice.
        """
        known = {word: token for token, word in enumerate(self.words) if word}
        found = []
        for word in caption.lower().split():
            if word not in known:
                raise ValueError(f"unknown word {word!r}; there are {', '.join(known)}")
            found.append(known[word])
        for name, tokens in self.kinds.items():
            said = [self.words[token] for token in found if token in tokens]
            if len(said) != 1:
                choice = ", ".join(self.words[token] for token in tokens)
                what = f"{' and '.join(said)} for its {name}" if said else f"no word for its {name}"
                raise ValueError(f"{what}; give one of {choice}")
        return torch.tensor(sorted(found, key=lambda token: token in self.kinds["class"]))

    def text(self, tokens: Tensor) -> str:
        """Return the caption of tokens ``(T,)`` in words."""
        return " ".join(self.words[token] for token in tokens.tolist() if token)


def adjectives_of(channels: int) -> Mapping[str, tuple[str, str, str]]:
    """Return the adjectives of each attribute of images of so many channels.

    Raises:
        ValueError: for images that are neither grey nor of three colours.
    """
    if channels not in (1, 3):
        raise ValueError(f"captions are of grey images or of three colours, and these have {channels} channels")
    return GREY if channels == 1 else COLOUR


def measured(images: Tensor, levels: int) -> Mapping[str, Tensor]:
    """Return what is measured of images, float64 ``(N,)`` by the attribute's name, to a millionth.

    Of grey images, with ink g = level / (levels - 1), forward differences gx and gy beyond whose sides there are zeros,
    mass ``m = Σ g`` and central moments μ, normalised by m, y downwards: the thickness ``2 m / Σ √(gx² + gy²)``, the
    slant ``-μ11 / μ02``, positive where the top goes right, and the width ``√(μ20 - μ11² / μ02)``, free of slant. Of
    colours: the brightness, the mean; the contrast, the deviation of the pixels' means; the hue, 0 to 2, the channel
    with the largest mean.

    Args:
        images: the images, uint8 ``(N, C, H, W)``, C 1 or 3.
        levels: their number of levels.
    """
    measure = _of_grey if images.shape[1] == 1 else _of_colours
    parts = [measure(part.double() / (levels - 1)) for part in images.cpu().split(CHUNK)]
    return {name: torch.cat([part[name] for part in parts]).round(decimals=PLACES) for name in parts[0]}


def _of_grey(ink: Tensor) -> Mapping[str, Tensor]:
    framed = torch.nn.functional.pad(ink[:, 0], (1, 1, 1, 1))
    across = framed[:, :-1, 1:] - framed[:, :-1, :-1]
    down = framed[:, 1:, :-1] - framed[:, :-1, :-1]
    outline = (across.square() + down.square()).sqrt().sum((1, 2))
    mass = ink.sum((1, 2, 3))
    weights = ink[:, 0] / mass.clamp(min=EPSILON)[:, None, None]
    x = torch.arange(ink.shape[3], dtype=torch.float64)[None, None, :]
    y = torch.arange(ink.shape[2], dtype=torch.float64)[None, :, None]
    x = x - (weights * x).sum((1, 2), keepdim=True)
    y = y - (weights * y).sum((1, 2), keepdim=True)
    xx, xy, yy = ((weights * moment).sum((1, 2)) for moment in (x * x, x * y, y * y))
    lean = xy / yy.clamp(min=EPSILON)
    return {
        "thickness": 2 * mass / outline.clamp(min=EPSILON),
        "slant": -lean,
        "width": (xx - lean * xy).clamp(min=0).sqrt(),
    }


def _of_colours(light: Tensor) -> Mapping[str, Tensor]:
    return {
        "brightness": light.mean((1, 2, 3)),
        "contrast": light.mean(1).flatten(1).std(1, correction=0),
        "hue": light.sum((2, 3)).argmax(1).double(),
    }
