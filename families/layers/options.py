"""Refusals of options out of range, each in one line that names the option and its value."""

from __future__ import annotations

import math
from collections.abc import Iterable


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def positive(**options: float) -> None:
    """Refuse options that are not above zero.

    Raises:
        ValueError: naming the first such option and its value.
    """
    for name, value in options.items():
        if not _number(value) or not 0 < value < math.inf:
            raise ValueError(f"{name}={value!r}: give a positive number")


def positive_or_zero(**options: float) -> None:
    """Refuse options that are not numbers from 0 on, where 0 is for none.

    Raises:
        ValueError: naming the first such option and its value.
    """
    for name, value in options.items():
        if not _number(value) or not 0 <= value < math.inf:
            raise ValueError(f"{name}={value!r}: give a positive number, or 0 for none")


def whole(least: int, **options: int) -> None:
    """Refuse options that are not whole numbers from ``least`` on.

    Raises:
        ValueError: naming the first such option and its value.
    """
    for name, value in options.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{name}={value!r}: give a whole number, {least} or more")


def share(**options: float) -> None:
    """Refuse options that are not numbers from 0 on and below 1.

    Raises:
        ValueError: naming the first such option and its value.
    """
    for name, value in options.items():
        if not _number(value) or not 0 <= value < 1:
            raise ValueError(f"{name}={value!r}: give a number, at least 0 and less than 1")


def switch(**options: bool) -> None:
    """Refuse options that are neither on nor off: a word for off would be taken for on.

    Raises:
        ValueError: naming the first such option and its value.
    """
    for name, value in options.items():
        if not isinstance(value, bool):
            raise ValueError(f"{name}={value!r}: give True or False")


def one_of(choices: Iterable[str], **options: str) -> None:
    """Refuse options that are none of the ``choices``.

    Raises:
        ValueError: naming the first such option, its value and what there is.
    """
    known = list(choices)
    for name, value in options.items():
        if value not in known:
            raise ValueError(f"{name}={value!r}: give {', '.join(known)}")
