"""Certificates in the records: only from a frozen positive decision, once, with numbers that nobody has twice."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from small_course import COURSE, DAYS, MONDAY_TEN
from sqlalchemy import select
from test_course_facts import AFTER, BY, Room, room

from grader.certificates.press import Press
from grader.certificates.status import Place
from grader.records import certificates, decisions, enrolments, exemptions, issuing, journal, work
from grader.records.blobs import BlobStore, Manifest
from grader.records.certificates import BadCertificate, Certificate, Sharing
from grader.records.db import reading, writing
from grader.records.models import Enrolment, Event, Person
from grader.records.state import find_course
from grader.records.work import GradeReport
from hub_config import assets
from labs.texts import UserError

URL = "https://lab.example.kr/services/portal/"


@pytest.fixture
def press(tmp_path: Path) -> Press:
    return Press(assets.fonts(), tmp_path / "keys", BlobStore(tmp_path / "blobs"), URL)


@pytest.fixture
def frozen(room: Room) -> Room:
    """Ann has completed, Bob has not, and both decisions are frozen."""
    for login in ("ann", "bob"):
        room.attended(login)
    room.handed_in("ann")
    freeze(room)
    return room


def freeze(room: Room, now: datetime = AFTER) -> None:
    with room.run() as (session, run):
        decisions.freeze(session, run, actor="office", now=now)


def issue(room: Room, press: Press, login: str = "ann", now: datetime = AFTER, **more: Any) -> Certificate:
    with room.run() as (session, run):
        return issuing.issue(session, run, login, press=press, actor="office", now=now, **more)


def held(room: Room, login: str = "ann") -> list[Certificate]:
    with reading(room.engine) as session:
        assert journal.verify(session) is None
        return certificates.of_course(session, COURSE, login)


def token_of(press: Press, certificate: Certificate) -> str:
    return press.facts(certificate.sha256("facts")).verify_url.rpartition("/")[2]


def test_a_frozen_completion_is_certified_with_what_was_decided(frozen: Room, press: Press) -> None:
    made = issue(frozen, press, name_en="Kim Anna")
    assert (made.number, made.standing, made.login) == ("2026-INST-0001", "valid", "ann")
    facts = press.facts(made.sha256("facts"))
    assert (facts.name, facts.name_en, facts.hours, facts.issued_on.isoformat()) == (
        "안나",
        "Kim Anna",
        45,
        "2026-07-20",
    )
    assert [lab.id for lab in facts.labs] == ["rough-cut"]
    assert {unit.id for unit in facts.units} == {"rough-cut-editing", "captioning", "ai-review"}
    assert press.blobs.path(made.sha256("pdf_ko")).read_bytes().startswith(b"%PDF")
    assert press.blobs.path(made.sha256("badge")).read_bytes().count(b".") == 2


def test_no_name_and_no_address_of_a_certificate_is_in_the_journal(frozen: Room, press: Press) -> None:
    made = issue(frozen, press)
    token = token_of(press, made)
    assert len(token) >= 22
    with reading(frozen.engine) as session:
        key = str(session.scalars(select(Event.key).where(Event.id == made.event.id)).one())
        assert token not in f"{made.event.payload}{key}"
        assert "안나" not in f"{made.event.payload}{key}"
        found = certificates.by_token(session, token)
        assert found is not None
        assert found.event.id == made.event.id
        for wrong in ("", token[:-1], token + "x", made.number, made.event.id, "\udcff", key):
            assert certificates.by_token(session, wrong) is None


@pytest.mark.parametrize("login", ["bob", "eve", "nobody"])
def test_nothing_else_is_certified(frozen: Room, press: Press, login: str) -> None:
    with pytest.raises(BadCertificate, match="frozen as completed"):
        issue(frozen, press, login)


def test_a_completion_that_is_not_frozen_is_not_certified(room: Room, press: Press) -> None:
    room.attended("ann")
    room.handed_in("ann")
    assert room.outcome("ann") == "completed"
    with pytest.raises(BadCertificate):
        issue(room, press)
    assert held(room) == []


def test_issuing_twice_gives_the_same_certificate(frozen: Room, press: Press) -> None:
    assert issue(frozen, press).event.id == issue(frozen, press, now=AFTER + timedelta(days=3)).event.id
    assert len(held(frozen)) == 1


def test_an_opened_decision_suspends_until_it_is_frozen_again_with_the_same_content(frozen: Room, press: Press) -> None:
    issue(frozen, press)
    frozen.do(decisions.reopen, "ann")
    assert held(frozen)[0].standing == "suspended"
    with pytest.raises(BadCertificate):
        issue(frozen, press)
    freeze(frozen)
    assert held(frozen)[0].standing == "valid"
    assert issue(frozen, press).number == "2026-INST-0001"


def test_what_was_decided_anew_is_certified_anew_and_the_old_one_revoked(frozen: Room, press: Press) -> None:
    issue(frozen, press)
    frozen.do(decisions.reopen, "ann")
    frozen.handed_in("ann", points=95)
    freeze(frozen)
    assert held(frozen)[0].standing == "suspended"
    with reading(frozen.engine) as session:
        assert issuing.to_issue(session, find_course(session, COURSE)) == ["ann"]
    made = issue(frozen, press)
    assert [(each.number, each.standing) for each in held(frozen)] == [
        ("2026-INST-0001", "revoked"), ("2026-INST-0002", "valid"),
    ]  # fmt: skip
    assert made.place != held(frozen)[0].place


def test_a_decision_frozen_as_failed_takes_the_certificate_with_it(frozen: Room, press: Press) -> None:
    issue(frozen, press)
    frozen.do(decisions.reopen, "ann")
    frozen.handed_in("ann", points=10)
    freeze(frozen)
    assert held(frozen)[0].standing == "suspended"
    with pytest.raises(BadCertificate):
        issue(frozen, press)


def test_who_left_early_for_a_job_is_certified_until_that_day(room: Room, press: Press) -> None:
    room.attended("ann", days=4)
    room.handed_in("ann")
    room.do(enrolments.end, "ann", how="early_employment", on=DAYS[3])
    freeze(room)
    facts = press.facts(issue(room, press).sha256("facts"))
    assert (facts.ends_on, facts.hours) == (DAYS[3], 36)


def test_a_lab_that_was_exempted_is_not_said_to_be_passed(room: Room, press: Press) -> None:
    with room.run() as (_, run):
        for lab in run.labs:
            lab.required = True
    room.attended("ann")
    room.handed_in("ann", points=10)
    with room.run() as (session, run):
        work.release(session, run, "book-proposal", Manifest(files=()), actor="eve", due_at=None, now=MONDAY_TEN)
        receipt = work.submit(session, run, "book-proposal", Manifest(files=()), learner="ann", now=MONDAY_TEN)
        report = GradeReport(submission=receipt.id, points=90, max_points=100, final=True)
        work.record_grade(session, COURSE, report, actor="grader", now=MONDAY_TEN)
    room.do(exemptions.exempt, "ann", "rough-cut")
    freeze(room)
    facts = press.facts(issue(room, press).sha256("facts"))
    assert [lab.id for lab in facts.labs] == ["book-proposal"]
    assert not {unit.id for unit in facts.units} & {"rough-cut-editing", "captioning"}


def test_revoking_needs_a_reason_holds_for_good_and_is_done_once(frozen: Room, press: Press) -> None:
    made = issue(frozen, press)
    with writing(frozen.engine) as session:
        with pytest.raises(BadCertificate, match="reason"):
            certificates.revoke(session, made, reason=" ", actor="office", now=AFTER)
        event = certificates.revoke(session, made, reason="이름 정정", actor="office", now=AFTER)
        assert (event.actor, event.payload["reason"], event.payload["number"]) == ("office", "이름 정정", made.number)
        with pytest.raises(BadCertificate, match="revoked already"):
            certificates.revoke(
                session, certificates.by_id(session, COURSE, made.event.id), reason="x", actor="o", now=AFTER
            )
    frozen.do(decisions.reopen, "ann")
    freeze(frozen)
    assert held(frozen)[0].standing == "revoked"
    assert issue(frozen, press).number == "2026-INST-0002"


def test_lists_have_the_places_of_those_that_do_not_hold(frozen: Room, press: Press) -> None:
    made = issue(frozen, press)
    frozen.do(decisions.reopen, "ann")
    with reading(frozen.engine) as session:
        found = certificates.of_institution(session, "inst")
        assert certificates.without(found, "suspension") == [made.place]
        assert certificates.without(found, "revocation") == []
        assert certificates.of_institution(session, "other") == []
    with writing(frozen.engine) as session:
        certificates.revoke(session, made, reason="x", actor="office", now=AFTER)
        found = certificates.of_institution(session, "inst")
        assert certificates.without(found, "revocation") == [made.place]
        assert certificates.without(found, "suspension") == []


def test_what_is_shown_is_the_holders_word_and_off_at_first(frozen: Room, press: Press) -> None:
    made = issue(frozen, press)
    assert made.sharing == Sharing(full_name=False, labs=False, evidence=False)
    with writing(frozen.engine) as session:
        certificates.share(session, made, Sharing(labs=True), now=AFTER)
        certificates.share(session, certificates.by_id(session, COURSE, made.event.id), Sharing(labs=True), now=AFTER)
    assert held(frozen)[0].sharing == Sharing(labs=True)
    with reading(frozen.engine) as session:
        (event,) = journal.events(session, COURSE, kind=certificates.SHARED)
    assert event.actor == "ann"


def test_a_certificate_is_found_by_its_own_course_and_holder_only(frozen: Room, press: Press) -> None:
    made = issue(frozen, press)
    with reading(frozen.engine) as session:
        assert certificates.by_id(session, COURSE, made.event.id, "ann").number == made.number
        for course, certificate, login in (
            ("course-b", made.event.id, None), (COURSE, made.event.id, "bob"), (COURSE, made.event.payload["decision"], None),
        ):  # fmt: skip
            with pytest.raises(BadCertificate):
                certificates.by_id(session, course, certificate, login)


def test_a_name_that_cannot_be_printed_loses_no_number(frozen: Room, press: Press) -> None:
    for name in ("金安娜", " \u202e"):
        with writing(frozen.engine) as session:
            session.get_one(Person, "ann").name = name
        with pytest.raises(UserError, match=r"font|characters"):
            issue(frozen, press)
        assert held(frozen) == []
    with writing(frozen.engine) as session:
        session.get_one(Person, "ann").name = "안나"
    assert issue(frozen, press).number == "2026-INST-0001"


def test_numbers_begin_anew_each_year_of_the_institutions_zone(frozen: Room, press: Press) -> None:
    issue(frozen, press)
    with writing(frozen.engine) as session:
        certificates.revoke(session, held(frozen)[0], reason="x", actor="office", now=AFTER)
    new_year_in_seoul = datetime(2026, 12, 31, 15, 0, tzinfo=UTC)
    assert issue(frozen, press, now=new_year_in_seoul).number == "2027-INST-0001"


def test_numbers_are_without_gap_or_double_when_many_issue_at_once(room: Room, press: Press) -> None:
    many = [f"learner{number}" for number in range(12)]
    with room.run() as (session, run):
        session.add_all(Person(login=login, name=f"훈련생 {login[7:]}") for login in many)
        session.flush()
        run.enrolments += [Enrolment(login=login) for login in many]
    for login in many:
        room.attended(login)
        room.handed_in(login)
    freeze(room)
    wrong: list[BaseException] = []

    def issue_each(logins: list[str]) -> None:
        try:
            for login in logins:
                issue(room, press, login)
        except BaseException as error:  # a thread's error would be lost
            wrong.append(error)

    threads = [
        threading.Thread(target=issue_each, args=(list(order),))
        for order in (many, reversed(many), many[6:] + many[:6])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    with reading(room.engine) as session:
        found = certificates.of_institution(session, "inst")
        assert issuing.to_issue(session, find_course(session, COURSE)) == []
    assert [each.number for each in found] == [f"2026-INST-{number:04d}" for number in range(1, 13)]
    assert len({each.place for each in found}) == len({each.login for each in found}) == 12
    assert all(isinstance(each.place, Place) for each in found)
