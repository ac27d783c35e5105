"""The order in which a split is read: a pure function of the seed, so that the place in the data is one number."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

from genbench.memory import holds
from genbench.seed import generator
from genbench.spec import Batch, DataSpec, Split


class Shuffled:
    """Rows in a new random order each epoch; the rest that does not fill a batch waits for a later epoch's order."""

    def __init__(self, rows: Tensor, size: int, seed: int, name: str) -> None:
        self.rows = rows
        self.size = min(size, len(rows))
        self.seed = seed
        self.name = name
        self.epoch = -1
        self.order = rows

    def take(self, k: int) -> Tensor:
        """Return the rows of the ``k``-th batch, int64 ``(size,)``."""
        epoch, place = divmod(k, len(self.rows) // self.size)
        if epoch != self.epoch:
            shuffle = torch.randperm(len(self.rows), generator=generator(self.seed, self.name, epoch))
            self.epoch = epoch
            self.order = self.rows[shuffle.to(self.rows.device)]
        return self.order[place * self.size : (place + 1) * self.size]


class Stream:
    """Training batches by number. Unpaired sources, with their fields, and the labelled share have orders of their own.

    Where memory does not hold the images, the next batch is fetched by a thread while one is learned from.

    Args:
        split: the training split; labels are -1 where unknown.
        spec: the data's spec, which says whether sources are paired and whether only a share is labelled.
        batch_size: the number of images a batch, at most the split's length.
        seed: the seed of the order.
    """

    def __init__(self, split: Split, spec: DataSpec, batch_size: int, seed: int) -> None:
        device = split.images.device
        self.split = split
        self.of_sources = {name for name, wanted in spec.fields.items() if wanted.of == "source"}
        self.images = Shuffled(torch.arange(len(split), device=device), batch_size, seed, "images")
        self.sources = self.labelled = None
        if split.sources is not None and not spec.paired:
            self.sources = Shuffled(torch.arange(len(split.sources), device=device), batch_size, seed, "sources")
        if spec.labelled is not None:
            carried = 0 if split.labels is None else int((split.labels >= 0).sum())
            if split.labels is None or carried != spec.labelled or not carried:
                raise ValueError(
                    f"labelled={spec.labelled}: {carried} training images carry a label, the others give -1"
                )
            self.labelled = Shuffled((split.labels >= 0).nonzero()[:, 0], batch_size, seed, "labelled")

        self.thread = None if holds(split.images.nbytes) else ThreadPoolExecutor(1)
        self.coming: tuple[int, Future[Batch]] | None = None

    def batch(self, k: int) -> Batch:
        """Return the ``k``-th batch from the start of training."""
        if self.thread is None:
            return self._read(k)
        number, future = self.coming or (k, self.thread.submit(self._read, k))
        whole = future.result()
        if number != k:
            whole = self.thread.submit(self._read, k).result()
        self.coming = k + 1, self.thread.submit(self._read, k + 1)
        return whole

    def _read(self, k: int) -> Batch:
        split = self.split
        rows = self.images.take(k)
        source_rows = rows if self.sources is None else self.sources.take(k)
        return Batch(
            split.images[rows],
            None if split.labels is None else split.labels[rows],
            None if split.sources is None else split.sources[source_rows],
            {name: values[source_rows if name in self.of_sources else rows] for name, values in split.fields.items()},
            None if self.labelled is None else self._labelled(self.labelled.take(k)),
        )

    def _labelled(self, rows: Tensor) -> Batch:
        labels = self.split.labels
        return Batch(
            self.split.images[rows],
            None if labels is None else labels[rows],
            fields={n: values[rows] for n, values in self.split.fields.items() if n not in self.of_sources},
        )
