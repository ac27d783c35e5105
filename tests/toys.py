"""Runs of a third party's quick recipes on the digits, in real processes."""

import io
import sys
from contextlib import contextmanager

from rich.console import Console

from genbench import catalog
from genbench.runs import runner
from genbench.runs.command import Replay
from genbench.runs.suite import Suite
from tests import thirdparty


@contextmanager
def installed(folder):
    """The recipes ``toy`` and ``able`` are there, in this process and in those that it forks."""
    site = thirdparty.install(folder)
    sys.path.insert(0, str(site))
    catalog.recipes.cache_clear()
    yield site
    sys.path.remove(str(site))
    catalog.recipes.cache_clear()


def suite(*rows, steps=6, **more):
    """A suite with a row of ``toy`` for each ``(label, options)``."""
    rows = tuple({"recipe": "toy", "label": label, "options": options} for label, options in rows)
    base = {"title": "Toys", "dataset": "digits", "budget": {"steps": steps}, "extractor": "classifier"}
    return Suite.model_validate(base | {"samples": 20, "likelihoods": 20, "timing": 0.05, "row": rows} | more)


def console():
    return Console(file=io.StringIO(), width=300)


def run(suite, out, **more):
    """Its exit status, and what it said."""
    heard = console()
    status = runner.run(suite, out, heard, command=Replay("toys", suite).command, **more)
    return status, heard.file.getvalue()


def cell(out, label, dataset="digits"):
    return out / "cells" / dataset / label / "seed-0"


def snapshot(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}
