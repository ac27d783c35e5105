"""What an .npz file may hold beside images and labels: sources, fields, splits."""

import numpy as np
import pytest
import torch

from genbench import data
from genbench.data.dataset import Raw
from genbench.spec import Field

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


def test_splits_of_its_own_are_kept_in_their_order(write):
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
        ({"field_label": np.zeros(COUNT, int)}, "other than 'label' and 'source'"),
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


def test_what_a_reader_yields_is_checked():
    images = torch.zeros(4, 1, 2, 2, dtype=torch.uint8)
    with pytest.raises(ValueError, match="test: it has images and labels alone"):
        Raw(images, sources=images, test=(images, None))
    with pytest.raises(ValueError, match=r"fields .* are not those that kinds describe"):
        Raw(images, fields={"a": torch.zeros(4, dtype=torch.int64)})
    with pytest.raises(ValueError, match=r"field 'a' has shape \(\), not \(3,\)"):
        Raw(images, fields={"a": torch.zeros(4, dtype=torch.int64)}, kinds={"a": Field((3,), 2)})
