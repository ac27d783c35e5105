import math

import pytest

from genbench.stats import mean, standard_error


def test_by_hand():
    assert mean([1.0, 2.0, 3.0, 6.0]) == 3
    assert standard_error([1.0, 2.0, 3.0, 6.0]) == pytest.approx(math.sqrt(14 / 3 / 4))


def test_large_offsets_do_not_cancel():
    assert standard_error([1e9 + 1, 1e9 + 2, 1e9 + 3]) == pytest.approx(math.sqrt(1 / 3), rel=1e-6)


def test_undefined_is_none():
    assert standard_error([1.0]) is None
    assert standard_error([1.0, math.inf]) is None
    assert mean([1.0, math.inf]) == math.inf
