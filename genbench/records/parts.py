"""The parts of a record: what each measure found, beside what it was found on. A measure returns its part as it is."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0, lt=2**63)]  # what other programs have numbers for


class Part(BaseModel):
    """A frozen piece of a record; unknown keys are refused. A float that is not finite is written as a string."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class Fit(Part):
    """The cost of training. ``seconds`` are in the loop; ``phase_steps`` are what reproducing replays."""

    images: Count
    steps: Count
    phase_steps: dict[str, Count]
    seconds: float
    finish_seconds: float
    batch_size: Count


class Gap(Part):
    """The distance of chains from the truth on ``images`` images that the model made (1511.02543), in bits/dim.

    ``bpd`` is the distance between ``greatest``, which chains from the prior give and which is above the truth in the
    mean, and ``least``, which chains backward from the noise that made an image give and which is below. Beside it are
    its standard error over images (null for one) and the acceptance of both.
    """

    bpd: float
    standard_error: float | None
    least: float
    greatest: float
    images: Count
    draws: Count
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
    samples: Count
    images: Count
    validation: Count


class Likelihood(Part):
    """Bits per dimension of one split, ``-nats / (C·H·W · ln 2)``.

    ``standard_error`` is null for one image, or where the mean is infinite. ``moved`` is by how much an estimate
    changed when the work was doubled last; ``converged`` says whether that is within 0.05 bits/dim; both are null
    where there is nothing to converge. ``work`` is how many times the effort's work it took. ``per_image`` is kept for
    paired comparison.

    ``ess`` is the effective sample size of an image's ``draws`` importance weights, ``(Σ w)² / Σ w²``; ``acceptance``
    and ``step_size`` are of Hamiltonian transitions: means over images. ``gap`` is the same chains' check from both
    sides. They are null where there is no such thing.
    """

    bpd: float
    standard_error: float | None
    images: Count
    kind: Literal["exact", "bound", "estimate"]
    given: tuple[str, ...] = ()
    method: str
    observation: Literal["own", "added"] = "own"
    draws: Count = 1
    effort: str = "fast"
    work: Count = 1
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
    ``fid_classes`` is the distance of each class by its name, where samples were asked for classes, and ``fid_class``
    the mean over all classes; null too where one has fewer than two samples or images.
    All these are null in older records, which have ``kid_std``: the spread of KID over subsets, which understates it;
    so are ``density`` and ``coverage``.
    """

    fid: float
    fid_standard_error: float | None = None
    fid_infinity: float | None = None
    fid_infinity_standard_error: float | None = None
    fid_classes: dict[str, float] = {}
    fid_class: float | None = None
    fid_class_standard_error: float | None = None
    kid: float
    kid_std: float | None = None
    kid_standard_error: float | None = None
    precision: float
    recall: float
    density: float | None = None
    coverage: float | None = None
    inception_score: float | None = None
    inception_score_std: float | None = None
    images: Count
    reference_images: Count
    notes: tuple[str, ...] = ()


class Speed(Part):
    """Sampling speed: medians, (first, third) quartiles over ``runs`` runs; latency at one image, throughput at 64."""

    latency_ms: float
    latency_quartiles: tuple[float, float]
    images_per_second: float
    throughput_quartiles: tuple[float, float]
    best_images_per_second: float
    best_batch: Count
    runs: Count


class Agreement(Part):
    """The verdict of the data set's classifier on the samples.

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


class CaptionAgreement(Part):
    """The share of adjectives, of those that each sample's caption asked for, that are true of the sample as measured.

    ``attributes`` is the same of each attribute alone; ``standard_error`` is that over samples.
    """

    agreement: float
    standard_error: float | None
    attributes: dict[str, float]
    images: Count


class Collapse(Part):
    """The collapse of the samples: onto classes, within classes, onto each other, onto the training images.

    ``covered``: classes, of ``classes``, that get at least a tenth of their share of the training labels; ``missing``:
    the others by name, where classes have names;
    ``divergence``: ``KL(samples ‖ training labels)`` of the class histograms, bits; ``diversity``: mean feature
    distance of two samples of a class over that of two training images of it, null too where no class has two. These
    are null for data without labels; classes of samples are those that the data set's classifier predicts.
    ``duplicates`` and ``copies``: share of samples as near to another sample, to a training image, as only a hundredth
    of test images are. ``distance``: median distance to the nearest training image over that of test images: 0 for
    copies, 1 for what is as far as unseen images are; null where test images are copies themselves. ``exact``: by
    split, how many samples equal one of its images in every pixel; empty in older records.
    """

    covered: Count | None = None
    classes: Count | None = None
    missing: tuple[str, ...] = ()
    divergence: float | None = None
    diversity: float | None = None
    duplicates: float
    copies: float
    distance: float | None
    exact: dict[str, Count] = {}


class Accuracy(Part):
    """Share of images that a classifier puts in their class, with its binomial standard error (null for one image)."""

    accuracy: float
    standard_error: float | None
    images: Count


class DomainAccuracy(Accuracy):
    """Share of samples in the domain that they were asked for, as a classifier of the training images' domains sees it.

    ``judge`` is the hash of that classifier, ``judge_accuracy`` its own share of real test images.
    """

    judge: str
    judge_accuracy: float


class Paired(Part):
    """Fidelity of translations to their true images, with standard errors over test pairs.

    ``l1`` is the mean absolute difference in levels, ``gradients`` the distance of the histograms of gradients, from 0
    to 2; both are null in older records.
    """

    psnr: float
    psnr_standard_error: float | None
    ssim: float
    ssim_standard_error: float | None
    l1: float | None = None
    l1_standard_error: float | None = None
    gradients: float | None = None
    gradients_standard_error: float | None = None
    images: Count


class Shadow(Part):
    """Root mean squared error, in levels, over the pixels of ``images`` translations that lay in shadow."""

    rmse: float
    standard_error: float | None
    images: Count


class MaskError(Part):
    """Mean of the shares of shadow that a model missed and of light that it took for shadow, on ``images`` sources."""

    error: float
    standard_error: float | None
    images: Count


class Rank1(Part):
    """Share of ``images`` translations whose nearest picture, of one a test identity, is of the right identity."""

    share: float
    standard_error: float | None
    images: Count
    identities: Count


class Anomaly(Part):
    """The power of a model's scores to part images of a class that it never saw from test images of the others.

    ``auroc`` is the share of pairs, one image of each, in which the held-out image scores higher; equal scores count
    half. Its standard error is DeLong's (null for fewer than two images of either). ``normal`` and ``anomalous`` count
    the images.
    """

    auroc: float
    auroc_standard_error: float | None
    normal: Count
    anomalous: Count


class Reconstruction(Part):
    """The distance of test images from what a model makes of their own codes.

    ``distance`` is the mean of ``‖x - x̂‖₂`` with pixels on [0, 1]. ``ratio`` is that mean over the mean of
    ``‖x - x̂'‖₂``, with x̂' the reconstruction of the next test image: 1 for a model that ignores its input, 0 for the
    identity, null where that distance is 0.
    """

    distance: float
    distance_standard_error: float | None
    ratio: float | None
    ratio_standard_error: float | None
    images: Count


class Joint(Part):
    """The agreement of the image and the source that a model draws together.

    ``agreement`` is the share of pixels at which the known source of the image and the drawn source lie on the same
    side of half the range; ``chance`` is the same with the sources moved on by one pair. ``kappa`` is
    ``(agreement - chance) / (1 - chance)``: 1 where each source is its image's, 0 where it is no more than any other's.
    """

    kappa: float
    kappa_standard_error: float | None
    agreement: float
    chance: float
    pairs: Count
