"""What decides the class of a conditional autoencoder's image: the label that its decoder is told, or its code.

    python benchmarks/label_or_code.py results/explicit/cells/mnist5k/cvae/seed-0/checkpoint/model.safetensors

Codes of test images are decoded under another label. The data set's classifier then says how many images follow the
label and how many the code they came from; and how samples that it is sure of agree with the label asked for.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import torch

import genbench
from genbench import data
from genbench.runs import measures
from genbench.seed import generator

SAMPLES = 1000
SURE = 0.9


def main() -> None:
    """Print four shares."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--dataset", default="mnist5k")
    words = parser.parse_args()
    dataset, model = data.load(words.dataset), genbench.load(words.model)
    classes, levels = dataset.spec.classes, dataset.spec.levels
    extractor = measures.extractor("classifier", dataset, "cpu")

    test = dataset.test
    other = (test.labels + 1 + torch.arange(len(test)) % (classes - 1)) % classes
    with torch.no_grad():
        shown = model.eval().show(model.encode(test), replace(test, labels=other), None)
    seen = extractor.predict(shown, levels).argmax(1)
    print(f"another label: {(seen == other).double().mean():.1%} follow the label, ", end="")
    print(f"{(seen == test.labels).double().mean():.1%} the code")

    asked = torch.arange(SAMPLES) % classes
    odds = extractor.predict(model.sample(SAMPLES, labels=asked, generator=generator(0, "asked")), levels)
    agree, sure = odds.argmax(1) == asked, odds.amax(1) > SURE
    print(f"samples: {agree.double().mean():.1%} agree with the label asked for; ", end="")
    print(f"of the {sure.double().mean():.1%} that the classifier is sure of, {agree[sure].double().mean():.1%}")


if __name__ == "__main__":
    main()
