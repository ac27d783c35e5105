"""What two processes do together on the CPU, for tests: each leaves what it found in a file of its own."""

import math
from contextlib import suppress
from dataclasses import replace

import torch
from torch import distributed, nn

import genbench
from genbench import Budget, Diverged, FitConfig
from genbench.seed import fork_rng
from genbench.training import parallel
from genbench.training.parallel import Ranks, joined
from tests.contract import toys
from tests.contract.toys import PLAIN, Pool, Toy, data

PIXELCNN = ("pixelcnn", {"width": 4, "depth": 1})
RECIPES = {
    "flow": ("realnvp", {"width": 4, "scales": 1}),
    "autoencoder": ("vae", {"width": 4}),
    "gan": ("dcgan", {"width": 4}),
}
SPEC = genbench.DataSpec((1, 8, 8), levels=4)
FIFTY = FitConfig(Budget(steps=50), 8)


class Stop(Exception):
    """A training that is cut off."""


def cut_off(progress):
    """A callback that lets a training come no further than five rounds and what it wrote of them."""
    if progress.step == 6:
        raise Stop


def built(recipe, spec=SPEC):
    name, options = recipe
    return genbench.build(name, spec, seed=1, **options)


def state(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def averaged(ranks):
    """Means of gradients: the first parameter has one in each rank, the second in one, the third in none."""
    parallel.BUCKET = 8  # so that they go in several
    parameters = [nn.Parameter(torch.zeros(size)) for size in ((2, 3), (2,), (1,), (9,))]
    parameters[0].grad = torch.full((2, 3), 1.0 + 2 * ranks.rank)
    parameters[3].grad = torch.arange(9.0) * (1 - ranks.rank)
    if ranks.rank:
        parameters[1].grad = torch.tensor([4.0, -6.0])
    ranks.average_gradients(parameters)
    return [parameter.grad for parameter in parameters]


class Noted(Toy):
    """Notes the rows and the noise that it is shown, and what it is told behind a step."""

    def __init__(self, bad=None):
        super().__init__()
        self.bad, self.rows, self.noise, self.told, self.clock = bad, [], [], [], []
        self.register_buffer("mine", torch.zeros(()))
        self.norm = nn.BatchNorm1d(toys.PIXELS)

    def mse(self, batch, step):
        self.rows.append(batch.images)
        self.noise.append(torch.randn(2, generator=step.generator))
        self.clock.append(step.fraction)
        self.mine.fill_(float(torch.rand((), generator=step.generator)))
        loss = (self.net(self.norm(toys.flat(batch))) - 1).square().mean()
        return {"loss": loss * (math.nan if self.bad == (step.index, joined(2, self.device).rank) else 1)}

    def after(self, logs, step):
        self.told.append({name: float(value) for name, value in logs.items()})

    def phases(self):
        (phase,) = super().phases()
        return [replace(phase, turns=[replace(phase.turns[0], after=self.after)])]


def noted():
    """What a model was shown in three rounds, and the fractions at which the rounds of a timed one began."""
    with fork_rng(0):
        model = Noted()
    report = model.fit(data(), FitConfig(Budget(steps=3), 6, devices=2))
    timed = Noted()
    with suppress(Stop):
        timed.fit(data(), FitConfig(Budget(seconds=1000), 6, devices=2), callbacks=[cut_off])
    kept = {name: getattr(model, name) for name in ("rows", "noise", "told")}
    return kept | {"state": state(model), "clock": timed.clock, "images": report.images}


def diverged():
    """What is said where the loss of one rank is not finite."""
    try:
        Noted(bad=(2, 1)).fit(data(), FitConfig(Budget(steps=5), 6, devices=2))
    except Diverged as error:
        return str(error)
    return "it went on"


def disagreed(rank, folder):
    """What is said at a checkpoint where one weight differs."""
    model = Toy()
    config = FitConfig(Budget(steps=2), 6, devices=2, checkpoint=folder / "odd.pt", checkpoint_seconds=0)
    try:
        model.fit(data(), config, callbacks=[lambda progress: model.net.bias.data[0].add_(rank)])
    except RuntimeError as error:
        return str(error)
    return "it went on"


def resumed(rank, folder):
    """The ends of a training with a pool of fakes, whole, and cut off behind its fifth round and gone on with."""
    config = FitConfig(Budget(steps=9), 6, seed=3, devices=2, checkpoint=folder / "pool.pt", checkpoint_seconds=0)

    with fork_rng(0):
        whole = Pool()
    whole.fit(data(PLAIN), replace(config, checkpoint=None))
    with fork_rng(rank):  # the first rank's weights hold
        cut = Pool()
    with fork_rng(0):
        first = Pool()
    model = cut if rank else first
    with suppress(Stop):
        model.fit(data(PLAIN), config, callbacks=[cut_off])
    distributed.barrier()
    again = Pool()
    again.fit(data(PLAIN), config, resume=config.checkpoint)
    return state(whole), state(again)


def recipe_ends(ranks, folder):
    """Train a recipe of each kind; its weights and buffers agree in all ranks, or this raises."""
    ends = {}
    for name, recipe in RECIPES.items():
        path = folder / f"{name}.pt"
        model = built(recipe)
        model.fit(data(SPEC), FitConfig(Budget(steps=2), 8, devices=2, checkpoint=path))
        ranks.check_agreement(model)
        ends[name] = state(model)
    return ends


def work(rank, folder):
    """Do all of it as one of two ranks, and write what came of it."""
    torch.set_num_threads(1)
    store = distributed.FileStore(str(folder / "meeting"), 2)
    distributed.init_process_group("gloo", store=store, rank=rank, world_size=2)
    ranks = joined(2, torch.device("cpu"))
    assert ranks == Ranks(rank, 2, torch.device("cpu"))
    model = built(PIXELCNN, PLAIN).double()
    model.fit(data(), replace(FIFTY, devices=2))
    found = {"pixelcnn": state(model), "averaged": averaged(ranks), "noted": noted(), "diverged": diverged()}
    found |= {
        "disagreed": disagreed(rank, folder),
        "resumed": resumed(rank, folder),
        "recipes": recipe_ends(ranks, folder),
    }
    torch.save(found, folder / f"found-{rank}.pt")
    distributed.destroy_process_group()
