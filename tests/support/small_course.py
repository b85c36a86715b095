"""A small course in records of its own, for tests that need one."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

from sqlalchemy import Engine

from grader.records.db import writing
from grader.records.models import (
    CourseLab,
    CourseRun,
    Enrolment,
    Institution,
    Person,
    Programme,
    StaffRole,
    TrainingDayRow,
)
from grader.rules import Rules

COURSE = "course-a"
DAYS = [date(2026, 7, day) for day in (6, 7, 8, 9, 10)]
#: Monday, 10:00 in Seoul.
MONDAY_TEN = datetime(2026, 7, 6, 1, 0, tzinfo=UTC)


def fill(engine: Engine) -> None:
    """One institution, one course of five days, two learners, an instructor, two labs."""
    with writing(engine) as session:
        session.add(Programme(id="p", title_ko="과정", title_en="programme", rules=Rules().model_dump(mode="json")))
        session.add(Institution(id="inst", title_ko="훈련원", title_en="institute", region="seoul"))
        session.add_all(
            [Person(login="ann", name="안나"), Person(login="bob", name="밥"), Person(login="eve", name="이브")]
        )
        session.flush()
        session.add(StaffRole(login="eve", group=f"formgrade-{COURSE}"))
        run = CourseRun(id=COURSE, programme_id="p", institution_id="inst", title_ko="가", title_en="A", lang="ko", place="1",
                        starts_on=DAYS[0], ends_on=DAYS[-1])  # fmt: skip
        run.days = [TrainingDayRow(day=day, starts=time(9), ends=time(18)) for day in DAYS]
        run.labs = [
            CourseLab(lab_id=lab, position=i, required=i == 0, title_ko=lab, title_en=lab, minutes=60, pass_percent=60)
            for i, lab in enumerate(["rough-cut", "book-proposal"])
        ]
        run.enrolments = [Enrolment(login="ann"), Enrolment(login="bob")]
        session.add(run)
