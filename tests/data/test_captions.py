"""Captions: what is measured, by hand; thresholds, words and their order; what is refused."""

import math
import re
from collections import Counter
from dataclasses import replace

import pytest
import torch

from genbench import data
from genbench.data.captions import DIGITS, NOUNS, captioned
from genbench.data.variants import variant_named
from genbench.data.vocabulary import COLOUR, GREY, Vocabulary, measured
from genbench.spec import Field

PINNED = ("69ea652041f009bc", "2013041728d96b30", "d408097f3161c54f")
WORDS = ("", "thin", "medium", "thick", "upright", "leaning", "slanted", "narrow", "middling", "wide", "nought", "one")
THRESHOLDS = {"thickness": (1.0, 2.0), "slant": (0.0, 0.2), "width": (1.0, 3.0)}
VOCABULARY = Vocabulary(WORDS, THRESHOLDS)


def bar(shift=lambda row: 0, level=255):
    """3 × 20 pixels on 28×28, each row moved to the right by ``shift(row)``."""
    image = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    for row in range(20):
        image[0, 0, 4 + row, 10 + shift(row) : 13 + shift(row)] = level
    return image


def of(image, levels=256):
    return {name: float(value) for name, value in measured(image, levels).items()}


def test_a_bar_by_hand():
    found = of(bar())
    assert found["thickness"] == pytest.approx(120 / (44 + math.sqrt(2)), abs=1e-6)
    assert found["slant"] == 0
    assert found["width"] == pytest.approx(math.sqrt(2 / 3), abs=1e-6)
    assert found["width"] == 0.816497, "to a millionth, so that no order of adding decides a word"


@pytest.mark.parametrize("way", [1, -1])
def test_a_bar_whose_top_goes_right_is_slanted_and_no_wider(way):
    found = of(bar(lambda row: way * (-(row // 4))))
    assert found["slant"] == pytest.approx(way * 0.25, abs=0.02)
    assert found["width"] == pytest.approx(math.sqrt(2 / 3), abs=0.1)
    assert found["thickness"] < of(bar())["thickness"], "a staircase has a longer outline"


def test_ink_is_a_share_of_the_highest_level_and_the_border_counts_as_none():
    grey = of(bar(level=8), levels=17)
    assert grey == pytest.approx(of(bar(level=16), levels=17)), "nothing here is in units of ink"
    full = torch.full((1, 1, 4, 4), 16, dtype=torch.uint8)
    assert of(full, 17)["thickness"] == pytest.approx(2 * 16 / (14 + math.sqrt(2)), abs=1e-6)


def test_nothing_is_divided_by_nothing_and_a_black_image_has_the_first_words():
    black = torch.zeros(1, 1, 5, 4, dtype=torch.uint8)
    assert of(black) == {"thickness": 0, "slant": 0, "width": 0}
    line = black.clone()
    line[..., 2, :] = 255
    assert of(line)["slant"] == 0
    below_nought = Vocabulary(WORDS, {**THRESHOLDS, "slant": (-0.5, -0.1)})
    assert below_nought.adjectives(black, 256).tolist() == [[1, 4, 7]]


def test_colours_are_measured_by_brightness_contrast_and_hue():
    image = torch.zeros(1, 3, 1, 2, dtype=torch.uint8)
    image[0, 1, 0, 0], image[0, 2] = 255, 102
    found = of(image)
    assert found["brightness"] == pytest.approx((1 + 0.4 * 2) / 6, abs=1e-6)
    assert found["contrast"] == pytest.approx((1.4 - 0.4) / 3 / 2, abs=1e-6)
    assert found["hue"] == 1
    grey = torch.full((1, 3, 2, 2), 8, dtype=torch.uint8)
    assert of(grey, 17) == {"brightness": 0.5, "contrast": 0, "hue": 0}
    words = Vocabulary.of(image, 256, ["cat"])
    assert words.words == ("", *COLOUR["brightness"], *COLOUR["contrast"], *COLOUR["hue"], "cat")
    assert words.thresholds["hue"] == (0.5, 1.5)
    assert words.words[words.adjectives(image, 256)[0, 2]] == "green"


def test_thresholds_are_the_terciles_of_training_and_measure_every_split():
    found = data.load("captions:digits")
    words = found.vocabulary
    assert words.words == ("", *(word for three in GREY.values() for word in three), *DIGITS)
    count = torch.zeros(3, 3)
    for j, one in enumerate(words.adjectives(found.train.images, 17).T):
        count[j] = torch.bincount(one - 1 - 3 * j, minlength=3)
    assert (count / len(found.train)).flatten().tolist() == pytest.approx([1 / 3] * 9, abs=0.01)
    again = measured(found.train.images, 17)
    for name, (lower, upper) in words.thresholds.items():
        assert float((again[name] <= lower).double().mean()) == pytest.approx(1 / 3, abs=0.01)
        assert float((again[name] <= upper).double().mean()) == pytest.approx(2 / 3, abs=0.01)


def test_a_caption_says_every_attribute_in_some_order_and_then_the_class():
    found = data.load("captions:digits")
    assert found.spec.fields == {"caption": Field((4,), 20)}
    orders = set()
    for part in ("train", "validation", "test"):
        split = getattr(found, part)
        captions = split.fields["caption"]
        assert torch.equal(captions[:, 3], 10 + split.labels)
        assert torch.equal(captions[:, :3].sort(1).values, found.vocabulary.adjectives(split.images, 17))
        orders |= set(map(tuple, ((captions[:, :3] - 1) // 3).tolist()))
    assert len(orders) == 6
    alone = captioned(replace(data.load("digits"), test=found.test.rows(slice(50))), 0)
    assert torch.equal(alone.test.fields["caption"], found.test.fields["caption"][:50]), "a row's order is its own"


def test_captions_are_those_that_every_table_was_made_with():
    assert tuple(value[:16] for value in data.load("captions:digits").hashes.values()) == PINNED


def test_what_is_written_of_mnist5k_is_so():
    found = data.load("captions:mnist5k")
    wanted = {"thickness": (2.143, 2.585), "slant": (0.011, 0.268), "width": (3.108, 3.958)}
    for name, parts in found.vocabulary.thresholds.items():
        assert parts == pytest.approx(wanted[name], abs=1e-3)
    said = [sorted(caption) for caption in found.train.fields["caption"].tolist()]
    known = Counter(map(tuple, said))
    shares = [n / len(said) for n in known.values()]
    assert len(known) == 246
    assert -sum(p * math.log2(p) for p in shares) == pytest.approx(7.53, abs=0.01)
    assert sum(p * p for p in shares) == pytest.approx(0.007, abs=1e-4)
    unseen = [tuple(sorted(caption)) not in known for caption in found.test.fields["caption"].tolist()]
    assert sum(unseen) == 7


def test_nouns_are_as_many_as_the_classes_of_their_data_and_no_word_means_two_things():
    for name, nouns in NOUNS.items():
        assert len(nouns) == data.SOURCES[name].classes
        adjectives = GREY if data.SOURCES[name].shape[0] == 1 else COLOUR
        words = [*(word for three in adjectives.values() for word in three), *nouns]
        assert len(set(words)) == len(words)
        assert [word for word in words if word != word.lower() or " " in word] == []
    unnamed = captioned(replace(data.load("digits"), name="npz:x.npz"), 0)
    assert unnamed.vocabulary.words[10:12] == ("class-0", "class-1")


def test_what_comes_in_front_keeps_captions_with_their_images():
    whole, found = data.load("captions:digits"), data.load("without-3:captions:digits")
    kept = whole.test.labels != 3
    assert torch.equal(found.test.fields["caption"], whole.test.fields["caption"][kept])
    assert (found.anomalous.fields["caption"][:, 3] == 13).all()
    apart = data.load("unpaired:edges:captions:digits").train
    assert torch.equal(apart.fields["caption"][:, 3], 10 + apart.labels)
    assert found.vocabulary == whole.vocabulary


def test_words_become_tokens_and_back():
    assert VOCABULARY.tokens("Thick  wide slanted one").tolist() == [3, 9, 6, 11]
    assert VOCABULARY.tokens("one wide slanted thick").tolist() == [9, 6, 3, 11]
    assert VOCABULARY.text(torch.tensor([3, 9, 0, 11])) == "thick wide one"


@pytest.mark.parametrize(
    ("caption", "message"),
    [
        ("fat wide slanted one", "unknown word 'fat'; there are thin, medium, .*, nought, one"),
        ("thick wide one", "no word for its slant; give one of upright, leaning, slanted"),
        ("thick thin wide slanted one", "thick and thin for its thickness; give one of thin, medium, thick"),
        ("thick wide slanted", "no word for its class; give one of nought, one"),
        ("", "no word for its thickness"),
    ],
)
def test_what_is_no_caption_is_refused_with_the_words_that_there_are(caption, message):
    with pytest.raises(ValueError, match=message) as caught:
        VOCABULARY.tokens(caption)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("captions:captions:digits", "a variant is asked for twice"),
        ("captions:without-3:digits", "a class that was left out has no word; say without-K: in front of captions:dig"),
    ],
)
def test_what_cannot_have_captions_is_refused(name, message):
    with pytest.raises(ValueError, match=message) as caught:
        data.load(name)
    assert re.match(rf"data set '{name}'", str(caught.value))


def test_data_without_classes_with_captions_or_of_other_colours_are_refused():
    digits = data.load("digits")
    (captions, _) = variant_named("captions")
    spec = digits.spec
    for changed, message in (
        (replace(spec, classes=0), "a caption names the class of its image, and there are none"),
        (replace(spec, fields={"caption": Field((4,), 9)}), "these images have captions already"),
        (replace(spec, shape=(2, 8, 8)), "grey images or of three colours, and these have 2 channels"),
    ):
        with pytest.raises(ValueError, match=message):
            captions.of(replace(digits, spec=changed), 0)
    unknown = digits.with_labels(50)
    with pytest.raises(ValueError, match="in train some labels are unknown"):
        captions.of(unknown, 0)
