import torch
from torch import nn

from families.autoencoder.aae import aae, aae_semi_supervised, aae_supervised
from families.autoencoder.ae import ae
from families.autoencoder.cvae import cvae
from families.autoencoder.vae import vae
from genbench import Batch, Budget, DataSpec, FitConfig
from genbench.seed import fork_rng, generator
from genbench.spec import Split, Splits
from tests.families.helpers import every_image

BOUNDED = {
    "ae": ae,
    "vae": vae,
    "cvae": cvae,
    "aae": aae,
    "aae-supervised": aae_supervised,
    "aae-semi-supervised": aae_semi_supervised,
}
PIXELS = DataSpec((1, 2, 2), 2, classes=2, labelled=12)


def tiny(name, spec=PIXELS, seed=0, **options):
    with fork_rng(seed):
        return BOUNDED[name](spec, **{"width": 4, "latents": 2} | options)


def randomised(name, spec=PIXELS, seed=0, scale=0.3, **options):
    """A model in which no weight is zero, with proposals a little wider than the prior, so that weights are tame."""
    model = tiny(name, spec, seed, **options)
    with fork_rng(seed):
        for parameter in model.parameters():
            nn.init.normal_(parameter, std=scale)
        last = [layer for layer in model.encoder.modules() if isinstance(layer, nn.Linear)][-1]
        last.weight.data.mul_(0.2)
        if hasattr(model.encoder, "log_std"):
            model.encoder.log_std.normal_(0.2, 0.1)
        else:
            last.bias.data = torch.tensor([0.3, 0.2]).repeat_interleave(len(last.bias) // 2)
        if name == "cvae":
            model.prior.log_stds.data.sub_(0.3)
        if name == "ae":
            size = len(model.prior.log_weights)
            model.prior.log_weights.copy_(torch.randn(size).log_softmax(0))
            model.prior.means.normal_(std=0.4)
            model.prior.factors.copy_(torch.linalg.cholesky(0.5 * torch.eye(2) + 0.2 * torch.rand(size, 1, 1)))
    return model.eval()


def toy(spec=PIXELS, n=60, seed=0):
    """Dark images of label 0 and bright ones of label 1, a quarter of the pixels flipped; a share keeps its labels."""
    source, labels = torch.Generator().manual_seed(seed), torch.arange(n) % 2
    flipped = torch.rand(n, *spec.shape, generator=source) < 0.25
    images = (labels[:, None, None, None] ^ flipped).to(torch.uint8) * (spec.levels - 1)
    known = labels if spec.labelled is None else labels.where(torch.arange(n) < spec.labelled, -1)
    return Splits(Split(images, known), Split(images, labels))


def trained(name, spec=PIXELS, steps=30, seed=0, batch_size=20, data=None, **options):
    """Trained for a moment; only the semi-supervised one is told of a labelled share."""
    if name != "aae-semi-supervised":
        spec = DataSpec(spec.shape, spec.levels, spec.classes)
    model = tiny(name, spec, seed, **options)
    model.fit(data or toy(spec), FitConfig(Budget(steps=steps), batch_size=batch_size, seed=seed))
    return model


def weights_over_all_images(model, spec, label=None, draws=50, times=20):
    """The sum over all images of the mean importance weight, and its standard error."""
    images = every_image(spec)
    labels = None if label is None else torch.full((len(images),), label)
    batch = Batch(images, labels)
    with torch.no_grad():
        logs = torch.cat([model.log_weights(batch, draws, generator(0, k)) for k in range(times)])
    weights = logs.exp()  # (draws · times, images)
    return weights.mean(0).sum().item(), (weights.var(0) / len(weights)).sum().sqrt().item()
