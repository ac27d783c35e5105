"""The keys of a table's row: its figures, where a record has them, and which of them rank and sort rows how."""

from __future__ import annotations

from genbench.tables.ranks import Figure

FIGURES = (
    Figure("params", "params"),
    Figure("images", "fit.images"),
    Figure("steps", "fit.steps"),
    Figure("fit_seconds", "fit.seconds"),
    Figure("nll_bpd", "test.bpd", "low", "likelihood"),
    Figure("nll_train_bpd", "train.bpd"),
    Figure("nll_gap", "test.gap.bpd", "low"),
    Figure("nll_ess", "test.ess"),
    Figure("nll_acceptance", "test.acceptance"),
    Figure("parzen", "parzen.nats", "high"),
    Figure("parzen_sigma", "parzen.sigma"),
    Figure("fid", "quality.fid", "low", "quality"),
    Figure("fid_infinity", "quality.fid_infinity", "low", "quality"),
    Figure("kid", "quality.kid", "low", "quality"),
    Figure("precision", "quality.precision", "high", "quality"),
    Figure("recall", "quality.recall", "high", "quality"),
    Figure("is", "quality.inception_score", "high", "quality"),
    Figure("latency_ms", "speed.latency_ms", "low", "speed"),
    Figure("images_per_second", "speed.images_per_second", "high", "speed"),
    Figure("best_images_per_second", "speed.best_images_per_second", "high", "speed"),
    Figure("best_batch", "speed.best_batch"),
    Figure("peak_memory_mb", "peak_memory_mb"),
    Figure("psnr", "paired.psnr", "high", "pairs"),
    Figure("ssim", "paired.ssim", "high", "pairs"),
    Figure("accuracy", "accuracy.accuracy", "high", "labels"),
    Figure("agreement", "agreement.agreement", "high"),
    Figure("confidence", "agreement.confidence"),
    Figure("entropy", "agreement.entropy"),
    Figure("class_entropy", "agreement.class_entropy"),
    Figure("classifier_accuracy", "agreement.accuracy"),
    Figure("classes_covered", "collapse.covered", "high"),
    Figure("classes", "collapse.classes"),
    Figure("class_divergence", "collapse.divergence", "low"),
    Figure("diversity", "collapse.diversity", "high"),
    Figure("duplicates", "collapse.duplicates", "low"),
    Figure("copies", "collapse.copies", "low"),
    Figure("train_distance", "collapse.distance"),
)
RANKED = tuple(figure for figure in FIGURES if figure.need)

SETTLED = (
    *("dataset", "recipe", "label", "family", "seeds", "status", "params", "images", "steps", "fit_seconds"),
    *("nll_bpd", "nll_bpd_std", "nll_train_bpd", "nll_kind", "nll_given", "nll_method", "nll_draws"),
    *("fid", "fid_std", "kid", "precision", "recall", "is", "extractor"),
    *("latency_ms", "images_per_second", "peak_memory_mb", "stamp"),
)
ADDED = (
    *("plain_label", "given", "labelled", "setting", "options", "seeds_run", "reason", "notes", "refused", "alike"),
    *("nll_se", "nll_observation", "nll_effort", "nll_images", "nll_moved", "nll_converged"),
    *("nll_gap_se", "nll_gap_images", "parzen_se", "parzen_samples"),
    *("sample_images", "reference_images", "accuracy_se", "agreement_se", "fid_se", "fid_infinity_se", "kid_se"),
    *(figure.key for figure in FIGURES if figure.key not in SETTLED),
    *(f"{figure.key}_std" for figure in FIGURES if figure.better and f"{figure.key}_std" not in SETTLED),
    *(f"{figure.key.removesuffix('_bpd')}_{end}" for figure in RANKED for end in ("rank", "ranked", "best")),
)
KEYS = SETTLED + ADDED
UNSORTABLE = {"stamp", "options"}
BETTER_HIGH = {figure.key for figure in FIGURES if figure.better == "high"}
