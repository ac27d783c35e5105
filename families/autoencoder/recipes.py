"""The recipes of the autoencoders: where each is and what a table says of it; nothing is imported."""

from __future__ import annotations

from typing import Any

RECIPES: dict[str, dict[str, Any]] = {
    "ae": {
        "target": "families.autoencoder.ae:ae",
        "family": "autoencoder",
        "title": "Autoencoder with a Gaussian mixture on its codes",
        "paper": "none",
        "year": 1986,
        "likelihood": "bound",
    },
    "vae": {
        "target": "families.autoencoder.vae:vae",
        "family": "autoencoder",
        "title": "Variational autoencoder",
        "paper": "1312.6114",
        "year": 2013,
        "likelihood": "bound",
    },
    "cvae": {
        "target": "families.autoencoder.cvae:cvae",
        "family": "autoencoder",
        "title": "Conditional variational autoencoder",
        "paper": "NeurIPS 2015",
        "year": 2015,
        "likelihood": "bound",
        "given": ("label",),
    },
    "aae": {
        "target": "families.autoencoder.aae:aae",
        "family": "autoencoder",
        "title": "Adversarial autoencoder",
        "paper": "1511.05644",
        "year": 2015,
        "likelihood": "bound",
    },
    "aae-supervised": {
        "target": "families.autoencoder.aae:aae_supervised",
        "family": "autoencoder",
        "title": "Adversarial autoencoder, supervised",
        "paper": "1511.05644",
        "year": 2015,
        "likelihood": "bound",
        "given": ("label",),
    },
    "aae-semi-supervised": {
        "target": "families.autoencoder.aae:aae_semi_supervised",
        "family": "autoencoder",
        "title": "Adversarial autoencoder, semi-supervised",
        "paper": "1511.05644",
        "year": 2015,
        "likelihood": "bound",
        "needs": ("label", "labelled"),
    },
    "vae-gan": {
        "target": "families.autoencoder.vae_gan:vae_gan",
        "family": "autoencoder",
        "title": "Autoencoding beyond pixels (VAE/GAN)",
        "paper": "1512.09300",
        "year": 2015,
        "likelihood": "estimate",
    },
}
