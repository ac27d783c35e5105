"""Small models that need from the interface what later systems will need. None of them is a special case."""

from functools import partial

import torch
from torch import nn

from genbench import DataSpec, GenerativeModel, LogLikelihood, Phase, Split, Splits, Turn
from genbench.seed import normal, uniform

adam = partial(torch.optim.Adam, lr=1e-2)
PIXELS = 16
PLAIN = DataSpec((1, 4, 4), levels=4)


def data(spec=PLAIN, train=24, validation=8, seed=0):
    source = torch.Generator().manual_seed(seed)

    def integers(n, shape, levels, dtype=torch.uint8):
        return torch.randint(0, levels, (n, *shape), generator=source, dtype=dtype)

    def split(n, more=0):
        labels = integers(n, (), spec.classes, torch.int64) if spec.classes else None
        if spec.labelled is not None:
            labels[spec.labelled if n == train else n :] = -1
        sources = integers(n + more, spec.source, 256) if spec.source else None
        rows = {"image": n, "source": n if sources is None else len(sources)}
        fields = {
            name: integers(rows[field.of], field.shape, field.levels, torch.int64)
            for name, field in spec.fields.items()
        }
        return Split(integers(n, spec.shape, spec.levels), labels, sources, fields)

    return Splits(split(train, 0 if spec.paired else 5), split(validation))


def given(model, n=6):
    """Conditions for ``n`` samples, as arguments of ``sample``: what validation images have."""
    batch = data(model.spec).validation.rows(slice(n))
    fields = {name: batch.fields[name] for name in model.given if name in batch.fields}
    told = {"labels": batch.labels} if "label" in model.given else {}
    told |= {"sources": batch.sources} if "source" in model.given else {}
    return told | ({"fields": fields} if fields else {})


class Toy(GenerativeModel):
    """A linear decoder of noise, and an answer to every question."""

    def __init__(self, spec=PLAIN, given=()):
        super().__init__(spec, given)
        self.net = nn.Linear(PIXELS, PIXELS)

    def draw(self, given, generator):
        with torch.no_grad():
            return levels(self.net(normal((len(given), PIXELS), generator)))

    def log_likelihood(self, batch, *, draws=1, effort="fast", generator=None):
        self.checked(batch)
        return LogLikelihood(torch.zeros(len(batch), dtype=torch.float64), "estimate", self.given, method="toy")

    def decode(self, step, n):
        return self.net(normal((n, PIXELS), step.generator))

    def mse(self, batch, step):
        return {"loss": (self.decode(step, len(batch)) - flat(batch)).square().mean()}

    def phases(self):
        return [Phase("train", 1.0, [Turn("net", [self.net], self.mse, adam)])]


def levels(values):
    return values.view(-1, 1, 4, 4).round().clamp(0, 3).to(torch.uint8)


def flat(batch):
    return batch.images.float().flatten(1)


class Pool(Toy):
    """CycleGAN's and SimGAN's buffer of past fakes: the critic sees old fakes half of the time."""

    def __init__(self):
        super().__init__()
        self.critic = nn.Linear(PIXELS, 1)
        self.register_buffer("pool", torch.zeros(10, PIXELS))
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))

    def exchange(self, fakes, step):
        out = fakes.clone()
        for i, fake in enumerate(fakes):
            if self.filled < len(self.pool):
                self.pool[self.filled] = fake
                self.filled += 1
            elif uniform((), step.generator) < 0.5:
                place = int(uniform((), step.generator) * len(self.pool))
                out[i], self.pool[place] = self.pool[place].clone(), fake
        return out

    def critic_loss(self, batch, step):
        with torch.no_grad():
            fakes = self.exchange(self.decode(step, len(batch)), step)
        return {"loss": self.critic(fakes).square().mean() + (self.critic(flat(batch)) - 1).square().mean()}

    def generator_loss(self, batch, step):
        return {"loss": (self.critic(self.decode(step, len(batch))) - 1).square().mean()}

    def phases(self):
        turns = [
            Turn("critic", [self.critic], self.critic_loss, adam),
            Turn("net", [self.net], self.generator_loss, adam),
        ]
        return [Phase("train", 1.0, turns)]


class Growing(Toy):
    """PGGAN: a stage a phase; every module exists from the start, the stage and the fade are buffers."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList(nn.Linear(PIXELS, PIXELS) for _ in range(2))
        self.register_buffer("stage", torch.zeros((), dtype=torch.int64))
        self.register_buffer("fade", torch.ones(()))

    def decode(self, step, n):
        x = self.net(normal((n, PIXELS), step.generator))
        for block in self.blocks[: int(self.stage)]:
            x = torch.lerp(x, block(x), self.fade)
        return x

    def grow(self, stage, data, step):
        self.stage.fill_(stage)

    def fade_in(self, logs, step):
        self.fade.fill_(min(2 * step.fraction, 1.0))

    def phases(self):
        return [
            Phase(
                f"stage-{i}",
                share,
                [Turn("net", [self.net, *self.blocks[:i]], self.mse, adam, after=self.fade_in)],
                partial(self.grow, i),
            )
            for i, share in enumerate((0.25, 0.25, 0.5))
        ]


class Detector(Toy):
    """AnoGAN: says how strange an image is, by its distance from what it decodes."""

    def anomaly(self, batch, *, generator=None):
        with torch.no_grad():
            return (self.net.bias - flat(self.checked(batch))).double().norm(dim=1)


class Perceptual(Toy):
    """SRGAN: trained on an extractor, and says on which."""

    perceptual = "classifier"


class Joint(Toy):
    """BiGAN: one critic judges pairs (x, z) of generator and encoder; both learn in one turn, on every third batch."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(PIXELS, PIXELS)
        self.critic = nn.Linear(2 * PIXELS, 1)

    def logits(self, batch, step):
        z = normal((len(batch), PIXELS), step.generator)
        generated = self.critic(torch.cat([self.net(z), z], 1))
        encoded = self.critic(torch.cat([flat(batch), self.encoder(flat(batch))], 1))
        return encoded, generated

    def critic_loss(self, batch, step):
        encoded, generated = self.logits(batch, step)
        return {"loss": nn.functional.softplus(-encoded).mean() + nn.functional.softplus(generated).mean()}

    def coder_loss(self, batch, step):
        encoded, generated = self.logits(batch, step)
        return {"loss": nn.functional.softplus(encoded).mean() + nn.functional.softplus(-generated).mean()}

    def phases(self):
        turns = [
            Turn("critic", [self.critic], self.critic_loss, adam),
            Turn("coders", [self.net, self.encoder], self.coder_loss, adam, every=3, clip=0.5),
        ]
        return [Phase("train", 1.0, turns)]


class Prepared(Toy):
    """Glow's actnorm, virtual batch normalisation: state set from data in a phase of its own, without turns."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(PIXELS))
        self.register_buffer("initialised", torch.zeros((), dtype=torch.int64))
        self.noise = nn.Dropout(0.3)

    def prepare(self, data, step):
        rows = (uniform((6,), step.generator) * len(data.train)).long()
        self.mean.copy_(data.train.images[rows].float().flatten(1).mean(0))
        self.initialised += 1

    def mse(self, batch, step):
        return {"loss": (self.noise(self.decode(step, len(batch))) + self.mean - flat(batch)).square().mean()}

    def phases(self):
        return [Phase("prepare", 0.0, [], self.prepare), *super().phases()]


class Finished(Toy):
    """Autoencoder with a mixture on its codes, an implicit model's σ: state set behind the last phase."""

    def __init__(self):
        super().__init__()
        self.register_buffer("sigma", torch.zeros(()))

    def finish(self, data, generator):
        assert not self.training
        noise = normal((len(data.validation), PIXELS), generator)
        residual = self.net(noise) - flat(data.validation)
        self.sigma.copy_(residual.square().mean().sqrt().detach())


class Controlled(Toy):
    """BEGAN's k and an EMA of the weights, both moved in ``after`` from the logs; the learning rate on a schedule."""

    def __init__(self):
        super().__init__()
        self.average = nn.Linear(PIXELS, PIXELS).requires_grad_(False)
        self.register_buffer("k", torch.zeros(()))

    def control(self, logs, step):
        self.k.add_(0.1 * (0.5 - logs["loss"])).clamp_(0, 1)
        for mean, value in zip(self.average.parameters(), self.net.parameters(), strict=True):
            mean.data.lerp_(value.data, 0.1)

    def mse(self, batch, step):
        loss = super().mse(batch, step)["loss"] * (1 + self.k)
        return {"loss": loss, "k": self.k.clone()}

    def phases(self):
        turn = Turn("net", [self.net], self.mse, adam, schedule=lambda spent: 1 - spent, after=self.control)
        return [Phase("train", 1.0, [turn])]


TOYS = [Toy, Pool, Growing, Joint, Prepared, Finished, Controlled, Detector, Perceptual]
