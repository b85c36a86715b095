"""The tables of the records.

Plain facts (who, what course, which days) are rows that may be edited; everything a decision rests on is an event of the
journal, which is only ever added to.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import JSON, DateTime, ForeignKey, Index, String, TypeDecorator, UniqueConstraint
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Utc(TypeDecorator[dt.datetime]):
    """An aware time, kept as UTC; a naive one is refused."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:  # noqa: ARG002
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a time zone cannot be recorded")
        return value.astimezone(dt.UTC).replace(tzinfo=None)

    def process_result_value(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:  # noqa: ARG002
        return None if value is None else value.replace(tzinfo=dt.UTC)


class Base(DeclarativeBase):
    type_annotation_map = {dt.datetime: Utc, dict[str, Any]: JSON}  # noqa: RUF012


class Programme(Base):
    __tablename__ = "programme"
    id: Mapped[str] = mapped_column(String(60), primary_key=True)
    title_ko: Mapped[str]
    title_en: Mapped[str]
    rules: Mapped[dict[str, Any]]


class Region(Base):
    """A region of a programme, with its code in the national system; codes drift between years, so they are data."""

    __tablename__ = "region"
    id: Mapped[str] = mapped_column(String(60), primary_key=True)
    title_ko: Mapped[str]
    title_en: Mapped[str]
    area_code: Mapped[str | None] = mapped_column(default=None, doc="trngAreaCd")


class Institution(Base):
    __tablename__ = "institution"
    id: Mapped[str] = mapped_column(String(60), primary_key=True)
    title_ko: Mapped[str]
    title_en: Mapped[str]
    region: Mapped[str] = mapped_column(doc="the id of a region")
    time_zone: Mapped[str] = mapped_column(default="Asia/Seoul")
    outside_id: Mapped[str | None] = mapped_column(default=None, doc="instCd")


class Course(Base):
    """A course as it was approved; its runs are the rounds in which it is held."""

    __tablename__ = "course"
    id: Mapped[str] = mapped_column(String(60), primary_key=True)
    institution_id: Mapped[str] = mapped_column(ForeignKey("institution.id"))
    title_ko: Mapped[str]
    title_en: Mapped[str]
    outside_id: Mapped[str | None] = mapped_column(default=None, doc="trprId")
    ncs_code: Mapped[str | None] = mapped_column(default=None, doc="ncsCd")
    occupation: Mapped[str] = mapped_column(default="", doc="the profession it trains for, such as video_content")
    tuition_krw: Mapped[int] = mapped_column(default=0)


class CourseRun(Base):
    """A course run; its id is nbgrader's course id."""

    __tablename__ = "course_run"
    id: Mapped[str] = mapped_column(String(60), primary_key=True)
    programme_id: Mapped[str] = mapped_column(ForeignKey("programme.id"))
    institution_id: Mapped[str] = mapped_column(ForeignKey("institution.id"))
    title_ko: Mapped[str]
    title_en: Mapped[str]
    lang: Mapped[str] = mapped_column(String(2))
    place: Mapped[str]
    starts_on: Mapped[dt.date]
    ends_on: Mapped[dt.date]
    approved_id: Mapped[str | None] = mapped_column(ForeignKey("course.id"), default=None)
    round: Mapped[int | None] = mapped_column(default=None, doc="trprDegr")
    place_class: Mapped[str] = mapped_column(
        String(20), default="capital", doc="of the main training place: capital, elsewhere, declining or live_remote"
    )
    hours: Mapped[int] = mapped_column(default=0, doc="training hours as approved; 0: those of the timetable")
    approved: Mapped[Course | None] = relationship()
    #: Every page needs the rules and the time zone.
    programme: Mapped[Programme] = relationship(lazy="joined", innerjoin=True)
    institution: Mapped[Institution] = relationship(lazy="joined", innerjoin=True)
    days: Mapped[list[TrainingDayRow]] = relationship(order_by="TrainingDayRow.day", cascade="all, delete-orphan")
    closed: Mapped[list[ClosedDay]] = relationship(order_by="ClosedDay.day", cascade="all, delete-orphan")
    labs: Mapped[list[CourseLab]] = relationship(order_by="CourseLab.position")
    enrolments: Mapped[list[Enrolment]] = relationship(order_by="Enrolment.login")


class TrainingDayRow(Base):
    """A scheduled day, in the institution's local hours."""

    __tablename__ = "training_day"
    course_id: Mapped[str] = mapped_column(ForeignKey("course_run.id"), primary_key=True)
    day: Mapped[dt.date] = mapped_column(primary_key=True)
    starts: Mapped[dt.time]
    ends: Mapped[dt.time]


class ClosedDay(Base):
    """A day on which the course was not held, so no training day: a holiday or a closure, and the day that makes up for it."""

    __tablename__ = "closed_day"
    course_id: Mapped[str] = mapped_column(ForeignKey("course_run.id"), primary_key=True)
    day: Mapped[dt.date] = mapped_column(primary_key=True)
    reason: Mapped[str]
    made_up_on: Mapped[dt.date | None] = mapped_column(default=None)


class CourseLab(Base):
    """A lab that a course requires or offers; its id is nbgrader's assignment name."""

    __tablename__ = "course_lab"
    course_id: Mapped[str] = mapped_column(ForeignKey("course_run.id"), primary_key=True)
    lab_id: Mapped[str] = mapped_column(String(60), primary_key=True)
    position: Mapped[int]
    required: Mapped[bool] = mapped_column(default=True)
    title_ko: Mapped[str]
    title_en: Mapped[str]
    minutes: Mapped[int]
    pass_percent: Mapped[int]


class Person(Base):
    """A learner or a member of staff: a login and a name, and an outside id where there is one."""

    __tablename__ = "person"
    login: Mapped[str] = mapped_column(String(60), primary_key=True)
    name: Mapped[str]
    outside_id: Mapped[str | None] = mapped_column(default=None)


class Enrolment(Base):
    __tablename__ = "enrolment"
    course_id: Mapped[str] = mapped_column(ForeignKey("course_run.id"), primary_key=True)
    login: Mapped[str] = mapped_column(ForeignKey("person.login"), primary_key=True)
    #: Wherever somebody is listed they are listed by name.
    person: Mapped[Person] = relationship(lazy="joined", innerjoin=True)


class StaffRole(Base):
    """A member of staff in a role: a Hub group, such as formgrade-<course> or institution-<institution>."""

    __tablename__ = "staff_role"
    login: Mapped[str] = mapped_column(ForeignKey("person.login"), primary_key=True)
    group: Mapped[str] = mapped_column(String(80), primary_key=True)


class Event(Base):
    """One entry of the journal; `hash` covers every other column and the hash before it."""

    __tablename__ = "event"
    __table_args__ = (
        UniqueConstraint("key", name="uq_event_key"),
        Index("ix_event_course_kind_at", "course_id", "kind", "at"),
        Index("ix_event_course_subject", "course_id", "subject"),
        Index("ix_event_course_seq", "course_id", "seq"),
    )
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(String(32), unique=True)
    at: Mapped[dt.datetime]
    actor: Mapped[str]
    kind: Mapped[str] = mapped_column(String(40))
    course_id: Mapped[str] = mapped_column(String(60))
    subject: Mapped[str] = mapped_column(String(60), doc="the login of the learner it is about, or empty")
    payload: Mapped[dict[str, Any]]
    key: Mapped[str | None] = mapped_column(String(120), default=None)
    previous: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class GradingTask(Base):
    """A submission in the queue of grading; the grade itself is an event."""

    __tablename__ = "grading_task"
    submission: Mapped[str] = mapped_column(String(32), primary_key=True)
    course_id: Mapped[str] = mapped_column(ForeignKey("course_run.id"), index=True)
    lab_id: Mapped[str] = mapped_column(String(60))
    learner: Mapped[str] = mapped_column(String(60))
    sha256: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(10), doc="waiting, taken, done or failed")
    attempt: Mapped[int] = mapped_column(doc="how often it was taken")
    fence: Mapped[int] = mapped_column(doc="grows with each taking; a result with an older one is refused")
    holder: Mapped[str] = mapped_column(String(64))
    lease_until: Mapped[dt.datetime | None]
    cause: Mapped[str] = mapped_column(String(200))
    settled_at: Mapped[dt.datetime | None]


class Look(Base):
    """A look at a person's record: who, when, from where, at whom, at what. Kept for a time, never chained."""

    __tablename__ = "look"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[dt.datetime] = mapped_column(index=True)
    who: Mapped[str] = mapped_column(String(60))
    address: Mapped[str] = mapped_column(String(60), doc="the network address it came from")
    what: Mapped[str] = mapped_column(String(80), doc="the page or the route, by its name")
    course_id: Mapped[str] = mapped_column(String(60))
    subject: Mapped[str] = mapped_column(String(60), index=True, doc="the learner, or empty for the whole course")


class ColumnName(Base):
    """What an institution calls a column of its files, as mapped once by hand."""

    __tablename__ = "column_name"
    institution_id: Mapped[str] = mapped_column(ForeignKey("institution.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20), primary_key=True, doc="roster, timetable or attendance")
    heading: Mapped[str] = mapped_column(String(120), primary_key=True)
    field: Mapped[str] = mapped_column(String(40))


class Sighting(Base):
    """Somebody was seen: at the door, with a wrong code, or opening a lab. Kept for a month, never chained, decides nothing."""

    __tablename__ = "sighting"
    __table_args__ = (Index("ix_sighting_course_at", "course_id", "at"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[dt.datetime] = mapped_column(index=True)
    course_id: Mapped[str] = mapped_column(String(60))
    login: Mapped[str] = mapped_column(String(60))
    what: Mapped[str] = mapped_column(String(12), doc="in, out, away, back, wrong_code or opened")
    place: Mapped[str] = mapped_column(String(16), doc="a keyed hash of the network address and the date")
    device: Mapped[str] = mapped_column(String(16), doc="a keyed hash of the browser's random id and the date")


class SelfCheck(Base):
    """What a learner's own process said last of a self-check. Kept for a month, never chained, decides nothing."""

    __tablename__ = "self_check"
    course_id: Mapped[str] = mapped_column(String(60), primary_key=True)
    login: Mapped[str] = mapped_column(String(60), primary_key=True)
    lab_id: Mapped[str] = mapped_column(String(60), primary_key=True)
    criterion: Mapped[str] = mapped_column(String(60), primary_key=True)
    at: Mapped[dt.datetime] = mapped_column(index=True)
    tries: Mapped[int]
    failed_in_a_row: Mapped[int]


class RunSummary(Base):
    """What a course run adds to its programme's sums, and when it was counted. Derived: dropped, it is counted again."""

    __tablename__ = "run_summary"
    course_id: Mapped[str] = mapped_column(ForeignKey("course_run.id"), primary_key=True)
    at: Mapped[dt.datetime]
    counts: Mapped[dict[str, Any]]
