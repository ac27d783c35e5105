"""Which nodes a run uses when some are at fault, or none is left: no cluster is needed to tell."""

import math
import time
from collections import Counter
from types import SimpleNamespace

from ray.exceptions import NodeDiedError

from genbench.runs import on_ray, parcels
from genbench.runs.engine import Lost, Over
from genbench.runs.nodes import Nodes
from genbench.runs.on_ray import OnRay
from genbench.runs.ray_task import Answer, Declined
from genbench.runs.storage import Storage


def known(name):
    """The number by which Ray knows the node of a name."""
    return name.encode().hex().ljust(56, "0")


def named(nodes):
    return [node["NodeManagerHostname"] for node in nodes]


def node_of(name):
    return {"NodeID": known(name), "NodeManagerHostname": name, "Alive": True, "Resources": {"CPU": 1}}


def nodes_of(monkeypatch, *names):
    """Nodes of a cluster that is not there, which have answered that they will do."""
    alive = [node_of(name) for name in names]
    monkeypatch.setattr("ray.nodes", lambda: alive)
    nodes = Nodes(1, "cpu", trusted=False, storage=None)
    nodes.processors |= dict.fromkeys(map(known, names), "kind")
    return nodes, alive


def test_a_node_that_is_at_fault_is_left_out_and_its_cell_goes_elsewhere(monkeypatch):
    engine = OnRay("there:1", 1, 1, "cpu", travels=True)
    engine.nodes, _ = nodes_of(monkeypatch, "one", "two")
    losses = Counter()
    event = engine._heard(Declined(known("one"), "node one: No space left", 300.0), 7, None, losses)
    assert event == Lost(7, "node one: No space left")
    assert named(engine.nodes.usable()) == ["two"]
    assert engine.nodes.news == ["node one: No space left; it is not used for 300 s"]
    assert not engine.nodes.hopeless
    engine._heard(Declined(known("two"), "node two has torch 1", math.inf), 7, None, losses)
    assert engine.nodes.usable() == []
    assert not engine.nodes.hopeless, "the first may do later"
    later = time.monotonic() + 301
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert named(engine.nodes.usable()) == ["one"]
    engine.nodes.bar(known("one"), "node one has torch 1")
    assert engine.nodes.hopeless == "node one has torch 1"


def test_without_any_node_the_run_waits_and_says_so_once(monkeypatch):
    engine = OnRay("there:1", 1, 1, "cpu", travels=True)
    engine.nodes, alive = nodes_of(monkeypatch, "one")
    slept = []
    monkeypatch.setattr(on_ray.time, "sleep", slept.append)
    assert list(engine._news(idle=False)) == []
    node = alive.pop()
    said = [event.text for _ in range(3) for event in engine._news(idle=True)]
    assert said == ["no node is left: waiting for one; Ctrl-C stops, and what is done stays done"]
    assert len(slept) == 3
    alive.append(node)
    assert list(engine._news(idle=True)) == []


def test_cells_go_to_usable_nodes_alone_and_to_the_one_with_most_room(monkeypatch):
    nodes, alive = nodes_of(monkeypatch, "one", "two", "three")
    alive[1]["Resources"] |= {"CPU": 3, "memory": 50}
    nodes.bar(known("three"), "node three: No space left", 300.0)
    job, running = SimpleNamespace(how="run", memory=80), []
    while (placed := nodes.place(len(running), job, running)) is not None:
        running.append(placed)
    assert [placed.host for placed in running] == ["two", "two", "one", "two"]
    assert [placed.options["memory"] for placed in running] == [50, 50, 80, 50]
    strategies = [placed.options["scheduling_strategy"] for placed in running]
    assert [one.node_id for one in strategies] == [placed.node for placed in running]
    assert not any(one.soft for one in strategies)


def test_this_machine_rests_too_when_its_disk_is_full(monkeypatch):
    nodes, _ = nodes_of(monkeypatch, "one")
    nodes.trusted = True
    nodes.processors.clear()
    assert len(nodes.usable()) == 1
    nodes.bar(known("one"), "node one: No space left", 300.0)
    assert nodes.usable() == []
    nodes.bar(known("one"), "node one: No space left", 300.0)
    nodes.bar(known("one"), "node one: unreachable", 60.0)
    assert nodes.news == ["node one: No space left; it is not used for 300 s"], "once, and the longer stays"


def asked(monkeypatch, nodes, answers):
    """Have nodes answer from ``answers``: an error, an answer, or None for not yet."""
    monkeypatch.setattr(nodes, "_ask", lambda node: node["NodeManagerHostname"])
    monkeypatch.setattr("ray.wait", lambda names, timeout: (names if answers[names[0]] is not None else [], []))

    def get(name, timeout):
        if isinstance(answers[name], Exception):
            raise answers[name]
        return answers[name]

    monkeypatch.setattr("ray.get", get)


def test_a_node_is_used_from_its_answer_on_and_one_without_the_data_never(monkeypatch):
    nodes, alive = nodes_of(monkeypatch, "one", "two", "three")
    cell = SimpleNamespace(dataset="digits", size=None, alpha="white")
    nodes.meet("setting", [cell, cell])
    assert nodes._question[-1] == [cell]
    answers = {
        "one": None,
        "two": Answer(parcels.versions(), "kind", "digits: not there"),
        "three": NodeDiedError("it died"),
    }
    asked(monkeypatch, nodes, answers)
    assert nodes.usable() == []
    assert nodes.news[0] == "node two: digits: not there; it is not used"
    assert nodes.news[1].startswith("node three gave no answer (NodeDiedError")
    assert nodes.news[1].endswith("it is not used for 300 s")
    assert not nodes.hopeless, "the first may still answer"
    later = time.monotonic() + 130
    monkeypatch.setattr(time, "monotonic", lambda: later)
    nodes.news.clear()
    for _ in range(2):
        assert nodes.usable() == []
    assert nodes.news == ["node one has not answered yet: it may be loading data"]
    answers["one"] = Answer(parcels.versions(), "kind", "")
    assert named(nodes.usable()) == ["one"]
    nodes.meet("setting", [cell])
    assert known("one") in nodes.processors
    assert named(nodes.usable()) == ["one"], "no data that were not asked about"
    alive.append(node_of("late"))
    answers["late"] = Answer(parcels.versions() | {"torch": "1"}, "kind", "")
    assert named(nodes.usable()) == ["one"]
    assert "node late has torch 1 for" in nodes.news[-1]


def test_what_the_run_has_heard_of_is_pruned_behind_and_a_whole_cell_is_cleared(monkeypatch, tmp_path):
    engine = OnRay("there:1", 1, 1, "cpu", travels=True, storage=Storage("s3://b", tmp_path))
    did = []
    for name in ("prune", "clear"):
        monkeypatch.setattr(Storage, name, lambda self, what, name=name: did.append((name, what)))
        monkeypatch.setattr(parcels, {"prune": "keep", "clear": "finish"}[name], lambda job, files: None)
    job = SimpleNamespace(folders={"one": tmp_path / "one"})
    assert engine._heard(parcels.Kept({"checkpoint/training.uri": b"s3://b/7"}), 0, job, Counter()) is None
    assert engine._heard(parcels.Whole({}), 0, job, Counter()) == Over(0, None)
    engine.tidying.shutdown()
    assert did == [("prune", "s3://b/7"), ("clear", tmp_path / "one")]
