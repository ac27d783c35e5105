"""Deep convolutional GAN: the shared networks are its, and its noise and want of an average its own."""

from __future__ import annotations

from torch import Tensor

from families.adversarial.losses import NON_SATURATING
from families.gan.builder import ADAM, GANBuilder, gan_recipe
from families.gan.codes import Code, uniform_codes
from families.gan.model import GAN
from genbench.spec import Batch


class UniformCode(Code):
    """A code of noise uniform on [-1, 1], as ``2 Φ(u) - 1`` of Gaussian u.

    Args:
        latents: size Z of u.
    """

    def __init__(self, latents: int) -> None:
        super().__init__(latents)
        self.setting = f"{latents} uniform latents"

    def forward(self, u: Tensor, given: Batch) -> Tensor:
        """Map noise ``(B, Z)`` to codes ``(B, Z)`` on [-1, 1]."""
        return uniform_codes(u, self.latents)


@gan_recipe(latents=100, average=0.0)
def dcgan(builder: GANBuilder) -> GAN:
    """DCGAN (1511.06434), non-saturating: strided convolutions down, transposed ones up, no hidden dense layers.

    Noise is uniform on [-1, 1]; it is projected to the coarsest map, and the critic's coarsest map is flattened into
    its one logit. Batch normalisation stands behind every convolution but the generator's last and the critic's first,
    ReLU in the generator and tanh at its end, LeakyReLU(0.2) in the critic; weights come from N(0, 0.02²), Adam has β₁
    0.5. Samples use batch normalisation's running statistics and no average of weights.

    Departures: sides halve while the shorter one stays at least 4 long, 28 → 14 → 7, where the paper goes from 64 to 4;
    at 64 pixels ``width=128`` gives its 4×4×1024 start. Kernels are 4×4, which a stride of 2 covers evenly, where the
    paper has 5×5; the logit has no bias.

    Args:
        builder: what all recipes share.

    Raises:
        ValueError: for an option out of range.
    """
    return builder.build(NON_SATURATING, code=UniformCode(builder.latents), optimizer=ADAM)
