"""Handing in a lab from the learner's own server.

The rule: the portal asks that server as the learner, and believes only the receipt that the records hold afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from anyio import to_thread
from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from grader.deadlines import NotTaken, must_take
from grader.handed_out import spec_of
from grader.own.sources import MAX_BYTES
from grader.records import self_checks, work
from grader.records.blobs import Manifest
from grader.records.db import writing
from grader.records.models import Event
from grader.records.state import LabState, find_course, learner_state
from grader.records.work import UnknownWork
from hub_config.portal.hub import PROBLEMS, ServerProblem
from hub_config.portal.pages import PageRoute
from hub_config.portal.site import Posted, SignedIn, Visit, as_learner
from labs.checks import CriterionResult
from labs.manifest import Deliverable
from labs.spec import LabSpec, SpecCriterion
from labs.texts import Text

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True)
class Item:
    """A deliverable on the checklist; unknown where the server does not answer."""

    deliverable: Deliverable
    size_bytes: int | None
    #: Whether the server told what lies there.
    is_known: bool = True

    @property
    def state(self) -> Literal["there", "missing", "too_large", "unknown"]:
        if not self.is_known:
            return "unknown"
        if self.size_bytes is None:
            return "missing"
        return "too_large" if self.size_bytes > self.deliverable.max_mb * 1_000_000 else "there"


@dataclass(frozen=True)
class Checked:
    """A visible criterion and what the learner's own server says of it: words to show, never to count."""

    criterion: SpecCriterion
    result: CriterionResult

    @property
    def points(self) -> float:
        return min(self.result.points, self.criterion.points)

    @property
    def is_met(self) -> bool:
        return self.points >= self.criterion.points


@router.get("/learn/{course}/hand-in/{lab}")
async def before_handing_in(visit: SignedIn, course: str, lab: str) -> HTMLResponse:
    """The checklist before handing in."""
    as_learner(visit, course)
    return await to_thread.run_sync(hand_in_page, visit, course, lab, limiter=visit.site.waiting)


@router.post("/learn/{course}/hand-in/{lab}")
async def hand_in(visit: Posted, course: str, lab: str) -> Response:
    """Hand in from the learner's server and show the receipt."""
    return await to_thread.run_sync(_submit, visit, course, lab, limiter=visit.site.waiting)


@router.post("/learn/{course}/hand-in/{lab}/check")
async def self_check(visit: Posted, course: str, lab: str) -> HTMLResponse:
    """Have the visible criteria run on the learner's own server, show what they found, and note it as a notebook's is."""
    return await to_thread.run_sync(_self_check, visit, course, lab, limiter=visit.site.waiting)


@router.get("/learn/{course}/hand-in/{lab}/check")
def after_self_check(visit: SignedIn, course: str, lab: str) -> Response:
    """The page itself, for who opens the address of a self-check again, or changes the language there."""
    as_learner(visit, course)
    return visit.go("learn", course, "hand-in", lab)


def _self_check(visit: Visit, course: str, lab: str) -> HTMLResponse:
    as_learner(visit, course)
    spec = spec_of(visit.site.blobs, release_of(visit, course, lab))
    try:
        found = visit.site.hub.self_check(visit.who.name, visit.token, lab)
    except ServerProblem as problem:
        return hand_in_page(visit, course, lab, check_problem=problem)
    told = {result.id: result for result in found.results}
    # Titles and points are those that were handed out; the server says no more than how it stands.
    shown = [criterion for criterion in (spec.criteria if spec else ()) if criterion.check and criterion.id in told]
    checked = [Checked(criterion, told[criterion.id]) for criterion in shown]
    with writing(visit.site.engine) as session:
        for one in checked:
            self_checks.note(session, course, visit.who.name, lab, one.criterion.id, passed=one.is_met, now=visit.now)
    return hand_in_page(visit, course, lab, checked=checked)


def _submit(visit: Visit, course: str, lab: str) -> Response:
    as_learner(visit, course)
    release_of(visit, course, lab)
    # The records refuse it anyway; here nobody waits for a server to be told so.
    with visit.records() as session:
        refused = _not_taken(visit, _standing(visit, session, course, lab))
    if refused:
        return hand_in_page(visit, course, lab, status=409)
    before, problem = _receipts(visit, course, lab), ServerProblem("slow")
    try:
        visit.site.hub.submit(visit.who.name, visit.token, course, lab)
    except ServerProblem as error:
        problem = error
    # A server that was too slow to answer may have handed in all the same: the records know.
    after = _receipts(visit, course, lab)
    if len(after) > len(before):
        return visit.go("learn", course, "receipts", after[-1], query="?new=1")
    return hand_in_page(visit, course, lab, problem, status=409)


def hand_in_page(
    visit: Visit, course: str, lab: str, problem: ServerProblem | None = None, *, status: int = 200,
    checked: Sequence[Checked] = (), check_problem: ServerProblem | None = None,
) -> HTMLResponse:  # fmt: skip
    """The page before handing in: the checklist, and what a self-check found."""
    release = release_of(visit, course, lab)
    spec = spec_of(visit.site.blobs, release)
    items = _items(visit, lab, _deliverables(release, spec))
    with visit.records() as session:
        standing = _standing(visit, session, course, lab)
        return visit.page(
            "hand_in.html", status, lab=standing, items=items, checked=checked,
            checkable=sum(bool(criterion.check) for criterion in spec.criteria) if spec else 0,
            later=[criterion for criterion in spec.criteria if not criterion.check] if spec else [],
            not_taken=_not_taken(visit, standing), lateness=standing.deadline.judge(visit.now),
            problem=_said(visit, problem), detail=problem.detail if problem else "",
            check_problem=_said(visit, check_problem), check_detail=check_problem.detail if check_problem else "",
        )  # fmt: skip


def _said(visit: Visit, problem: ServerProblem | None) -> str:
    return visit.t(PROBLEMS[problem.kind]) if problem else ""


def _standing(visit: Visit, session: Session, course: str, lab: str) -> LabState:
    """The lab as it stands for the learner."""
    visit.run = find_course(session, course)
    state = learner_state(session, course, visit.who.name, visit.now)
    standing = next((found for found in state.labs if found.lab.lab_id == lab), None) if state else None
    if standing is None:
        raise UnknownWork("이 과정의 훈련생 명단에 없습니다.", "you are not on the roster of this course")
    return standing


def _not_taken(visit: Visit, lab: LabState) -> str:
    """Why nothing more is taken of the learner in this lab; empty while it is."""
    try:
        must_take(lab.deadline.judge(visit.now), lab.deadline.terms, len(lab.submissions))
    except NotTaken as refused:
        return refused.text.in_(visit.words.lang)
    return ""


def _items(visit: Visit, lab: str, deliverables: Sequence[Deliverable]) -> list[Item]:
    """The deliverables, each with what lies on the learner's server now."""
    hub = visit.site.hub
    parents = {str(PurePosixPath(lab, found.path).parent) for found in deliverables}
    folders = {parent: hub.sizes(visit.who.name, visit.token, parent) for parent in sorted(parents)}
    items = []
    for deliverable in deliverables:
        path = PurePosixPath(lab, deliverable.path)
        there = folders[str(path.parent)]
        items.append(Item(deliverable, None if there is None else there.get(path.name), there is not None))
    return items


def release_of(visit: Visit, course: str, lab: str) -> Event:
    """The handing out of a lab; UnknownWork where it is not handed out."""
    with visit.records() as session:
        find_course(session, course)
        event = work.released(session, course, lab)
    if event is None:
        raise UnknownWork("아직 공개되지 않은 실습입니다.", "this lab is not handed out yet")
    return event


def _receipts(visit: Visit, course: str, lab: str) -> list[str]:
    with visit.records() as session:
        return [receipt.id for receipt in work.submissions(session, course, lab=lab, learner=visit.who.name)]


def notebooks_of(release: Event) -> list[str]:
    """The handed-out notebooks, the one that is called as the lab first."""
    manifest = Manifest.model_validate(release.payload["manifest"])
    names = [file.path for file in manifest.files if file.path.endswith(".ipynb") and "/" not in file.path]
    return sorted(names, key=lambda name: (name != f"{release.payload['lab']}.ipynb", name))


def _deliverables(release: Event, spec: LabSpec | None) -> Sequence[Deliverable]:
    """What the lab asks for; of an assignment that an instructor wrote, its notebooks."""
    if spec is not None:
        return spec.deliverables
    limit = MAX_BYTES / 1_000_000
    return [
        Deliverable(path=name, kind="document", title=Text(ko="노트북", en="Notebook"), max_mb=limit)
        for name in notebooks_of(release)
    ]
