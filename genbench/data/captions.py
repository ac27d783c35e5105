"""The variant ``captions:``: each image has a caption, made of its label and of what is measured of it.

Nobody wrote a caption for these data. One is three adjectives in one of their six orders, then a noun: "thick wide
slanted seven". Every attribute is always said: were some left out, the caption of one image could be true of another,
and a model that learns from wrong captions would be told what is false.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import torch

from genbench.data.dataset import Dataset
from genbench.data.vocabulary import Vocabulary, adjectives_of
from genbench.seed import generator
from genbench.spec import DataSpec, Field, Split

FIELD = "caption"
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
NOUNS = {
    **dict.fromkeys(("digits", "mnist5k", "mnist", "svhn"), DIGITS),
    "fashion-mnist": ("t-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "trainer", "bag", "boot"),
    "cifar10": ("aeroplane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "lorry"),
}


def captions_spec(spec: DataSpec, _: int) -> DataSpec:
    """Return ``spec`` with the field of captions: tokens ``(4,)``, token 0 padding, then adjectives, then classes.

    Raises:
        ValueError: for images without classes, with captions, or neither grey nor of three colours.
    """
    if not spec.classes:
        raise ValueError("a caption names the class of its image, and there are none")
    if FIELD in spec.fields:
        raise ValueError("these images have captions already")
    adjectives = adjectives_of(spec.shape[0])
    words = 1 + sum(map(len, adjectives.values())) + spec.classes
    return replace(spec, fields={**spec.fields, FIELD: Field((len(adjectives) + 1,), words)})


def captioned(dataset: Dataset, _: int) -> Dataset:
    """Return the data set with a caption for each image, by thresholds of the training split.

    Raises:
        ValueError: where a class has been left out, or the label of an image is unknown.
    """
    if dataset.anomalous is not None:
        raise ValueError("a class that was left out has no word; say without-K: in front of captions:NAME")
    spec = dataset.spec
    nouns = NOUNS.get(dataset.name) or _nouns(dataset.class_names, spec)
    words = Vocabulary.of(dataset.train.images, spec.levels, nouns)
    return replace(
        dataset,
        vocabulary=words,
        train=_with_captions(dataset.train, "train", words, spec.levels),
        validation=_with_captions(dataset.validation, "validation", words, spec.levels),
        test=_with_captions(dataset.test, "test", words, spec.levels),
    )


def _nouns(names: tuple[str, ...], spec: DataSpec) -> tuple[str, ...]:
    """Return a word for each class: its name, where all have names that make words of their own."""
    words = tuple("-".join(name.lower().split()) for name in names)
    taken = {word for three in adjectives_of(spec.shape[0]).values() for word in three}
    if words and len(taken | set(words)) == len(taken) + len(words):
        return words
    return tuple(f"class-{label}" for label in range(spec.classes))


def _with_captions(split: Split, name: str, words: Vocabulary, levels: int) -> Split:
    if split.labels is None or bool((split.labels < 0).any()):
        raise ValueError(f"a caption names the class of its image, and in {name} some labels are unknown")
    adjectives = words.adjectives(split.images, levels)
    orders = torch.tensor(list(itertools.permutations(range(adjectives.shape[1]))))
    drawn = torch.randint(len(orders), (len(split),), generator=generator(0, FIELD, name))
    nouns = words.kinds["class"].start + split.labels
    captions = torch.cat([adjectives.gather(1, orders[drawn]), nouns[:, None]], 1)
    return replace(split, fields={**split.fields, FIELD: captions})
