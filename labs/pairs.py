"""The skills checks of a course: which of its labs are the two forms of one check, to be compared before and after.

The rule: only what the labs' manifests say makes a pair, so a course that hands out one form only has none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from labs.catalog import LabFolder, packs


@dataclass(frozen=True)
class CheckPair:
    """The two forms of a skills check; both are scored by the same criteria with the same points."""

    check: str
    before: LabFolder
    after: LabFolder


def check_pairs(lab_ids: Iterable[str]) -> tuple[CheckPair, ...]:
    """Give the skills checks that a course has both forms of, in the labs' order; ids of other labs are passed over."""
    known = {lab.id: lab for pack in packs().values() for lab in pack.labs}
    forms: dict[tuple[str, str], dict[str, LabFolder]] = {}
    for lab_id in lab_ids:
        if (lab := known.get(lab_id)) and (measures := lab.lab.measures):
            forms.setdefault((lab.pack, measures.check), {})[measures.form] = lab
    return tuple(
        CheckPair(check, pair["before"], pair["after"]) for (_pack, check), pair in forms.items() if len(pair) == 2
    )
