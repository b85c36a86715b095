"""Entering programmes, institutions, courses and their runs from a file. The rule: all of it or nothing, and what is there is only changed where the file says other."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from sqlalchemy.orm import Session

from grader.records import journal, programmes, staff
from grader.records.models import Base, Course, CourseLab, CourseRun, Institution, Person, Programme, Region, StaffRole
from grader.rules import PlaceClass, Rules
from labs.catalog import find_lab
from labs.manifest import Slug
from labs.texts import Lang, Text, UserError

Login = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._@-]{0,59}$")]

#: A course run was made, or changed: all of it as it was entered.
RUN_ENTERED = "run.entered"


class BadRegister(UserError):
    """A file that cannot be entered; the text names the field, or the row that it needs."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Text


class RegionEntry(_Entry):
    """A region, with its code in the national system."""

    area_code: str | None = None


class ProgrammeEntry(_Entry):
    """A programme; with rules, a version of them for runs that begin on `valid_from` or later."""

    rules: Rules | None = None
    valid_from: date | None = None
    reason: str = ""

    @model_validator(mode="after")
    def _whole(self) -> ProgrammeEntry:
        if self.rules is not None and (self.valid_from is None or not self.reason.strip()):
            raise ValueError("rules need `valid_from` and `reason`")
        return self


class InstitutionEntry(_Entry):
    """An institution; `outside_id` is its instCd."""

    region: Slug
    time_zone: str = "Asia/Seoul"
    outside_id: str | None = None


class CourseEntry(_Entry):
    """A course as it was approved; `outside_id` is its trprId."""

    institution: Slug
    outside_id: str | None = None
    ncs_code: str | None = None
    occupation: str = ""
    tuition_krw: int = Field(default=0, ge=0)


class RunEntry(_Entry):
    """A run of a course; its training days are imported as a timetable, its learners as a roster."""

    course: Slug
    programme: Slug
    lang: Lang = "ko"
    place: str
    place_class: PlaceClass = "capital"
    starts_on: date
    ends_on: date
    round: int | None = Field(default=None, ge=1)
    hours: int = Field(default=0, ge=0)
    labs: dict[Slug, Literal["required", "offered"]]
    #: Pass marks that are other than the labs' own.
    pass_percent: dict[Slug, Annotated[int, Field(ge=0, le=100)]] = {}

    @model_validator(mode="after")
    def _forwards(self) -> RunEntry:
        if self.ends_on < self.starts_on:
            raise ValueError("`ends_on` is before `starts_on`")
        return self


class Register(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    regions: dict[Slug, RegionEntry] = {}
    programmes: dict[Slug, ProgrammeEntry] = {}
    institutions: dict[Slug, InstitutionEntry] = {}
    courses: dict[Slug, CourseEntry] = {}
    runs: dict[Slug, RunEntry] = {}
    staff: dict[Login, str] = Field(default={}, description="names of members of staff by login")
    roles: dict[Login, tuple[str, ...]] = Field(default={}, description="groups such as formgrade-<run>")


def read_register(file: Path) -> Register:
    """Read a file; BadRegister names the field that is wrong."""
    try:
        return Register.model_validate(yaml.safe_load(file.read_text("utf-8")) or {})
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        said = " ".join(str(error).split())
        raise BadRegister(f"{file}: 읽을 수 없습니다. {said}", f"{file}: cannot be read: {said}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise BadRegister(
            f"{file.name}: {where}: 값을 고치세요. {first['msg']}", f"{file.name}: {where}: {first['msg']}"
        ) from None


def enter(
    session: Session, register: Register, *, actor: str, now: datetime, reason: str = "practicum register"
) -> list[str]:
    """Write what the file says, and name each row that is new or changed; the caller commits."""
    done: list[str] = []
    for name, region in register.regions.items():
        done += _put(session, Region, name, title=region.title, area_code=region.area_code)
    for name, programme in register.programmes.items():
        done += _put(session, Programme, name, title=programme.title, otherwise={"rules": {}})
        done += _rules(session, name, programme, actor, now)
    for name, one in register.institutions.items():
        _must_have(session, Region, one.region, f"institutions.{name}.region")
        done += _put(session, Institution, name, title=one.title, region=one.region, time_zone=one.time_zone,
                     outside_id=one.outside_id)  # fmt: skip
    for name, course in register.courses.items():
        _must_have(session, Institution, course.institution, f"courses.{name}.institution")
        done += _put(session, Course, name, title=course.title, institution_id=course.institution, ncs_code=course.ncs_code,
                     outside_id=course.outside_id, occupation=course.occupation, tuition_krw=course.tuition_krw)  # fmt: skip
    for name, run in register.runs.items():
        changed = _run(session, name, run)
        done += changed
        if changed:
            payload = {"run": run.model_dump(mode="json"), "reason": reason}
            journal.append(session, RUN_ENTERED, actor=actor, course=name, payload=payload, at=now)
    for login, person in register.staff.items():
        done += _put(session, Person, login, name=person)
    for login, groups in register.roles.items():
        _must_have(session, Person, login, f"roles.{login}")
        for group in groups:
            if session.get(StaffRole, (login, group)) is None:
                session.add(StaffRole(login=login, group=group))
                payload = {"role": "", "group": group, "institution": "", "reason": reason}
                journal.append(session, staff.GIVEN, actor=actor, course="", subject=login, payload=payload, at=now)
                done.append(f"+ role {login} {group}")
    return done


def _run(session: Session, name: str, run: RunEntry) -> list[str]:
    approved: Course = _must_have(session, Course, run.course, f"runs.{name}.course")
    _must_have(session, Programme, run.programme, f"runs.{name}.programme")
    done = _put(
        session, CourseRun, name, title=run.title, approved_id=run.course, institution_id=approved.institution_id,
        programme_id=run.programme, lang=run.lang, place=run.place, place_class=run.place_class, starts_on=run.starts_on,
        ends_on=run.ends_on, round=run.round, hours=run.hours,
    )  # fmt: skip
    for position, (lab_id, kind) in enumerate(run.labs.items()):
        lab = find_lab(lab_id).lab
        done += _put(
            session, CourseLab, (name, lab_id), title=lab.title, position=position, required=kind == "required",
            minutes=lab.minutes, pass_percent=run.pass_percent.get(lab_id, lab.pass_percent),
        )  # fmt: skip
    return done


def _rules(session: Session, name: str, entry: ProgrammeEntry, actor: str, now: datetime) -> list[str]:
    """A new version of a programme's rules, where it is not the one that stands for that date."""
    if entry.rules is None or entry.valid_from is None:
        return []
    wanted, since = entry.rules.model_dump(mode="json"), entry.valid_from.isoformat()
    standing = [event for event in programmes.versions(session, name) if event.payload["valid_from"] == since]
    if standing and standing[-1].payload["rules"] == wanted:
        return []
    programme = session.get_one(Programme, name)
    programmes.set_rules(
        session, programme, entry.rules, valid_from=entry.valid_from, actor=actor, reason=entry.reason, now=now
    )
    return [f"+ rules {name} {since}"]


def _put(
    session: Session, table: type[Base], key: Any, *, title: Text | None = None, otherwise: dict[str, Any] | None = None,
    **columns: Any,
) -> list[str]:  # fmt: skip
    """Add a row, or change what differs; `otherwise` fills columns of a new row that the file does not hold."""
    if title is not None:
        columns |= {"title_ko": title.ko, "title_en": title.en}
    label = f"{table.__tablename__} {' '.join(key) if isinstance(key, tuple) else key}"
    row = session.get(table, key)
    if row is None:
        names = [column.name for column in table.__mapper__.primary_key]
        values = key if isinstance(key, tuple) else (key,)
        session.add(table(**dict(zip(names, values, strict=True)), **columns, **(otherwise or {})))
        session.flush()
        return [f"+ {label}"]
    changed = [name for name, value in columns.items() if getattr(row, name) != value]
    for name in changed:
        setattr(row, name, columns[name])
    session.flush()
    return [f"~ {label}: {', '.join(changed)}"] if changed else []


def _must_have(session: Session, table: type[Base], key: str, field: str) -> Any:
    found = session.get(table, key)
    if found is None:
        raise BadRegister(
            f"{field}: {key}이(가) 등록되어 있지 않습니다. 같은 파일에 먼저 적으세요.",
            f"{field}: there is no {table.__tablename__} {key}; enter it in the same file",
        )
    return found
