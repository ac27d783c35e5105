"""What a stamp may hold where tables, runs and reproductions read it; the rest of it they show as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Checked(BaseModel):
    """A part of a stamp of which some keys have a type, and others may be anything."""

    model_config = ConfigDict(extra="allow", strict=True)


class Data(Checked):
    """What was said of the data."""

    size: int | None = None
    levels: int | None = Field(None, gt=0, lt=2**63)
    hashes: Mapping[str, str] = {}


class Protocol(Checked):
    """A stamp, as far as anything is computed from it; ``trained`` is that of the training, if it was another."""

    title: str | None = None
    data: Data | None = None
    versions: Mapping[str, str | None] = {}
    trained: Protocol | None = None
    budget: Mapping[str, float] | None = None
    measures: Mapping[str, int] | None = None
    left_out: Sequence[str] = ()
    owed: Sequence[str] = ()
    company: Mapping[str, int] | None = None
    configuration: Mapping[str, Any] = {}
    machine: Mapping[str, Any] = {}
    threads: int | None = Field(None, gt=0, lt=2**31)
    revision: str | None = None
    extractor: Mapping[str, Any] | None = None
    judge: Mapping[str, Any] = {}
    captions: Mapping[str, Any] | None = None
    pixels: str | None = None
    command: str | None = None
