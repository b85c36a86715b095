"""What the class asked AI: by lab and step, with the words that come back, and what was refused. The rule: an instructor's page alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session

from grader.records import work
from grader.records.state import find_course
from grader.topics import LEAST_PEOPLE, frequent_words
from hub_config.portal.ai_parts import WORDS, lab_title
from hub_config.portal.ai_records import Receipt, Spend
from hub_config.portal.conversation import asked
from hub_config.portal.i18n import N_
from hub_config.portal.pages import PageRoute
from hub_config.portal.site import SignedIn, Visit, as_instructor

router = APIRouter(route_class=PageRoute, include_in_schema=False)
#: The newest calls that are read.
MOST_CALLS = 500
Step = Literal["before", "after"]
STEPS: dict[Step, str] = {"before": N_("Before handing in"), "after": N_("After handing in")}


@dataclass(frozen=True)
class Topic:
    """The calls of one lab and step: how many, of how many people, and the words that come back."""

    lab: str
    step: Step
    calls: int
    people: int
    unkept: int
    words: list[tuple[str, int]]


@router.get("/class/{course}/ai/topics")
def topics_of_class(visit: SignedIn, course: str) -> HTMLResponse:
    """What was asked about, in the newest calls."""
    as_instructor(visit, course)
    outcomes = visit.site.gateway.spend("outcome", visit.token, course=course)
    calls = _newest(visit, course) if outcomes is not None else None
    with visit.records() as session:
        visit.run = find_course(session, course)
        return visit.page(
            "topics.html", calls=calls, topics=_topics(calls or [], _first_receipts(session, course)), most=MOST_CALLS, steps=STEPS,
            least=LEAST_PEOPLE, refusals=_refusals(outcomes or []), lab=lab_title(visit), at="ai", **WORDS,
        )  # fmt: skip


def _newest(visit: Visit, course: str) -> list[Receipt] | None:
    """The newest calls with what was asked; None where the gateway does not answer."""
    found: list[Receipt] = []
    before: dict[str, str] = {}
    while len(found) < MOST_CALLS:
        page = visit.site.gateway.receipts(visit.token, course=course, content="asked", limit=str(MOST_CALLS), **before)
        if page is None:
            return None
        found += [row for row in page.data if row.course == course]
        if not page.has_more or not page.data:
            break
        before = {"before": page.data[-1].id}
    return found[:MOST_CALLS]


def _topics(calls: list[Receipt], first: Mapping[tuple[str, str], datetime]) -> list[Topic]:
    """By lab and step, the busiest first."""
    groups: dict[tuple[str, Step], list[Receipt]] = defaultdict(list)
    for call in calls:
        handed_in = first.get((call.learner, call.lab))
        groups[call.lab, "after" if handed_in and handed_in <= call.at else "before"].append(call)
    found = [
        Topic(
            lab, step, len(rows), len({row.learner for row in rows}), sum(row.prompt is None for row in rows),
            frequent_words([(row.learner, question(row)) for row in rows]),
        )
        for (lab, step), rows in groups.items()
    ]  # fmt: skip
    return sorted(found, key=lambda topic: (-topic.calls, topic.lab, topic.step))


def question(call: Receipt) -> str:
    """What the learner asked last in a call: instructions and what came before are not theirs, or were counted before."""
    turns = [turn.text for turn in asked(call) if turn.role in ("user", "input")]
    return turns[-1] if turns else ""


def _first_receipts(session: Session, course: str) -> dict[tuple[str, str], datetime]:
    first: dict[tuple[str, str], datetime] = {}
    for receipt in work.submissions(session, course):
        first.setdefault((receipt.learner, receipt.lab), receipt.received_at)
    return first


def _refusals(outcomes: list[Spend]) -> list[tuple[Spend, int]]:
    """The outcomes that gave no answer, the most frequent first."""
    found = [(line, line.calls + line.refused) for line in outcomes if line.name not in ("ok", "open")]
    return sorted((row for row in found if row[1]), key=lambda row: (-row[1], row[0].name))
