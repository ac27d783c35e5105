"""Images made worse: each formula by hand, and what the data carry of it."""

import pytest
import torch

from genbench import data
from genbench.data.degraded import reduced

PINNED = {
    "lowres2:digits": ("16ea298f88fb0b4f", "fc3f25d21c7fd1db", "30b844fae2fbecd2"),
    "lowres4:mnist5k": ("c0e3e65674a1d595", "d94c2b3938a72d64", "c2d2afcf52c6a8af"),
    "blur:digits": ("ff179f40a3493b2e", "938d2966c5fb4e75", "b448c3ef7e8c7c93"),
    "shadow:digits": ("84b17d065865ea7e", "18008fbe31dc8e45", "004c312048a3f2e8"),
    "cartoon:digits": ("441ce28d48714886", "aa2b93f3b63367f5", "3db3b7aafc07be3e"),
    "unpaired:lowres7:mnist5k": ("9062df514684077c", "b0615e1d90cb0c4f", "ce2cbeaf5b44f217"),
}


@pytest.mark.parametrize("name", PINNED)
def test_splits_are_those_that_every_table_was_made_with(name):
    assert tuple(value[:16] for value in data.load(name).hashes.values()) == PINNED[name]


def test_means_of_blocks_by_hand():
    image = torch.tensor([[0, 1, 4, 4], [0, 0, 4, 6], [255, 255, 1, 0], [255, 253, 1, 0]], dtype=torch.uint8)
    assert reduced(image[None, None], 256, factor=2)[0, 0].tolist() == [[0, 5], [255, 1]], "a half rounds up"
    assert reduced(image[None, None], 256, factor=4).tolist() == [[[[65]]]], "1039 / 16 = 64.94"
    few = torch.tensor([[16, 16], [16, 15]], dtype=torch.uint8)
    assert reduced(few[None, None], 17, factor=2).item() == 251, "of levels spread over the bytes: (3·255 + 239) / 4"


@pytest.mark.parametrize("name", ["lowres2:digits", "unpaired:lowres2:digits"])
def test_test_sources_are_made_of_their_images(name):
    found = data.load(name)
    assert found.aligned
    assert found.spec.source == (1, 4, 4)
    for split in (found.validation, found.test):
        assert torch.equal(split.sources, reduced(split.images, 17, factor=2))
        assert torch.equal(found.source_of(split.images), split.sources)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lowres3:digits", "lowres3: 3 makes no smaller images of those of 8×8; what does: 2, 4, 8"),
        ("lowres1:digits", "1 makes no smaller images"),
        ("lowres0:digits", "0 makes no smaller images"),
        ("lowres:digits", "lowres: give a number, such as lowres2"),
        ("lowres2:edges:digits", "lowres2: it makes sources of images, and these have some already"),
        ("lowres2:lowres4:digits", "a variant is asked for twice"),
    ],
)
def test_what_does_not_divide_is_refused_in_one_line(name, message):
    with pytest.raises(ValueError, match=message) as caught:
        data.load(name)
    assert "\n" not in str(caught.value)
