"""Data types and their checks: what does not fit is refused by name."""

from dataclasses import replace

import pytest
import torch

from genbench.check import check_batch, check_split
from genbench.spec import Batch, DataSpec, Field, Split
from genbench.training.batches import Stream

FIELDS = {"caption": Field((2,), 5), "pose": Field((), 7, "source")}
SPEC = DataSpec((1, 2, 2), levels=4, source=(1, 2, 2), paired=False, fields=FIELDS)


def split(images=6, sources=9):
    return Split(
        torch.zeros(images, 1, 2, 2, dtype=torch.uint8),
        None,
        torch.arange(sources, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 2, 2),
        {"caption": torch.arange(images)[:, None].expand(-1, 2) % 5, "pose": torch.arange(sources) % 7},
    )


def with_field(name, values):
    whole = split()
    return replace(whole, fields={**whole.fields, name: values})


def test_a_field_is_of_an_image_or_of_a_source_that_there_is():
    with pytest.raises(ValueError, match="of='pair': a field is of 'image' or of 'source'"):
        Field((), 3, "pair")
    with pytest.raises(ValueError, match="levels=0"):
        Field((), 0)
    with pytest.raises(ValueError, match="field 'pose' is of the source, and source=None"):
        DataSpec((1, 2, 2), fields=FIELDS)


def test_fields_are_counted_by_what_they_are_of():
    check_split(SPEC, split(), "train")
    wrong = {
        r"train field 'pose' has shape \(6,\)": with_field("pose", torch.zeros(6, dtype=torch.int64)),
        r"train field 'caption' has shape \(9, 2\)": with_field("caption", torch.zeros(9, 2, dtype=torch.int64)),
        "train field 'caption' runs from 5 to 5: give 0 to 4": with_field("caption", torch.full((6, 2), 5)),
        "train field 'caption' is torch.float32": with_field("caption", torch.zeros(6, 2)),
        "train field 'caption' is missing": replace(split(), fields={"pose": split().fields["pose"]}),
    }
    for message, refused in wrong.items():
        with pytest.raises(ValueError, match=message):
            check_split(SPEC, refused, "train")


def test_a_batch_is_refused_for_a_field_that_is_read_and_missing():
    batch = Batch(split().images)
    check_batch(SPEC, (), batch)
    with pytest.raises(ValueError, match="caption is missing"):
        check_batch(SPEC, ("caption",), batch)


def test_sources_of_another_number_and_their_fields_do_not_go_with_rows_of_images():
    rows = split().rows(slice(2, 4))
    assert rows.sources is None
    assert rows.fields.keys() == {"caption"}
    paired = split(6, 6).rows(slice(2, 4))
    assert paired.sources[:, 0, 0, 0].tolist() == paired.fields["pose"].tolist() == [2, 3]


def test_fields_of_sources_come_at_the_rows_of_unpaired_sources():
    stream = Stream(split(), SPEC, batch_size=3, seed=0)
    for k in range(9):
        batch = stream.batch(k)
        assert torch.equal(batch.sources[:, 0, 0, 0].long() % 7, batch.fields["pose"])
        assert batch.fields["caption"].shape == (3, 2)


def test_what_is_given_belongs_to_a_source_or_does_not():
    assert SPEC.translates(("source",))
    assert SPEC.translates(("label", "pose"))
    assert not SPEC.translates(("label", "caption"))
    assert not SPEC.translates(())


def test_sources_that_are_read_go_with_images_row_by_row_though_the_domains_are_unpaired():
    batch = Batch(split().images[:4], sources=split().sources[:3])
    check_batch(SPEC, (), batch)
    for given in (("source",), ("source", "caption"), ("pose",)):
        with pytest.raises(ValueError, match="sources: 3 for 4 images"):
            check_batch(SPEC, given, replace(batch, fields={"pose": torch.zeros(4, dtype=torch.int64)}))
    check_batch(SPEC, ("source",), replace(batch, images=batch.images[:3]))


@pytest.mark.parametrize("name", ["images", "labels", "label", "sources", "source", "category"])
def test_a_field_has_a_name_that_nothing_else_has(name):
    with pytest.raises(ValueError, match=f"field '{name}': give it a name of its own"):
        DataSpec((1, 2, 2), fields={name: Field((), 3)})


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "3d"])
def test_a_fields_name_is_an_identifier(name):
    with pytest.raises(ValueError, match="give it a name of letters") as caught:
        DataSpec((1, 2, 2), fields={name: Field((), 3)})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (torch.zeros(6, 1, dtype=torch.int64), r"labels have shape \(6, 1\): give"),
        (torch.tensor(1), "labels: a single number; give a tensor"),
    ],
)
def test_labels_are_one_number_a_row(labels, said):
    spec = DataSpec((1, 2, 2), levels=4, classes=3)
    with pytest.raises(ValueError, match=f"^train {said}"):
        check_split(spec, Split(split().images, labels), "train")
    with pytest.raises(ValueError, match=f"^{said}"):
        check_batch(spec, ("label",), Batch(split().images, labels))
