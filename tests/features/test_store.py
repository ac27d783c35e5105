import pytest
import torch

from genbench import files
from genbench.features import store

TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(3)}


def test_what_was_written_is_read_with_what_it_is_of(tmp_path):
    path = tmp_path / "deep" / "x.safetensors"
    assert store.write(path, TENSORS, {"of": ["what", 1]})
    tensors, about = store.read(path)
    assert about == {"of": ["what", 1]}
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)
    assert [p.name for p in path.parent.iterdir()] == ["x.safetensors"]  # nothing half written is left


@pytest.mark.parametrize("place", [0, 40, -1, -30])
def test_a_flipped_byte_anywhere_is_noticed(tmp_path, place):
    path = tmp_path / "x.safetensors"
    store.write(path, TENSORS, {})
    damaged = bytearray(path.read_bytes())
    damaged[place] ^= 1
    path.write_bytes(damaged)
    assert store.read(path) is None


@pytest.mark.parametrize("content", [b"", b"\x00", b"not a file of tensors", None])
def test_a_cut_file_another_programs_or_none_reads_as_none(tmp_path, content):
    path = tmp_path / "x.safetensors"
    if content is not None:
        path.write_bytes(content)
    assert store.read(path) is None


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert not store.write(tmp_path / "file" / "x.safetensors", TENSORS, {})


def test_digest_changes_with_names_types_shapes_and_values_and_not_with_order():
    other = [
        {"a": TENSORS["a"], "c": TENSORS["b"]},
        {"a": TENSORS["a"].double(), "b": TENSORS["b"]},
        {"a": TENSORS["a"].reshape(3, 2), "b": TENSORS["b"]},
        {"a": TENSORS["a"] + 1, "b": TENSORS["b"]},
    ]
    assert len({files.digest(tensors) for tensors in [TENSORS, *other]}) == 5
    assert files.digest(dict(reversed(TENSORS.items()))) == files.digest(TENSORS)


def test_file_digest_is_sha256(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    assert files.file_digest(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
