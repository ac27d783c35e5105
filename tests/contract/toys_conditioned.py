"""Small models of images with labels, captions, domains or sources beside them, as later systems will be."""

import torch
from torch import nn

from genbench import DataSpec, Field, ImplicitModel, Phase, Turn
from genbench.seed import normal
from tests.contract.toys import PIXELS, Toy, adam, flat, levels


class Labelled(Toy):
    """Triple-GAN, semi-supervised AAE: a classifier learns on a minibatch of its own from the labelled share."""

    def __init__(self):
        super().__init__(DataSpec((1, 4, 4), 4, classes=3, labelled=6))
        self.classifier = nn.Linear(PIXELS, 3)
        self.register_buffer("seen", torch.zeros(24, dtype=torch.int64))

    def classify(self, batch, step):
        few = batch.labelled
        assert bool((few.labels >= 0).all())
        return {"loss": nn.functional.cross_entropy(self.classifier(flat(few)), few.labels)}

    def phases(self):
        turns = [Turn("net", [self.net], self.mse, adam), Turn("classifier", [self.classifier], self.classify, adam)]
        return [Phase("train", 1.0, turns)]


class Unpaired(Toy):
    """CycleGAN, CoGAN: two domains of different length, each shuffled by itself."""

    def __init__(self):
        super().__init__(DataSpec((1, 4, 4), 4, source=(1, 4, 4), paired=False))
        self.back = nn.Linear(PIXELS, PIXELS)

    def cycle(self, batch, step):
        sources = batch.sources.float().flatten(1) / 255
        there = (self.back(self.net(sources)) - sources).abs().mean()
        again = (self.net(self.back(flat(batch))) - flat(batch)).abs().mean()
        return {"loss": there + again, "there": there, "again": again}

    def phases(self):
        return [Phase("train", 1.0, [Turn("both", [self.net, self.back], self.cycle, adam)])]


class TwoStages(Toy):
    """StackGAN: stage I, then stage II that refines it, both told by a caption."""

    def __init__(self):
        super().__init__(DataSpec((1, 4, 4), 4, fields={"caption": Field((5,), 7)}))
        self.words = nn.Embedding(7, PIXELS)
        self.refine = nn.Linear(PIXELS, PIXELS)

    def first(self, batch, step):
        told = self.words(batch.fields["caption"]).mean(1)
        return {"loss": (self.net(told + normal(told.shape, step.generator)) - flat(batch)).square().mean()}

    def second(self, batch, step):
        told = self.words(batch.fields["caption"]).mean(1)
        return {"loss": (self.refine(self.net(told)) - flat(batch)).square().mean()}

    def phases(self):
        return [
            Phase("stage-1", 0.5, [Turn("first", [self.net, self.words], self.first, adam)]),
            Phase("stage-2", 0.5, [Turn("second", [self.refine], self.second, adam)]),
        ]


class Captioned(TwoStages):
    """StackGAN's samples: drawn as a caption says, which ``sample`` is given as a field."""

    def __init__(self):
        super().__init__()
        self.given = ("caption",)

    def draw(self, given, generator):
        with torch.no_grad():
            told = self.words(given.fields["caption"]).mean(1)
            return levels(self.refine(self.net(told)) + normal(told.shape, generator))


class Domains(Toy):
    """StarGAN, ComboGAN: unpaired domains; the source says which it is of, and a sample is told which to be in."""

    def __init__(self):
        fields = {"domain": Field((), 3), "source_domain": Field((), 3, "source")}
        spec = DataSpec((1, 4, 4), 4, source=(1, 4, 4), paired=False, fields=fields)
        super().__init__(spec, ("source", "source_domain", "domain"))
        self.coming = nn.Embedding(3, PIXELS)
        self.going = nn.Embedding(3, PIXELS)

    def translate(self, sources, coming, going):
        return self.net(sources.float().flatten(1) / 64 + self.coming(coming) + self.going(going))

    def both(self, batch, step):
        coming = batch.fields["source_domain"]
        there = self.translate(batch.sources, coming, batch.fields["domain"])
        return {"loss": (there.mean(0) - flat(batch).mean(0)).square().mean()}

    def phases(self):
        return [Phase("train", 1.0, [Turn("both", [self.net, self.coming, self.going], self.both, adam)])]

    def draw(self, given, generator):
        with torch.no_grad():
            told = given.fields["source_domain"], given.fields["domain"]
            return levels(self.translate(given.sources, *told) + normal((len(given), PIXELS), generator))


class Translator(ImplicitModel):
    """CycleGAN's answer: a translation without noise, trained without a pair and measured on pairs."""

    def __init__(self):
        spec = DataSpec((1, 4, 4), 4, source=(1, 4, 4), paired=False)
        super().__init__(spec, latents=0, given=("source",))
        self.net = nn.Linear(PIXELS, PIXELS)

    def decode(self, u, given):
        return self.net(given.sources.to(self.net.weight.dtype).flatten(1) / 64).view(-1, 1, 4, 4)

    def moments(self, batch, step):
        return {"loss": (self.decode(None, batch).mean(0) - batch.images.float().mean(0)).square().mean()}

    def phases(self):
        return [Phase("train", 1.0, [Turn("net", [self.net], self.moments, adam)])]


class Coupled(Toy):
    """CoGAN: two generators on one noise; both domains are drawn together, and no pair was ever seen."""

    def __init__(self):
        super().__init__(DataSpec((1, 4, 4), 4, source=(1, 4, 4), paired=False))
        self.other = nn.Linear(PIXELS, PIXELS)

    def both(self, batch, step):
        z = normal((len(batch), PIXELS), step.generator)
        mine = (self.net(z).mean(0) - flat(batch).mean(0)).square().mean()
        sources = batch.sources.float().flatten(1).mean(0) / 64
        return {"loss": mine + (self.other(z).mean(0) - sources).square().mean()}

    def phases(self):
        return [Phase("train", 1.0, [Turn("both", [self.net, self.other], self.both, adam)])]

    def pairs(self, n, *, generator):
        z = normal((n, PIXELS), generator)
        with torch.no_grad():
            sources = (64 * self.other(z)).view(-1, 1, 4, 4).round().clamp(0, 255).to(torch.uint8)
            return levels(self.net(z)), sources


class FewLabels(Toy):
    """Triple-GAN: samples are given a label, and few training images carry theirs."""

    needs_every_label = False

    def __init__(self):
        super().__init__(DataSpec((1, 4, 4), 4, classes=3, labelled=6), ("label",))
        self.told = nn.Embedding(3, PIXELS)

    def taught(self, batch, step):
        few = batch.labelled
        return {"loss": (self.told(few.labels) + self.decode(step, len(few)) - flat(few)).square().mean()}

    def phases(self):
        return [Phase("train", 1.0, [Turn("all", [self.net, self.told], self.taught, adam)])]

    def draw(self, given, generator):
        with torch.no_grad():
            return levels(self.told(given.labels) + self.net(normal((len(given), PIXELS), generator)))


TOYS = [Labelled, Unpaired, TwoStages, Captioned, Domains, Translator, Coupled, FewLabels]
