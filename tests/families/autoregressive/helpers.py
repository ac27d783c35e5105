import torch

from families.autoregressive.pixelcnn_pp import pixelcnn_pp
from genbench.seed import fork_rng


def randomised(model, seed=0, gain=1.5):
    """The model in float64, and no parameter zero: layers that begin at zero hide leaks."""
    with fork_rng(seed):
        for p in model.parameters():
            torch.nn.init.normal_(p, std=gain / p[0].numel() ** 0.5 if p.dim() > 1 else 0.3)
    return model.double().eval()


def narrow_pixelcnn_pp(spec, seed=0, gain=1.5, **options):
    """A narrow PixelCNN++ in which no weight is zero."""
    return randomised(pixelcnn_pp(spec, **{"width": 6, "depth": 1, "components": 2} | options), seed, gain)
