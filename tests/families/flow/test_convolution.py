import copy

import pytest
import torch
from torch import nn

from families.flow.convolution import InvertibleConv
from genbench import DataSpec, build, load, save
from genbench.seed import fork_rng, generator
from tests.families.flow.helpers import batch_of, check_bijection, randomise


def made(channels=5, seed=0, moved=0.2):
    with fork_rng(seed):
        return randomise(InvertibleConv(channels), seed, moved)


@pytest.mark.parametrize("channels", [1, 2, 3, 8, 12])
def test_log_determinant_is_autograd_s_and_inverses_undo(channels):
    check_bijection(made(channels), batch_of((channels, 2, 3)))


def test_it_begins_as_a_random_rotation():
    weights = []
    for seed in range(3):
        with fork_rng(seed):
            conv = InvertibleConv(6)
        weight = conv.double().weight()
        weights.append(weight)
        assert torch.allclose(weight @ weight.T, torch.eye(6, dtype=torch.float64), atol=1e-6)
        assert torch.allclose(conv(batch_of((6, 2, 2)))[1], torch.zeros(3, dtype=torch.float64), atol=1e-6)
    assert not torch.allclose(weights[0], weights[1], atol=0.1)


def test_its_weight_is_a_signed_permutation_times_lower_times_upper():
    conv = made(4)
    lower, upper = conv.factors()
    assert torch.equal(lower.triu(), torch.eye(4, dtype=torch.float64))
    assert torch.equal(upper, upper.triu())
    assert (upper.diagonal() > 0).all()
    fixed = conv.permutation
    assert torch.equal(fixed.abs().sum(0), torch.ones(4, dtype=torch.float64))
    assert torch.equal(fixed.abs().sum(1), torch.ones(4, dtype=torch.float64))
    assert torch.equal(conv.weight(), fixed @ lower @ upper)
    assert "permutation" not in dict(conv.named_parameters())
    assert "permutation" in conv.state_dict()


def test_the_log_determinant_is_the_cheap_sum_of_log_s_for_each_pixel():
    conv = made(4)
    _, log_det = conv(batch_of((4, 3, 5)))
    assert torch.allclose(log_det, (15 * conv.learned.diagonal().sum()).expand(3))
    assert torch.allclose(conv.learned.diagonal().sum(), torch.linalg.slogdet(conv.weight())[1])
    assert sum(p.numel() for p in conv.parameters()) == 16


def test_every_number_of_the_matrix_learns():
    conv = made(4)
    y, log_det = conv(batch_of((4, 2, 2)))
    (y.square().sum() + log_det.sum()).backward()
    assert (conv.learned.grad != 0).all()


def by_optimiser(conv, kind=torch.optim.Adam, lr=0.1, **options):
    optimizer = kind(conv.parameters(), lr=lr, **options)
    with torch.enable_grad():
        conv(batch_of((5, 2, 2)))[0].square().sum().backward()
    optimizer.step()
    return conv


def by_loading(conv):
    conv.load_state_dict(made(seed=1).state_dict())
    return conv


def by_assigning(conv):
    conv.load_state_dict(made(seed=1).state_dict(), assign=True)
    return conv


def by_data(conv):
    conv.learned.data.mul_(1.5)  # leaves the version counter alone
    return conv


def by_replacing(conv):
    conv.learned = nn.Parameter(conv.learned.detach() * 1.5)
    return conv


def by_writing(conv):
    conv.learned[2, 1] += 1
    return conv


def by_permuting(conv):
    conv.permutation.copy_(conv.permutation.flip(0))
    return conv


CHANGES = {
    "Adam": by_optimiser,
    "fused Adam": lambda conv: by_optimiser(conv, fused=True),
    "SGD": lambda conv: by_optimiser(conv, torch.optim.SGD, lr=0.01),
    "load_state_dict": by_loading,
    "load_state_dict, assigned": by_assigning,
    "through .data": by_data,
    "another parameter": by_replacing,
    "in place": by_writing,
    "its permutation": by_permuting,
    "deepcopy, then changed": lambda conv: by_data(copy.deepcopy(conv)),
    "float32": lambda conv: conv.float(),
    "float32 and back": lambda conv: conv.float().double(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_kept_inverse_is_never_stale(change):
    conv = made()
    with torch.no_grad():
        conv.inverse(batch_of((5, 2, 2)))
        conv = change(conv)
        x = batch_of((5, 2, 2), seed=3).to(conv.learned.dtype)
        back, _ = conv.inverse(conv(x)[0])
    assert back.dtype == conv.learned.dtype
    assert (back - x).abs().max() < (1e-10 if x.dtype == torch.float64 else 1e-4)


def test_the_kept_inverse_is_kept(monkeypatch):
    conv, computed = made(), []
    inverse = conv.inverse_weight
    monkeypatch.setattr(conv, "inverse_weight", lambda: (computed.append(1), inverse())[1])
    with torch.no_grad():
        for _ in range(5):
            conv.inverse(batch_of((5, 2, 2)))
    assert len(computed) == 1
    with torch.inference_mode():
        conv.inverse(batch_of((5, 2, 2)))
    assert len(computed) == 1
    assert conv.state_dict().keys() == {"learned", "permutation"}


def test_an_inverse_kept_in_inference_mode_may_meet_a_gradient_later():
    conv, codes = made().requires_grad_(False), batch_of((5, 2, 2)).requires_grad_()
    with torch.inference_mode():
        conv.inverse(batch_of((5, 2, 2)))
    conv.inverse(codes)[0].sum().backward()
    assert codes.grad.abs().sum() > 0


def test_gradients_flow_through_the_inverse():
    conv = made(3)
    with torch.no_grad():
        conv.inverse(batch_of((3, 2, 2)))  # kept, and of no use to a gradient
    assert torch.autograd.gradcheck(lambda w: conv.inverse(batch_of((3, 1, 2)))[0], conv.learned)


def test_half_precision_leaves_it_whole():
    conv, x = made().float(), batch_of((5, 2, 2)).float()
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        y, _ = conv(x)
        back, _ = conv.inverse(y)
    assert y.dtype == back.dtype == torch.float32
    assert torch.allclose(y, conv(x)[0], atol=1e-6)  # bfloat16 would be off by a hundredth
    assert (back - x).abs().max() < 1e-5


def test_a_saved_glow_draws_the_same_with_inverses_of_its_own(tmp_path):
    spec = DataSpec((1, 4, 4), 9)
    model, other = (build("glow", spec, seed=k, width=4, depth=2) for k in range(2))
    other.sample(2, generator=generator(0))
    save(tmp_path / "glow.safetensors", model)
    other.load_state_dict(model.state_dict())
    images = [m.sample(20, generator=generator(1)) for m in (model, other, load(tmp_path / "glow.safetensors"))]
    assert torch.equal(images[0], images[1])
    assert torch.equal(images[0], images[2])
