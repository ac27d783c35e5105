"""Every recipe of these families: where it is and what a table says of it. Plain data; nothing is imported.

A new variant is a function in its family's package and an entry here.
"""

from __future__ import annotations

from typing import Any

RECIPES: dict[str, dict[str, Any]] = {
    "pixelcnn": {
        "target": "families.autoregressive.pixelcnn:pixelcnn",
        "family": "autoregressive",
        "title": "PixelCNN",
        "paper": "1601.06759",
        "year": 2016,
        "likelihood": "exact",
    },
    "vae": {
        "target": "families.autoencoder.vae:vae",
        "family": "autoencoder",
        "title": "Variational autoencoder",
        "paper": "1312.6114",
        "year": 2013,
        "likelihood": "bound",
    },
    "realnvp": {
        "target": "families.flow.realnvp:realnvp",
        "family": "flow",
        "title": "Real-valued non-volume preserving flow",
        "paper": "1605.08803",
        "year": 2016,
        "likelihood": "bound",
    },
    "gan": {
        "target": "families.gan.objectives:gan",
        "family": "gan",
        "title": "Generative adversarial network, non-saturating",
        "paper": "1406.2661",
        "year": 2014,
        "likelihood": "estimate",
    },
    "wgan-gp": {
        "target": "families.gan.objectives:wgan_gp",
        "family": "gan",
        "title": "Wasserstein GAN with gradient penalty",
        "paper": "1704.00028",
        "year": 2017,
        "likelihood": "estimate",
    },
    "cgan": {
        "target": "families.gan.conditional:cgan",
        "family": "gan",
        "title": "Conditional GAN",
        "paper": "1411.1784",
        "year": 2014,
        "likelihood": "estimate",
        "given": ("label",),
    },
    "pix2pix": {
        "target": "families.translation.pix2pix:pix2pix",
        "family": "translation",
        "title": "Image-to-image translation with conditional GANs",
        "paper": "1611.07004",
        "year": 2016,
        "likelihood": "estimate",
        "given": ("source",),
    },
}
