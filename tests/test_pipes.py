"""What is to be read to its end and has none, a pipe, is refused in one line wherever a run's files are read."""

import os

import pytest

from genbench.records import layout
from genbench.records.history import read_lines
from genbench.records.record import Record
from genbench.runs import suite


@pytest.fixture
def pipe(tmp_path):
    def pipe(name):
        os.mkfifo(tmp_path / name)
        # Held open at both ends, so that whoever opens it waits for nobody; to read it would still wait for ever.
        held.append(os.open(tmp_path / name, os.O_RDWR))
        os.write(held[-1], b"x")
        os.set_blocking(held[-1], False)
        return tmp_path / name

    held = []
    yield pipe
    for file in held:
        os.close(file)


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("mine.toml", lambda path: suite.read(str(path))),
        (layout.RECORD, lambda path: Record.read(path.parent)),
        (layout.HISTORY, read_lines),
    ],
)
def test_a_pipe_is_refused(pipe, name, read):
    path = pipe(name)
    with pytest.raises(ValueError, match=r"is no regular file; give one"):
        read(path)


def test_a_pipe_in_place_of_a_record_is_of_no_label(pipe, tmp_path):
    pipe(layout.RECORD)
    assert not layout._is_of(tmp_path, "digits", "vae")
