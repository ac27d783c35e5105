"""The console script, run in this process."""

import signal
import sys

import numpy as np
import pytest
from PIL import Image

from genbench import cli
from genbench.runs import here, spawn


def script(monkeypatch, capsys):
    """What runs it: words → (status, stdout, stderr)."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["genbench", *map(str, words)])
        before = signal.getsignal(signal.SIGINT)
        try:
            with pytest.raises(SystemExit) as ended:
                cli.main()
        finally:
            signal.signal(signal.SIGINT, before)
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    # Nothing here comes as far as a cell: no process to fork them from is needed.
    monkeypatch.setattr(here, "warm_up", lambda: None)
    monkeypatch.setattr(spawn, "warm_up", lambda: None)
    monkeypatch.delenv(cli.DEBUG, raising=False)
    return call


def refused(result):
    """The one line that says why."""
    status, out, err = result
    assert status == 2
    assert "Traceback" not in out + err
    assert err.startswith("genbench: ")
    assert err.count("\n") == 1
    return err


def pictures(folder, n=3, mode="L", side=8):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        values = np.random.default_rng(i).integers(0, 256, (side, side, 3), dtype=np.uint8)
        Image.fromarray(values).convert(mode).save(folder / f"{i}.png")
    return folder
