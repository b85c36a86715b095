"""What the pages of AI use share. The rule: a receipt is shown only where its course, and a learner's own name, are right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi.responses import HTMLResponse, StreamingResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from grader.records.models import CourseRun, Institution
from grader.records.state import UnknownCourse
from hub_config.portal.ai_records import Receipt, Receipts
from hub_config.portal.ai_words import KINDS, OTHER_OUTCOME, OUTCOMES
from hub_config.portal.conversation import ROLES, answered, asked
from hub_config.portal.gateway import Asked
from hub_config.portal.i18n import N_
from hub_config.portal.site import PageError, Visit

UNREACHABLE = N_("AI records are not reachable right now. Reload this page in a moment.")
NOT_SERVED = N_(
    "The AI gateway of this Practicum belongs to another institution. The instructors of your courses see what each class uses."
)
WORDS: dict[str, Any] = {"kinds": KINDS, "outcomes": OUTCOMES, "other_outcome": OTHER_OUTCOME}


def receipts_of(visit: Visit, **query: str) -> Receipts | None:
    """A page of calls as the gateway tells it, without any that was not asked for."""
    query = {name: value for name, value in query.items() if value}
    found = visit.site.gateway.receipts(visit.token, **query)
    if found is not None:
        found.data = [row for row in found.data if _is_asked_for(row, query)]
    return found


def receipt_of(visit: Visit, receipt: str, **query: str) -> Receipt:
    """One call with what was asked and answered; as if it were not there where it is not one that may be seen here."""
    found = visit.site.gateway.receipt(receipt, visit.token)
    if found is None or not _is_asked_for(found, query):
        raise PageError(404, N_("There is no such AI call, or AI records are not reachable right now."))
    return found


def receipt_page(visit: Visit, receipt: Receipt, back: str) -> HTMLResponse:
    """The page of one call."""
    return visit.page(
        "ai_receipt.html", receipt=receipt, turns=[*asked(receipt), *answered(receipt)], roles=ROLES, back=back,
        lab=lab_title(visit), name=learner_name(visit), **WORDS,
    )  # fmt: skip


def csv_file(visit: Visit, name: str, **query: Asked) -> StreamingResponse:
    """The calls as a file to keep; a browser never shows it as a page."""
    parts = visit.site.gateway.csv(visit.token, **{key: value for key, value in query.items() if value})
    if parts is None:
        raise PageError(503, UNREACHABLE)
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(parts, media_type="text/csv; charset=utf-8", headers=headers)


def runs_of(visit: Visit, session: Session, institution: str, course: str) -> list[CourseRun]:
    """The course runs of the institution that the gateway serves; the one asked for must be among them."""
    found = session.get(Institution, institution)
    if found is None:
        raise UnknownCourse("그런 기관이 없습니다.", "there is no such institution")
    visit.institution = found
    if not visit.has_gateway:
        raise PageError(404, NOT_SERVED)
    query = select(CourseRun).where(CourseRun.institution_id == institution).order_by(CourseRun.starts_on)
    runs = list(session.scalars(query))
    if course and course not in {run.id for run in runs}:
        raise UnknownCourse("이 기관의 과정이 아닙니다.", "this course does not belong to the institution")
    return runs


def lab_title(visit: Visit) -> Callable[[str], str]:
    """Gives a lab's title in the page's language; one that the course does not have keeps its id."""
    rows = visit.run.labs if visit.run else []
    titles = {row.lab_id: row.title_ko if visit.words.lang == "ko" else row.title_en for row in rows}
    titles["-"] = visit.t(N_("Outside a lab"))
    return lambda lab: titles.get(lab, lab)


def learner_name(visit: Visit) -> Callable[[str], str]:
    """Gives a learner's name; somebody who is not on the roster keeps their login."""
    names = {enrolment.login: enrolment.person.name for enrolment in (visit.run.enrolments if visit.run else [])}
    return lambda login: names.get(login, login)


def _is_asked_for(row: Receipt, query: dict[str, str]) -> bool:
    return all(getattr(row, name) == query[name] for name in ("course", "learner", "lab") if name in query)
