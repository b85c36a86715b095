"""Issuing certificates. The rule: only from a frozen positive decision, once for each, with the next number of the year.

All happens in the transaction that holds the journal's lock: a number is never given twice, and none is lost by a failure.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import date, datetime

from pydantic import ValidationError
from sqlalchemy.orm import Session

from grader.certificates.facts import CertificateFacts, PassedLab, Unit
from grader.certificates.press import Press
from grader.certificates.status import free_place
from grader.records import certificates, enrolments, journal, work
from grader.records.attend import zone
from grader.records.certificates import ISSUED, BadCertificate, Certificate
from grader.records.frozen import Frozen, frozen_in
from grader.records.models import CourseRun, Person
from labs.catalog import packs
from labs.texts import Lang, Text

#: Of the token in a certificate's address: 160 bits.
TOKEN_BYTES = 20
REPLACED = Text(ko="새 수료증으로 바뀜", en="replaced by a new certificate")


def to_issue(session: Session, run: CourseRun) -> list[str]:
    """The learners of a run who have completed by a frozen decision and hold no certificate that says so."""
    held = {each.login for each in certificates.of_course(session, run.id) if each.standing == "valid"}
    decided = frozen_in(session, run.id)
    return [login for login, decision in sorted(decided.items()) if _completed(decision) and login not in held]


def issue(
    session: Session, run: CourseRun, login: str, *, press: Press, actor: str, now: datetime, name_en: str = ""
) -> Certificate:
    """Issue a learner's certificate; the one that holds is given again, and one that no longer says the same is replaced."""
    decision = frozen_in(session, run.id, login).get(login)
    if decision is None or not _completed(decision):
        raise BadCertificate(
            f"{login[:60]}: 수료로 확정된 판정이 있어야 수료증을 발급할 수 있습니다.",
            f"{login[:60]}: a certificate is issued only from a decision that is frozen as completed",
        )
    standing = [each for each in certificates.of_course(session, run.id, login) if each.revoked is None]
    if standing and standing[-1].standing == "valid":
        return standing[-1]
    for old in standing:
        certificates.revoke(session, old, reason=REPLACED.in_(run.lang), actor=actor, now=now)
    return _issue(session, run, decision, press=press, actor=actor, now=now, name_en=name_en)


def _issue(
    session: Session, run: CourseRun, decision: Frozen, *, press: Press, actor: str, now: datetime, name_en: str
) -> Certificate:
    issued = certificates.of_institution(session, run.institution_id)
    token, login = secrets.token_urlsafe(TOKEN_BYTES), decision.event.subject
    number = _next_number(run, (each.number for each in issued), now)
    facts = _facts(session, run, decision, number, press.verify_url(token), name_en, now)
    place, lang = free_place([each.place for each in issued]), _lang(run)
    files = press.make(facts, place, lang, now)
    payload = {
        "number": number, "decision": decision.event.id, "grounds": certificates.grounds(decision),
        "lang": lang, "files": files, "place": [place.number, place.index],
    }  # fmt: skip
    event = journal.append(
        session, ISSUED, actor=actor, course=run.id, subject=login, payload=payload,
        key=certificates.key_of(token), at=now,
    )  # fmt: skip
    return certificates.by_id(session, run.id, event.id)


def _completed(decision: Frozen) -> bool:
    return certificates.grounds(decision) is not None


def _lang(run: CourseRun) -> Lang:
    return "en" if run.lang == "en" else "ko"


def _next_number(run: CourseRun, given: Iterable[str], now: datetime) -> str:
    """The next number of the institution's year, such as 2026-DEMO-0001; numbers begin anew each year."""
    prefix = f"{now.astimezone(zone(run)).year}-{run.institution_id.upper()}-"
    last = max((int(number.removeprefix(prefix)) for number in given if number.startswith(prefix)), default=0)
    return f"{prefix}{last + 1:04d}"


def _facts(
    session: Session, run: CourseRun, decision: Frozen, number: str, verify_url: str, name_en: str, now: datetime
) -> CertificateFacts:
    said = certificates.grounds(decision) or {}
    passed = [lab for lab, _ in said["labs"]]
    left = _left_early(session, run, decision)
    try:
        return CertificateFacts(
            number=number,
            name=session.get_one(Person, decision.event.subject).name,
            name_en=name_en,
            institution_id=run.institution_id,
            institution=Text(ko=run.institution.title_ko, en=run.institution.title_en),
            programme=Text(ko=run.programme.title_ko, en=run.programme.title_en),
            course_id=run.id,
            course=Text(ko=run.title_ko, en=run.title_en),
            starts_on=run.starts_on,
            ends_on=left or run.ends_on,
            hours=said["minutes"] // 60 if left or not run.hours else run.hours,
            units=_units(passed),
            labs=tuple(_passed(session, run, lab, submission) for lab, submission in said["labs"]),
            issued_on=now.astimezone(zone(run)).date(),
            verify_url=verify_url,
            salt=secrets.token_hex(16),
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise BadCertificate(
            f"수료증에 쓸 수 없는 값이 있습니다({first['loc'][0]}). 이름은 1~120자여야 합니다. 명단에서 고친 뒤 다시 발급하세요.",
            f"a value cannot stand on a certificate ({first['loc'][0]}): a name has 1 to 120 characters; correct it in the "
            "roster and issue again",
        ) from None


def _left_early(session: Session, run: CourseRun, decision: Frozen) -> date | None:
    """The last day of somebody who left for a job: their certificate states the days and hours until then."""
    if decision.outcome != "early_employment":
        return None
    login = decision.event.subject
    return date.fromisoformat(enrolments.ends(journal.events(session, run.id, subject=login))[login].payload["on"])


def _passed(session: Session, run: CourseRun, lab: str, submission: str) -> PassedLab:
    row = work.lab_of(run, lab)
    sha256 = work.find_submission(session, run.id, submission).sha256
    return PassedLab(id=lab, title=Text(ko=row.title_ko, en=row.title_en), sha256=sha256)


def _units(passed: list[str]) -> tuple[Unit, ...]:
    """The competency units of the labs passed, as their packs name them; an instructor's own assignment has none."""
    return tuple(
        Unit(id=unit.id, title=unit.title, framework=pack.profession.title, code=unit.code)
        for pack in packs().values()
        for unit in pack.profession.competencies
        if any(lab.id in passed and unit.id in lab.lab.competencies for lab in pack.labs)
    )
