"""Which cases of a test have a turn in every run: one of each kind. The others have theirs in `make test-long`."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import pytest

#: For a test that takes long and says the same on both databases.
ONE_DATABASE = ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)]


def few(cases: Iterable[Any], kept: Collection[Any]) -> list[Any]:
    """The cases in their order, those that are not kept marked as long."""
    return [case if case in kept else pytest.param(case, marks=pytest.mark.long) for case in cases]
