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
    "discogan": {
        "target": "families.translation.discogan:discogan",
        "family": "translation",
        "title": "Relations between two domains, found by two coupled GANs",
        "paper": "1703.05192",
        "year": 2017,
        "likelihood": "estimate",
        "given": ("source",),
        "needs": ("unpaired",),
    },
    "dualgan": {
        "target": "families.translation.dualgan:dualgan",
        "family": "translation",
        "title": "Dual learning of two Wasserstein GANs",
        "paper": "1704.02510",
        "year": 2017,
        "likelihood": "estimate",
        "given": ("source",),
        "needs": ("unpaired",),
    },
    "cartoongan": {
        "target": "families.translation.cartoongan:cartoongan",
        "family": "translation",
        "title": "Photographs into cartoons with clear edges",
        "paper": "CVPR 2018",
        "year": 2018,
        "likelihood": "estimate",
        "given": ("source",),
        "needs": ("unpaired",),
    },
    "animegan": {
        "target": "families.translation.animegan:animegan",
        "family": "translation",
        "title": "Photographs into cartoons by a light network and grey styles",
        "paper": "ISICA 2019",
        "year": 2019,
        "likelihood": "estimate",
        "given": ("source",),
        "needs": ("unpaired",),
    },
}
