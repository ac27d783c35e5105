"""What is asked of a likelihood: that it is what it says, of the image alone, and of nothing that it was not told."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from genbench.catalog import Recipe
from genbench.contract.breach import Breach, same, unequal
from genbench.contract.tiny import noise
from genbench.implicit import ImplicitModel
from genbench.interface import GenerativeModel, LogLikelihood, frozen
from genbench.seed import generator
from genbench.spec import SOURCE_LEVELS, Batch

RELATIVE, ABSOLUTE = 1e-4, 1e-2  # what a batch of another size may change of a sum in float32
DRAWS = 2
PLACES = 16  # images in a batch at most
OWN = ("log_likelihood", "observe", "sharpness", "draw_noise", "under", "hidden")  # all that chains rest on but decode
OURS = "genbench anneals it itself, from what it decodes"


def answered(model: GenerativeModel, batch: Batch, draws: int = DRAWS, seed: int = 3) -> LogLikelihood:
    """Return what the model answers, of the same noise each time; chains of genbench's own are short ones."""
    if annealed(model):
        return model.log_likelihood(batch.rows(slice(2)), effort="fast/2", generator=noise(seed))
    answer = model.log_likelihood(batch, draws=draws, generator=noise(seed))
    return replace(answer, nats=answer.nats.detach())


def annealed(model: GenerativeModel) -> bool:
    """Return whether genbench itself computes the likelihood, from what the model decodes and nothing else of it."""
    kind = type(model)
    return isinstance(model, ImplicitModel) and all(getattr(kind, name) is getattr(ImplicitModel, name) for name in OWN)


def values(model: GenerativeModel, batch: Batch, rows: Tensor) -> Tensor:
    """Return what the likelihood of each row rests on, a row each: nats, or what is decoded from that row's own noise.

    Args:
        model: the model.
        batch: the images.
        rows: the number of each row's noise, int64 ``(B,)`` below 16, where the values are decoded.
    """
    if not annealed(model) or not isinstance(model, ImplicitModel):
        return answered(model, batch).nats[:, None]
    every = model.draw_noise(PLACES, generator(0, "contract"))
    with torch.no_grad(), frozen(model):
        batch = model.under(batch.to(model.device), rows.to(model.device))
        return model.decode(every[rows], batch).double().flatten(1).cpu()


def declared(model: GenerativeModel, batch: Batch, entry: Recipe) -> str:
    """Check that the answer is as the catalogue says: its kind, what it is given, a float64 for each image."""
    answer = answered(model, batch)
    if answer.kind != entry.likelihood:
        raise Breach(f"it answers {answer.kind!r}, and its entry in the catalogue says {entry.likelihood!r}")
    if tuple(answer.given) != tuple(model.given) or not set(entry.given) <= set(model.given):
        told = f"model {tuple(model.given)}, catalogue {tuple(entry.given)}"
        raise Breach(f"it answers given={tuple(answer.given)}: {told}")
    if not answer.method:
        raise Breach("it does not name its method")
    nats = answer.nats
    wanted = (min(2, len(batch)) if annealed(model) else len(batch),)
    if nats.dtype != torch.float64 or tuple(nats.shape) != wanted:
        raise Breach(f"nats are {nats.dtype} of shape {tuple(nats.shape)}: give float64 {wanted}")
    if nats.isnan().any() or nats.isposinf().any():  # an image that cannot be may have none at all
        raise Breach(f"nats are {nats.tolist()}: give numbers")
    return f"{answer.kind}, {answer.method}"


def not_positive(model: GenerativeModel, batch: Batch) -> str:
    """Check that no image is more than certain: a probability of integers is at most 1, a density may be anything."""
    if annealed(model):
        return OURS
    most = float(answered(model, batch).nats.max())
    if most > 0:
        raise Breach(f"an image has {most:+.4g} nats, and no probability is above 1: are they of a density?")
    return f"at most {most:.4g} nats"


def repeated(model: GenerativeModel, batch: Batch) -> str:
    """Check that the same question has the same answer, and that asking changes nothing: no weight, mode or noise."""
    before, learning = copy.deepcopy(model.state_dict()), [p.requires_grad for p in model.parameters()]
    global_noise = torch.get_rng_state()
    rows = torch.arange(len(batch))
    first = values(model, batch, rows)
    values(model, replace(batch, images=batch.images.flip(0)), rows)
    model.train()
    again = values(model, batch, rows)
    training = model.training
    model.eval()
    if not torch.equal(first, again):
        raise Breach(f"asked again, in training mode after other images, it answers otherwise{unequal(first, again)}")
    if not training:
        raise Breach("an answer leaves the model in another mode than it found it in")
    if not same(before, model.state_dict()) or learning != [p.requires_grad for p in model.parameters()]:
        raise Breach("an answer changes the model")
    if not torch.equal(global_noise, torch.get_rng_state()):
        raise Breach("an answer draws from the global generator")
    return "the same twice"


def alone(model: GenerativeModel, batch: Batch) -> str:
    """Check that an image has one answer: alone, in company, in other company, and in another order.

    Where noise goes by the place in the batch, an image keeps its place, and its company changes.
    """
    rows = torch.arange(len(batch))
    whole = values(model, batch, rows)
    ways: dict[str, Callable[[], tuple[Tensor, Tensor]]] = {}
    negatives = model.spec.levels - 1 - batch.images[1:].flip(0, 2)
    others = replace(batch, images=torch.cat([batch.images[:1], negatives]))
    ways["in other company"] = lambda: (whole[:1], values(model, others, rows)[:1])
    if annealed(model) or answered(model, batch).kind == "exact":
        ways["alone"] = lambda: (
            whole,
            torch.cat([values(model, batch.rows(slice(i, i + 1)), rows[i : i + 1]) for i in rows.tolist()]),
        )
        ways["in another order"] = lambda: (whole, values(model, batch.rows(rows.flip(0)), rows.flip(0)).flip(0))
    for way, asked in ways.items():
        first, second = asked()
        if not torch.allclose(first, second, rtol=RELATIVE, atol=ABSOLUTE):
            raise Breach(f"{way}, an image has another likelihood{unequal(first, second)}")
    return f"the same {', '.join(ways)}"


def untold(model: GenerativeModel, batch: Batch) -> str:
    """Check that the answer does not hang on what the model says that it is not given."""
    rows = torch.arange(len(batch))
    before = values(model, batch, rows)
    changed = _others(model, batch)
    for name, other in changed.items():
        after = values(model, other, rows)
        if not torch.equal(before, after):
            raise Breach(
                f"it reads {name}, which it is not given: with others it answers otherwise{unequal(before, after)}"
            )
    return f"does not read {', '.join(changed)}" if changed else "it is given all that there is"


def _others(model: GenerativeModel, batch: Batch) -> Mapping[str, Batch]:
    """Return batches of the same images in which one thing that the model is not given is another."""
    spec = model.spec
    changed: dict[str, Batch] = {}
    if annealed(model):  # what decodes must not see what it is to decode
        changed["images"] = replace(batch, images=spec.levels - 1 - batch.images)
    if batch.labels is not None and "label" not in model.given:
        changed["labels"] = replace(batch, labels=(batch.labels + 1) % spec.classes)
    if batch.sources is not None and "source" not in model.given:
        changed["sources"] = replace(batch, sources=SOURCE_LEVELS - 1 - batch.sources)
    for name, value in batch.fields.items():
        if name not in model.given:
            other = (value + 1) % spec.fields[name].levels
            changed[name] = replace(batch, fields={**batch.fields, name: other})
    return changed
