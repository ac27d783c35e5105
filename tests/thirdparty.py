"""A third party's family, installed as pip would leave it: quick recipes, of which one can fail in every way."""

MODULE = '''
import errno
import os
import signal
import time
from pathlib import Path

import torch
from torch import nn

import genbench.runs.cell
import genbench.runs.fitting
from genbench.implicit import ImplicitModel
from genbench.interface import GenerativeModel, LogLikelihood, Phase, Turn
from genbench.seed import uniform

genbench.runs.fitting.CHECKPOINT_SECONDS = 0.0  # tests cut off trainings of a second
genbench.runs.cell.verdict = lambda outcomes: {"by": "nobody, for tests are of something else"}
FACTS = {"family": "third", "title": "Toy", "paper": "none", "year": 2026, "likelihood": "exact"}
RECIPES = {name: {"target": f"toyfamily:{name}", **FACTS} for name in ("toy", "able", "parrot", "told")}
RECIPES["turner"] = FACTS | {"target": "toyfamily:turner", "likelihood": "estimate", "given": ("source",)}


class Toy(GenerativeModel):
    """Independent pixels."""

    def __init__(self, spec, fails, at, once, sleep):
        super().__init__(spec)
        self.fails, self.at, self.once, self.sleep = fails, at, once, sleep
        self.logits = nn.ParameterList([torch.randn(*spec.shape, spec.levels) / 10])

    def nats(self, images):
        log_p = self.logits[0].log_softmax(-1).expand(len(images), *self.logits[0].shape)
        return log_p.gather(-1, images.long()[..., None]).flatten(1).double().sum(1)

    def loss(self, batch, step):
        time.sleep(self.sleep)
        if self.once:
            with open(self.once + ".calls", "a") as file:
                file.write(f"{step.index} ")
        loss = -self.nats(batch.images).mean() / self.spec.dimensions
        if step.index == self.at and not (self.once and Path(self.once).exists()):
            if self.once:
                Path(self.once).touch()
            if self.fails == "diverges":
                loss = loss * float("nan")
            if self.fails == "raises":
                raise RuntimeError("it broke\\nin two lines")
            if self.fails == "says":
                print("a word of its own")
            if self.fails == "dies":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.fails == "full":
                raise OSError(errno.ENOSPC, "No space left on device")
        return {"loss": loss}

    def phases(self):
        return [Phase("train", 1.0, [Turn("pixels", [self.logits], self.loss, lambda p: torch.optim.Adam(p, 0.1))])]

    @torch.no_grad()
    def draw(self, given, generator):
        below = self.logits[0].softmax(-1).cumsum(-1)
        draws = uniform((len(given), *self.spec.shape), generator)
        return (draws[..., None] > below).sum(-1).clamp(max=self.spec.levels - 1).to(torch.uint8)

    def log_likelihood(self, batch, *, draws=1, effort="fast", generator=None):
        return LogLikelihood(self.nats(batch.images), "exact", method="chain rule")


class Able(Toy):
    """Completes, classifies all as the first class, and fails to reconstruct; told the label if it is to be."""

    def __init__(self, spec, conditional, full):
        super().__init__(spec, "", 0, "", 0.0)
        self.given, self.full = ("label",) if conditional else (), full
        self.register_buffer("frequencies", torch.full((spec.classes if conditional else 0,), 1 / spec.classes))

    def loss(self, batch, step):
        if self.spec.labelled is not None:
            assert bool((batch.labelled.labels >= 0).all())
            assert not bool((batch.labels >= 0).all())
        return {"loss": -self.nats(batch.images).mean() / self.spec.dimensions}

    def complete(self, batch, rows, *, generator):
        drawn = self.draw(batch, generator)
        drawn[:, :, :rows] = batch.images[:, :, :rows]
        return drawn

    def reconstruct(self, batch, *, generator=None):
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        raise RuntimeError("it has no codes\\nin two lines")

    def classify(self, batch):
        return nn.functional.one_hot(torch.zeros(len(batch), dtype=torch.int64), self.spec.classes).double()


class Parrot(Toy):
    """Draws ``count`` images that it saw in training, again and again, whatever label it is asked for.

    It overrides ``sample`` itself, as families did before there was ``draw``.
    """

    def __init__(self, spec, count, conditional, perceptual):
        super().__init__(spec, "", 0, "", 0.0)
        self.given = ("label",) if conditional else ()
        self.perceptual = perceptual
        self.setting = f"{count} images"
        self.register_buffer("seen", torch.zeros((count, *spec.shape), dtype=torch.uint8))
        self.register_buffer("frequencies", torch.full((spec.classes if conditional else 0,), 1 / spec.classes))

    def loss(self, batch, step):
        self.seen.copy_(batch.images[: len(self.seen)])
        return super().loss(batch, step)

    def sample(self, n, *, labels=None, sources=None, fields=None, generator):
        return self.seen[torch.arange(n) % len(self.seen)]


class Told(Toy):
    """Given a caption, draws an image whose columns are as bright as its tokens are great, each as often as it fits."""

    def __init__(self, spec):
        super().__init__(spec, "", 0, "", 0.0)
        self.given = ("caption",)

    def draw(self, given, generator):
        columns = given.fields["caption"].repeat_interleave(self.spec.shape[2] // 4, 1).clamp(max=self.spec.levels - 1)
        return columns[:, None, None].expand(-1, *self.spec.shape).to(torch.uint8)

    def log_likelihood(self, batch, *, draws=1, effort="fast", generator=None):
        return LogLikelihood(self.nats(batch.images), "exact", given=("caption",), method="chain rule")


def told(spec):
    return Told(spec)


class Turner(ImplicitModel):
    """Copies its source, as a negative where it is asked for another domain than 0; dark pixels are its shadows."""

    def __init__(self, spec, perceptual):
        super().__init__(spec, 0, ("source", *(("domain",) if "domain" in spec.fields else ())))
        self.perceptual = perceptual
        self.gain = nn.Parameter(torch.ones(()))

    def decode(self, u, given):
        image = self.gain * given.sources * (self.spec.levels - 1) / 255
        turned = given.fields.get("domain", torch.zeros(len(image), device=image.device)).view(-1, 1, 1, 1) > 0
        return torch.where(turned, self.spec.levels - 1 - image, image)

    def phases(self):
        still = [Turn("gain", [self], lambda batch, step: {"loss": (self.gain - 1) ** 2}, torch.optim.Adam)]
        return [Phase("train", 1.0, still)]

    def detect(self, batch):
        assert "shadow" not in batch.fields
        return batch.sources < 128


def turner(spec, *, perceptual=None):
    return Turner(spec, perceptual)


def parrot(spec, *, count=40, conditional=False, perceptual=None):
    return Parrot(spec, count, conditional, perceptual)


def able(spec, *, conditional=False, full=False):
    return Able(spec, conditional, full)


def toy(spec, *, fails="", at=3, once="", sleep=0.0, rate=0.1):
    rate + 0.0
    if fails not in ("", "diverges", "raises", "dies", "says", "full"):
        raise ValueError(f"fails={fails!r}: give raises, dies, says, diverges or full")
    return Toy(spec, fails, at, once, sleep)
'''


def install(site):
    info = site / "toyfamily-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "toyfamily.py").write_text(MODULE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toyfamily\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[genbench.families]\ntoy = toyfamily:RECIPES\n")
    return site
