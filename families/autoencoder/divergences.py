"""What an encoder pays for where it puts its codes: ``(posterior, prior, codes) → (B,)`` nats, all of one signature."""

from __future__ import annotations

from torch import Tensor

from families.autoencoder.distributions import Gaussian


def kl(posterior: Gaussian, prior: Gaussian, codes: Tensor) -> Tensor:
    """Return ``KL(q ‖ p) = Σ log σ_p/σ_q + (σ_q² + (μ_q - μ_p)²) / 2σ_p² - ½``, ``(B,)`` (1312.6114, appendix B)."""
    ratio = posterior.log_std - prior.log_std
    distance = (posterior.mean - prior.mean) * (-prior.log_std).exp()
    return 0.5 * ((2 * ratio).exp() + distance.square() - 1 - 2 * ratio).sum(-1)
