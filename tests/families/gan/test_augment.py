"""What a critic sees is augmented: real and fake alike, in both turns, whatever the recipe."""

import pytest
import torch

from families.adversarial.augment import AUGMENTATIONS
from families.layers.rotations import turned
from genbench import Batch, DataSpec
from tests.families.gan.tiny import build, gen, step

SPEC = DataSpec((1, 16, 16), levels=17, classes=3, source=(1, 16, 16), labelled=6)
# How many batches the critics see in each turn, phase by phase: all that is real, all that is fake, what lies between.
SEEN = {
    "bigan": [[2, 2]],
    "co-gan": [[4, 2]],
    "lapgan": [[2, 1]] * 3,
    "pggan": [[3, 1]] * 5,
    "stylegan": [[2, 1]] * 3,
    "s3-gan": [[4, 2]],
    "triple-gan": [[0], [3, 1, 1]],
    "s2-gan": [[2, 1], [0], [2, 1], [2, 2, 2, 1]],
}


def images_of(n, seed=0, levels=17):
    return torch.randint(0, levels, (n, 1, 16, 16), generator=gen(seed), dtype=torch.uint8)


def batch(n=8):
    labelled = Batch(images_of(5, 7), torch.tensor([0, 1, 2, 1, 0]))
    return Batch(images_of(n), torch.full((n,), -1), images_of(n, 1, 256), labelled=labelled)


def watched(name, **options):
    """A model, and a list of what its critics are shown from now on."""
    model, seen = build(name, SPEC, width=4, **options), []
    critics = [part for where, part in model.named_children() if where == "critic" or where.endswith("_critic")]
    for critic in critics or model.critics:
        critic.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach()))
    return model, seen


@pytest.mark.parametrize("name", SEEN)
def test_all_that_a_critic_sees_has_been_augmented_once(name, monkeypatch):
    monkeypatch.setitem(AUGMENTATIONS, "translation", lambda images, generator: images + 10)
    model, seen = watched(name, augment="translation")
    counts = []
    for phase in model.phases():
        counts.append([])
        for turn in phase.turns:
            turn.loss(batch(), step())
            counts[-1].append(len(seen))
            for shown in seen:
                assert float(shown.min()) > 7, (phase.name, turn.name)
                assert float(shown.max()) < 13, (phase.name, turn.name)
            seen.clear()
    assert counts == SEEN[name]


def test_images_are_turned_as_the_critic_saw_them_upright():
    model, seen = watched("s3-gan", augment="translation")
    critic, generator = model.phases()[0].turns
    critic.loss(batch(), step())
    real, _, _, turned_real = seen
    generator.loss(batch(), step())
    fake, turned_fake = seen[4:]
    for upright, shown in ((real, turned_real), (fake, turned_fake)):
        assert torch.equal(shown, torch.cat([turned(upright[:2], k) for k in range(4)]))
