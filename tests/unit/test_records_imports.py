"""Imports in the records: all or nothing, again without doubling, only what was agreed to, and what it does to decisions."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from import_files import Rows, csv_file
from small_course import COURSE, DAYS
from sqlalchemy import Engine, func, select

from grader.attendance import judge_course
from grader.differences import differences
from grader.imports.columns import Kind, checked_mapping
from grader.imports.plan import Plan
from grader.imports.tables import read_table
from grader.records import attend, enrolments, journal
from grader.records.batch import NewEvent, append_all
from grader.records.db import reading, writing
from grader.records.imports import APPLIED, HasProblems, Moved, apply_import, columns_of, plan_import, remember_columns
from grader.records.models import CourseRun, Enrolment, Event, Institution, Person
from grader.records.official import OFFICIAL
from grader.records.state import find_course, learner_state
from grader.records.timetable import TIMETABLE_SET, training_days
from grader.rules import Rules

AFTER = datetime(2026, 7, 20, tzinfo=UTC)
ROSTER: Rows = [
    ("훈련생번호", "이름", "훈련상태", "퇴소일"),
    ("T1", "안나", "훈련중", ""),
    ("T7", "새사람", "중도탈락", "2026-07-08"),
]
ATTENDANCE: Rows = [
    ("훈련일", "이름", "출결상태", "입실", "퇴실"),
    ("20260706", "안나", "지각", "0940", "1800"),
    ("20260707", "안나", "결석", "", ""),
]


class Office:
    """Somebody who imports files into the small course."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def plan(self, kind: Kind, rows: Rows) -> Plan:
        table = read_table("파일.csv", csv_file(rows))
        with reading(self.engine) as session:
            run = find_course(session, COURSE)
            return plan_import(session, run, table, columns_of(session, run, kind, table), AFTER)

    def apply(self, kind: Kind, rows: Rows, agreed: str | None = None) -> Plan:
        agreed = self.plan(kind, rows).fingerprint if agreed is None else agreed
        table = read_table("파일.csv", csv_file(rows))
        with writing(self.engine) as session:
            run = find_course(session, COURSE)
            columns = columns_of(session, run, kind, table)
            return apply_import(session, run, table, columns, agreed=agreed, actor="office", now=AFTER)

    def ask(self, query: Any) -> list[Any]:
        with reading(self.engine) as session:
            assert journal.verify(session) is None
            return list(session.scalars(query))

    def events(self, kind: str | None = None) -> list[Event]:
        with reading(self.engine) as session:
            return journal.events(session, COURSE, kind=kind)

    def everything(self) -> list[Any]:
        """Every row of every table that an import may change."""
        with reading(self.engine) as session:
            tables = (Person.__table__, Enrolment.__table__, Event.__table__, CourseRun.__table__)
            return [list(session.execute(select(table))) for table in tables] + [
                [(h.date, h.starts) for h in training_days(find_course(session, COURSE))]
            ]


@pytest.fixture
def office(engine: Engine) -> Office:
    return Office(engine)


def test_a_roster_makes_people_enrols_them_and_ends_enrolments(office: Office) -> None:
    office.apply("roster", ROSTER)
    assert office.ask(select(Person.outside_id).where(Person.login == "ann")) == ["T1"]
    assert office.ask(select(Person.name).where(Person.login == "inst-t7")) == ["새사람"]
    assert office.ask(select(Enrolment.login).where(Enrolment.course_id == COURSE)) == ["ann", "bob", "inst-t7"]
    (opened,), (ended,) = office.events(enrolments.OPENED), office.events(enrolments.ENDED)
    assert (opened.subject, opened.actor) == ("inst-t7", "office")
    assert (ended.subject, ended.payload["how"], ended.payload["on"]) == ("inst-t7", "dropout", "2026-07-08")
    assert "3행" in ended.payload["reason"]


def test_the_event_of_an_import_names_who_and_what_and_no_person(office: Office) -> None:
    plan = office.apply("roster", ROSTER)
    (applied,) = office.events(APPLIED)
    assert applied.actor == "office"
    assert applied.payload["kind"] == "roster"
    assert applied.payload["counts"] == plan.counts == {"added": 3, "changed": 0, "removed": 0, "unchanged": 0}
    assert applied.payload["columns"] == {
        "훈련생번호": "outside_id",
        "이름": "name",
        "훈련상태": "status",
        "퇴소일": "left_on",
    }
    assert applied.payload["file"] == read_table("x", csv_file(ROSTER)).sha256
    told = repr([(event.payload, event.subject) for event in office.events()])
    assert not any(name in told for name in ("안나", "새사람", "파일.csv"))


@pytest.mark.parametrize(
    ("kind", "rows"),
    [("roster", ROSTER), ("attendance", ATTENDANCE),
     ("timetable", [("훈련일", "시작", "종료", "휴강"), ("2026-07-06", "0900", "1800", ""), ("2026-07-07", "", "", "태풍")])],
)  # fmt: skip
def test_the_same_file_again_adds_nothing(office: Office, kind: Kind, rows: Rows) -> None:
    assert office.apply(kind, rows).changes
    stands = office.everything()
    assert office.apply(kind, rows).changes == ()
    assert office.everything() == stands


def test_a_file_with_one_bad_row_changes_nothing(office: Office) -> None:
    stands = office.everything()
    with pytest.raises(HasProblems, match="1 problems"):
        office.apply("roster", [*ROSTER, ("T8", "", "", "")])
    assert office.everything() == stands


#: The last event of an import is refused by the database itself.
BREAKS = {
    "sqlite": "CREATE TRIGGER t BEFORE INSERT ON event WHEN NEW.kind = 'import.applied' BEGIN SELECT RAISE(ABORT, 'disk'); END",
    "postgresql": "ALTER TABLE event ADD CONSTRAINT disk CHECK (kind <> 'import.applied')",
}


def test_an_error_in_the_middle_leaves_nothing_behind(office: Office) -> None:
    plan, stands = office.plan("roster", ROSTER), office.everything()
    with office.engine.begin() as connection:
        connection.exec_driver_sql(BREAKS[office.engine.dialect.name])
    with pytest.raises(Exception, match="disk"):
        office.apply("roster", ROSTER, plan.fingerprint)
    assert office.everything() == stands


def test_what_was_agreed_to_on_an_older_state_is_refused(office: Office) -> None:
    agreed = office.plan("attendance", ATTENDANCE).fingerprint
    office.apply("attendance", [ATTENDANCE[0], ("20260706", "안나", "결석", "", "")])
    stands = office.everything()
    with pytest.raises(Moved):
        office.apply("attendance", ATTENDANCE, agreed)
    assert office.everything() == stands
    assert len(office.apply("attendance", ATTENDANCE).changes) == 2


def test_a_timetable_is_an_event_and_rows(office: Office) -> None:
    rows = [("훈련일", "시작", "종료", "휴강", "보강일"), ("2026-07-06", "0900", "1800", "", ""), ("2026-07-07", "", "", "태풍", "2026-07-10"),
            ("2026-07-10", "1000", "1700", "", "")]  # fmt: skip
    office.apply("timetable", rows)
    (event,) = office.events(TIMETABLE_SET)
    assert event.payload["days"] == [["2026-07-06", "09:00", "18:00"], ["2026-07-10", "10:00", "17:00"]]
    assert event.payload["closed"] == [["2026-07-07", "태풍", "2026-07-10"]]
    with reading(office.engine) as session:
        assert [day.date.day for day in training_days(find_course(session, COURSE))] == [6, 10]


def test_official_attendance_decides_the_day_and_names_its_event(office: Office) -> None:
    office.apply("attendance", ATTENDANCE)
    late, absent = office.events(OFFICIAL)
    assert late.payload | {"file": ""} == {
        "day": "2026-07-06", "status": "지각", "check_in": "09:40", "check_out": "18:00", "counts_as": "attended",
        "happened": ["late"], "excuse_kind": None, "file": "", "row": 2,
    }  # fmt: skip
    with reading(office.engine) as session:
        state = learner_state(session, COURSE, "ann", AFTER)
    assert state is not None
    first, second = state.attendance.verdicts[:2]
    assert (first.status, first.events, first.rests_on) == ("attended", ("late",), (late.id,))
    assert (second.status, second.rests_on) == ("absent", (absent.id,))


def test_differences_are_the_days_on_which_we_have_it_otherwise(office: Office) -> None:
    office.apply("attendance", ATTENDANCE)
    with writing(office.engine) as session:
        run = find_course(session, COURSE)
        for day, came in ((DAYS[0], time(9, 40)), (DAYS[1], time(9))):
            attend.correct(session, run, login="ann", day=day, instructor="eve", reason="출석부", now=AFTER,
                           check_in=came, check_out=time(18))  # fmt: skip
        marks = attend.marks_of(journal.events(session, COURSE, subject="ann"), attend.zone(run))
        days = training_days(run)
    for decides in ("wins", "listed"):
        rules = Rules(official_attendance=decides)  # type: ignore[arg-type]
        (found,) = differences(days, marks, rules, AFTER)
        assert (found.date, found.status, found.official and found.official.status) == (DAYS[1], "attended", "absent")
        decided = judge_course(days, marks, rules, AFTER).verdicts[1].status
        assert decided == ("absent" if decides == "wins" else "attended")


def test_people_of_another_institution_are_not_seen_and_not_changed(office: Office) -> None:
    with writing(office.engine) as session:
        session.add(Institution(id="far", title_ko="먼", title_en="far", region="jeju"))
        session.add(Person(login="zoe", name="조이", outside_id="T1"))
        session.flush()
        session.add(CourseRun(id="far-1", programme_id="p", institution_id="far", title_ko="먼", title_en="far", lang="ko",
                              place="1", starts_on=DAYS[0], ends_on=DAYS[-1]))  # fmt: skip
        session.flush()
        session.add(Enrolment(course_id="far-1", login="zoe"))
    plan = office.apply("roster", [("훈련생번호", "이름"), ("T1", "새이름")])
    assert "조이" not in repr(plan)
    assert office.ask(select(Person.login).where(Person.outside_id == "T1")) == ["zoe", "inst-t1"] or office.ask(
        select(Person.login).where(Person.outside_id == "T1")
    ) == ["inst-t1", "zoe"]
    assert office.ask(select(Person.name).where(Person.login == "zoe")) == ["조이"]


def test_a_mapping_by_hand_is_remembered_for_the_institution_and_the_kind(office: Office) -> None:
    with writing(office.engine) as session:
        run = find_course(session, COURSE)
        remember_columns(session, run, "roster", checked_mapping("roster", {"성함": "login", "비고": ""}))
        remember_columns(session, run, "roster", checked_mapping("roster", {"성함": "name"}))
    table = read_table("x", csv_file([("성함", "비고"), ("김", "")]))
    with reading(office.engine) as session:
        run = find_course(session, COURSE)
        assert columns_of(session, run, "roster", table).used == {"성함": "name"}
        assert columns_of(session, run, "attendance", table).used == {}


def test_many_events_at_once_are_those_that_one_after_the_other_would_be(engine: Engine) -> None:
    new = [NewEvent("x", f"l{number}", {"글": "가", "n": number}) for number in range(3)]
    with writing(engine) as session:
        journal.append(session, "before", actor="office", course=COURSE, at=AFTER)
        append_all(session, new, actor="office", course=COURSE, at=AFTER)
        append_all(session, [], actor="office", course=COURSE, at=AFTER)
        last = journal.append(session, "after", actor="office", course=COURSE, at=AFTER)
    with reading(engine) as session:
        assert journal.verify(session) is None
        found = journal.events(session, COURSE, kind="x")
        assert [(event.subject, event.payload, event.at) for event in found] == [
            (n.subject, n.payload, AFTER) for n in new
        ]
        assert last.seq == found[-1].seq + 1 == session.scalar(select(func.count(Event.seq)))


NAMES = st.sampled_from(["안나", "밥", "김", "이"])
PEOPLE = st.lists(
    st.tuples(st.sampled_from(["", "T1", "T2", "T3"]), NAMES, st.sampled_from(["", "훈련중", "중도탈락", "수료"]),
              st.sampled_from(["", "2026-07-08", "2026-07-09"])), min_size=1, max_size=4,
)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PEOPLE, min_size=1, max_size=3))
def test_twice_is_once_whatever_was_imported_before(office: Office, files: list[list[tuple[str, ...]]]) -> None:
    """The records go on from example to example, so that each begins on another state."""
    for people in files:
        rows = [ROSTER[0], *people]
        if office.plan("roster", rows).problems:
            continue
        office.apply("roster", rows)
        again = office.plan("roster", rows)
        assert (again.changes, again.problems) == ((), ())
