"""Fake records and run folders, for tests of what reads them."""

import math
import random
import re

import numpy as np

from genbench.plots.grid import draw_grid
from genbench.records.parts import Agreement, Collapse, Fit, Likelihood, Paired, Quality, Speed
from genbench.records.record import Record, records
from genbench.tables import rows
from genbench.tables.view import View

STAMP = {
    "title": "Seven models of five families on handwritten digits",
    "data": {
        "name": "mnist5k",
        "size": None,
        "hashes": {"train": "a" * 64, "validation": "e" * 64, "test": "b" * 64},
        "shape": [1, 28, 28],
        "levels": 256,
        "classes": 10,
    },
    "split": "fixed: trained on train, measured on test",
    "counts": {"train": 3500, "validation": 500, "test": 1000},
    "budget": {"seconds": 60.0},
    "batch_size": 64,
    "checkpoint": "last",
    "checked": {"by": "the tests of genbench"},
    "precision": "float32",
    "extractor": {"name": "efficientnet-lite0", "hash": "c" * 64, "resize": "bilinear to 112, antialiased"},
    "reference": {"split": "train", "images": 3500},
    "samples": {"count": 1000, "type": "uint8"},
    "device": "cpu",
    "accelerator": None,
    "processor": "Some Processor 9000",
    "threads": 2,
    "versions": {"genbench": "0.1.0", "torch": "2.15.0"},
    "revision": "d" * 40,
    "command": "genbench run quick --recipe vae --seed 0",
}


GAP = {"standard_error": 0.002, "least": 2.0, "greatest": 2.1, "images": 5, "draws": 2, "acceptance": 0.6}
GAP |= {"backward_acceptance": 0.7}


def likelihood(per_image=(1.0, 1.2, 1.4), kind="exact", method="chain rule", **fields):
    n = len(per_image)
    mean = sum(per_image) / n
    error = math.sqrt(sum((x - mean) ** 2 for x in per_image) / (n - 1) / n) if n > 1 else math.nan
    given = {"bpd": mean, "standard_error": error, "images": n, "kind": kind, "method": method, "per_image": per_image}
    return Likelihood(**given | fields)


def quality(fid=50.0, **fields):
    given = {"fid": fid, "kid": fid / 1e4, "precision": 0.7, "recall": 0.5, "inception_score": 2.1}
    given |= {"inception_score_std": 0.1, "images": 1000, "reference_images": 3500}
    return Quality(**given | fields)


def collapse(**fields):
    given = {"covered": 10, "classes": 10, "divergence": 0.034, "diversity": 0.91, "duplicates": 0.024}
    return Collapse(**given | {"copies": 0.011, "distance": 0.97} | fields)


def speed(latency_ms=4.2, images_per_second=900.0):
    return Speed(
        latency_ms=latency_ms,
        latency_quartiles=(latency_ms * 0.9, latency_ms * 1.1),
        images_per_second=images_per_second,
        throughput_quartiles=(images_per_second * 0.9, images_per_second * 1.1),
        best_images_per_second=images_per_second * 1.5,
        best_batch=256,
        runs=5,
    )


def record(label="vae", *, stamp=None, **fields):
    """A cell that is done, with every figure; ``fields`` replace, ``stamp`` changes keys of the stamp."""
    given = {
        "dataset": "mnist5k",
        "recipe": label,
        "label": label,
        "family": "autoencoder",
        "seed": 0,
        "status": "done",
        "params": 412_545,
        "fit": Fit(
            images=76_800, steps=1200, phase_steps={"fit": 1200}, seconds=60.1, finish_seconds=0.0, batch_size=64
        ),
        "test": likelihood(),
        "train": likelihood(),
        "extractor": "efficientnet-lite0",
        "quality": quality(),
        "speed": speed(),
        "peak_memory_mb": 812.5,
        "stamp": STAMP | (stamp or {}),
    }
    return Record(**given | fields)


def anchor(label, **fields):
    empty = {"params": None, "fit": None, "train": None, "speed": None, "peak_memory_mb": None}
    return record(label, status="anchor", family="anchor", **{"test": None, "quality": None} | empty | fields)


def lost(label, seed=0, status="diverged", reason="loss of turn critic is nan at step 120", **fields):
    empty = {"fit": None, "test": None, "train": None, "extractor": None, "quality": None, "speed": None}
    return record(label, seed=seed, status=status, reason=reason, peak_memory_mb=None, **empty | fields)


def everything(folder):
    """The Markdown table of a run with every column, without the letters that lead to its notes."""
    text = rows.render(records(folder), "md", view=View.of("all"))
    return re.sub("<sup>.</sup> ?", "", text)


def quick():
    """Something like what a quick run ends with: seven recipes, one that diverged, and the anchors."""
    noise = random.Random(0)
    common = [noise.gauss(0, 0.25) for _ in range(200)]

    def per_image(mean, n=200):
        return tuple(mean + x + noise.gauss(0, 0.05) for x in common[:n])

    def ais(mean, given=(), converged=True):
        moved = 0.01 if converged else 0.31
        fields = {"given": given, "observation": "added", "draws": 2, "moved": moved, "converged": converged}
        return likelihood(per_image(mean, 10), "estimate", "ais", **fields)

    def classes(share=None):
        error = None if share is None else (share * (1 - share) / 1000) ** 0.5
        figures = {"confidence": 0.8, "entropy": 0.9, "class_entropy": 3.2, "accuracy": 0.93}
        return Agreement(agreement=share, standard_error=error, **figures)

    def cell(label, family, test, fid, latency, throughput, params, **fields):
        parts = {"test": test, "train": test, "quality": quality(fid, precision=0.7, recall=30 / fid)}
        parts |= {"speed": speed(latency, throughput), "params": params, "agreement": classes(), "collapse": collapse()}
        parts |= {"setting": "critic: no norm, 1 step; Adam 0.0002, β 0.5 0.999"} if family == "gan" else {}
        return record(label, family=family, **parts | fields)

    edges = STAMP["data"] | {"name": "edges:mnist5k"}
    yield cell("pixelcnn", "autoregressive", likelihood(per_image(1.22)), 148.2, 210.0, 49.3, 288_512)
    yield cell("vae", "autoencoder", likelihood(per_image(1.61), "bound", "elbo"), 171.9, 1.31, 11800.0, 1_240_770)
    dequantised = likelihood(per_image(2.34), "bound", "dequantised")
    yield cell("realnvp", "flow", dequantised, 402.7, 38.5, 402.0, 2_711_040)
    yield cell("gan", "gan", ais(2.35, converged=False), 118.3, 1.12, 14100.0, 910_337)
    yield cell("wgan-gp", "gan", ais(2.61), 133.4, 1.14, 13900.0, 910_337)
    given = {"given": ("label",), "agreement": classes(0.87)}
    yield cell("cgan", "gan", ais(2.29, ("label",)), 121.0, 1.3, 12900.0, 934_912, **given)
    yield lost("f-gan (KL)", family="gan")
    given = {"given": ("source",), "dataset": "edges:mnist5k", "stamp": {"data": edges}}
    given["paired"] = Paired(psnr=19.3, psnr_standard_error=0.1, ssim=0.81, ssim_standard_error=0.01, images=1000)
    yield cell("pix2pix", "translation", ais(1.71, ("source",)), 61.2, 3.4, 5100.0, 1_502_224, **given)
    for dataset, data in (("mnist5k", STAMP["data"]), ("edges:mnist5k", edges)):
        where = {"dataset": dataset, "stamp": {"data": data}}
        real = {"agreement": classes(0.93), "collapse": collapse(duplicates=0.01, copies=0.01, distance=1.0)}
        yield anchor("real (test)", quality=quality(25.8), **real, **where)
        gone = {"agreement": classes(), "collapse": collapse(covered=1, divergence=math.log2(10), diversity=1.2)}
        yield anchor("noise", quality=quality(1365.0, precision=0.0, recall=0.0), **gone, **where)
        yield anchor("pixel-gaussian", quality=quality(743.5, precision=0.0, recall=0.0), **gone, **where)
        for name, value in (("uniform", 8.0), ("png", 2.83), ("webp", 2.12)):
            yield anchor(name, test=likelihood((value, value + 1e-9), method=name), **where)


def slug(text):
    return "".join(c if c.isalnum() else "-" for c in text.lower()).strip("-")


def run(folder, records):
    """Write records as a run's folder, each with a grid and a history."""
    noise = np.random.default_rng(0)
    for item in records:
        cell = folder / "cells" / slug(item.dataset) / slug(item.label) / f"seed-{item.seed}"
        item.write(cell)
        if item.quality is not None:
            draw_grid(noise.integers(0, 256, (64, 1, 28, 28), dtype=np.uint8), cell / "samples.png")
        if item.status != "anchor":
            lines = ["phase,step,images,seconds,fit/loss,fit/kl"]
            for step in range(6, 1201, 6):
                loss = 3 * math.exp(-step / 200) + 1.2 + 0.1 * noise.standard_normal()
                lines.append(f"fit,{step},{64 * step},{step / 20},{loss:.6g},{'' if step % 12 else loss / 3}")
            (cell / "history.csv").write_text("\n".join(lines) + "\n")
    return folder
