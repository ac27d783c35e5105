import io

import pytest
import torch
from PIL import Image

from genbench.likelihood.codecs import CODECS, available, codec_nll, encode
from genbench.runs.anchors import names
from genbench.runs.suite import ANCHOR_NAMES, TRANSLATORS
from genbench.spec import DataSpec

NOISE = torch.Generator().manual_seed(0)


def images(count, channels, side, top=256):
    return torch.randint(0, top, (count, channels, side, side), dtype=torch.uint8, generator=NOISE)


@pytest.mark.parametrize("codec", available())
@pytest.mark.parametrize("channels", [1, 3])
def test_files_hold_the_image_without_loss(codec, channels):
    image = images(1, channels, 12)[0]
    file = encode(image, codec)
    if codec == "jpeg-xl":
        picture = Image.fromarray(pytest.importorskip("imagecodecs").jpegxl_decode(file))
    else:
        picture = Image.open(io.BytesIO(file)).convert("L" if channels == 1 else "RGB")
    back = torch.tensor(list(picture.tobytes()), dtype=torch.uint8).reshape(12, 12, channels).permute(2, 0, 1)
    assert torch.equal(back, image)


@pytest.mark.parametrize("codec", ["png", "webp"])
def test_bits_are_the_lengths_of_files_on_disk_headers_included(codec, tmp_path):
    pictures = images(3, 1, 16, top=9)
    lengths = []
    for index, image in enumerate(pictures):
        path = tmp_path / f"{index}.{codec}"
        options = {key: value for key, value in CODECS[codec].items() if key != "format"}
        Image.fromarray(image[0].numpy()).save(path, **options)
        lengths.append(path.stat().st_size * 8 / 256)
    result = codec_nll(pictures, 256, codec)
    assert list(result.per_image) == lengths
    assert result.bpd == pytest.approx(sum(lengths) / 3)
    assert (result.images, result.kind, result.method, result.given) == (3, "exact", codec, ())


@pytest.mark.parametrize("codec", available())
def test_noise_cannot_be_compressed_and_a_plain_image_can(codec):
    assert codec_nll(images(4, 1, 32), 256, codec).bpd > 8
    assert codec_nll(torch.zeros(4, 1, 32, 32, dtype=torch.uint8), 256, codec).bpd < 1


def test_jpeg_xl_is_smaller_than_png_and_absent_without_its_package(monkeypatch):
    ramp = (torch.arange(28)[:, None] + 2 * torch.arange(28)).to(torch.uint8)[None, None]
    if "jpeg-xl" in available():
        assert codec_nll(ramp, 256, "jpeg-xl").bpd < codec_nll(ramp, 256, "png").bpd
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert available() == ("png", "webp")
    assert set(names(DataSpec((1, 28, 28)))) == set(ANCHOR_NAMES) - {"jpeg-xl", *TRANSLATORS}
    assert not set(names(DataSpec((1, 8, 8), 17))) & set(CODECS)
    with pytest.raises(ValueError, match=r"pip install 'genbench\[codecs\]'"):
        codec_nll(ramp, 256, "jpeg-xl")


@pytest.mark.parametrize(
    ("pictures", "levels", "codec", "words"),
    [
        (images(1, 1, 8), 256, "png", "8×8"),
        (images(1, 1, 28), 17, "webp", "levels=17"),
        (images(1, 2, 28), 256, "png", r"\(1, 2, 28, 28\)"),
        (images(1, 1, 28)[:0], 256, "png", "N at least 1"),
        (images(1, 1, 28), 256, "jpeg", "'jpeg' is unknown: there are png, webp, jpeg-xl"),
    ],
)
def test_what_would_mislead_is_refused(pictures, levels, codec, words):
    with pytest.raises(ValueError, match=words):
        codec_nll(pictures, levels, codec)
