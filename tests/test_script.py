"""The console script at odd moments: Ctrl-C, streams that nobody reads or that lack characters, and no memory."""

import errno
import io
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from genbench import app, cli, errors
from genbench.console import console, listed
from genbench.runs import leash, spawn, worker
from tests.commands import refused, script

IN_AN_IMPORT = """
import os, signal, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            try:
                os.kill(os.getpid(), signal.SIGINT)
            except BaseException:
                pass  # as some imports do

sys.meta_path.insert(0, Finder())
from genbench.cli import main
main()
"""


@pytest.fixture
def genbench_(monkeypatch, capsys):
    return script(monkeypatch, capsys)


def test_ctrl_c_in_the_midst_of_an_import_is_one_line():
    done = subprocess.run([sys.executable, "-c", IN_AN_IMPORT], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (cli.INTERRUPTED, "", f"{cli.SAID}\n")


def test_ctrl_c_at_work_is_an_exit_that_nothing_answers_in_its_own_words(genbench_, monkeypatch):
    def interrupted(*_):
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("genbench.catalog.recipes", interrupted)
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    status, out, err = genbench_("families")
    signal.signal(signal.SIGINT, before)
    assert (status, out, err) == (cli.INTERRUPTED, "", f"{cli.SAID}\n")


def test_who_starts_it_with_ctrl_c_ignored_has_it_ignored(genbench_, monkeypatch):
    heard = []
    monkeypatch.setattr(app, "call", lambda: heard.append(signal.getsignal(signal.SIGINT)) or 0)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    genbench_("families")
    signal.signal(signal.SIGINT, before)
    assert heard == [signal.SIG_IGN]


def test_ctrl_c_while_a_process_starts_is_heard_behind():
    at_work = []

    def start():
        with spawn.uninterrupted():
            at_work.append(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
            signal.raise_signal(signal.SIGINT)
            at_work.append("to its end")

    with pytest.raises(KeyboardInterrupt):
        start()
    assert at_work == [{signal.SIGINT}, "to its end"], "what starts within inherits that it does not hear of it"
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_the_process_that_cells_are_forked_from_ends_with_its_parent(monkeypatch):
    parents = iter([7, 7, 1])
    monkeypatch.setattr(os, "getppid", lambda: next(parents))
    monkeypatch.setattr(leash, "SECONDS", 0)

    def ended(status):
        raise SystemExit(status)

    monkeypatch.setattr(os, "_exit", ended)
    with pytest.raises(SystemExit):
        leash.follow(7)
    assert next(parents, None) is None
    assert not leash.preloading(), "here nothing follows anybody"
    assert spawn.PRELOAD[0] == leash.__name__, "before anything that takes long"


TIED = """
import os, time
from genbench.runs.spawn import die_with_parent
if os.fork() == 0:
    die_with_parent()
os.write(1, b"tied\\n")  # at once, whoever else writes
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="others cannot")
def test_a_process_that_is_tied_to_its_parent_ends_with_it_whatever_it_does():
    parent = subprocess.Popen([sys.executable, "-c", TIED], stdout=subprocess.PIPE, text=True)
    assert [parent.stdout.readline() for _ in range(2)] == ["tied\n"] * 2
    parent.kill()
    assert parent.communicate(timeout=5)[0] == "", "the pipe closes as the last who holds it ends"


def test_closed_streams_are_opened_again_to_nowhere():
    command = f"({sys.executable} -m genbench.cli families >&- 2>&-); echo $?"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("0\n", "")


@pytest.fixture
def stdout(monkeypatch):
    """Standard output of an encoding, as bytes in the end."""

    def into(encoding):
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        monkeypatch.setattr(sys, "stdout", stream)
        return stream

    return into


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("ascii", "8x8, -3 +- 1 <= sigma -> e a2 ? ?"),
        ("latin-1", "8×8, -3 ± 1 <= sigma -> é a² ? ?"),
        ("utf-8", "8×8, −3 ± 1 ≤ σ → é a² 漢 ?"),
    ],
)
def test_characters_that_a_stream_lacks_are_replaced(stdout, encoding, said):
    stream = stdout(encoding)
    console().print("8×8, −3 ± 1 ≤ σ → é a² 漢 \udcff", markup=False, highlight=False)
    listed("×", [{"a": "−"}], False)
    stream.flush()
    lines = stream.buffer.getvalue().decode(encoding).splitlines()
    assert lines[0].rstrip() == said
    assert lines[1].strip() == ("x" if encoding == "ascii" else "×")


def test_work_goes_on_where_nobody_reads_what_it_says(monkeypatch):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        for _ in range(3):
            console().print("a line")
        monkeypatch.undo()


def test_another_fault_of_a_stream_is_said(monkeypatch):
    class Full(io.StringIO):
        def write(self, text):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sys, "stdout", Full())
    with pytest.raises(OSError, match="No space left"):
        console().print("a line")


def test_a_word_that_is_not_in_the_terminals_encoding_is_refused(genbench_):
    assert "'\\udcff' is not in this terminal's encoding" in refused(genbench_("table", "\udcff"))


def raised(call, *arguments):
    with pytest.raises((MemoryError, RuntimeError)) as error:
        call(*arguments)
    return error.value


def no_memory():
    """Errors of memory that ran out: torch's on a processor and on a GPU, numpy's, Python's."""
    yield raised(torch.empty, 2**50)
    yield torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nGPU 0 has a total capacity of …")
    yield raised(np.empty, 2**50)
    yield MemoryError()
    yield OSError(errno.ENOMEM, "Cannot allocate memory")


@pytest.mark.parametrize("error", no_memory(), ids=lambda error: type(error).__name__)
def test_memory_that_ran_out_is_a_line_and_no_traceback(error, genbench_, monkeypatch):
    why, trace, full = worker.failure(error)
    assert why.startswith("out of memory")
    assert why.endswith(errors.LESS_MEMORY)
    assert "\n" not in why
    assert (trace, full) == ("", False)

    def short():
        raise error

    monkeypatch.setattr(app, "call", short)
    refused(genbench_("families"))


def test_other_failures_keep_their_trace():
    why, trace, _ = worker.failure(RuntimeError("it broke"))
    assert why == "RuntimeError: it broke"
    assert "it broke" in trace
