"""Seeds the demonstration institution, once: what is there already stays as it is."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from grader.records import attend
from grader.records.db import writing
from grader.records.models import (
    Course,
    CourseLab,
    CourseRun,
    Enrolment,
    Institution,
    Person,
    Programme,
    Region,
    StaffRole,
    TrainingDayRow,
)
from grader.rules import Rules
from labs.catalog import find_lab

DEMO = Path(__file__).with_name("demo.yaml")


def seed_demo(engine: Engine, now: datetime, demo: Path = DEMO) -> bool:
    """Put the demonstration institution into empty records; False where it is there already."""
    data = yaml.safe_load(demo.read_text("utf-8"))
    with writing(engine) as session:
        if session.get(Programme, data["programme"]["id"]):
            return False
        _institution(session, data)
        today = now.astimezone(ZoneInfo(data["institution"]["time_zone"])).date()
        for course, more in data["courses"].items():
            run = _course(session, data, course, more, today)
            _past_days(session, run, data, more, today, now)
    return True


def accounts(demo: Path = DEMO) -> dict[str, str]:
    """The demonstration's logins, and who each is."""
    return dict(yaml.safe_load(demo.read_text("utf-8"))["people"])


def _institution(session: Session, data: dict[str, Any]) -> None:
    programme, institution = data["programme"], data["institution"]
    session.add(Programme(id=programme["id"], title_ko=programme["title"]["ko"], title_en=programme["title"]["en"],
                          rules=Rules().model_dump(mode="json")))  # fmt: skip
    session.add(Institution(id=institution["id"], title_ko=institution["title"]["ko"], title_en=institution["title"]["en"],
                            region=institution["region"], time_zone=institution["time_zone"]))  # fmt: skip
    session.add_all(Region(id=region["id"], title_ko=region["title"]["ko"], title_en=region["title"]["en"])
                    for region in data["regions"])  # fmt: skip
    session.add_all(Person(login=login, name=name) for login, name in data["people"].items())
    session.flush()
    session.add_all(StaffRole(login=login, group=group) for login, groups in data["staff"].items() for group in groups)
    session.flush()


def _course(session: Session, data: dict[str, Any], course: str, more: dict[str, Any], today: date) -> CourseRun:
    days = [today + timedelta(days=offset) for offset in more["days"]]
    starts, ends = (time.fromisoformat(hour) for hour in data["hours"])
    session.add(Course(id=course, institution_id=data["institution"]["id"], title_ko=more["title"]["ko"],
                       title_en=more["title"]["en"], occupation=more["occupation"]))  # fmt: skip
    run = CourseRun(id=course, approved_id=course, round=1, programme_id=data["programme"]["id"], institution_id=data["institution"]["id"],
                    title_ko=more["title"]["ko"], title_en=more["title"]["en"], lang=more["lang"], place=more["place"],
                    starts_on=days[0], ends_on=days[-1])  # fmt: skip
    run.days = [TrainingDayRow(day=day, starts=starts, ends=ends) for day in days]
    run.labs = [_lab(position, lab, kind == "required") for position, (lab, kind) in enumerate(more["labs"].items())]
    run.enrolments = [Enrolment(login=login) for login in more["learners"]]
    session.add(run)
    session.flush()
    return run


def _lab(position: int, lab_id: str, required: bool) -> CourseLab:
    lab = find_lab(lab_id).lab
    return CourseLab(lab_id=lab_id, position=position, required=required, title_ko=lab.title.ko, title_en=lab.title.en,
                     minutes=lab.minutes, pass_percent=lab.pass_percent)  # fmt: skip


def _past_days(
    session: Session, run: CourseRun, data: dict[str, Any], more: dict[str, Any], today: date, now: datetime
) -> None:
    check_in, check_out = (time.fromisoformat(hour) for hour in data["hours"])
    for login, offsets in more["attended"].items():
        for offset in offsets:
            attend.correct(
                session, run, login=login, day=today + timedelta(days=offset), instructor=data["entered_by"], now=now,
                check_in=check_in, check_out=check_out, reason=data["entry_reason"][more["lang"]],
            )  # fmt: skip
