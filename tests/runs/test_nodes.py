"""Which nodes a run uses when some are at fault, or none is left: no cluster is needed to tell."""

import math
import time
from collections import Counter

from genbench.runs import on_ray
from genbench.runs.engine import Lost
from genbench.runs.nodes import Nodes
from genbench.runs.on_ray import OnRay
from genbench.runs.ray_task import Declined


def nodes_of(monkeypatch, *names):
    """Nodes of a cluster that is not there, which have answered that they will do."""
    alive = [{"NodeID": name, "NodeManagerHostname": name, "Alive": True, "Resources": {"CPU": 1}} for name in names]
    monkeypatch.setattr("ray.nodes", lambda: alive)
    nodes = Nodes(1, "cpu", trusted=False, storage=None)
    nodes.processors |= dict.fromkeys(names, "kind")
    return nodes, alive


def test_a_node_that_is_at_fault_is_left_out_and_its_cell_goes_elsewhere(monkeypatch):
    engine = OnRay("there:1", 1, 1, "cpu", travels=True)
    engine.nodes, _ = nodes_of(monkeypatch, "one", "two")
    losses = Counter()
    event = engine._heard(Declined("one", "node one: No space left", 300.0), 7, None, losses)
    assert event == Lost(7, "node one: No space left")
    assert [node["NodeID"] for node in engine.nodes.usable()] == ["two"]
    assert engine.nodes.news == ["node one: No space left; it is not used for 300 s"]
    assert not engine.nodes.hopeless
    engine._heard(Declined("two", "node two has torch 1", math.inf), 7, None, losses)
    assert engine.nodes.usable() == []
    assert not engine.nodes.hopeless, "the first may do later"
    later = time.monotonic() + 301
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert [node["NodeID"] for node in engine.nodes.usable()] == ["one"]
    engine.nodes.bar("one", "node one has torch 1")
    assert engine.nodes.hopeless == "node one has torch 1"
    assert engine._heard(Declined("two", "gone", 0.0), 7, None, Counter()) == Lost(7, "gone")


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
