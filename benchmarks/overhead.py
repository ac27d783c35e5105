"""The bench's own overhead: what of a run is not fitting, sampling or measuring.

    python benchmarks/overhead.py results/quick        of the last whole run in that folder
    python benchmarks/overhead.py --run smoke          of a run made now, in a folder of its own

Start-up of Python and torch counts as overhead, and so does all that the runner does beside its cells: checking the
suite, starting processes, loading data, building models, writing checkpoints, pictures, records and tables.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

WORK = (
    *("fit", "finish", "sample", "nll", "quality", "agreement", "collapse"),
    *("accuracy", "paired", "abilities", "speed"),
)


def overhead(folder: Path) -> dict[str, float]:
    """Seconds of the last run in ``folder`` in which cells ran from start to end: in all, of work, and between.

    Raises:
        ValueError: where no run trained anything from start to end, or cells were measured again since.
    """
    path = folder / "runs.json"
    runs = json.loads(path.read_text()) if path.is_file() else []
    for run in reversed(runs):
        if any(cell["how"] == "measure" for cell in run["cells"]):
            raise ValueError(f"{folder}: measured again, so that records have other seconds than its run; see --run")
        ran = [cell for cell in run["cells"] if cell["how"] == "run" and cell["status"] in ("done", "anchor")]
        others = [cell for cell in run["cells"] if cell not in ran and cell["how"] not in ("skip", "keep")]
        if any(cell["status"] == "done" for cell in ran) and not others:
            break
    else:
        raise ValueError(f"{folder}: no run in it that did its cells from start to end; see --run")
    work, other = dict.fromkeys(WORK, 0.0), dict[str, float]()
    for cell in ran:
        for name in cell["folders"]:
            for stage, seconds in json.loads((folder / name / "record.json").read_text())["seconds"].items():
                part = work if stage in WORK else other
                part[stage] = part.get(stage, 0.0) + seconds
    whole = run["seconds"] + run["start_up"]
    processes = sum(cell["seconds"] for cell in ran) - sum(work.values()) - sum(other.values())
    between = whole - sum(cell["seconds"] for cell in ran)
    return {"whole": whole, **work, **other, "processes": processes, "start-up, checks, tables": between}


def main() -> None:
    """Print seconds and shares."""
    words = sys.argv[1:] or ["results/quick"]
    if words[0] == "--run":
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "genbench.cli", "run", *(words[1:] or ["smoke"]), "--out", folder]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            found = overhead(Path(folder))
    else:
        found = overhead(Path(words[0]))
    whole = found.pop("whole")
    for name, seconds in found.items():
        print(f"{'' if name in WORK else '  overhead: '}{name:<26} {seconds:9.2f} s {100 * seconds / whole:6.2f} %")
    own = whole - sum(found[name] for name in WORK)
    print(f"{whole:.1f} s in all; the bench's own overhead is {own:.1f} s, {100 * own / whole:.2f} %")


if __name__ == "__main__":
    main()
