"""What may be spent on AI, changed by the office. The rule: each change is an event that says who, from what and to what, and a
page says what the gateway holds calls to, and not what it was asked to."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from grader.records import ai_limits
from grader.records.ai_limits import Account, ChangedMeanwhile, account_of
from grader.records.db import writing
from grader.records.models import CourseRun, Event
from hub_config.ai import lab_policies
from hub_config.ai_gateway.config import Limit
from hub_config.ai_limits import Changes, Installation, Standing, set_by, standing
from hub_config.portal.ai_limit_form import FIELDS, BadNumbers, LimitForm, typed
from hub_config.portal.ai_parts import runs_of
from hub_config.portal.ai_records import Held
from hub_config.portal.i18n import N_
from hub_config.portal.pages import PageRoute
from hub_config.portal.site import PageError, Posted, SignedIn, Visit, as_office

LOG = logging.getLogger(__name__)
router = APIRouter(route_class=PageRoute, include_in_schema=False)
Kind = Literal["learner", "lab", "course", "institution"]
MOST_CHANGES = 50
#: So often and so long a change waits for the gateway to say that it holds.
TRIES, TRY_SECONDS = 20, 0.1
#: What a limit is for: in all course runs, and in one.
KINDS = {
    "institution": N_("The institution"),
    "course": N_("Each course run"),
    "learner": N_("Each learner, in one course run"),
}
IN_RUN = {"course": N_("This course run"), "learner": N_("Each learner of this course run")}
#: Where a limit comes from, with the sign of its badge.
SOURCES = {
    "office": (N_("Set by the office"), "info"),
    "settings": (N_("From the settings file"), "off"),
    "lab": (N_("From the lab"), "off"),
    "default": (N_("Default"), "off"),
}


@dataclass(frozen=True)
class Row:
    """A limit as it was set, and as the gateway tells it; None where it tells nothing."""

    now: Standing
    held: Held | None

    @property
    def holds(self) -> bool:
        """Whether calls are held to what was set."""
        return self.held is not None and self.held.limit == self.now.limit


@dataclass(frozen=True)
class Known:
    """The changes of an institution, the newest first, the accounts that have a limit, and what they are called."""

    changes: list[Event]
    accounts: list[Account]
    words: dict[str, Any]


@router.get("/office/{institution}/ai/limits")
def limits_of_office(visit: SignedIn, institution: str, course: str = "", done: str = "") -> HTMLResponse:
    """Every limit of the institution or of a course, where it comes from, how far it is used, and what was changed."""
    as_office(visit, institution)
    known = _known(visit, institution, course)
    told = visit.site.gateway.limits(visit.token, course)
    newest = ai_limits.newest(known.changes)
    return visit.page(
        "ai_limits.html", rows=[_row(visit, account, newest, told) for account in known.accounts], told=told, course=course,
        changes=known.changes[:MOST_CHANGES], done=next((event for event in newest.values() if event.id == done), None), **known.words,
    )  # fmt: skip


@router.get("/office/{institution}/ai/limits/{kind}")
def limit_of_office(visit: SignedIn, institution: str, kind: Kind, course: str = "", lab: str = "") -> HTMLResponse:
    """One limit, to be changed."""
    as_office(visit, institution)
    return _page(visit, institution, Account(kind, course, lab))


@router.post("/office/{institution}/ai/limits/{kind}")
def change(visit: Posted, institution: str, kind: Kind, form: Annotated[LimitForm, Form()]) -> Response:
    """Change a limit, give it back to the settings or undo its newest change; or show the form again as it was typed."""
    as_office(visit, institution)
    account = Account(kind, form.course, form.lab)
    try:
        with writing(visit.site.engine) as session:
            runs = runs_of(visit, session, institution, account.course)
            _must_be_there(account, _accounts(runs, account.course))
            event = _change(visit, session, institution, account, form)
    except BadNumbers as bad:
        return _page(visit, institution, account, form, 422, bad=bad.fields)
    except ChangedMeanwhile:
        return _page(visit, institution, account, form, 409, meanwhile=True)
    if event is None:
        return _page(visit, institution, account, form, same=True)
    _hand_over(visit, institution, account)
    course = f"course={account.course}&" if account.course else ""
    return visit.go("office", institution, "ai", "limits", query=f"?{course}done={event.id}")


def _change(visit: Visit, session: Session, institution: str, account: Account, form: LimitForm) -> Event | None:
    """Record what the form asks for; None where it holds already."""
    known = ai_limits.changes(session, institution)
    now = standing(account, _installation(visit).settings(), ai_limits.newest(known))
    if form.act == "set":
        limit: Limit | None = form.limit
        if limit == now.limit:
            return None
    else:
        before = [event for event in known if account_of(event) == account][1:2]
        limit = set_by(before[0]) if form.act == "undo" and before else None
        if limit is None and now.source != "office":
            return None
    return ai_limits.change(
        session, institution, account, None if limit is None else limit.model_dump(), was=now.limit.model_dump(),
        seen=form.seen, actor=visit.who.name, now=visit.now,
    )  # fmt: skip


def _hand_over(visit: Visit, institution: str, account: Account) -> None:
    """Give the limits to the gateway, and wait a moment for it to say that calls are held to them."""
    try:
        _installation(visit).hand_over()
    except OSError:
        LOG.exception("the limits were recorded and not handed to the gateway")
        return
    with visit.records() as session:
        changes = ai_limits.newest(ai_limits.changes(session, institution))
    for _ in range(TRIES):
        told = visit.site.gateway.limits(visit.token, account.course)
        if told is None or _row(visit, account, changes, told).holds:
            return
        time.sleep(TRY_SECONDS)


def _page(
    visit: Visit, institution: str, account: Account, form: LimitForm | None = None, status: int = 200, *,
    bad: Sequence[str] = (), meanwhile: bool = False, same: bool = False,
) -> HTMLResponse:  # fmt: skip
    known = _known(visit, institution, account.course)
    _must_be_there(account, known.accounts)
    row = _row(visit, account, ai_limits.newest(known.changes), visit.site.gateway.limits(visit.token, account.course))
    return visit.page(
        "ai_limit.html", status, row=row, form=form or typed(row.now), bad=bad, meanwhile=meanwhile, same=same,
        changes=[event for event in known.changes if account_of(event) == account], **known.words,
    )  # fmt: skip


def _known(visit: Visit, institution: str, course: str) -> Known:
    """What the records say, before anybody else is asked."""
    with visit.records() as session:
        runs = runs_of(visit, session, institution, course)
        return Known(ai_limits.changes(session, institution), _accounts(runs, course), _words(visit, runs))


def _row(visit: Visit, account: Account, changes: Changes, told: Sequence[Held] | None) -> Row:
    held = [line for line in told or () if (line.account, line.lab) == (account.kind, account.lab)]
    return Row(standing(account, _installation(visit).settings(), changes), held[0] if held else None)


def _accounts(runs: Sequence[CourseRun], course: str) -> list[Account]:
    """The accounts that have a limit: of all course runs, or of one and its labs that use AI."""
    if not course:
        return [Account("institution"), Account("course"), Account("learner")]
    with_ai = {lab for lab, policy in lab_policies().items() if policy.ai is not False}
    labs = [row.lab_id for run in runs if run.id == course for row in run.labs if row.lab_id in with_ai]
    return [Account("course", course), Account("learner", course), *(Account("lab", course, lab) for lab in labs)]


def _must_be_there(account: Account, accounts: Sequence[Account]) -> None:
    """Only what the records know ever reaches the gateway's settings."""
    if account not in accounts:
        raise PageError(404, N_("There is no such limit."))


def _installation(visit: Visit) -> Installation:
    if visit.site.ai is None:
        raise PageError(404, N_("This Practicum has no AI gateway."))
    return visit.site.ai


def _words(visit: Visit, runs: Sequence[CourseRun]) -> dict[str, Any]:
    """What the pages name accounts, sources and numbers by."""
    ko = visit.words.lang == "ko"
    return {
        "titles": {run.id: visit.title_of(run) for run in runs}, "account_of": account_of, "set_by": set_by,
        "labs": {(run.id, row.lab_id): row.title_ko if ko else row.title_en for run in runs for row in run.labs},
        "fields": FIELDS, "kinds": KINDS, "in_run": IN_RUN, "sources": SOURCES,
    }  # fmt: skip
