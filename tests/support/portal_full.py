"""The portal's small institution with something on every page: work, grades, feedback, imports, a course run that is over."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from desk_class import TASK, DeskClass
from import_files import csv_file
from played_gateway import gateway
from test_portal_world import COURSE, FIRST, SCRIPT, World, spec

from grader.codes import slot_at
from grader.records import ai_limits, announcements, attend, certificates, corrections, decisions, issuing, work
from grader.records.blobs import manifest_of
from grader.records.db import writing
from grader.records.models import CourseLab, CourseRun, Enrolment, TrainingDayRow
from grader.records.state import find_course
from hub_config.portal.kept_files import KeptFiles

DONE_COURSE, DONE_FIRST = "video-0", date(2026, 6, 1)
CALL = f"rcpt_{1:024x}"
SEOUL = ZoneInfo("Asia/Seoul")
ROSTER = [("훈련생번호", "이름", "훈련상태", "퇴소일"), ("T1", "김미나", "훈련중", ""), ("T9", SCRIPT, "", "")]


def fill(world: World) -> dict[str, str]:
    """Put something on every page; gives what stands in the addresses."""
    world.answer = gateway()
    desk = DeskClass(world)
    submission = desk.hand_in()
    desk.grade(submission, found=f"무음이 1.2초 남았습니다. {SCRIPT}")
    desk.hand_in("eve")
    world.feedback(submission, comment=f"좋아요 {SCRIPT}")
    for offset in range(2):
        world.attended("mina", FIRST + timedelta(days=offset))
    world.attended("jun", FIRST, out=False)
    with writing(world.engine) as session:
        run = find_course(session, COURSE)
        change = attend.Change(check_out=time(18))
        told = announcements.announce(
            session,
            run,
            f"내일은 302호에서 합니다. {SCRIPT}",
            starts=None,
            ends=None,
            instructor="teacher",
            now=world.now,
        ).id
        asked = corrections.ask(
            session, run, "jun", FIRST, change, reason=f"퇴실을 잊었습니다. {SCRIPT}", now=world.now
        ).id
    with writing(world.engine) as session:
        run = find_course(session, COURSE)
        told = announcements.announce(
            session,
            run,
            f"내일은 헤드폰을 가져오세요. {SCRIPT}",
            starts=None,
            ends=None,
            instructor="teacher",
            now=world.now,
        ).id
    none = {"krw": None, "tokens": None, "krw_per_day": None, "tokens_per_day": None}
    with writing(world.engine) as session:
        ai_limits.change(
            session, "hanbit", ai_limits.Account("learner", COURSE), {**none, "krw": 5000, "krw_per_day": 800}, was={**none, "krw": 3000}, seen="",
            actor="office", now=world.now,
        )  # fmt: skip
    world.log("mina", f"checks: {SCRIPT}")
    world.compared(f"둘 다 {SCRIPT} 썼습니다.")
    certificate = _over(world)
    kept = KeptFiles(world.settings.imports_folder, lambda: world.now).put(COURSE, csv_file(ROSTER))
    return {
        "course": COURSE, "lab": "rough-cut", "institution": "hanbit", "programme": "p", "lang": "ko", "submission": submission,
        "learner": "mina", "login": "mina", "call": CALL, "receipt": CALL, "slot": str(slot_at(world.now)), "criterion": TASK, "index": "0",
        "number": "0", "certificate": certificate.event.id, "part": "pdf_ko", "report": "attendance", "name": "roster.csv",
        "kind": "roster", "sha256": kept, "purpose": "revocation", "act": "freeze", "request": asked, "announcement": told,
        "token": world.site.press.facts(certificate.sha256("facts")).verify_url.rpartition("/")[2],
    }  # fmt: skip


def _over(world: World) -> certificates.Certificate:
    """A course run of June in which mina did everything: frozen, and with a certificate."""
    days = [DONE_FIRST + timedelta(days=offset) for offset in range(5)]
    over = datetime.combine(days[-1] + timedelta(days=3), time(10), SEOUL)
    with writing(world.engine) as session:
        session.add(
            CourseRun(
                id=DONE_COURSE, programme_id="p", institution_id="hanbit", lang="ko", place="302호", title_ko="영상 편집 기초",
                title_en="Video editing, first steps", starts_on=days[0], ends_on=days[-1],
            )
        )  # fmt: skip
        session.flush()
        session.add(Enrolment(course_id=DONE_COURSE, login="mina"))
        session.add_all(TrainingDayRow(course_id=DONE_COURSE, day=day, starts=time(9), ends=time(18)) for day in days)
        session.add(
            CourseLab(
                course_id=DONE_COURSE, lab_id="rough-cut", position=0, required=True, title_ko="인터뷰 1차 편집", title_en="Rough cut",
                minutes=90, pass_percent=60,
            )
        )  # fmt: skip
    with writing(world.engine) as session:
        run = find_course(session, DONE_COURSE)
        for day in days:
            attend.correct(
                session, run, login="mina", day=day, instructor="teacher", reason="출석부 확인", check_in=time(9), check_out=time(18),
                now=datetime.combine(day, time(19), SEOUL),
            )  # fmt: skip
        handed = manifest_of([world.put("rough-cut.ipynb", b"{}"), world.put("lab.json", spec("rough-cut").encode())])
        work.release(session, run, "rough-cut", handed, actor="teacher", due_at=None, now=over - timedelta(days=6))
        receipt = work.submit(session, run, "rough-cut", handed, learner="mina", now=over - timedelta(days=5))
        criteria = (work.CriterionPoints(id="plays", points=88, max_points=100),)
        report = work.GradeReport(submission=receipt.id, points=88, max_points=100, final=True, criteria=criteria)
        work.record_grade(session, DONE_COURSE, report, actor="grader", now=over - timedelta(days=4))
    with writing(world.engine) as session:
        run = find_course(session, DONE_COURSE)
        decisions.freeze(session, run, actor="office", now=over)
        return issuing.issue(session, run, "mina", press=world.site.press, actor="office", now=over)
