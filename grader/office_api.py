"""The REST API for an institution's own systems: course runs, people, attendance, decisions, the journal.

The rule: the same checks and the same functions as the pages. A caller sees what the Hub's groups of the token allow, and
every entry has a reason; an entry sent twice with the same `Idempotency-Key` is one.
"""

# No postponed annotations here: FastAPI reads the routes' own, which name things of the enclosing function.
from collections.abc import Callable
from datetime import date, datetime, time
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from grader.attendance import Event as AttendanceEvent
from grader.attendance import Status
from grader.completion import Outcome
from grader.records import corrections, decisions, enrolments, exemptions, journal, looks
from grader.records.attend import Change
from grader.records.db import reading, writing
from grader.records.enrolments import How
from grader.records.models import CourseRun, Event, Institution
from grader.records.state import CourseState, LearnerState, UnknownCourse, course_state, find_course
from grader.roles import Caller, Forbidden
from labs.texts import Text

#: A course's or an institution's id, and a login, as they can be.
Id = Annotated[str, Path(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]*$")]
Reason = Annotated[str, Field(min_length=1, max_length=500, pattern=r"\S", description="why; it stays in the journal")]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        max_length=80,
        pattern=r"^[\x21-\x7e]+$",
        description="the same key again gives the entry that stands",
    ),
]


AsOf = Annotated[
    AwareDatetime | None, Query(description="as known at this moment, with its offset from UTC; without it, now")
]


class Told(BaseModel):
    """What the API says: nothing but the fields that are documented."""

    model_config = ConfigDict(extra="forbid")


class Refused(Told):
    """Why a request was refused, in both languages."""

    detail: str
    ko: str = ""
    en: str = ""
    reason: str = Field(default="", description="a short name, where attendance or a deadline refuses")


class CourseTold(Told):
    """A course run."""

    id: str
    institution: str
    programme: str
    title: Text
    lang: str
    place: str
    place_class: str
    starts_on: date
    ends_on: date
    round: int | None
    outside_id: str | None
    training_days: int
    learners: int


class DayTold(Told):
    """A training day: what it counts as for a learner, and why."""

    day: date
    counted_as: Status
    events: list[AttendanceEvent]
    minutes_present: int
    minutes_scheduled: int
    because: Text


class RequirementTold(Told):
    """A requirement of completion."""

    id: str
    met: bool
    asked: Text
    found: Text
    rests_on: list[str] = Field(description="ids of events of the journal")


class LearnerTold(Told):
    """A learner in a course run, as known at a moment."""

    login: str
    name: str
    outcome: Outcome
    frozen_at: datetime | None
    frozen_by: str | None
    left: How | None
    left_on: date | None
    credited: int
    needed: int
    training_days: int
    absences_left: int


class LearnerWholeTold(LearnerTold):
    """A learner with every day and every requirement."""

    days: list[DayTold]
    requirements: list[RequirementTold]


class EventTold(Told):
    """An event of the journal."""

    seq: int
    id: str
    at: datetime
    actor: str
    kind: str
    course: str
    subject: str
    payload: dict[str, Any]
    previous: str
    hash: str


class HeadTold(Told):
    """The journal's newest event."""

    seq: int
    hash: str


class Correction(BaseModel):
    """A correction of a day; local times."""

    model_config = ConfigDict(extra="forbid")

    day: date
    check_in: time | None = None
    check_out: time | None = None
    excused: str | None = Field(default=None, max_length=200)
    reason: Reason


class Leaving(BaseModel):
    """The end of an enrolment."""

    model_config = ConfigDict(extra="forbid")

    how: How
    on: date = Field(description="the last day that counts")
    reason: Reason


class Exemption(BaseModel):
    """An exemption from a required lab."""

    model_config = ConfigDict(extra="forbid")

    lab: str = Field(min_length=1, max_length=60)
    reason: Reason


class Reopening(BaseModel):
    """Opening a frozen decision again."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason


REFUSALS: dict[int | str, dict[str, Any]] = {status: {"model": Refused} for status in (400, 401, 403, 404, 409, 422)}


def add_office_routes(router: APIRouter, records: Any, caller: Callable[..., Caller]) -> None:
    """Add the routes to the API's router; `caller` says who asks."""
    Who = Annotated[Caller, Depends(caller)]
    office = APIRouter()

    @office.get("/institutions/{institution}/courses", summary="Course runs of an institution")
    def courses(institution: Id, who: Who) -> list[CourseTold]:
        who.must_be_office(institution)
        with reading(records.engine) as session:
            if session.get(Institution, institution) is None:
                raise UnknownCourse("그런 기관이 없습니다.", "there is no such institution")
            query = select(CourseRun).where(CourseRun.institution_id == institution).order_by(CourseRun.starts_on)
            return [_course(run) for run in session.scalars(query)]

    @office.get("/courses/{course}", summary="One course run")
    def one_course(course: Id, who: Who) -> CourseTold:
        with reading(records.engine) as session:
            return _course(_readable(session, who, course))

    @office.get("/courses/{course}/learners", summary="How every learner of a course run stands")
    def learners(course: Id, who: Who, as_of: AsOf = None) -> list[LearnerTold]:
        with reading(records.engine) as session:
            _readable(session, who, course)
            found = [_learner(one) for one in _state(session, course, as_of).learners]
        _look(who, "api/courses/{course}/learners", course, "")
        return found

    @office.get("/courses/{course}/learners/{login}", summary="One learner, with every day and requirement")
    def one_learner(course: Id, login: Id, who: Who, as_of: AsOf = None) -> LearnerWholeTold:
        with reading(records.engine) as session:
            _readable(session, who, course)
            found = _whole(_one(_state(session, course, as_of), login))
        _look(who, "api/courses/{course}/learners/{login}", course, login)
        return found

    @office.get("/courses/{course}/events", summary="The journal's events of a course run, in their order")
    def events(
        course: Id, who: Who, after: Annotated[int, Query(ge=0, le=2**53)] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> list[EventTold]:  # fmt: skip
        with reading(records.engine) as session:
            _readable(session, who, course)
            query = select(Event).where(Event.course_id == course, Event.seq > after).order_by(Event.seq).limit(limit)
            found = [_event(event) for event in session.scalars(query)]
        _look(who, "api/courses/{course}/events", course, "")
        return found

    @office.get("/journal/head", summary="The journal's newest event, to be kept elsewhere")
    def head(who: Who) -> HeadTold:
        if not who.institutions() and not who.programmes():
            raise Forbidden(
                "기관이나 사업의 담당자만 볼 수 있습니다.", "only an institution's or a programme's office may see this"
            )
        with reading(records.engine) as session:
            last = session.scalar(select(Event).order_by(Event.seq.desc()).limit(1))
            return HeadTold(seq=last.seq, hash=last.hash) if last else HeadTold(seq=0, hash=journal.GENESIS)

    @office.post("/courses/{course}/learners/{login}/corrections", status_code=201, summary="Correct a training day")
    def correct(course: Id, login: Id, asked: Correction, who: Who, key: Key = None) -> EventTold:
        def act(session: Session, run: CourseRun) -> Event:
            change = Change(_minutes(asked.check_in), _minutes(asked.check_out), excused=asked.excused)
            return corrections.correct(
                session, run, login, asked.day, change, actor=who.name, office=who.is_office(run.institution_id),
                reason=asked.reason, now=records.now(),
            )  # fmt: skip

        return _enter(who, course, key, act, teaching=True)

    @office.post(
        "/courses/{course}/learners/{login}/leaving", status_code=201, summary="Record the end of an enrolment"
    )
    def leave(course: Id, login: Id, asked: Leaving, who: Who, key: Key = None) -> EventTold:
        def act(session: Session, run: CourseRun) -> Event:
            return enrolments.end(session, run, login, how=asked.how, on=asked.on, **_by(who, asked.reason))

        return _enter(who, course, key, act)

    @office.post("/courses/{course}/learners/{login}/exemptions", status_code=201, summary="Exempt from a required lab")
    def exempt(course: Id, login: Id, asked: Exemption, who: Who, key: Key = None) -> EventTold:
        def act(session: Session, run: CourseRun) -> Event:
            return exemptions.exempt(session, run, login, asked.lab, **_by(who, asked.reason))

        return _enter(who, course, key, act)

    @office.post("/courses/{course}/decisions", status_code=201, summary="Freeze the decisions of a run that is over")
    def freeze(course: Id, who: Who) -> list[EventTold]:
        with writing(records.engine) as session:
            run = _of_office(session, who, course)
            return [_event(event) for event in decisions.freeze(session, run, actor=who.name, now=records.now())]

    @office.post(
        "/courses/{course}/learners/{login}/reopening", status_code=201, summary="Open a frozen decision again"
    )
    def reopen(course: Id, login: Id, asked: Reopening, who: Who, key: Key = None) -> EventTold:
        def act(session: Session, run: CourseRun) -> Event:
            return decisions.reopen(session, run, login, **_by(who, asked.reason))

        return _enter(who, course, key, act)

    def _by(who: Caller, reason: str) -> dict[str, Any]:
        return {"actor": who.name, "reason": reason, "now": records.now()}

    def _state(session: Session, course: str, as_of: datetime | None) -> CourseState:
        return course_state(session, course, as_of or records.now())

    def _look(who: Caller, what: str, course: str, subject: str) -> None:
        with writing(records.engine) as session:
            looks.note(session, who=who.name, address="", what=what, course=course, subject=subject, now=records.now())

    def _enter(
        who: Caller, course: str, key: str | None, act: Callable[[Session, CourseRun], Event], *, teaching: bool = False
    ) -> EventTold:
        """Write one entry; the same key again gives the entry that stands, and nothing is written."""
        named = journal.key_of("api", who.name, course, key) if key else None
        with writing(records.engine) as session:
            run = _readable(session, who, course) if teaching else _of_office(session, who, course)
            standing = session.scalar(select(Event).where(Event.key == named)) if named else None
            if standing is None and named:
                journal.key_of_next(session, named)
            return _event(standing or act(session, run))

    router.include_router(office)


def _minutes(at: time | None) -> time | None:
    return at.replace(tzinfo=None, second=0, microsecond=0) if at else None


def _readable(session: Session, who: Caller, course: str) -> CourseRun:
    """A course run that the caller teaches, or that belongs to their institution; else as if it were not there."""
    run = find_course(session, course)
    if not (who.is_instructor(course) or who.is_office(run.institution_id)):
        raise UnknownCourse(f"그런 과정이 없습니다: {course[:60]!r}", f"no course run {course[:60]!r}")
    return run


def _of_office(session: Session, who: Caller, course: str) -> CourseRun:
    run = _readable(session, who, course)
    who.must_be_office(run.institution_id)
    return run


def _one(state: CourseState, login: str) -> LearnerState:
    found = state.of(login)
    if found is None:
        raise UnknownCourse("이 과정의 훈련생이 아닙니다.", f"{login[:60]!r} is not enrolled in {state.run.id}")
    return found


def _course(run: CourseRun) -> CourseTold:
    return CourseTold(
        id=run.id, institution=run.institution_id, programme=run.programme_id,
        title=Text(ko=run.title_ko, en=run.title_en), lang=run.lang, place=run.place, place_class=run.place_class,
        starts_on=run.starts_on, ends_on=run.ends_on, round=run.round,
        outside_id=run.approved.outside_id if run.approved else None,
        training_days=len(run.days), learners=len(run.enrolments),
    )  # fmt: skip


def _learner_fields(learner: LearnerState) -> dict[str, Any]:
    frozen, left = learner.frozen, learner.left.payload if learner.left else None
    return {
        "login": learner.login, "name": learner.name, "outcome": learner.outcome,
        "frozen_at": frozen.at if frozen else None, "frozen_by": frozen.by if frozen else None,
        "left": left["how"] if left else None, "left_on": left["on"] if left else None,
        "credited": learner.attendance.credited, "needed": learner.attendance.needed,
        "training_days": learner.attendance.days, "absences_left": learner.attendance.absences_left,
    }  # fmt: skip


def _learner(learner: LearnerState) -> LearnerTold:
    return LearnerTold.model_validate(_learner_fields(learner))


def _whole(learner: LearnerState) -> LearnerWholeTold:
    days = [
        DayTold(
            day=verdict.date, counted_as=verdict.status, events=list(verdict.events), because=verdict.because,
            minutes_present=verdict.minutes_present, minutes_scheduled=verdict.minutes_scheduled,
        )
        for verdict in learner.attendance.verdicts
    ]  # fmt: skip
    requirements = [
        RequirementTold(id=one.id, met=one.met, asked=one.asked, found=one.found, rests_on=list(one.rests_on))
        for one in learner.decision.requirements
    ]
    return LearnerWholeTold.model_validate({**_learner_fields(learner), "days": days, "requirements": requirements})


def _event(event: Event) -> EventTold:
    return EventTold(
        seq=event.seq, id=event.id, at=event.at, actor=event.actor, kind=event.kind, course=event.course_id,
        subject=event.subject, payload=event.payload, previous=event.previous, hash=event.hash,
    )  # fmt: skip
