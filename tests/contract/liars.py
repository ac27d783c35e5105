"""Models that lie, each in one way, and an honest one that they are made of; with the check that is to catch each."""

import math
from dataclasses import replace

import torch
from torch import nn

from genbench import GenerativeModel, ImplicitModel, LogLikelihood, Phase, Turn
from genbench.catalog import Recipe
from genbench.seed import uniform


class Pixels(GenerativeModel):
    """Every pixel by itself: honest. A row's answer may be asked to be a bound, of one weight more than exact."""

    kind = "exact"

    def __init__(self, spec):
        super().__init__(spec)
        self.logits = nn.ParameterList([torch.randn(*spec.shape, spec.levels) / 2])

    def nats(self, batch):
        log_p = self.logits[0].log_softmax(-1).expand(len(batch), *self.logits[0].shape)
        return log_p.gather(-1, batch.images.long()[..., None]).flatten(1).double().sum(1)

    def mean_nats(self, batch, step):
        return {"loss": -self.nats(batch).mean() / self.spec.dimensions}

    def phases(self):
        return [Phase("train", 1.0, [Turn("pixels", [self.logits], self.mean_nats, torch.optim.Adam)])]

    @torch.no_grad()
    def draw(self, given, generator):
        below = self.logits[0].softmax(-1).cumsum(-1)
        draws = uniform((len(given), *self.spec.shape), generator)
        return (draws[..., None] > below).sum(-1).clamp(max=self.spec.levels - 1).to(torch.uint8)

    @torch.no_grad()
    def log_likelihood(self, batch, *, draws=1, effort="fast", generator=None):
        nats = self.claimed(self.checked(batch), generator)
        return LogLikelihood(nats, self.kind, self.given, method="chain rule", draws=draws)

    def claimed(self, batch, generator):
        return self.nats(batch)


class Bound(Pixels):
    """Importance weights that are the probability in the mean: honest too."""

    kind = "bound"

    def claimed(self, batch, generator):
        return self.nats(batch) + (0.5 + uniform((len(batch),), generator)).log()


class BitTooGood(Pixels):
    def claimed(self, batch, generator):
        return self.nats(batch) + self.spec.dimensions * math.log(2)


class BoundBitTooGood(Bound):
    def claimed(self, batch, generator):
        return super().claimed(batch, generator) + self.spec.dimensions * math.log(2)


class OneBinShort(Pixels):
    """Bins for all levels but the last, which goes into the one before: 255 bins for 256."""

    def claimed(self, batch, generator):
        return self.nats(replace(batch, images=batch.images.clamp(max=self.spec.levels - 2)))


class Scaled255(Pixels):
    """A density of x / 255 turned into a probability by 1 / 255, for bins that are 1 / 256 wide."""

    def claimed(self, batch, generator):
        return self.nats(batch) + self.spec.dimensions * math.log(256 / 255)


class SumOf2(Pixels):
    def claimed(self, batch, generator):
        return self.nats(batch) + math.log(2)


class NegativeBits(Pixels):
    """The density of pixels on [0, 1], as if it were a probability."""

    def claimed(self, batch, generator):
        return self.nats(batch) + self.spec.dimensions * math.log(1000)


class BatchReader(Pixels):
    """Knows what all images of the batch have in common."""

    def claimed(self, batch, generator):
        return self.nats(batch) - 0.1 * (batch.images.float() - batch.images.float().mean(0)).abs().flatten(1).sum(1)


class BoundBatchReader(Bound):
    def claimed(self, batch, generator):
        return super().claimed(batch, generator) + batch.images.double().mean() / 100


class Sorter(Pixels):
    """Looks at an image's place in the batch."""

    def claimed(self, batch, generator):
        return self.nats(batch) - torch.arange(len(batch))


class Ordered(Pixels):
    """Knows whether the batch is in order, of which a single image says nothing."""

    def claimed(self, batch, generator):
        return self.nats(batch) - float(len(batch) > 2 and batch.labels[1] > batch.labels[-2])


class LabelReader(Pixels):
    def claimed(self, batch, generator):
        return self.nats(batch) - 0.1 * batch.labels


class SourceReader(Pixels):
    def claimed(self, batch, generator):
        return self.nats(batch) - batch.sources.double().flatten(1).mean(1)


class FieldReader(Pixels):
    def claimed(self, batch, generator):
        return self.nats(batch) - batch.fields["caption"].double().sum(1)


class Peeping(ImplicitModel):
    """Decodes the very image that it is asked about, once there is one."""

    def __init__(self, spec):
        super().__init__(spec, latents=2)
        self.net = nn.Linear(2, spec.dimensions)

    def decode(self, u, given):
        image = self.net(u).view(-1, *self.spec.shape)
        return image if given.images.numel() == 0 else image * 0 + given.images

    def loss(self, batch, step):
        return {"loss": self.net(torch.ones(1, 2)).square().mean()}

    def phases(self):
        return [Phase("train", 1.0, [Turn("net", [self.net], self.loss, torch.optim.Adam)])]


class Adapting(Pixels):
    """Better at each call."""

    calls = 0

    def claimed(self, batch, generator):
        self.calls += 1
        return self.nats(batch) / self.calls


class Remembering(Pixels):
    """Keeps a count of what it was asked, which no answer shows."""

    def __init__(self, spec):
        super().__init__(spec)
        self.register_buffer("asked", torch.zeros(()))

    def claimed(self, batch, generator):
        self.asked += 1
        return self.nats(batch)


class Dropping(Pixels):
    """Samples in whatever mode the model is in."""

    def draw(self, given, generator):
        images = super().draw(given, generator)
        return (nn.functional.dropout(images.float(), 0.5, self.training) > 0).to(torch.uint8)


class Tracking(Pixels):
    """Samples in training mode on its own account: batch statistics, which move as it draws."""

    def __init__(self, spec):
        super().__init__(spec)
        self.norm = nn.BatchNorm2d(spec.shape[0], affine=False)

    def draw(self, given, generator):
        self.norm.train()
        image = self.norm(super().draw(given, generator).float())
        self.norm.train(self.training)
        return image.clamp(0, self.spec.levels - 1).to(torch.uint8)


class Global(Pixels):
    def draw(self, given, generator):
        return torch.randint(self.spec.levels, (len(given), *self.spec.shape)).to(torch.uint8)


class Floating(Pixels):
    def draw(self, given, generator):
        return super().draw(given, generator).float()


class Beyond(Pixels):
    def __init__(self, spec):
        super().__init__(replace(spec, levels=max(spec.levels - 1, 2)))

    def draw(self, given, generator):
        return super().draw(given, generator) * 0 + self.spec.levels


class Short(Pixels):
    def draw(self, given, generator):
        return super().draw(given, generator)[1:]


class Orphaned(Pixels):
    def __init__(self, spec):
        super().__init__(spec)
        self.lost = nn.Parameter(torch.zeros(3))


class Straying(Orphaned):
    """A turn that moves what another one owns."""

    def mean_nats(self, batch, step):
        self.lost.data += 1
        return super().mean_nats(batch, step)

    def phases(self):
        (phase,) = super().phases()
        other = Turn("lost", [nn.ParameterList([self.lost])], lambda *_: {"loss": self.lost.sum()}, torch.optim.Adam)
        return [replace(phase, turns=[*phase.turns, other])]


class Forgetful(Pixels):
    """What training left in an attribute is in no file."""

    seen = 0

    def mean_nats(self, batch, step):
        self.seen += 1
        return super().mean_nats(batch, step)

    def draw(self, given, generator):
        return (super().draw(given, generator).int() + self.seen).remainder(self.spec.levels).to(torch.uint8)


class Counting(Pixels):
    """What the loss of its last phase counts in an attribute is in no checkpoint."""

    steps = 0

    def counted(self, batch, step):
        self.steps += 1
        return {"loss": self.mean_nats(batch, step)["loss"] * self.steps}

    def phases(self):
        first = Turn("pixels", [self.logits], self.mean_nats, lambda p: torch.optim.SGD(p, 0.1))
        return [Phase("plain", 0.5, [first]), Phase("counting", 0.5, [replace(first, loss=self.counted)])]


class Unnamed(Pixels):
    kind = "bound"


class NoNumber(Pixels):
    def claimed(self, batch, generator):
        return self.nats(batch) * math.nan


HONEST = (Pixels, Bound)
LIARS = {
    **dict.fromkeys((BitTooGood, BoundBitTooGood, OneBinShort, Scaled255, SumOf2), "sum"),
    NegativeBits: "certainty",
    **dict.fromkeys((BatchReader, BoundBatchReader, Sorter, Ordered), "company"),
    **dict.fromkeys((LabelReader, SourceReader, FieldReader, Peeping), "untold"),
    **dict.fromkeys((Adapting, Remembering), "twice"),
    **dict.fromkeys((Dropping, Tracking, Global), "generator"),
    **dict.fromkeys((Floating, Beyond, Short), "samples"),
    **dict.fromkeys((Orphaned, Straying), "turns"),
    Forgetful: "file",
    Counting: "resume",
    **dict.fromkeys((Unnamed, NoNumber), "answer"),
}


def recipes():
    """An entry of the catalogue for each, by the name of its class, of a package that is not genbench."""

    def entry(model):
        kind = "estimate" if issubclass(model, ImplicitModel) else "bound" if issubclass(model, Bound) else "exact"
        target, needs = f"tests.contract.liars:{model.__name__}", ("caption",) if model is FieldReader else ()
        return Recipe(model.__name__, target, "liars", "Liar", "none", 2026, kind, needs=needs, package="liars")

    return {model.__name__: entry(model) for model in (*HONEST, *LIARS)}
