"""What a model costs: to sample from, to train, to hold."""

from __future__ import annotations

from genbench.tables import tooltips
from genbench.tables.figure import Column, Figure, Number
from genbench.tables.groups import SPEED
from genbench.tables.texts import count

COLUMNS: tuple[Column, ...] = (
    Figure(
        "latency_ms",
        "Latency",
        path="speed.latency_ms",
        unit="ms",
        better="low",
        group=SPEED,
        drop=1,
        tooltip=tooltips.latency,
    ),
    Figure(
        "images_per_second",
        "Images/s",
        path="speed.images_per_second",
        better="high",
        group=SPEED,
        tooltip=tooltips.throughput,
        usual=True,
        short="Img/s",
    ),
    Figure("best_images_per_second", path="speed.best_images_per_second", better="high", group=SPEED),
    Figure("best_batch", path="speed.best_batch"),
    Figure(
        "params",
        "Params",
        path="params",
        format=lambda row: count(row["params"]),
        drop=7,
        tooltip=tooltips.size,
        usual=True,
    ),
    Figure("images", path="fit.images"),
    Figure("steps", "Steps", path="fit.steps", format=lambda row: count(row["steps"]), drop=8, tooltip=tooltips.cost),
    Figure("fit_seconds", "Fit", path="fit.seconds", unit="s", drop=9, tooltip=tooltips.cost),
    Figure(
        "peak_memory_mb",
        "Peak memory",
        path="peak_memory_mb",
        unit="MB",
        format=Number(0),
        drop=10,
        tooltip=tooltips.memory,
    ),
)
