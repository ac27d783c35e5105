"""Priors: what codes are drawn from to make new images. A prior is asked with what is given: ``given → distribution``.

A prior that is known only once the codes are (a mixture) has a ``fit`` beside it.
"""

from __future__ import annotations

import math
import warnings

import torch
from torch import Generator, Tensor, nn

from families.autoencoder.distributions import Gaussian, GaussianMixture, Joint, OneHot
from families.autoencoder.networks import known_labels
from genbench.seed import draw_seed
from genbench.spec import Batch

LEAST_VARIANCE = 1e-3  # of a component, beside each latent's own variance: no component collapses onto a few codes
LEAST_SPREAD = 1e-2  # of a latent, beside the widest one's: no proposal could follow a mixture that is thinner still
TINY = 1e-6  # spread of all latents where they hardly differ at all
REPEATS = 100  # of expectation and maximisation


class StandardNormal(nn.Module):
    """The prior N(0, I), the same for every row.

    Args:
        latents: the size ``Z`` of a code.
    """

    origin: Tensor

    def __init__(self, latents: int) -> None:
        super().__init__()
        self.register_buffer("origin", torch.zeros(latents), persistent=False)  # follows device and dtype

    def forward(self, given: Batch) -> Gaussian:
        """Return N(0, I) for every row of ``given``."""
        zeros = self.origin.expand(len(given), -1)
        return Gaussian(zeros, zeros)


class LabelNormal(nn.Module):
    """The prior ``p(z given y)``: independent normals of each label's own mean and spread, which learn from N(0, I) on.

    Args:
        latents: the size ``Z`` of a code.
        classes: number of labels.
    """

    def __init__(self, latents: int, classes: int) -> None:
        super().__init__()
        self.means = nn.Parameter(torch.zeros(classes, latents))
        self.log_stds = nn.Parameter(torch.zeros(classes, latents))

    def forward(self, given: Batch) -> Gaussian:
        """Return the normal of each row's label."""
        labels = known_labels(given)
        return Gaussian(self.means[labels], self.log_stds[labels])


class ClassAndStyle(nn.Module):
    """A prior of equally likely classes and an N(0, I) style: what the two adversaries impose (1511.05644).

    Args:
        classes: the number ``K`` of classes.
        latents: the size ``Z`` of the style.
    """

    def __init__(self, classes: int, latents: int) -> None:
        super().__init__()
        self.classes = classes
        self.style = StandardNormal(latents)

    def forward(self, given: Batch) -> Joint:
        """Return the same distribution over classes and styles for every row of ``given``."""
        style = self.style(given)
        odds = style.mean.new_full((len(given), self.classes), -math.log(self.classes))
        return Joint((OneHot(odds), style))


class Mixture(nn.Module):
    """A mixture of correlated normals, fitted to the codes of the training images; until then N(0, I).

    Args:
        latents: the size ``Z`` of a code.
        components: the number ``M`` of components.
    """

    log_weights: Tensor
    means: Tensor
    factors: Tensor

    def __init__(self, latents: int, components: int) -> None:
        super().__init__()
        self.register_buffer("log_weights", torch.full((components,), -math.log(components)))
        self.register_buffer("means", torch.zeros(components, latents))
        self.register_buffer("factors", torch.eye(latents).repeat(components, 1, 1))

    def forward(self, given: Batch) -> GaussianMixture:
        """Return the same mixture for every row of ``given``."""
        return GaussianMixture(self.log_weights, self.means, self.factors, len(given))

    @torch.no_grad()
    def fit(self, codes: Tensor, generator: Generator) -> None:
        """Fit the mixture to codes ``(N, Z)`` by scikit-learn's expectation-maximisation, seeded from ``generator``.

        Codes are standardised for it, since scikit-learn's floor under variances knows no scale, and the mixture is
        brought back to the codes' own scale. With fewer codes than components the others stay unused.
        """
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture as Fitted

        used = min(len(self.log_weights), len(codes))
        values = codes.double().cpu()
        values = values if len(values) > 1 else values.repeat(2, 1)  # scikit-learn insists on two
        centre = values.mean(0)
        scale = values.std(0, correction=0)
        scale = scale.clamp(min=max(LEAST_SPREAD * float(scale.max()), TINY))
        fitted = Fitted(used, reg_covar=LEAST_VARIANCE, max_iter=REPEATS, random_state=draw_seed(generator) % 2**32)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a mixture a few steps short of its best still is one
            fitted.fit(((values - centre) / scale).numpy())
        self.log_weights.fill_(-torch.inf)[:used] = torch.from_numpy(fitted.weights_).log().to(self.log_weights)
        self.means[:used] = (torch.from_numpy(fitted.means_) * scale + centre).to(self.means)
        factors = torch.linalg.cholesky(torch.from_numpy(fitted.covariances_))
        self.factors[:used] = (scale[:, None] * factors).to(self.factors)
