"""The recipes of the flows: where each is and what a table says of it; nothing is imported."""

from __future__ import annotations

from typing import Any

RECIPES: dict[str, dict[str, Any]] = {
    "nice": {
        "target": "families.flow.nice:nice",
        "family": "flow",
        "title": "Non-linear independent components estimation",
        "paper": "1410.8516",
        "year": 2014,
        "likelihood": "bound",
    },
    "realnvp": {
        "target": "families.flow.realnvp:realnvp",
        "family": "flow",
        "title": "Real-valued non-volume preserving flow",
        "paper": "1605.08803",
        "year": 2016,
        "likelihood": "bound",
    },
    "glow": {
        "target": "families.flow.glow:glow",
        "family": "flow",
        "title": "Glow",
        "paper": "1807.03039",
        "year": 2018,
        "likelihood": "bound",
    },
}
