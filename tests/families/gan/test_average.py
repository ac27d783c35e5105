"""The average of a generator's weights, which samples come from."""

import pytest
import torch
from torch import nn

from families.adversarial.losses import NON_SATURATING
from families.gan.codes import Code
from families.gan.heads import Head
from families.gan.model import GAN
from genbench.seed import normal
from tests.families.gan.flat import SPEC, FlatCritic, FlatGenerator, batch, build, gen, step, tiny


def test_samples_come_from_the_average_where_there_is_one():
    model = tiny(average=0.9)
    (_, turn), u = model.phases()[0].turns, normal((4, 5), gen())
    with torch.no_grad():
        model.generator.net.weight.add_(1.0)
    assert not torch.equal(model.decode(u, batch(4)), (model.generator(u) + 1) * 4)
    for _ in range(400):
        turn.after({}, step())
    torch.testing.assert_close(model.decode(u, batch(4)), (model.generator(u) + 1) * 4)
    assert any(name.startswith("average") for name in model.state_dict())
    live = tiny()
    assert live.average is None
    assert torch.equal(live.decode(u, batch(4)), (live.generator(u) + 1) * 4)


def test_weights_and_running_statistics_are_averaged_and_other_buffers_those_of_the_live_network():
    model = build("gan", average=0.9).train()
    (_, turn), live = model.phases()[0].turns, model.generator
    held = model.average.copies["generator"]
    for k in range(3):
        before = {name: value.clone() for name, value in held.state_dict().items()}
        with torch.no_grad():
            live.project.weight.add_(1.0)
        model.generator_loss(batch(seed=k), step(k))
        turn.after({}, step())
        decay = min(0.9, (1 + k) / (10 + k))
        for name, value in live.state_dict().items():
            expected = value if "tracked" in name else decay * before[name] + (1 - decay) * value
            torch.testing.assert_close(held.state_dict()[name], expected, msg=name)
    statistics = {name: value for name, value in live.named_buffers() if "running" in name}
    assert statistics
    assert all(not torch.equal(value, held.state_dict()[name]) for name, value in statistics.items())
    saved = {key for key in model.state_dict() if key.startswith("average.copies.generator")}
    assert len(saved) == len(live.state_dict())


class Turned(Code):
    """Noise through weights, as a code that learns has."""

    def __init__(self):
        super().__init__(5)
        self.net = nn.Linear(5, 5)

    def forward(self, u, given):
        return self.net(u)


@pytest.mark.parametrize("part", ["generator", "code"])
def test_the_average_that_samples_come_from_is_of_generator_and_code(part):
    make = {"loss": NON_SATURATING, "optimizer": torch.optim.SGD}
    model = GAN(SPEC, FlatGenerator(), FlatCritic(), Turned(), Head(), average=0.9, **make)
    u, given = normal((4, 5), gen()), batch(4)
    before = model.decode(u, given)
    with torch.no_grad():
        getattr(model, part).net.weight.mul_(-3)
    assert torch.equal(model.decode(u, given), before), "the live weights are not what is sampled"
    with torch.no_grad():
        model.average.copies[part].net.weight.mul_(-3)
    assert not torch.allclose(model.decode(u, given), before)
    torch.testing.assert_close(model.decode(u, given), (model.generator(model.code(u, given)) + 1) * 4)
