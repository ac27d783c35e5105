"""Files of .npz: what one may hold, images, labels, sources, fields and splits, and what is refused."""

import numpy as np
import pytest
import torch

from genbench import data
from genbench.data.raw import Raw
from genbench.spec import Field, Split
from tests.data.pixels import pixels

COUNT = 20


@pytest.fixture
def write(tmp_path):
    def write(**arrays):
        images = np.arange(COUNT, dtype=np.uint8).repeat(16).reshape(COUNT, 4, 4)
        path = tmp_path / "some.npz"
        np.savez(path, **{"images": images} | arrays)
        return f"npz:{path}"

    return write


SOURCES = np.arange(COUNT, dtype=np.uint8).repeat(12).reshape(COUNT, 2, 2, 3)
ROWS = {"train": np.arange(10), "validation": np.arange(10, 14), "test": np.array([19, 18, 17])}


def test_an_array_that_means_nothing_is_named_whatever_it_holds(write):
    with pytest.raises(ValueError, match=r"arrays 'meta' are not read"):
        data.load(write(meta=np.array([{"a": 1}], dtype=object)))


def test_sources_and_fields_go_with_their_images_into_each_split(write):
    name = write(
        sources=SOURCES,
        field_caption=np.arange(2 * COUNT).reshape(COUNT, 2) % 7,
        source_field_domain=np.arange(COUNT) % 3,
    )
    found = data.load(name)
    assert found.spec.source == (3, 2, 2)
    assert found.spec.fields == {"caption": Field((2,), 7), "domain": Field((), 3, "source")}
    assert found.spec.paired
    assert found.aligned
    for split in (found.train, found.validation, found.test):
        row = split.images[:, 0, 0, 0].long()
        assert torch.equal(split.sources[:, 0, 0, 0].long(), row)
        assert torch.equal(split.fields["domain"], row % 3)
        assert torch.equal(split.fields["caption"][:, 0], 2 * row % 7)


def test_splits_with_sources_are_kept_in_their_order(write):
    found = data.load(write(sources=SOURCES, **ROWS))
    for part, rows in ROWS.items():
        assert getattr(found, part).images[:, 0, 0, 0].tolist() == rows.tolist()


def test_sources_of_a_file_can_be_unpaired(write):
    found = data.load("unpaired:" + write(sources=SOURCES, **ROWS))
    assert (len(found.train), len(found.train.sources), len(found.test)) == (5, 5, 3)
    both = torch.cat([found.train.images[:, 0, 0, 0], found.train.sources[:, 0, 0, 0]])
    assert sorted(both.tolist()) == list(range(10))


def test_images_alone_split_as_they_always_did(write):
    plain = data.load(write())
    assert plain.spec.source is None
    assert not plain.aligned
    assert plain.hashes == {part: data.dataset.digest(getattr(plain, part)) for part in ROWS}
    assert len(plain.train) == 14


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"sources": SOURCES[:7]}, "sources: 7 for 20 images; give one for each"),
        ({"sources": SOURCES.astype(float)}, "sources are float64; give uint8"),
        ({"sources": SOURCES[..., :2]}, r"sources have shape \(20, 2, 2, 2\)"),
        ({"field_caption": np.zeros(3, int)}, "caption: 3 for 20 images"),
        ({"field_caption": np.zeros(COUNT)}, "field_caption is float64"),
        ({"field_caption": np.full(COUNT, -1)}, "field_caption runs from -1"),
        ({"field_label": np.zeros(COUNT, int)}, "field 'label': give it a name of its own"),
        ({"field_images": np.zeros(COUNT, int)}, "field 'images': give it a name of its own, other than images"),
        ({"field_a\nb": np.zeros(COUNT, int)}, r"field 'a\\nb': give it a name of letters"),
        ({"field_": np.zeros(COUNT, int)}, "field '': give it a name of letters"),
        (
            {"field_caption": np.full(COUNT, 65_536)},
            "field_caption runs to 65536; number its values from 0, below",
        ),
        ({"field_caption": np.full(COUNT, 2**64 - 1, np.uint64)}, "field_caption runs to 18446744073709551615"),
        (
            {"source": SOURCES},
            r"arrays 'source' are not read \(did you mean sources\?\); .* images, labels,",
        ),
        ({"a\nb": SOURCES, "other": SOURCES}, r"arrays 'a\\nb', 'other' are not read; take them out"),
        ({f"a{n}": SOURCES for n in range(9)}, "'a4' and 4 more are not read"),
        ({"source_field_domain": np.zeros(COUNT, int)}, "there is no array 'sources'"),
        ({"sources": SOURCES, "field_a": np.zeros(COUNT, int), "source_field_a": np.zeros(COUNT, int)}, "of its own"),
        ({"train": np.arange(3)}, "rows of train; give train, validation and test, or none"),
        (ROWS | {"test": np.array([0])}, "a row stands in two of them"),
        (ROWS | {"test": np.array([20])}, "test: rows run from 20 to 20; there are 20, from 0"),
        (ROWS | {"test": np.zeros((1, 1), int)}, r"test: rows are torch.int64 \(1, 1\)"),
        (ROWS | {"test": np.zeros(0, int)}, "test is int64"),
    ],
    ids=str,
)
def test_what_does_not_go_together_is_refused_in_one_line(write, arrays, message):
    with pytest.raises(ValueError, match=message) as caught:
        data.load(write(**arrays))
    assert "\n" not in str(caught.value)
    assert "some.npz" in str(caught.value)


def test_the_hash_of_a_split_counts_what_is_called_like_an_array():
    images = torch.zeros(4, 1, 2, 2, dtype=torch.uint8)
    plain = Split(images)
    assert data.dataset.digest(plain) != data.dataset.digest(Split(images + 1, fields={"images": images}))
    assert data.dataset.digest(plain) != data.dataset.digest(Split(images, fields={"labels": torch.zeros(4)}))


def test_a_field_of_as_many_levels_as_a_field_may_have_is_read(write):
    found = data.load(write(field_caption=np.full(COUNT, 65_535)))
    assert found.spec.fields["caption"].levels == 65_536


def test_what_a_reader_yields_is_checked():
    images = torch.zeros(4, 1, 2, 2, dtype=torch.uint8)
    with pytest.raises(ValueError, match="test: it has images and labels alone"):
        Raw(images, sources=images, test=(images, None))
    with pytest.raises(ValueError, match=r"fields .* are not those that kinds describe"):
        Raw(images, fields={"a": torch.zeros(4, dtype=torch.int64)})
    with pytest.raises(ValueError, match=r"field 'a' has shape \(\), not \(3,\)"):
        Raw(images, fields={"a": torch.zeros(4, dtype=torch.int64)}, kinds={"a": Field((3,), 2)})


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 1), (6, 5, 3)])
def test_npz(tmp_path, shape):
    images = pixels(30, *shape)
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(30) % 3)
    found = data.load(f"npz:{tmp_path / 'a.npz'}")
    assert found.spec.shape == (shape[2] if len(shape) == 3 else 1, 6, 5)
    assert found.spec.classes == 3
    rows = torch.cat([found.train.images, found.validation.images, found.test.images])
    wanted = torch.from_numpy(images.reshape(30, 6, 5, -1)).permute(0, 3, 1, 2)
    assert sorted(rows.flatten(1).tolist()) == sorted(wanted.flatten(1).tolist())


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"pictures": pixels(9, 4, 4)}, "no array 'images'"),
        ({"images": pixels(9, 4, 4).astype(np.float32)}, "images are float32; give uint8"),
        ({"images": pixels(9, 4, 4, 2)}, r"shape \(9, 4, 4, 2\); give .*1 or 3 channels"),
        ({"images": pixels(9, 4)}, r"shape \(9, 4\)"),
        ({"images": pixels(0, 4, 4)}, "so there are none"),
        ({"images": pixels(2, 4, 4)}, "2 images are too few"),
        ({"images": pixels(30, 4, 4), "labels": np.zeros(29, int)}, r"labels are int64 \(29,\)"),
        ({"images": pixels(30, 4, 4), "labels": np.zeros(30)}, "labels are float64"),
        ({"images": pixels(30, 4, 4), "labels": np.arange(30) % 2 - 1}, "labels run from -1 to 0"),
        ({"images": pixels(30, 4, 4), "labels": np.arange(30) % 2 * 5}, "labels run from 0 to 5 in 2 classes"),
        ({"images": np.array([None, "code"], dtype=object)}, "not an .npz file of plain arrays"),
    ],
)
def test_npz_of_anything_else_is_refused(tmp_path, arrays, message):
    path = tmp_path / "a.npz"
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=message):
        data.load(f"npz:{path}")


@pytest.mark.parametrize("content", [b"", b"text", None, "cut", "npy"])
def test_what_is_not_an_npz_is_refused(tmp_path, content):
    path = tmp_path / "a.npz"
    if content == "cut":
        np.savez(path, images=pixels(30, 4, 4))
        path.write_bytes(path.read_bytes()[:200])
    elif content == "npy":
        with path.open("wb") as file:
            np.save(file, pixels(3, 4, 4))
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.npz: (there is no such file|not an|no array)"):
        data.load(f"npz:{path}")


@pytest.mark.parametrize("offset", [4, 6])  # in the archive's directory: version needed, flags
def test_an_npz_that_the_archive_reader_gives_up_on_is_refused(tmp_path, offset):
    path = tmp_path / "a.npz"
    np.savez(path, images=pixels(30, 4, 4))
    whole = bytearray(path.read_bytes())
    place = whole.index(b"PK\1\2") + offset + 2
    whole[place] = 200 if offset == 4 else 0x21
    path.write_bytes(whole)
    with pytest.raises(ValueError, match=r"a\.npz: not an"):
        data.load(f"npz:{path}")
