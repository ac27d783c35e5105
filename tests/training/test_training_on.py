"""A training whose budget is spent goes on where it is given more."""

from dataclasses import replace

import pytest
import torch

from genbench import Budget, FitConfig
from genbench.seed import fork_rng, normal
from genbench.training.config import Trace
from tests.contract.toys import Toy, data


class Finishing(Toy):
    """Learns from noise, and draws more of it, of both kinds, when it is finished."""

    def __init__(self, shares=(1.0,)):
        super().__init__()
        self.shares = shares
        self.fractions = []
        self.register_buffer("width", torch.zeros(3))

    def phases(self):
        (phase,) = super().phases()
        return [replace(phase, name=f"phase {i}", share=share) for i, share in enumerate(self.shares)]

    def mse(self, batch, step):
        self.fractions.append(step.fraction)
        return super().mse(batch, step)

    def finish(self, data, generator):
        super().finish(data, generator)
        self.width.copy_(normal((3,), generator) + torch.randn(3))


def fitted(budget, path=None, resume=None, **more):
    with fork_rng(0):
        model = Finishing(more.pop("shares", (1.0,)))
    report = model.fit(data(), FitConfig(budget, 5, checkpoint=path, **more), resume=resume)
    return model, report


@pytest.mark.parametrize(("less", "whole"), [({"steps": 4}, {"steps": 9}), ({"images": 20}, {"images": 41})])
def test_a_training_that_is_given_more_ends_as_one_that_had_all_of_it(tmp_path, less, whole):
    path = tmp_path / "training.pt"
    _, first = fitted(Budget(**less), path)
    model, report = fitted(Budget(**whole), path, path)
    once, straight = fitted(Budget(**whole))
    assert (first.steps, report.steps, straight.steps) == (4, 9, 9)
    assert report.images == straight.images
    for name, value in once.state_dict().items():
        assert torch.equal(model.state_dict()[name], value), name
    assert (list(first.legs), list(report.legs)) == ([], [{"budget": less, "steps": 4}])
    assert model.fractions == [step / 9 for step in range(4, 9)]


def test_what_is_added_goes_to_the_last_phase_and_all_of_it_can_be_gone_through_again(tmp_path):
    path = tmp_path / "training.pt"
    shares = (0.5, 0.5)
    fitted(Budget(steps=4), path, shares=shares)
    model, report = fitted(Budget(steps=6), path, path, shares=shares)
    assert report.phase_steps == {"phase 0": 2, "phase 1": 4}
    assert model.fractions == [1 / 3, 2 / 3]
    assert list(report.fractions) == [0, 0.5, 0, 0.5, 1 / 3, 2 / 3]
    far, more = fitted(Budget(steps=14), path, path, shares=shares)
    assert far.fractions == [0, *(step / 7 for step in range(7))]
    assert [leg["steps"] for leg in more.legs] == [4, 6]
    trace = Trace(tuple(more.phase_steps.values()), more.fractions)
    again, _ = fitted(Budget(steps=14), trace=trace, shares=shares)
    for name, value in far.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name


def test_seconds_are_added_to_those_that_were_spent(tmp_path):
    path = tmp_path / "training.pt"
    _, first = fitted(Budget(seconds=0.05), path)
    model, report = fitted(Budget(seconds=0.15), path, path)
    assert 0.05 <= first.seconds < report.seconds
    assert len(report.fractions) == report.steps > first.steps
    assert model.fractions[0] == pytest.approx(first.seconds / 0.15, rel=0.05)
    assert model.fractions[-1] < 1


def test_only_a_training_that_is_done_takes_more(tmp_path):
    class Cut(Exception):
        pass

    def cut(progress):
        if progress.step == 3:
            raise Cut

    path = tmp_path / "training.pt"
    config = FitConfig(Budget(steps=5), 5, checkpoint=path, checkpoint_seconds=0)
    with pytest.raises(Cut):
        Finishing().fit(data(), config, callbacks=[cut])
    with pytest.raises(ValueError, match=r"was trained under .*'steps': 5.*not under .*'steps': 6"):
        fitted(Budget(steps=6), path, path)
