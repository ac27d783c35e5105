import torch
from torch import nn

from families.flow.convolution import InvertibleConv
from families.flow.normalisation import ActNorm, BatchNorm, Scaling, Started
from families.flow.proposal import RATE, EndTails
from genbench import Batch, build
from genbench.seed import fork_rng, generator


def randomise(module, seed=0, scale=0.2):
    """No weight zero, no running average at its start, float64, in evaluation mode."""
    with fork_rng(seed):
        kept = {p for part in module.modules() if isinstance(part, InvertibleConv) for p in part.parameters()}
        for parameter in module.parameters():
            if parameter in kept:  # a rotation to begin with, and not to be made singular
                parameter.data += scale * torch.randn_like(parameter)
            else:
                nn.init.normal_(parameter, std=scale)
        for part in module.modules():
            if isinstance(part, BatchNorm):
                nn.init.normal_(part.running_mean, std=0.2)
                part.running_var.copy_(0.5 + torch.rand(len(part.running_var)))
            if isinstance(part, ActNorm):
                part.stretch.data /= part.rate
            if isinstance(part, EndTails):
                part.log_powers.data /= RATE
                part.further.data /= RATE
            if isinstance(part, Started):
                part.started.fill_(True)
            if isinstance(part, Scaling):
                part.log_scale.data += 2.2  # the base covers the unit interval, and not its open ends alone
    return module.double().eval()


def randomised(recipe, spec, seed=0, scale=0.2, **options):
    return randomise(build(recipe, spec, seed=seed, **options), seed, scale)


def batch_of(shape, seed=0, n=3):
    return torch.randn(n, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def images_of(spec, n=3, seed=0):
    """Random images, with labels where there are classes."""
    source = torch.Generator().manual_seed(seed)
    images = torch.randint(spec.levels, (n, *spec.shape), generator=source).to(torch.uint8)
    return Batch(images, torch.arange(n) % spec.classes if spec.classes else None)


def log_det_by_autograd(transform, x, context=None):
    """log |det| of the Jacobian at each row, from the whole matrix."""
    answers = []
    for k, row in enumerate(x):
        given = None if context is None else context[k : k + 1]
        jacobian = torch.autograd.functional.jacobian(lambda r, g=given: transform(r[None], g)[0].flatten(), row)
        answers.append(torch.linalg.slogdet(jacobian.reshape(row.numel(), row.numel()))[1])
    return torch.stack(answers)


def check_bijection(transform, x, context=None):
    """Log-determinants equal autograd's, and either way and back leaves values where they were."""
    y, log_det = transform(x, context)
    assert torch.allclose(log_det.double(), log_det_by_autograd(transform, x, context), atol=1e-9)
    back, inverse_log_det = transform.inverse(y, context)
    assert (back - x).abs().max() < 1e-10
    assert torch.allclose(inverse_log_det, -log_det, atol=1e-8)
    somewhere = torch.randn(y.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(9))
    data, _ = transform.inverse(somewhere, context)
    assert (transform(data, context)[0] - somewhere).abs().max() < 1e-10
    return y, log_det


def weights_of(model, batch, rounds, draws=50):
    """Importance weights ``(rounds · draws, B)``."""
    return torch.cat([model.log_weights(batch, draws, generator(0, k)).detach().exp() for k in range(rounds)])


def check_sum_is_one(weights, tightest):
    """Over all images, the mean weights sum to one within three standard errors, which are no larger than that."""
    error = weights.sum(1).std() / len(weights) ** 0.5
    assert error < tightest
    assert abs(weights.sum(1).mean() - 1) < 3 * error
