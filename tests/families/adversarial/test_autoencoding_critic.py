import pytest
import torch

from families.adversarial import dcgan, mlp, resnet
from families.adversarial.autoencoding_critic import MEAN_ABSOLUTE, ROOT_MEAN_SQUARE, AutoencodingCritic, unsquashed
from families.adversarial.dcgan import Critic, Generator
from tests.families.gan.tiny import double, gen, gradient


def test_errors_of_copies_by_hand():
    images, copies = torch.zeros(2, 1, 1, 2, dtype=torch.float64), double([[[3.0, -4.0]]], [[[0.5, 0.5]]])
    root, absolute = ROOT_MEAN_SQUARE(images, copies), MEAN_ABSOLUTE(images, copies)
    assert root.tolist() == pytest.approx([5 / 2**0.5, 0.5])
    assert absolute.tolist() == pytest.approx([3.5, 0.5])
    (of_root,), (of_absolute,) = (gradient(e[0], copies) for e in (root, absolute))
    assert torch.tensor(of_root)[0].flatten().tolist() == pytest.approx([0.6 / 2**0.5, -0.8 / 2**0.5])
    assert torch.tensor(of_absolute).flatten().tolist() == pytest.approx([0.5, -0.5, 0, 0])


@pytest.mark.parametrize("error", [ROOT_MEAN_SQUARE, MEAN_ABSOLUTE])
def test_an_energy_does_not_grow_with_the_image(error):
    small, large = torch.full((1, 1, 2, 2), 0.3), torch.full((1, 3, 8, 8), 0.3)
    for images in (small, large):
        assert error(images, torch.zeros_like(images)).tolist() == pytest.approx([0.3])


def test_the_logit_is_minus_the_error_of_the_copy_and_the_features_are_the_code():
    critic = AutoencodingCritic(Critic((1, 8, 8), 4), Generator((1, 8, 8), 5, 4), 5, ROOT_MEAN_SQUARE).double().eval()
    images = torch.rand(3, 1, 8, 8, dtype=torch.float64, generator=gen())
    logits, features = critic(images)
    codes = critic.code(critic.encoder.layers(images))
    copies = critic.decoder(codes)
    torch.testing.assert_close(features, codes)
    torch.testing.assert_close(logits, -(images - copies).square().mean((1, 2, 3)).sqrt())
    assert not list(critic.encoder.logit.parameters()), "nothing is left that no turn could move"


@pytest.mark.parametrize("network", [dcgan, mlp, resnet])
def test_taking_the_tanh_out_leaves_what_stood_before_it(network):
    plain, bare = network.Generator((1, 8, 8), 5, 4).double().eval(), network.Generator((1, 8, 8), 5, 4).double().eval()
    bare.load_state_dict(plain.state_dict())
    codes = 1000 * torch.randn(3, 5, dtype=torch.float64, generator=gen())
    images = unsquashed(bare)(codes)
    assert float(images.detach().abs().max()) > 1
    torch.testing.assert_close(images.tanh(), plain(codes))
