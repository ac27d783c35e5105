"""The search of rates: every combination, judged without the test split, the best first."""

from dataclasses import replace

import pytest
import torch

import genbench
from benchmarks import search
from genbench import Budget, FitConfig, data

CONFIG = FitConfig(Budget(steps=2), batch_size=16, seed=0)


def test_options_with_a_slash_move_together_and_others_are_crossed():
    found = search.combinations(["lr/critic_lr=1e-3/2e-3,5e-4/1e-4", "network=dense,residual"])
    assert found == [
        {"lr": 1e-3, "critic_lr": 2e-3, "network": "dense"},
        {"lr": 1e-3, "critic_lr": 2e-3, "network": "residual"},
        {"lr": 5e-4, "critic_lr": 1e-4, "network": "dense"},
        {"lr": 5e-4, "critic_lr": 1e-4, "network": "residual"},
    ]


@pytest.mark.parametrize(
    ("recipe", "name", "figures", "judged"),
    [
        ("vae", "digits", ["steps", "bits/dim, validation", "training"], ["bits/dim, validation"]),
        ("cgan", "digits", ["steps", f"FID ({search.EXTRACTOR})", "agreement"], []),
        ("pix2pix", "edges:digits", ["steps", f"FID ({search.EXTRACTOR})", "agreement", "PSNR"], ["PSNR"]),
    ],
)
def test_the_test_split_plays_no_part_and_the_validation_split_does(recipe, name, figures, judged, monkeypatch):
    monkeypatch.setattr(search, "SAMPLES", 40)
    dataset = data.load(name)

    def found(**splits):
        return search.trial(recipe, replace(dataset, **splits), {"width": 8}, CONFIG)

    plain = found()
    assert list(plain) == figures
    assert plain["steps"] == 2
    blank = replace(dataset.test, images=torch.zeros_like(dataset.test.images))
    assert found(test=blank) == plain
    other = replace(dataset.validation, images=dataset.validation.images.flip(0, 3))
    changed = [name for name, value in found(validation=other).items() if value != plain[name]]
    assert changed == judged


def test_the_best_stands_first_and_what_diverged_last(monkeypatch, capsys):
    def trial(recipe, dataset, options, config):
        return None if options["lr"] > 1 else {"steps": 5, "FID": 100 * options["lr"] + config.seed}

    monkeypatch.setattr(search, "trial", trial)
    monkeypatch.setattr("sys.argv", ["search.py", "gan", "lr=0.5,2.0,0.1", "--dataset", "digits", "--seeds", "0", "2"])
    search.main()
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| lr")]
    assert rows == ["| lr 0.1 | 5 | 11 |", "| lr 0.5 | 5 | 51 |", "| lr 2.0 (2 diverged) | diverged | diverged |"]


def test_a_training_that_diverges_has_no_figures(monkeypatch, capsys):
    class Torn:
        def fit(self, data, config):
            raise genbench.Diverged("loss", "critic", 3)

    monkeypatch.setattr(genbench, "build", lambda *given, **options: Torn())
    assert search.trial("gan", data.load("digits"), {"lr": 1.0}, CONFIG) is None
    assert "loss is not finite in turn 'critic' at step 3" in capsys.readouterr().out
