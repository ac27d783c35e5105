"""What one cell writes: every figure beside how it was measured. Tables and reports read this and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from genbench.files import written_whole
from genbench.records import layout

Status = Literal["done", "diverged", "failed", "anchor", "evaluated"]


class Part(BaseModel):
    """A frozen piece of a record; unknown keys are refused. A float that is not finite is written as a string."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class Fit(Part):
    """What training took. ``seconds`` are in the loop; ``phase_steps`` are what reproducing replays."""

    images: int
    steps: int
    phase_steps: dict[str, int]
    seconds: float
    finish_seconds: float
    batch_size: int


class Gap(Part):
    """How far chains are from the truth on ``images`` images that the model made itself (1511.02543), in bits/dim.

    ``bpd`` is the distance between ``greatest``, which chains from the prior give and which is above the truth in the
    mean, and ``least``, which chains backward from the noise that made an image give and which is below. Beside it are
    its standard error over images (null for one) and the acceptance of both.
    """

    bpd: float
    standard_error: float | None
    least: float
    greatest: float
    images: int
    draws: int
    acceptance: float
    backward_acceptance: float


class Parzen(Part):
    """Mean log-density, in nats, of ``images`` test images scaled to [0, 1] under Gaussians round ``samples`` samples.

    ``sigma``, of each Gaussian in units of that range, is the best of a grid on ``validation`` validation images. What
    1406.2661 reported; it ranks nothing (1511.01844).
    """

    nats: float
    standard_error: float | None
    sigma: float
    samples: int
    images: int
    validation: int


class Likelihood(Part):
    """Bits per dimension of one split, ``-nats / (C·H·W · ln 2)``.

    ``standard_error`` is null for one image, or where the mean is infinite. ``moved`` is by how much an estimate
    changed when its temperatures were doubled; ``converged`` says whether that is within 0.05 bits/dim; both are null
    where there is nothing to converge. ``per_image`` is kept for paired comparison.

    ``ess`` is the effective sample size of an image's ``draws`` importance weights, ``(Σ w)² / Σ w²``; ``acceptance``
    and ``step_size`` are of Hamiltonian transitions: means over images. ``gap`` is the same chains' check from both
    sides. They are null where there is no such thing.
    """

    bpd: float
    standard_error: float | None
    images: int
    kind: Literal["exact", "bound", "estimate"]
    given: tuple[str, ...] = ()
    method: str
    observation: Literal["own", "added"] = "own"
    draws: int = 1
    effort: str = "fast"
    moved: float | None = None
    converged: bool | None = None
    ess: float | None = None
    acceptance: float | None = None
    step_size: float | None = None
    gap: Gap | None = None
    per_image: tuple[float, ...] = ()


class Quality(Part):
    """Sample quality under one extractor, on ``images`` samples against ``reference_images`` of the training split.

    ``fid_standard_error`` is the jackknife's over samples. ``fid_infinity``, the distance carried to infinitely many
    images, is there under ``classifier`` alone; its standard error and that of ``kid`` count the real images too.
    They are null in older records, which have ``kid_std``: the spread of KID over subsets, which understates it.
    """

    fid: float
    fid_standard_error: float | None = None
    fid_infinity: float | None = None
    fid_infinity_standard_error: float | None = None
    kid: float
    kid_std: float | None = None
    kid_standard_error: float | None = None
    precision: float
    recall: float
    inception_score: float
    inception_score_std: float
    images: int
    reference_images: int
    notes: tuple[str, ...] = ()


class Speed(Part):
    """Sampling speed: medians, (first, third) quartiles over ``runs`` runs; latency at one image, throughput at 64."""

    latency_ms: float
    latency_quartiles: tuple[float, float]
    images_per_second: float
    throughput_quartiles: tuple[float, float]
    best_images_per_second: float
    best_batch: int
    runs: int


class Agreement(Part):
    """What the data set's classifier says of the samples.

    ``agreement``: share whose class is the one asked for (null where none was), ``standard_error`` its binomial one
    (null in older records too); ``confidence``: mean top probability;
    ``entropy``: mean predictive entropy, bits (low: looks like some class); ``class_entropy``: entropy of the predicted
    classes' histogram, bits (high: all classes appear). ``accuracy`` is the classifier's own on real test images.
    """

    agreement: float | None
    confidence: float
    entropy: float
    class_entropy: float
    accuracy: float
    standard_error: float | None = None


class Collapse(Part):
    """How far the samples have collapsed: onto classes, within classes, onto each other, onto the training images.

    ``covered``: classes, of ``classes``, that get at least a tenth of their share of the training labels;
    ``divergence``: ``KL(samples ‖ training labels)`` of the class histograms, bits; ``diversity``: mean feature
    distance of two samples of a class over that of two training images of it, null too where no class has two. These
    are null for data without labels; classes of samples are those that the data set's classifier predicts.
    ``duplicates`` and ``copies``: share of samples as near to another sample, to a training image, as only a hundredth
    of test images are. ``distance``: median distance to the nearest training image over that of test images: 0 for
    copies, 1 for what is as far as unseen images are; null where test images are copies themselves.
    """

    covered: int | None = None
    classes: int | None = None
    divergence: float | None = None
    diversity: float | None = None
    duplicates: float
    copies: float
    distance: float | None


class Accuracy(Part):
    """Share of test images that the model itself, having learned from labels, puts in their class."""

    accuracy: float
    standard_error: float | None
    images: int


class Paired(Part):
    """Fidelity of a paired translation to the true image: means and standard errors over test pairs."""

    psnr: float
    psnr_standard_error: float | None
    ssim: float
    ssim_standard_error: float | None
    images: int


class Record(Part):
    """One cell: data set × recipe × seed, or an anchor.

    Args:
        dataset: name as asked: ``mnist5k``, ``edges:mnist5k``.
        recipe: catalogue name, or an anchor's name (``real (test)``, ``noise``, ``uniform`` …).
        label: the row's label in the table.
        setting: what the recipe plays by beside its loss, in words, where the model says so.
        given: what samples are conditioned on; rows are ranked only among equals.
        labelled: training images that kept their label, where not all did.
        status: ``anchor`` for anchors, ``evaluated`` for samples of a model that was not trained here; ``diverged`` and
            ``failed`` carry a ``reason``.
        abilities: ability → the picture of it, or why there is none: ``failed: …``.
        digests: SHA-256 of ``samples`` and trained ``weights``, by which a cell made again is known to be the same.
        stamp: the protocol: data hashes, split, counts, levels, extractor and hash, resize, draws, precision, device,
            threads, versions, git revision, budget, checkpoint rule, the command that makes the row again.
        seconds: what each part of the cell took: ``fit``, ``sample``, ``nll`` …
    """

    dataset: str
    recipe: str
    label: str
    family: str
    seed: int
    options: dict[str, Any] = {}
    given: tuple[str, ...] = ()
    labelled: int | None = None
    setting: str | None = None
    status: Status
    reason: str | None = None
    params: int | None = None
    fit: Fit | None = None
    test: Likelihood | None = None
    train: Likelihood | None = None
    extractor: str | None = None
    quality: Quality | None = None
    speed: Speed | None = None
    agreement: Agreement | None = None
    collapse: Collapse | None = None
    parzen: Parzen | None = None
    paired: Paired | None = None
    accuracy: Accuracy | None = None
    abilities: dict[str, str] = {}
    peak_memory_mb: float | None = None
    seconds: dict[str, float] = {}
    digests: dict[str, str] = {}
    stamp: dict[str, Any] = {}

    def write(self, folder: Path) -> Path:
        """Write ``record.json`` into ``folder``, whole or not at all."""
        with written_whole(folder / layout.RECORD) as part:
            part.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
        return folder / layout.RECORD

    @classmethod
    def read(cls, folder: Path) -> Record:
        """Read ``record.json`` of a cell's ``folder``; ``ValueError`` names the file where it is not a record."""
        path = folder / layout.RECORD
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except (ValidationError, OSError, UnicodeDecodeError) as error:
            first = str(error).splitlines()[0]
            raise ValueError(f"record {path}: cannot be read ({first})") from error


def records(*folders: Path) -> list[Record]:
    """Every record below the runs' folders, folder by folder, in the order of their paths.

    Raises:
        ValueError: for a folder without records.
    """
    found: list[Record] = []
    anchors: dict[str, int] = {}
    for folder in {folder.resolve(): folder for folder in folders}.values():
        paths = layout.record_files(folder)
        if not paths:
            raise ValueError(f"{folder}: no records below it; give the folder that `genbench run --out` wrote")
        for record in (Record.read(path.parent) for path in paths):
            same = record.model_dump_json(include={"dataset", "label", "seed", "test", "train", "quality", "extractor"})
            if record.status != "anchor":
                found.append(record)
            elif same not in anchors:  # runs on the same data share their anchors
                anchors[same] = len(found)
                found.append(record)
            elif found[anchors[same]].collapse is None:  # of a run from before it was measured
                found[anchors[same]] = record
    return found
