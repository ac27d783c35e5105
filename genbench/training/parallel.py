"""One training on several devices: a process a device, each with its part of every batch, and one state for all.

A round of N ranks (processes) is one round of the loop on a batch of B images, of which each rank takes B/N:

- **Weights.** Gradients and logs are averaged over ranks behind each backward pass, so every rank takes the same step,
  clips by the same norm and tells ``Turn.after`` the same numbers. The mean of the parts' means is the batch's mean.
- **Noise.** Each rank has random streams of its own, named by its number; rank 0 has those of a training on one device.
  So all B rows have independent noise, as in one process: equal in law wherever a loss is a mean over rows, and equal
  but for the order of sums where it draws none. What a loss draws once a batch is drawn once a part.
- **Statistics of a batch**, of batch normalisation and minibatch discrimination, are those of the part.
- **Buffers.** ``running_mean`` and ``running_var`` are averaged over ranks behind each round; of all others that a
  saved model has (pools of images, moving averages, counters, k of BEGAN) rank 0's hold.
- **Phase.enter** and **finish** run in every rank on all data; behind them rank 0's state holds.
- **The clock** is that of rank 0, which says when a phase ends and when a checkpoint is due.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn import Parameter

from genbench import processor
from genbench.files import digest
from genbench.spec import Batch

AVERAGED = ("running_mean", "running_var")
BUCKET = 2**23  # values of gradients that are sent at once: the next are packed meanwhile


class Lost(RuntimeError):
    """Another rank is gone: what was to be exchanged with it failed."""


def backend(device: torch.device | str) -> str:
    """Return what processes exchange tensors by: ``nccl`` between GPUs, ``gloo`` between processors."""
    return "nccl" if str(device).startswith("cuda") else "gloo"


def check(devices: int, device: str, batch_size: int) -> None:
    """Refuse, in one line, a number of devices that a cell cannot be trained on here.

    Args:
        devices: the number of devices of one training.
        device: the kind of device, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        batch_size: the number of images a batch, of all devices together.

    Raises:
        ValueError: for less than one, more than there are, a batch that does not divide, or a torch without a backend.
    """
    check_share(devices, batch_size)
    if devices == 1:
        return
    kinds = {"cuda": (torch.cuda.device_count(), "CUDA devices"), "mps": (1, "mps devices")}
    there, called = kinds.get(device.partition(":")[0], (len(processor.cores()), "cores"))
    if devices > there:
        raise ValueError(f"devices={devices}: there are {there} {called} here; give at most these")
    name = backend(device)
    if not (distributed.is_available() and getattr(distributed, f"is_{name}_available")()):
        raise ValueError(f"devices={devices}: this torch comes without {name}; give 1")


def check_share(devices: int, rows: int) -> None:
    """Refuse (``ValueError``) a number of devices that a batch of ``rows`` cannot be shared between in equal parts."""
    if devices < 1:
        raise ValueError(f"devices={devices}: give at least 1")
    if rows % devices:
        raise ValueError(
            f"devices={devices}: a batch of {rows} has no {devices} equal parts; give a multiple of {devices}"
        )


@dataclass(frozen=True)
class Ranks:
    """The processes of one training, as one of them sees them. With one process, every method returns at once.

    Args:
        rank: the number of this process, from 0.
        size: the number of processes.
        device: the device on which tensors are exchanged.
    """

    rank: int = 0
    size: int = 1
    device: torch.device | str = "cpu"

    @property
    def own(self) -> tuple[object, ...]:
        """What tells this rank's random streams from the others': nothing for rank 0."""
        return ("rank", self.rank) if self.rank else ()

    def part(self, batch: Batch) -> Batch:
        """Return this rank's rows of a batch, a labelled minibatch cut likewise.

        Raises:
            ValueError: for rows that do not divide by the number of ranks.
        """
        if self.size == 1:
            return batch

        def cut(rows: Tensor) -> Tensor:
            check_share(self.size, len(rows))
            return rows.chunk(self.size)[self.rank]

        return Batch(
            cut(batch.images),
            None if batch.labels is None else cut(batch.labels),
            None if batch.sources is None else cut(batch.sources),
            {name: cut(values) for name, values in batch.fields.items()},
            None if batch.labelled is None else self.part(batch.labelled),
        )

    def told(self, number: float) -> float:
        """Return rank 0's number."""
        if self.size == 1:
            return number
        held = torch.tensor(number, dtype=torch.float64, device=self.device)
        _exchange(distributed.broadcast, held, 0)
        return float(held)

    def mean(self, logs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the mean over ranks of each log, detached; where one rank's is not finite, no rank's is."""
        logs = {name: value.detach() for name, value in logs.items()}
        if self.size == 1:
            return logs
        values = torch.stack([value.to(self.device, torch.float64) for value in logs.values()])
        _exchange(distributed.all_reduce, values)
        values /= self.size
        return {name: value.to(like) for (name, like), value in zip(logs.items(), values, strict=True)}

    def average_gradients(self, parameters: Sequence[Parameter]) -> None:
        """Replace gradients by their means over ranks; a parameter that no rank's part reached keeps none."""
        if self.size == 1:
            return
        sent = []
        for bucket in _buckets(parameters):
            grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in bucket]
            reached = grads[0].new_tensor([p.grad is not None for p in bucket])
            flat = torch.cat([*(grad.reshape(-1) for grad in grads), reached])
            sent.append((bucket, flat, _exchange(distributed.all_reduce, flat, async_op=True)))
        for bucket, flat, work in sent:
            _exchange(work.wait)
            *means, reached = flat.split([*(p.numel() for p in bucket), len(bucket)])
            for p, mean, count in zip(bucket, means, reached.tolist(), strict=True):
                p.grad = mean.view_as(p).to(p) / self.size if count else None

    def share(self, model: nn.Module) -> None:
        """Give every rank rank 0's weights and buffers."""
        if self.size > 1:
            self._from_first(list(model.state_dict().values()))

    def settle(self, model: nn.Module) -> None:
        """Make buffers the same in every rank behind a round: running statistics their means, all others rank 0's."""
        if self.size == 1:
            return
        kept = model.state_dict()
        buffers = {name: value for name, value in model.named_buffers() if name in kept}
        means = [value for name, value in buffers.items() if name.rpartition(".")[2] in AVERAGED]
        if means:
            flat = torch.cat([value.reshape(-1) for value in means])
            _exchange(distributed.all_reduce, flat)
            for value, mean in zip(means, (flat / self.size).split([v.numel() for v in means]), strict=True):
                value.copy_(mean.view_as(value))
        self._from_first([value for name, value in buffers.items() if name.rpartition(".")[2] not in AVERAGED])

    def gathered(self, value: object) -> list[Any]:
        """Return the value of each rank, in order."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        _exchange(distributed.all_gather_object, values, value)
        return values

    def check_agreement(self, model: nn.Module) -> None:
        """Refuse to go on, or to write a checkpoint, where ranks have come to hold different weights or buffers.

        Raises:
            RuntimeError: with the names of what differs.
        """
        if self.size > 1:
            held = self.gathered({name: digest({name: value}) for name, value in model.state_dict().items()})
            if odd := [name for name in held[0] if len({each[name] for each in held}) > 1]:
                raise RuntimeError(f"{self.size} devices: their processes hold different {', '.join(odd[:3])}")

    def _from_first(self, tensors: Sequence[Tensor]) -> None:
        if not tensors:
            return
        raw = [tensor.detach().contiguous().reshape(-1).view(torch.uint8) for tensor in tensors]
        flat = torch.cat(raw)
        _exchange(distributed.broadcast, flat, 0)
        if self.rank:
            for tensor, held in zip(tensors, flat.split([len(one) for one in raw]), strict=True):
                tensor.detach().copy_(held.clone().view(tensor.dtype).view(tensor.shape))


ALONE = Ranks()


def joined(devices: int, device: torch.device) -> Ranks:
    """Return the ranks that this process is one of.

    Raises:
        ValueError: where ``torch.distributed`` has not been set up for so many processes.
    """
    if devices == 1:
        return ALONE
    there = distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1
    if there != devices:
        how = f"genbench run --devices-per-cell {devices}, or torchrun and torch.distributed.init_process_group"
        raise ValueError(f"devices={devices}: this training has {there} of as many processes; start them by {how}")
    return Ranks(distributed.get_rank(), devices, device)


def _buckets(parameters: Sequence[Parameter]) -> Iterator[list[Parameter]]:
    bucket: list[Parameter] = []
    for parameter in parameters:
        if bucket and sum(p.numel() for p in bucket) + parameter.numel() > BUCKET:
            yield bucket
            bucket = []
        bucket.append(parameter)
    yield bucket


def _exchange(collective: Callable[..., Any], *arguments: object, **named: object) -> Any:  # noqa: ANN401
    """Call what all ranks have to call; :class:`Lost` where it fails."""
    try:
        return collective(*arguments, **named)
    except RuntimeError as error:
        raise Lost(f"another process of this training is gone ({error})") from error
