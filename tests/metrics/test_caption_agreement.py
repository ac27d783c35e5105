import pytest
import torch

from genbench import data
from genbench.data.vocabulary import Vocabulary
from genbench.metrics.caption_agreement import caption_agreement

WORDS = ("", "dark", "dusky", "bright", "faint", "clear", "stark", "red", "green", "blue", "cat")
VOCABULARY = Vocabulary(WORDS, {"brightness": (0.3, 0.6), "contrast": (0.1, 0.2), "hue": (0.5, 1.5)})


def test_by_hand():
    image = torch.zeros(2, 3, 1, 2, dtype=torch.uint8)
    image[0, 2], image[1, 0] = 255, 255  # brightness a third, contrast nothing: a dusky faint blue one, a red one
    asked = torch.tensor([[9, 2, 4, 10], [8, 10, 3, 4]])
    found = caption_agreement(asked, image, 256, VOCABULARY)
    assert found.agreement == pytest.approx((3 + 1) / 6)
    assert found.attributes == {"brightness": 0.5, "contrast": 1.0, "hue": 0.5}
    assert found.standard_error == pytest.approx(1 / 3)
    assert found.images == 2


def test_real_images_are_what_their_captions_say_and_others_by_chance():
    digits = data.load("captions:digits")
    captions = digits.test.fields["caption"]
    assert caption_agreement(captions, digits.test.images, 17, digits.vocabulary).agreement == 1
    other = caption_agreement(captions.roll(7, 0), digits.test.images, 17, digits.vocabulary)
    assert other.agreement == pytest.approx(1 / 3, abs=4 * other.standard_error)
    alone = caption_agreement(captions[5:6], digits.test.images[5:6], 17, digits.vocabulary)
    assert alone.agreement == 1, "an image is measured the same in any company"


def test_captions_of_another_number_are_refused():
    with pytest.raises(ValueError, match="captions: 3 for 2 samples"):
        caption_agreement(torch.ones(3, 4).long(), torch.zeros(2, 3, 1, 2, dtype=torch.uint8), 256, VOCABULARY)
    with pytest.raises(ValueError, match="captions: 0 for 0 samples"):
        caption_agreement(torch.ones(0, 4).long(), torch.zeros(0, 3, 1, 2, dtype=torch.uint8), 256, VOCABULARY)
