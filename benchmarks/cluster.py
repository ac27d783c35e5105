"""How well two nodes of one core each are filled: a grid of cells on Ray against one core, and whether figures agree.

    python benchmarks/cluster.py [--cells 12] [--seconds 30]

Cells train for a budget in steps that takes about so many seconds; efficiency is the time on one core, one cell after
the other, over twice the time on two nodes. Needs an otherwise idle machine of two cores at least.
"""

import argparse
import io
import tempfile
import time
from pathlib import Path

from ray.cluster_utils import Cluster
from rich.console import Console

from genbench.records.record import Record, records
from genbench.runs import runner
from genbench.runs.command import Replay
from genbench.runs.engine import Engine
from genbench.runs.here import Here
from genbench.runs.on_ray import OnRay
from genbench.runs.suite import Suite

STORE = 80_000_000
TRIED = 40  # steps that say how long one takes
SAME = ("status", "test", "train", "quality", "agreement", "collapse", "digests")


def grid(cells: int, steps: int) -> Suite:
    """A suite of one small recipe and so many seeds, without anchors and speed."""
    row = {"recipe": "vae", "options": {}}
    return Suite.model_validate(
        {"title": "Cells", "dataset": "digits", "budget": {"steps": steps}, "extractor": "classifier", "row": [row]}
        | {"seeds": list(range(cells)), "anchors": False, "measures": ["nll", "fid"], "samples": 100}
    )


def taken(suite: Suite, out: Path, engine: Engine) -> float:
    """Run a suite; return its seconds."""
    began = time.monotonic()
    status = runner.run(suite, out, Console(file=io.StringIO()), command=Replay("cells", suite).command, engine=engine)
    if status:
        raise SystemExit(f"{out}: a cell failed")
    return time.monotonic() - began


def differing(one: Path, other: Path) -> list[str]:
    """Return the cells whose figures differ."""
    pairs = zip(records(one), records(other), strict=True)
    return [f"seed {a.seed}" for a, b in pairs if any(getattr(a, name) != getattr(b, name) for name in SAME)]


def step_seconds(out: Path) -> float:
    """Return how long a step takes."""
    taken(grid(1, TRIED), out, Here(1))
    fit = Record.read(next(out.glob("cells/*/*/seed-0"))).fit
    return fit.seconds / fit.steps if fit is not None else 1.0


def main():
    """Print both times, the efficiency and whether figures agree."""
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--cells", type=int, default=12)
    words.add_argument("--seconds", type=float, default=30.0)
    asked = words.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        suite = grid(asked.cells, max(int(asked.seconds / step_seconds(out / "tried")), 1))
        alone = taken(suite, out / "alone", Here(1))
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": STORE})
        for _ in range(2):
            cluster.add_node(num_cpus=1, object_store_memory=STORE)
        try:
            beside = taken(suite, out / "cluster", OnRay(cluster.address, 1, 1, "cpu", travels=True))
        finally:
            cluster.shutdown()
        wrong = differing(out / "alone", out / "cluster")
    print(f"{asked.cells} cells of {asked.seconds:.0f} s: {alone:.0f} s on one core, {beside:.0f} s on two nodes")
    print(f"efficiency {alone / (2 * beside):.0%}; figures {'differ in ' + ', '.join(wrong) if wrong else 'are equal'}")


if __name__ == "__main__":
    main()
