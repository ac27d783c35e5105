"""Every recipe of these families, from the families' own lists. Plain data; no model is imported.

A new variant is a function in its family's package and an entry in that package's ``recipes.py``:

- ``target``: where the function is, ``"module:function"``;
- ``family``, ``title``, ``paper`` (arXiv number, or venue), ``year``;
- ``likelihood``: the kind that ``log_likelihood`` answers, ``"exact"``, ``"bound"`` or ``"estimate"``;
- ``given``: what samples and likelihoods are conditioned on, if anything: ``"label"``, ``"source"``, a field;
- ``needs``: what the data must have for it beside that, if anything: see :data:`genbench.catalog.NEEDS`.
"""

from __future__ import annotations

from typing import Any

from families.autoencoder import recipes as autoencoder
from families.autoregressive import recipes as autoregressive
from families.flow import recipes as flow
from families.gan import recipes as gan
from families.translation import recipes as translation

RECIPES: dict[str, dict[str, Any]] = {
    **autoregressive.RECIPES,
    **autoencoder.RECIPES,
    **flow.RECIPES,
    **gan.RECIPES,
    **translation.RECIPES,
}
