"""What a learner makes of an AI's draft: each proposal accepted, changed or rejected, and what was added.

The rule this module keeps: the decision that goes into the evidence is what really happened to the proposal, so 'changed' with
nothing changed is recorded as accepted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from labs.evidence import Decision, Item, receipt_id
from uiux_design.wireframe import Element, Wireframe

REJECTED = "-"
STEP = 10


@dataclass
class Verdict:
    """What became of one proposal: changed fields (none: accepted), or rejected; and why."""

    changes: dict[str, Any] = field(default_factory=dict)
    rejected: bool = False
    reason: str = ""
    order: int | None = None


def as_text(element: Element) -> str:
    """Write an element as evidence keeps it."""
    return json.dumps(element.model_dump(exclude_none=True, exclude={"id"}), ensure_ascii=False)


def revise(draft: Wireframe, verdicts: Mapping[str, Verdict], added: Iterable[tuple[int, Element]]) -> Wireframe:
    """Make the learner's page out of the draft; ValidationError where a changed value is none of the field's."""
    kept: list[tuple[int, Element]] = list(added)
    for number, element in enumerate(draft.elements, 1):
        verdict = verdicts.get(element.id, Verdict())
        if not verdict.rejected:
            kept.append((verdict.order if verdict.order is not None else number * STEP, mended(element, verdict)))
    elements = tuple(element for _, element in sorted(kept, key=lambda pair: pair[0]))
    return Wireframe.model_validate({**draft.model_dump(), "elements": [e.model_dump() for e in elements]})


def mended(element: Element, verdict: Verdict) -> Element:
    """Give the element with the verdict's changes."""
    return Element.model_validate({**element.model_dump(), **verdict.changes})


def evidence_items(
    draft: Wireframe, verdicts: Mapping[str, Verdict], model: str, receipts: Mapping[str, str]
) -> list[Item]:
    """Give an evidence item for each proposal that was judged; `receipts` are of the AI calls, by section."""
    return [
        _item(element, verdicts[element.id], model, receipts.get(element.section, ""))
        for element in draft.elements
        if element.id in verdicts
    ]


def _item(element: Element, verdict: Verdict, model: str, receipt: str) -> Item:
    said = as_text(element)
    final = REJECTED if verdict.rejected else as_text(mended(element, verdict))
    decision: Decision = "rejected" if verdict.rejected else "accepted" if final == said else "edited"
    return Item(
        id=element.id,
        ai=said,
        final=final,
        decision=decision,
        reason=verdict.reason,
        model=model,
        receipt=receipt_id(receipt),
    )
