"""The nodes of a Ray cluster: which there are, which have said that they can do what a run asks, and which cannot."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import ray
from ray import ObjectRef
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from genbench.errors import named
from genbench.runs import parcels, ray_task
from genbench.runs.config import Cell, Setting
from genbench.runs.storage import Storage

PROBE_SECONDS = 120.0  # for a node to say which versions it has

Node = dict[str, Any]  # as ray.nodes() has it


def at(node: Node) -> NodeAffinitySchedulingStrategy:
    """Return the placing of a task on a node and no other."""
    return NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)


class Nodes:
    """The nodes that there are. Each is asked before it is used, also one that joins while a run goes on.

    Args:
        threads: the number of threads of each cell.
        device: the device of each cell.
        trusted: whether they are this machine, and are not asked.
        storage: the storage that they must reach, if any.
    """

    def __init__(self, threads: int, device: str, *, trusted: bool, storage: Storage | None) -> None:
        self.threads = threads
        self.device = device
        self.trusted = trusted
        self.storage = storage
        self.processors: dict[str, str] = {}  # of those that will do, by node
        self.news: list[str] = []  # that nobody has been told yet
        self._asked: dict[str, ObjectRef] = {}
        self._barred: dict[str, tuple[float, str]] = {}  # until when and why, by node
        self._question: tuple[Any, ...] = ()

    def room(self, node: Node) -> int:
        """Return how many cells a node has room for."""
        return ray_task.room(node, self.threads, self.device)

    def alive(self) -> list[Node]:
        """Return the nodes that are alive and have room for a cell."""
        return [node for node in ray.nodes() if node["Alive"] and self.room(node)]

    def check(self) -> None:
        """Ask every node, and wait for what it says.

        Raises:
            ValueError: for a node with other versions, or none of ours, or one that does not reach the storage.
        """
        word = "" if self.storage is None else self.storage.leave()
        self._question = self.storage, word
        for node, answer in [(node, self._ask(node)) for node in self.alive()]:
            if why := self._judged(node, answer):
                raise ValueError(why)

    def meet(self, setting: Setting, cells: Sequence[Cell]) -> None:
        """Have every node load the data sets of ``cells`` from its own disk before it is used."""
        each = {(cell.dataset, cell.size, cell.alpha): cell for cell in cells}
        if each:
            self._question = (*self._question[:2], setting, list(each.values()))
            self.processors.clear()
            self._asked.clear()

    def usable(self) -> list[Node]:
        """Return the nodes that may be used now; ask those that were not asked yet, and hear who has answered."""
        nodes = self.alive()
        if self.trusted:
            return nodes
        there = {node["NodeID"]: node for node in nodes}
        for name, node in there.items():
            if name not in self.processors and name not in self._asked and name not in self._barred:
                self._asked[name] = self._ask(node)
        open_ = [answer for name, answer in self._asked.items() if name in there]
        for answer in ray.wait(open_, num_returns=len(open_), timeout=0)[0] if open_ else []:
            name = next(name for name, one in self._asked.items() if one == answer)
            del self._asked[name]
            if why := self._judged(there[name], answer):
                self.bar(name, why)
        now = time.monotonic()
        self._barred = {name: until for name, until in self._barred.items() if until[0] > now}
        return [node for name, node in there.items() if name in self.processors and name not in self._barred]

    @property
    def hopeless(self) -> str:
        """The reason, in a line, why nothing will be done: all nodes are barred for good. Empty if there is hope."""
        nodes = self.alive()
        whys = [self._barred[node["NodeID"]] for node in nodes if node["NodeID"] in self._barred]
        if not nodes or len(whys) < len(nodes) or any(until < math.inf for until, _ in whys):
            return ""
        return whys[0][1]

    def bar(self, name: str, why: str, seconds: float = math.inf) -> None:
        """Do not use a node for so many seconds, and have it told why."""
        self._barred[name] = time.monotonic() + seconds, why
        self.news.append(f"{why}; it is not used{'' if seconds == math.inf else f' for {seconds:.0f} s'}")

    def _ask(self, node: Node) -> ObjectRef:
        question: Callable[..., Any] = (
            ray.remote(num_cpus=0, max_retries=0)(ray_task.probed).options(scheduling_strategy=at(node)).remote
        )
        return question(*self._question)

    def _judged(self, node: Node, answer: ObjectRef) -> str:
        """Return in a line why a node will not do; empty where it will, and its processor is known then."""
        name = node["NodeManagerHostname"]
        try:
            theirs = ray.get(answer, timeout=PROBE_SECONDS)
        except RayError as error:
            cause = error.cause if isinstance(error, RayTaskError) and error.cause is not None else error
            return f"node {name} does not run genbench ({named(cause)}); install it there as it is here"
        if (said := parcels.other_versions(theirs.versions, parcels.versions(), name)) is not None:
            return said
        if theirs.lacks:
            return f"node {name}: {theirs.lacks}"
        self.processors[node["NodeID"]] = theirs.processor
        return ""
