"""Training in bfloat16: where it is allowed, and that nothing but the losses is computed in it."""

from contextlib import nullcontext

import pytest
import torch
from torch import nn

from genbench import Budget, FitConfig, Phase, Turn
from genbench.training import precision
from tests.contract.test_toys import Cut, make, same
from tests.contract.toys import PIXELS, Toy, adam, data

HALF = FitConfig(Budget(steps=9), batch_size=5, seed=3, precision="bfloat16")


@pytest.fixture
def able(monkeypatch):
    monkeypatch.setattr(precision, "processor_flags", lambda: precision.FLAGS)


class Watched(Toy):
    """Notes where autocast is on, and how a kernel of four dimensions lies in memory meanwhile."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(2, 4, 3)
        self.register_buffer("mask", torch.ones(4, 2, 3, 3))
        self.seen = {}

    def note(self, where):
        self.seen[where] = torch.is_autocast_enabled("cpu")
        self.seen["layout"] = tuple(
            tensor.is_contiguous(memory_format=torch.channels_last) and not tensor.is_contiguous()
            for tensor in (self.convolution.weight, self.mask)
        )

    def loss(self, batch, step):
        self.note("loss")
        features = self.convolution(batch.images.float().expand(-1, 2, -1, -1))
        self.seen["dtype"] = features.dtype
        return {"loss": self.mse(batch, step)["loss"] + features.float().square().mean()}

    def phases(self):
        turn = Turn("net", [self], self.loss, adam, after=lambda logs, step: self.note("after"))
        return [Phase("train", 1.0, [turn], enter=lambda data, step: self.note("enter"))]

    def finish(self, data, generator):
        self.note("finish")


def test_losses_alone_are_computed_in_bfloat16_and_channels_last(able):
    model = make(Watched)
    model.fit(data(), HALF)
    assert (model.seen["loss"], model.seen["dtype"], model.seen["layout"]) == (True, torch.bfloat16, (True, True))
    assert not any(model.seen[where] for where in ("enter", "after", "finish"))
    assert all(tensor.is_contiguous() for tensor in model.state_dict().values())
    model.fit(data(), FitConfig(HALF.budget, 5, 3))
    assert (model.seen["loss"], model.seen["dtype"], model.seen["layout"]) == (False, torch.float32, (False, False))


def test_it_resumes_bit_for_bit(able, tmp_path):
    whole = make(Watched)
    whole.fit(data(), HALF)
    config = FitConfig(
        HALF.budget, 5, 3, checkpoint=tmp_path / "training.pt", checkpoint_seconds=0, precision="bfloat16"
    )

    def cut(progress):
        if progress.step == 5:
            raise Cut

    with pytest.raises(Cut):
        make(Watched).fit(data(), config, callbacks=[cut])
    rest = Watched()
    rest.fit(data(), config, resume=config.checkpoint)
    assert same(whole.state_dict(), rest.state_dict())
    single = FitConfig(HALF.budget, 5, 3)
    with pytest.raises(ValueError, match=r"trained under .*'bfloat16'.*not under .*'float32'"):
        make(Watched).fit(data(), single, resume=config.checkpoint)


def test_a_weight_seen_without_a_gradient_first_still_gets_one(able):
    class Twice(Toy):
        def loss(self, batch, step):
            with torch.no_grad():
                target = self.net(torch.ones(1, PIXELS))
            return {"loss": (self.net(torch.zeros(1, PIXELS)) - target).float().square().mean()}

        def phases(self):
            return [Phase("train", 1.0, [Turn("net", [self.net], self.loss, adam)])]

    model = make(Twice)
    before = model.net.bias.clone()
    model.fit(data(), HALF)
    assert not torch.equal(before, model.net.bias)


def test_a_model_that_diverged_is_laid_out_as_it_was(able):
    model = make(Watched)
    model.loss = lambda batch, step: {"loss": model.net.weight.sum() * float("nan")}
    with pytest.raises(RuntimeError, match="not finite"):
        model.fit(data(), HALF)
    assert model.convolution.weight.is_contiguous()


@pytest.mark.parametrize(
    ("name", "device", "said"),
    [
        ("float16", "cpu", "precision='float16': give float32, tf32 or bfloat16"),
        ("bfloat16", "cpu", "precision='bfloat16': cpu lacks it .*avx512_bf16.*say float32"),
        ("bfloat16", "cuda", "precision='bfloat16': cuda lacks it .*a GPU that has it.*say float32"),
        ("tf32", "cpu", "precision='tf32': cpu lacks it .*from Ampere on.*say float32"),
        ("tf32", "cuda", "precision='tf32': cuda lacks it .*from Ampere on.*say float32"),
    ],
)
def test_what_a_device_lacks_is_refused(monkeypatch, name, device, said):
    monkeypatch.setattr(precision, "processor_flags", lambda: frozenset({"avx2", "fpu"}))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=said):
        precision.check(name, device)
    precision.check("float32", device)


def test_a_configuration_and_a_fit_refuse_it_too(monkeypatch):
    with pytest.raises(ValueError, match="precision='half'"):
        FitConfig(Budget(steps=1), precision="half")
    monkeypatch.setattr(precision, "processor_flags", frozenset)
    with pytest.raises(ValueError, match="precision='bfloat16': cpu lacks it"):
        Toy().fit(data(), HALF)


def test_auto_is_bfloat16_where_the_processor_multiplies_in_it_and_else_float32(monkeypatch):
    for flags, wanted in ((frozenset({"avx2"}), "float32"), (frozenset({"avx2", "amx_bf16"}), "bfloat16")):
        monkeypatch.setattr(precision, "processor_flags", lambda flags=flags: flags)
        assert precision.resolved("auto", "cpu") == wanted
        assert precision.resolved("float32", "cpu") == "float32"
        assert precision.resolved("bfloat16", "cpu") == "bfloat16", "refused elsewhere, never changed"
    with pytest.raises(ValueError, match="precision='auto'"):
        FitConfig(Budget(steps=1), precision="auto")


def test_a_gpu_rounds_products_under_tf32_and_under_no_other(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: True)
        patch.setattr(torch.cuda, "get_device_capability", lambda: (7, 5))
        with pytest.raises(ValueError, match="precision='tf32': cuda lacks it"):
            precision.check("tf32", "cuda")
        patch.setattr(torch.cuda, "get_device_capability", lambda: (8, 0))
        precision.check("tf32", "cuda")
    before = switches()
    for kind, tf32, wanted in (("cuda", True, (True, True)), ("cuda", False, (False, False)), ("cpu", True, before)):
        with precision.products(kind, tf32=tf32):
            assert switches() == wanted
        assert switches() == before


def switches():
    """Whether a GPU would round what it multiplies."""
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


def test_a_training_asks_for_the_rounding_that_it_was_told(monkeypatch):
    asked = []
    monkeypatch.setattr(precision, "check", lambda name, device: None)
    monkeypatch.setattr(precision, "products", lambda kind, tf32: asked.append((kind, tf32)) or nullcontext())
    for name in ("tf32", "float32"):
        make(Toy).fit(data(), FitConfig(HALF.budget, 5, 3, precision=name))
    assert asked == [("cpu", True), ("cpu", False)]


def test_switches_that_torch_does_not_tell_by_their_old_names_stay_as_they_are(monkeypatch):
    def mixed(switch):
        raise RuntimeError("mixed use of the old and the new settings")

    monkeypatch.setattr(type(torch.backends.cudnn), "allow_tf32", property(mixed))
    with precision.products("cuda", tf32=False):
        assert not torch.backends.cuda.matmul.allow_tf32
