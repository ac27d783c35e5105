"""What tells apart the rows of a table that have one label: what was asked of them, or else where and when they ran."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

from genbench.records.record import Record
from genbench.records.stamp import EARLIER, of_training
from genbench.tables.texts import phrase

Facets = tuple[dict[str, str], ...]  # what → how a label says it, "" where there is nothing to say; what matters first
MEASURED = {  # of a cell's configuration
    "extractor": "",
    "samples": "samples",
    "draws": "draws",
    "likelihoods": "images scored",
    "estimated": "images scored",
    "effort": "effort",
}


def disambiguated(rows: Sequence[Sequence[Record]]) -> list[str]:
    """Return the label of each row, a row being its cells, with what differs in brackets where others have the same.

    No more is said than tells the rows of a data set apart: ``pixelcnn (lr 0.003)`` beside ``pixelcnn``. Seeds of one
    row that ended in different ways keep its label: their status tells them apart. Rows that nothing tells apart are
    numbered in their order.
    """
    groups: dict[Hashable, list[int]] = {}
    for index, cells in enumerate(rows):
        groups.setdefault((cells[0].dataset, cells[0].label), []).append(index)
    labels = [cells[0].label for cells in rows]
    for members in groups.values():
        first = {index: rows[index][0] for index in members}
        measured = _measured(list(first.values()))
        words = _words(members, {index: facets(record, measured) for index, record in first.items()}, first)
        for index, said in words.items():
            labels[index] += f" ({', '.join(said)})" if said else ""
    return labels


def _measured(records: Sequence[Record]) -> list[str]:
    """Return the settings that decided how some of ``records`` were measured: draws are nothing to an exact one."""
    kinds = {record.test.kind for record in records if record.test is not None}
    of = {"exact": ["likelihoods"], "bound": ["likelihoods", "draws"], "estimate": ["estimated", "effort"]}
    deciding = {"extractor", "samples"} if any(record.quality is not None for record in records) else set()
    deciding.update(name for kind in kinds for name in of[kind])
    return [name for name in MEASURED if name in deciding]


def facets(record: Record, measured: Sequence[str]) -> Facets:
    """Return what a label may have to say: what was asked for, the machine, the installation."""
    stamp = of_training(record.stamp)
    configuration = EARLIER | record.stamp.get("configuration", {})
    machine = stamp.get("machine", stamp)
    versions = stamp.get("versions", {})
    budget = stamp.get("budget") or {}
    data = stamp.get("data", {})
    asked = {"recipe": record.recipe}
    asked |= {f"option {name}": _named(name, value) or name for name, value in record.options.items()}
    asked |= {
        "labelled": _counted(record.labelled, "labels"),
        "precision": phrase(stamp.get("precision")),
        "devices": _counted(configuration.get("devices"), "devices"),
        "budget": " ".join(_counted(value, name) for name, value in budget.items()),
        "batch": _counted(stamp.get("batch_size"), "images a batch"),
    }
    asked |= {name: _counted(configuration.get(name), MEASURED[name]) for name in measured}
    asked |= {"size": _named("size", data.get("size"))}
    asked |= {f"data {split}": f"{split} {phrase(value)}" for split, value in data.get("hashes", {}).items()}
    ran = {
        "device": phrase(stamp.get("device")),
        "threads": _counted(stamp.get("threads"), "threads"),
        "accelerator": phrase(machine.get("accelerator")),
        "processor": phrase(machine.get("processor")),
    }
    commit, _, dirty = (stamp.get("revision") or "").partition("-")
    installed = {f"version {name}": _named(name, version) for name, version in versions.items()}
    return asked, ran, {"revision": _named("revision", "-".join(filter(None, (commit[:7], dirty))))} | installed


def _counted(value: float | str | None, unit: str) -> str:
    unit = unit.removesuffix("s") if value == 1 else unit
    return "" if value is None else f"{phrase(value)} {unit}".strip()


def _named(name: str, value: object) -> str:
    return f"{name} {text}" if (text := phrase(value)) else ""


def _words(members: Sequence[int], said: dict[int, Facets], records: dict[int, Record]) -> dict[int, list[str]]:
    """Return what each of ``members`` says, parted by what differs most among what matters most, then within parts."""
    for tiers in zip(*(said[index] for index in members), strict=True):
        names = dict.fromkeys(name for tier in tiers for name in tier)
        values = {name: dict.fromkeys(tier.get(name, "") for tier in tiers) for name in names}
        name = max(values, key=lambda name: len(values[name]), default="")
        if name and len(values[name]) > 1:
            words_of: dict[int, list[str]] = {}
            for value in values[name]:
                part = [index for index, tier in zip(members, tiers, strict=True) if tier.get(name, "") == value]
                words_of |= {i: [value, *words] if value else words for i, words in _words(part, said, records).items()}
            return words_of
    alike = Counter(records[index].status for index in members)
    numbered: Counter[str] = Counter()
    words_of = {}
    for index in members:
        status = records[index].status
        numbered[status] += 1
        words_of[index] = [f"run {numbered[status]}"] if alike[status] > 1 else []
    return words_of
