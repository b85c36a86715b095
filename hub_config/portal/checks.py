"""Which labs measure before and after the training. The rule: the packs say so, and a check counts only with both forms."""

from __future__ import annotations

from functools import cache

from grader.reports.counts import CheckPair
from labs import pairs
from labs.catalog import packs


@cache
def check_pairs() -> tuple[CheckPair, ...]:
    """The labs of each skills check, as (before, after)."""
    labs = (lab.id for pack in packs().values() for lab in pack.labs)
    return tuple((pair.before.id, pair.after.id) for pair in pairs.check_pairs(labs))
