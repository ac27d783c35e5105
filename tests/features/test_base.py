import dataclasses
from threading import Barrier

import pytest
import torch
from torch import nn

from genbench.features import Extractor, extractor, real_features
from genbench.features.base import TwoLayers, layers, to_rgb
from genbench.spec import to_bytes

IMAGES = torch.randint(0, 17, (10, 1, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


class Tiny(TwoLayers):
    """Counts the images it sees."""

    def __init__(self, name, features_list, **_):
        super().__init__(name, features_list)
        self.head = nn.Linear(16, 3, bias=False)
        nn.init.ones_(self.head.weight)
        self.seen = 0

    def both(self, images):
        self.seen += len(images)
        flat = images.float().flatten(1)
        return flat, self.head(flat)


@pytest.fixture
def tiny():
    return Extractor("tiny", "abc", "none", Tiny("tiny", layers(Tiny)), batch_size=4)


def test_levels_spread_over_the_whole_byte():
    levels = torch.arange(17, dtype=torch.uint8).reshape(1, 1, 1, 17)
    assert to_bytes(levels, 17).flatten().tolist() == [round(255 * x / 16) for x in range(17)]
    assert to_bytes(levels.clamp(max=1), 2).unique().tolist() == [0, 255]
    assert torch.equal(to_bytes(levels, 256), levels)


def test_grey_becomes_three_equal_channels_and_colour_stays():
    assert torch.equal(to_rgb(IMAGES), torch.cat([IMAGES] * 3, dim=1))
    colour = torch.arange(12, dtype=torch.uint8).reshape(1, 3, 2, 2)
    assert torch.equal(to_rgb(colour), colour)


@pytest.mark.parametrize(
    ("images", "levels", "words"),
    [
        (IMAGES.float(), 256, "torch.float32"),
        (IMAGES[0], 256, r"\(1, 4, 4\)"),
        (IMAGES[:0], 256, "none"),
        (IMAGES, 8, "levels=8"),
    ],
)
def test_what_are_no_images_is_refused_by_value(tiny, images, levels, words):
    with pytest.raises(ValueError, match=words):
        tiny.features(images, levels)


def test_two_channels_are_refused():
    with pytest.raises(ValueError, match="2 channels"):
        to_rgb(torch.zeros(1, 2, 4, 4, dtype=torch.uint8))


def test_features_come_in_order_float32_without_gradient(tiny):
    seen = tiny.features(IMAGES, 17)
    assert torch.equal(seen.features, to_bytes(IMAGES, 17).flatten(1).float())
    assert seen.logits.shape == (10, 3)
    assert not seen.logits.requires_grad
    assert torch.allclose(tiny.predict(IMAGES, 17).sum(dim=1), torch.ones(10))


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


class Meeting(Tiny):
    """Sees a batch when three batches are there."""

    def both(self, images):
        self.met.wait(timeout=30)
        self.threads.append(torch.get_num_threads())
        return super().both(images)


def test_batches_share_the_threads_and_keep_their_order(three_threads):
    network = Meeting("meeting", layers(Meeting))
    network.met, network.threads = Barrier(3), []
    seen = Extractor("meeting", "abc", "none", network, batch_size=4).features(IMAGES, 17)
    assert torch.equal(seen.features, to_bytes(IMAGES, 17).flatten(1).float())
    assert network.threads == [1, 1, 1]
    assert torch.get_num_threads() == 3


def test_what_a_network_refuses_in_a_thread_is_what_is_refused(three_threads):
    class Broken(Tiny):
        def both(self, images):
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        Extractor("broken", "abc", "none", Broken("broken", layers(Broken)), batch_size=4).features(IMAGES, 17)
    assert torch.get_num_threads() == 3


def test_real_features_are_computed_once(tiny, cache):
    first = real_features(tiny, IMAGES, 17, "data")
    again = real_features(tiny, IMAGES, 17, "data")
    assert tiny.network.seen == 10
    assert torch.equal(first.features, again.features)
    assert torch.equal(first.logits, again.logits)


@pytest.mark.parametrize("change", [{"hash": "other"}, {"resize": "other"}, {"data_hash": "other"}, {"levels": 256}])
def test_real_features_of_other_weights_data_or_resizing_are_computed_anew(tiny, cache, change):
    real_features(tiny, IMAGES, 17, "data")
    kind = {key: value for key, value in change.items() if key in ("hash", "resize")}
    other = dataclasses.replace(tiny, **kind)
    real_features(other, IMAGES, change.get("levels", 17), change.get("data_hash", "data"))
    assert tiny.network.seen == 20


def test_a_damaged_cache_file_is_computed_again_and_mended(tiny, cache):
    right = real_features(tiny, IMAGES, 17, "data")
    (path,) = (cache / "features").iterdir()
    whole = path.read_bytes()
    for damaged in (whole[:-7], whole[:-1] + bytes([whole[-1] ^ 4]), b""):
        path.write_bytes(damaged)
        assert torch.equal(real_features(tiny, IMAGES, 17, "data").features, right.features)
        assert path.read_bytes() == whole
    assert tiny.network.seen == 40


def test_a_cache_that_cannot_be_written_costs_time_alone(tiny, cache):
    cache.write_text("a file where the folder should be")
    first = real_features(tiny, IMAGES, 17, "data")
    assert torch.equal(real_features(tiny, IMAGES, 17, "data").features, first.features)
    assert tiny.network.seen == 20


def test_an_unknown_extractor_is_refused_with_the_nearest_name():
    with pytest.raises(ValueError, match=r"'efficientnet'.*did you mean 'efficientnet-lite0'"):
        extractor("efficientnet")
