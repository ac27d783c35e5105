"""The recipes of the image-to-image models: where each is and what a table says of it; nothing is imported."""

from __future__ import annotations

from typing import Any

RECIPES: dict[str, dict[str, Any]] = {
    "pix2pix": {
        "target": "families.translation.pix2pix:pix2pix",
        "family": "translation",
        "title": "Image-to-image translation with conditional GANs",
        "paper": "1611.07004",
        "year": 2016,
        "likelihood": "estimate",
        "given": ("source",),
        "needs": ("source", "pairs"),
    },
    "srgan": {
        "target": "families.translation.srgan:srgan",
        "family": "translation",
        "title": "Super-resolution with adversarial and perceptual losses",
        "paper": "1609.04802",
        "year": 2016,
        "likelihood": "estimate",
        "given": ("source",),
        "needs": ("pairs",),
    },
    "cyclegan": {
        "target": "families.translation.cyclegan:cyclegan",
        "family": "translation",
        "title": "Cycle-consistent adversarial networks",
        "paper": "1703.10593",
        "year": 2017,
        "likelihood": "estimate",
        "given": ("source",),
        "needs": ("unpaired",),
    },
    "tp-gan": {
        "target": "families.translation.tp_gan:tp_gan",
        "family": "translation",
        "title": "Face rotation by a GAN of two pathways",
        "paper": "1704.04086",
        "year": 2017,
        "likelihood": "estimate",
        "given": ("source", "landmarks"),
        "needs": ("source", "pairs", "landmarks", "identity"),
    },
    "deblurgan": {
        "target": "families.translation.deblurgan:deblurgan",
        "family": "translation",
        "title": "Blind motion deblurring by a conditional Wasserstein GAN",
        "paper": "1711.07064",
        "year": 2017,
        "likelihood": "estimate",
        "given": ("source",),
        "needs": ("source", "pairs"),
    },
    "st-cgan": {
        "target": "families.translation.st_cgan:st_cgan",
        "family": "translation",
        "title": "Stacked conditional GANs that detect and remove shadows",
        "paper": "1712.02478",
        "year": 2017,
        "likelihood": "estimate",
        "given": ("source",),
        "needs": ("source", "pairs", "shadow"),
    },
}
