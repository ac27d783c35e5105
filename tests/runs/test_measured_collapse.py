"""Collapse on features laid out by hand."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch

from genbench import DataSpec
from genbench.metrics.neighbours import neighbours
from genbench.runs import measures


@dataclass(frozen=True)
class Seen:
    features: torch.Tensor

    def __len__(self):
        return len(self.features)


def collapse(monkeypatch, train, labels, test, samples, predicted=None):
    """Images are handed through as their own features."""
    monkeypatch.setattr(measures, "real", lambda extractor, images, spec: Seen(images))
    monkeypatch.setattr(measures, "around", lambda extractor, images, spec: neighbours(images))
    split = SimpleNamespace(images=train, labels=labels)
    splits = {"train": split, "validation": split, "test": Rows(test)}
    data = SimpleNamespace(spec=DataSpec((1, 2, 2), classes=2), class_names=(), **splits)
    return measures.collapse(None, data, samples, Seen(samples), predicted)[0]


class Rows(Seen):
    @property
    def images(self):
        return self.features


def column(*values):
    return torch.tensor(values, dtype=torch.float32)[:, None]


def test_nearness_is_in_units_of_how_far_training_images_are_apart_there(monkeypatch):
    train = column(0, 1, 2, 3, 1000, 1100, 1200, 1300)  # ones apart, then hundreds
    test = column(0.5, 1.5, 1050, 1150)  # half a unit either way
    samples = column(1010, 1110, 1210, 1310)  # a tenth of one, though 10 is much more than 0.5
    assert collapse(monkeypatch, train, None, test, samples).copies == 1


def test_width_is_held_against_as_many_training_images_evenly_spread(monkeypatch):
    train = torch.randn(400, 3, generator=torch.Generator().manual_seed(0))
    labels, n, given = torch.arange(400) // 200, 20, []
    monkeypatch.setattr(measures.collapses, "diversity", lambda *parts: given.append(parts) or 1.0)
    collapse(monkeypatch, train, labels, train[:n] + 1, train[:n], labels[:n])
    ((_, _, real, classes),) = given
    assert len(real) == n
    assert classes.bincount().tolist() == pytest.approx([n / 2, n / 2])
