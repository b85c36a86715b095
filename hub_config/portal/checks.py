"""Which labs measure before and after the training. The rule: the packs say so, and a check counts only with both forms."""

from __future__ import annotations

from collections import defaultdict
from functools import cache

from grader.reports.counts import CheckPair
from labs.catalog import packs


@cache
def check_pairs() -> tuple[CheckPair, ...]:
    """The labs of each skills check, as (before, after)."""
    forms: dict[str, dict[str, str]] = defaultdict(dict)
    for pack in packs().values():
        for lab in pack.labs:
            if measures := getattr(lab.lab, "measures", None):
                forms[measures.check][measures.form] = lab.id
    return tuple((found["before"], found["after"]) for found in forms.values() if len(found) == 2)
