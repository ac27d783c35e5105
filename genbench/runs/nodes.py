"""The nodes of a Ray cluster: which there are, which have said that they can do what a run asks, and which cannot."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import ray
from ray import ObjectRef
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from genbench.errors import named
from genbench.records.record import Record
from genbench.records.stamp import of_training
from genbench.runs import parcels, ray_task
from genbench.runs.config import Cell, Setting
from genbench.runs.plan import Job
from genbench.runs.storage import Storage

PROBE_SECONDS = 120.0  # for a node to say which versions it has

Node = dict[str, Any]  # as ray.nodes() has it


class Placed(NamedTuple):
    """A job at work: its number, its node and that one's machine, whether it is alone there, and its task's options."""

    job: int
    node: str
    host: str
    alone: bool
    options: dict[str, Any]


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
        self._asked: dict[str, tuple[float, ObjectRef]] = {}  # since when, and what will be the answer, by node
        self._barred: dict[str, tuple[float, str]] = {}  # until when and why, by node
        self._question: tuple[Any, ...] = ()
        self._data: set[tuple[Any, ...]] = set()

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
            why, seconds = self._judged(node, answer)
            if why and seconds == math.inf:
                raise ValueError(why)

    def meet(self, setting: Setting, cells: Sequence[Cell]) -> None:
        """Have every node load the data sets of ``cells`` from its own disk before it is used."""
        each = {(cell.dataset, cell.size, cell.alpha): cell for cell in cells}
        if not each.keys() <= self._data:
            self._data |= each.keys()
            self._question = (*self._question[:2], setting, list(each.values()))
            self.processors.clear()
            self._asked.clear()

    def usable(self) -> list[Node]:
        """Return the nodes that may be used now; ask those that were not asked yet, and hear who has answered."""
        there = {node["NodeID"]: node for node in self.alive()}
        now = time.monotonic()
        self._barred = {name: until for name, until in self._barred.items() if until[0] > now}
        for name, node in there.items() if not self.trusted else ():
            if name in self.processors or name in self._barred:
                continue
            if name not in self._asked:
                self._asked[name] = now, self._ask(node)
            since, answer = self._asked[name]
            if ray.wait([answer], timeout=0)[0]:
                del self._asked[name]
                why, seconds = self._judged(node, answer)
                if why:
                    self.bar(name, why, seconds)
            elif now - since > PROBE_SECONDS:  # said once
                self.news.append(f"node {node['NodeManagerHostname']} has not answered yet: it may be loading data")
                self._asked[name] = math.inf, answer
        known = there if self.trusted else self.processors
        return [node for name, node in there.items() if name in known and name not in self._barred]

    def place(self, number: int, job: Job, running: Collection[Placed]) -> Placed | None:
        """Return where a job is to run: on the usable node with most room left; None where there is no room now."""
        nodes = self.usable()
        if job.how == "time":
            return self._place_alone(number, job, nodes, running)
        at_work = Counter(placed.node for placed in running)
        left = {node["NodeID"]: self.room(node) - at_work[node["NodeID"]] for node in nodes}
        node = max(nodes, key=lambda node: left[node["NodeID"]], default=None)
        if node is None or left[node["NodeID"]] < 1:
            return None
        memory = min(job.memory, int(node["Resources"].get("memory", job.memory)))
        options = {"num_cpus": self.threads, "num_gpus": int(self.device == "cuda"), "memory": memory}
        return _placed(number, node, options)

    def _place_alone(self, number: int, job: Job, nodes: list[Node], running: Collection[Placed]) -> Placed | None:
        """Return a machine on which nothing is timed, of the kind that trained the job where there is one."""
        taken = {placed.host for placed in running if placed.alone}
        free = [node for node in nodes if node["NodeManagerHostname"] not in taken]
        kind = (of_training(Record.read(job.folders[job.cell.label]).stamp).get("machine") or {}).get("processor")
        same = [node for node in nodes if self.processors.get(node["NodeID"]) == kind]
        node = next((node for node in free if not same or node in same), None)
        if node is None:
            return None
        whole = {"num_cpus": node["Resources"]["CPU"], "num_gpus": node["Resources"].get("GPU", 0)}
        return _placed(number, node, whole, alone=True)

    @property
    def hopeless(self) -> str:
        """The reason, in a line, why nothing will be done: all nodes are barred for good. Empty if there is hope."""
        nodes = self.alive()
        whys = [self._barred[node["NodeID"]] for node in nodes if node["NodeID"] in self._barred]
        if not nodes or len(whys) < len(nodes) or any(until < math.inf for until, _ in whys):
            return ""
        return whys[0][1]

    def bar(self, name: str, why: str, seconds: float = math.inf) -> None:
        """Do not use a node for so many seconds, and have it told why, unless that was told already."""
        until = time.monotonic() + seconds
        if name in self._barred and self._barred[name][0] >= until:
            return
        if name not in self._barred or self._barred[name][1] != why:
            self.news.append(f"{why}; it is not used{'' if seconds == math.inf else f' for {seconds:.0f} s'}")
        self._barred[name] = until, why

    def _ask(self, node: Node) -> ObjectRef:
        question: Callable[..., Any] = (
            ray.remote(num_cpus=0, max_retries=0)(ray_task.probed).options(scheduling_strategy=_at(node)).remote
        )
        return question(*self._question)

    def _judged(self, node: Node, answer: ObjectRef) -> tuple[str, float]:
        """Return in a line why a node will not do, and for how long; empty where it will, and is known from then on."""
        name = node["NodeManagerHostname"]
        try:
            theirs = ray.get(answer, timeout=PROBE_SECONDS)
        except RayTaskError as error:
            cause = named(error.cause or error)
            return f"node {name} does not run genbench ({cause}); install it there as it is here", math.inf
        except RayError as error:
            return f"node {name} gave no answer ({named(error)})", ray_task.REST_SECONDS
        if (said := parcels.other_versions(theirs.versions, parcels.versions(), name)) is not None:
            return said, math.inf
        if theirs.lacks:
            return f"node {name}: {theirs.lacks}", math.inf
        self.processors[node["NodeID"]] = theirs.processor
        return "", 0.0


def _at(node: Node) -> NodeAffinitySchedulingStrategy:
    return NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)


def _placed(number: int, node: Node, options: dict[str, Any], *, alone: bool = False) -> Placed:
    there = {"scheduling_strategy": _at(node)}
    return Placed(number, node["NodeID"], node["NodeManagerHostname"], alone, options | there)
