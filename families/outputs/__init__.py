"""Distributions over integer levels: what a network's numbers say of a pixel.

Every output answers six questions, so that a model is a network × an output and a new output fits every network:
how many ``parameters`` a pixel takes, which ones are a ``start``, which ones are ``fitted`` to pixels, how many
``uniforms`` draw a pixel, the ``log_prob`` of stored levels, and the ``sample`` that uniforms lead to. Sampling inverts
the distribution function, so that the same uniforms and nearly the same parameters give the same levels, whichever way
the parameters were computed.
"""

from __future__ import annotations

from families.outputs.base import Output
from families.outputs.bernoulli import Bernoulli
from families.outputs.categorical import Categorical
from families.outputs.logistic import DiscretisedLogistic
from families.outputs.mixture import LogisticMixture

OUTPUTS = {
    "categorical": Categorical,
    "bernoulli": Bernoulli,
    "logistic": DiscretisedLogistic,
    "mixture": LogisticMixture,
}

__all__ = ["OUTPUTS", "Bernoulli", "Categorical", "DiscretisedLogistic", "LogisticMixture", "Output", "output"]


def output(name: str, levels: int) -> Output:
    """Build an output by its name in recipes' options.

    Raises:
        ValueError: for a name that is none of ``OUTPUTS``, or levels that the output cannot have.
    """
    if name not in OUTPUTS:
        raise ValueError(f"output={name!r}: give one of {', '.join(OUTPUTS)}")
    return OUTPUTS[name](levels)
