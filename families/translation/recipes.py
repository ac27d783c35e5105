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
    "simgan": {
        "target": "families.translation.simgan:simgan",
        "family": "translation",
        "title": "Simulated and unsupervised learning",
        "paper": "1612.07828",
        "year": 2016,
        "likelihood": "estimate",
        "given": ("source",),
        "needs": ("unpaired",),
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
    "xgan": {
        "target": "families.translation.xgan:xgan",
        "family": "translation",
        "title": "Many-to-many mappings by a shared code",
        "paper": "1711.05139",
        "year": 2017,
        "likelihood": "estimate",
        "given": ("source",),
        "needs": ("unpaired",),
    },
    "stargan": {
        "target": "families.translation.stargan:stargan",
        "family": "translation",
        "title": "One generator for several domains",
        "paper": "1711.09020",
        "year": 2017,
        "likelihood": "estimate",
        "given": ("source", "domain"),
        "needs": ("domain",),
    },
    "combogan": {
        "target": "families.translation.combogan:combogan",
        "family": "translation",
        "title": "An encoder and a decoder for each of several domains",
        "paper": "1712.06909",
        "year": 2017,
        "likelihood": "estimate",
        "given": ("source", "source_domain", "domain"),
        "needs": ("domain",),
    },
}
