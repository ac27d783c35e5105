"""What is asked of samples: that they are images of the data's kind, and that their generator alone decides them."""

from __future__ import annotations

import copy

import torch

from genbench.contract.breach import Breach, globally, same
from genbench.contract.tiny import draw
from genbench.interface import GenerativeModel
from genbench.spec import Batch


def levels(model: GenerativeModel, batch: Batch) -> str:
    """Check that samples are uint8 levels of the spec, as many as were asked for, on the model's device."""
    for n in (len(batch), 1, 0):
        images = draw(model, batch.rows(slice(n)))
        shape = (n, *model.spec.shape)
        if images.dtype != torch.uint8 or tuple(images.shape) != shape:
            raise Breach(f"{n} samples are {images.dtype} of shape {tuple(images.shape)}: give uint8 {shape}")
        if images.device != model.device:
            raise Breach(f"samples are on {images.device}, and the model is on {model.device}")
        if n and int(images.max()) >= model.spec.levels:
            raise Breach(f"samples reach level {int(images.max())}: levels are 0 to {model.spec.levels - 1}")
    return f"uint8 {(len(batch), *model.spec.shape)}"


def generator_alone(model: GenerativeModel, batch: Batch) -> str:
    """Check that the generator alone decides: not global seeds, not the mode, and that drawing changes nothing."""
    before = copy.deepcopy(model.state_dict())
    with globally(1):
        images = draw(model, batch)
    with globally(2):
        state = torch.get_rng_state()
        others = draw(model, batch)
        untouched = torch.equal(state, torch.get_rng_state())
    if not torch.equal(images, others):
        raise Breach("under another global seed it draws other samples from the same generator")
    if not untouched:
        raise Breach("drawing samples draws from the global generator")
    with globally(1):
        model.train()
        others = draw(model, batch)
        training = model.training
        model.eval()
    if not torch.equal(images, others):
        raise Breach("in training mode it draws other samples: draw in evaluation mode")
    if not training:
        raise Breach("drawing samples leaves the model in another mode than it found it in")
    if not same(before, model.state_dict()):
        raise Breach("drawing samples changes the model: it draws in training mode, or learns from them")
    return "the same under two global seeds, and in training mode"
