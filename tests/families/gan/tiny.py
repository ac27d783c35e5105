"""Small images and models that tests of several recipes share."""

import torch
from torch import nn

import genbench
from genbench import Batch, DataSpec, Split, Splits, Step
from genbench.training.turns import TurnRunner, restored

SPEC = DataSpec((1, 8, 8), levels=17)
OFF = {
    "feature_matching": False,
    "minibatch_discrimination": False,
    "historical_averaging": 0.0,
    "label_smoothing": 0.0,
    "virtual_batch_normalisation": False,
}


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def step(seed=3):
    return Step(0, 0.0, gen(seed))


def batch(n=6, seed=0):
    return Batch(torch.randint(0, 17, (n, 1, 8, 8), generator=gen(seed), dtype=torch.uint8))


def splits(n=48):
    return Splits(Split(batch(n).images), Split(batch(16, 1).images))


def build(name, spec=SPEC, seed=0, **options):
    return genbench.build(name, spec, seed=seed, **({"width": 8, "latents": 6} | options))


def randn(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=gen(seed))


def normalised(network):
    """Whether any layer normalises, by a batch or otherwise."""
    norms = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm2d)
    return any(isinstance(module, norms) for module in network.modules())


def double(*values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def gradient(value, *inputs):
    found = torch.autograd.grad(value, inputs, allow_unused=True)
    return [None if g is None else g.tolist() for g in found]


def only(seed=0, **switch):
    """Improved GAN with all switches off but these."""
    return build("improved-gan", seed=seed, **(OFF | switch))


def losses(model, seed=3):
    """The critic's and the generator's."""
    model.train()
    return model.critic_loss(batch(), step(seed))["loss"], model.generator_loss(batch(), step(seed))["loss"]


def moved_by(model, which, batch):
    """Names of the modules that one step of a turn moves."""
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    with restored(dict.fromkeys(model.parameters(), True)):
        TurnRunner.make(model.phases()[0].turns[which]).step(model.train(), batch, step(), 0)
    names = {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}
    return {name.split(".")[0] for name in names}
