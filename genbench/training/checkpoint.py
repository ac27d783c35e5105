"""Models and half-finished trainings as files that cannot run code and are never half written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from pydantic import AliasChoices, BaseModel, ConfigDict, ValidationError
from pydantic import Field as Named
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Generator, Tensor
from torch.optim import Optimizer

from genbench.errors import complaint, named, reason
from genbench.files import written_whole
from genbench.interface import GenerativeModel, Origin
from genbench.training.config import Budget, State
from genbench.training.parallel import ALONE, Ranks

if TYPE_CHECKING:
    from genbench.training.config import FitConfig

ACCELERATORS = {"cuda": torch.cuda, "mps": torch.mps}  # what has a global generator of its own


def save(path: Path | str, model: GenerativeModel, **texts: str) -> None:
    """Write a model, weights and buffers, as one safetensors file, with further ``texts`` in its header.

    Raises:
        ValueError: for a model that :func:`genbench.build` did not make: nobody could load it.
    """
    origin = model.origin
    if origin is None:
        raise ValueError(f"{type(model).__name__} was not made by genbench.build: save its state_dict instead")
    tensors = {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in model.state_dict().items()
    }
    with written_whole(Path(path)) as part:
        save_file(tensors, part, metadata={"genbench": origin.to_json(), **texts})


def read_tensors(path: Path | str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors of a safetensors file by name, and the texts of its header.

    Raises:
        ValueError: for a file that is missing, cut short or something else.
    """
    try:
        with safe_open(str(path), framework="pt", device="cpu") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(f"checkpoint {path}: not a genbench model ({named(error)})") from error


def load(path: Path | str, *, device: torch.device | str = "cpu") -> GenerativeModel:
    """Return the model that :func:`save` wrote, in evaluation mode.

    Raises:
        ValueError: for a file that is missing, cut short or not a genbench model. No code in a file is ever run.
    """
    from genbench.catalog import build

    tensors, header = read_tensors(path)
    try:
        origin = Origin.from_json(header["genbench"])
    except (KeyError, ValidationError) as error:
        why = complaint(error) if isinstance(error, ValidationError) else f"its header has no {error}"
        raise ValueError(f"checkpoint {path}: not a genbench model ({why})") from error
    try:
        model = build(origin.recipe, origin.spec, seed=origin.seed, **origin.options)
    except Exception as error:  # options of types that a recipe does not expect make it raise almost anything
        raise ValueError(f"checkpoint {path}: cannot be built ({reason(error)})") from error
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise ValueError(f"checkpoint {path}: not of this version's {origin.recipe!r} ({named(error)})") from error
    return model.to(device).eval()


def identity(model: GenerativeModel) -> str:
    """Return the facts that a training checkpoint must share with the model that resumes from it."""
    return type(model).__qualname__ if model.origin is None else model.origin.to_json()


def _settings(config: FitConfig) -> dict[str, Any]:
    same = ("batch_size", "seed", "precision")
    trace = {} if config.trace is None else {"trace": list(config.trace.steps)}
    return {"budget": asdict(config.budget)} | trace | {name: getattr(config, name) for name in same}


def extends(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    """Return whether two settings, or cells, are the same but that the first one's ``budget`` is more of the same."""
    if {**theirs, "budget": mine["budget"]} != mine:
        return False
    try:
        return Budget(**mine["budget"]).exceeds(Budget(**theirs["budget"]))
    except (KeyError, TypeError, ValueError):  # a stranger's
        return False


def save_training(
    path: Path,
    model: GenerativeModel,
    config: FitConfig,
    state: State,
    noise: Generator,
    optimizers: Sequence[Optimizer],
    ranks: Ranks = ALONE,
) -> None:
    """Write the whole state of a training, between two rounds; all ``ranks`` call it, and the first one writes.

    Raises:
        RuntimeError: where ranks do not agree.
    """
    ranks.check_agreement(model)
    kind = ACCELERATORS.get(model.device.type)
    states = {"cpu": torch.get_rng_state(), "accelerator": kind.get_rng_state() if kind else None}
    first, *others = ranks.gathered({"noise": noise.get_state(), **states})
    if ranks.rank:
        return
    whole = {
        "identity": identity(model),
        "settings": _settings(config),
        "state": asdict(state),
        "model": model.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in optimizers],
        **first,
        "others": others,
    }
    with written_whole(path) as part, part.open("wb") as file:
        torch.save(whole, file)  # to an open file: a full disk is then an OSError


class RandomStates(BaseModel):
    """The random states of one rank."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    noise: Tensor
    cpu: Tensor
    accelerator: Tensor | None = Named(validation_alias=AliasChoices("accelerator", "cuda"))  # its name before mps


class Training(RandomStates):
    """The content of a training's file; the random states are those of rank 0, ``others`` of the ranks behind it."""

    identity: str
    settings: dict[str, Any]
    state: State
    model: dict[str, Tensor]
    optimizers: list[dict[str, Any]]
    others: list[RandomStates] = []


def read_training(path: Path) -> Training:
    """Return all that :func:`save_training` wrote; no code in the file is run.

    Raises:
        ValueError: for a file that is missing, cut short or something else.
    """
    try:
        whole = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a cut file or another program's makes torch.load raise almost anything
        raise ValueError(f"checkpoint {path}: not a training of genbench ({named(error)})") from error
    try:
        return Training.model_validate(whole)
    except ValidationError as error:
        raise ValueError(f"checkpoint {path}: not a training of genbench ({complaint(error)})") from error


def load_training(
    path: Path, model: GenerativeModel, config: FitConfig, state: State, noise: Generator, ranks: Ranks = ALONE
) -> list[dict[str, Any]]:
    """Put model, state and random states back; return the optimisers' states, for when they are made.

    A training that is done is taken up again where ``config`` has more of the budget that it had.

    Raises:
        ValueError: for a file that is missing, cut short, another recipe's or another configuration's, or one that as
            many ``ranks`` cannot go on with; a training that is done can be read by any number.
    """
    whole = read_training(path)
    if whole.identity != identity(model):
        raise ValueError(f"checkpoint {path} is of {whole.identity}, not of {identity(model)}")
    more = whole.state.done and extends(_settings(config), whole.settings)
    if whole.settings != _settings(config) and not more:
        raise ValueError(f"checkpoint {path} was trained under {whole.settings}, not under {_settings(config)}")
    states = [whole, *whole.others]
    if len(states) != ranks.size and (more or not whole.state.done):
        raise ValueError(f"checkpoint {path} is of a training on {len(states)} devices, not on {ranks.size}")
    own = states[ranks.rank] if len(states) == ranks.size else whole
    try:
        model.load_state_dict(whole.model)
    except RuntimeError as error:  # weights of other names or shapes
        raise ValueError(f"checkpoint {path}: of another version's networks ({named(error)}); begin afresh") from error
    for item in fields(state):
        setattr(state, item.name, getattr(whole.state, item.name))
    if more:
        state.go_on(Budget(**whole.settings["budget"]))
    try:
        noise.set_state(own.noise)
        torch.set_rng_state(own.cpu)
        kind = ACCELERATORS.get(model.device.type)
        if own.accelerator is not None and kind:
            kind.set_rng_state(own.accelerator)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"checkpoint {path}: random states of another kind ({named(error)}); begin afresh") from error
    return whole.optimizers
