"""The pilot in a Practicum's data folder, and one class of it whose work is real, so that every page has something to show.

Everything but attendance and old grades goes the product's own way: handed in, graded in the sandbox, judged at the desk, told
to the learners, frozen, certified, imported.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import tempfile
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import httpx
from import_files import csv_file
from pilot import CALLS, PROGRAMME, Pilot, Run, build, build_receipts, receipt
from portal_people import PREFIX, Forms
from running import Installation, token_of
from sqlalchemy.orm import Session

from grader.codes import slot_at
from grader.own.terms import OwnTerms
from grader.records import attend, work
from grader.records.blobs import FileEntry, manifest_of
from grader.records.db import open_database, writing
from grader.records.models import CourseLab, CourseRun, Enrolment, Person, StaffRole, TrainingDayRow
from hub_config.ai_gateway.ledger.rows import content_sha256
from hub_config.ai_gateway.ledger.store import Store
from labs.catalog import find_lab
from publishing.reference import build_reference

LAB, CRITERION, LIVE, DONE = "book-proposal", "editor-wants-it", 0, "run-over"
MINISTRY, OPERATOR = "ministry", "operator"
#: So many of the class are judged and told; the others wait for a person.
JUDGED = 15
#: What the class handed in: mostly good, and what goes wrong.
RECIPES = (
    "good",
    "good",
    "good",
    "fail-comparables",
    "fail-facts",
    "good",
    "fail-pitch",
    "raw_ai",
    "good",
    "fail-sources",
)
PROMPT = json.dumps(
    [{"role": "user", "content": "다음 저자 메모로 출간기획서의 기획 의도를 세 문장으로 쓰세요. " * 12}],
    ensure_ascii=False,
)
ANSWER = "이 책은 처음 가죽을 다루는 사람이 한 달 안에 지갑을 완성하도록 돕습니다. " * 12


def live(pilot: Pilot) -> Run:
    """The course run whose work is real."""
    return pilot.course_runs[LIVE]


def teacher(run: Run) -> str:
    return f"teacher-{run.number:04d}"


def office(run: Run) -> str:
    return f"office-{run.institution:02d}"


def make(data: Path, pilot: Pilot) -> int:
    """Write the pilot into a new data folder; gives the number of events."""
    engine = open_database(f"sqlite:///{data}/records/records.db")
    count = build(engine, pilot)
    with writing(engine) as session:
        _staff(session, pilot)
        session.add(CourseLab(
            course_id=live(pilot).id, lab_id=LAB, position=9, required=True, title_ko="한 장짜리 출간기획서",
            title_en="A one-page book proposal", minutes=75, pass_percent=70,
        ))  # fmt: skip
        session.flush()
        _run_that_is_over(session, pilot)
    engine.dispose()
    build_receipts(data / "ai" / "gateway.db", pilot)
    with closing(Store(data / "ai" / "gateway.db", "inst-00")) as store:
        store.write(list(_calls(pilot)), [])
    return count


def _staff(session: Session, pilot: Pilot) -> None:
    roles = {teacher(run): f"formgrade-{run.id}" for run in pilot.course_runs}
    roles |= {office(run): f"institution-inst-{run.institution:02d}" for run in pilot.course_runs}
    roles |= {MINISTRY: f"programme-{PROGRAMME}", OPERATOR: "operator"}
    session.add_all(Person(login=login, name=login) for login in roles)
    session.flush()
    session.add_all(StaffRole(login=login, group=group) for login, group in roles.items())
    session.add(StaffRole(login=teacher(live(pilot)), group=f"formgrade-{DONE}"))
    session.flush()


def _run_that_is_over(session: Session, pilot: Pilot) -> None:
    """Five days in which everybody of the class was there and passed what its teacher gave: its certificates are issued."""
    run, today = live(pilot), pilot.now.astimezone(live(pilot).zone).date()
    days = [today - timedelta(days=n) for n in range(9, 4, -1)]
    over = CourseRun(
        id=DONE, programme_id=PROGRAMME, institution_id=f"inst-{run.institution:02d}", title_ko="AI 첫걸음", title_en="First steps with AI",
        lang="ko", place="3층", starts_on=days[0], ends_on=days[-1],
    )  # fmt: skip
    over.days = [TrainingDayRow(day=day, starts=time(9), ends=time(18)) for day in days]
    over.enrolments = [Enrolment(login=login) for login in run.learners]
    session.add(over)
    session.flush()
    for day in days:
        for login in run.learners:
            attend.correct(
                session, over, login=login, day=day, instructor=teacher(run), reason="출석부 확인", now=datetime.now(UTC),
                check_in=time(9), check_out=time(18),
            )  # fmt: skip
    own = OwnTerms(title_ko="첫 과제", title_en="First assignment", minutes=60, pass_percent=60, required=True)
    handed = manifest_of([FileEntry(path="first.ipynb", size=20_000, sha256="4" * 64)])
    work.release(session, over, "own-first", handed, actor=teacher(run), due_at=None, own=own, now=datetime.now(UTC))
    session.flush()
    for login in run.learners:
        submitted = work.submit(session, over, "own-first", handed, learner=login, now=datetime.now(UTC))
        points = (work.CriterionPoints(id="all", points=88, max_points=100),)
        report = work.GradeReport(submission=submitted.id, points=88, max_points=100, final=True, criteria=points)
        work.record_grade(session, DONE, report, actor="grader", now=datetime.now(UTC))


def _calls(pilot: Pilot) -> list[dict[str, Any]]:
    """AI calls of the class in the lab, with what was asked and answered."""
    luck, run, said = random.Random(3), live(pilot), [PROMPT, ANSWER, "text/plain"]
    day = max(day for day in run.days if day < pilot.now.astimezone(run.zone).date())
    content = {"prompt": PROMPT, "answer": ANSWER, "answer_type": "text/plain", "kept_sha256": content_sha256([*said]),
               "answer_sha256": "3" * 64, "expires_on": (day + timedelta(days=365)).isoformat(), "lab": LAB}  # fmt: skip
    return [receipt(luck, run, login, day) | content for login in run.learners for _ in range(CALLS)]


class RealClass:
    """Does what a class does; `filled` is then what stands in the addresses of its pages."""

    def __init__(self, site: Installation, pilot: Pilot, forms: Forms) -> None:
        self._site, self._run, self._forms, self._pilot = site, live(pilot), forms, pilot
        self.teacher, self.office, self.learner = teacher(self._run), office(self._run), self._run.learners[0]
        self.institution = f"inst-{self._run.institution:02d}"
        self.today = pilot.now.astimezone(self._run.zone).date()

    def work(self, certified: int = 3) -> dict[str, str]:
        """Go through everything once; gives what fills the addresses."""
        submissions = {login: self._hand_in(login, number) for number, login in enumerate(self._run.learners)}
        for command in ("grade", "similar"):
            self._command(command)
        for login in self._run.learners[:JUDGED]:
            self._judge(submissions[login])
        self._command("feedback")
        announced = self._announce()
        self._forms.post(self.learner, f"learn/{self._run.id}/attendance/ask", day=self._yesterday.isoformat(), check_in="09:00",
                         check_out="18:00", reason="단말기가 꺼져 있었습니다.")  # fmt: skip
        done = f"office/{self.institution}/{DONE}"
        self._forms.post(self.office, f"{done}/freeze")
        for login in self._run.learners[:certified]:
            self._forms.post(self.office, f"{done}/certificates", learner=login)
        mine = self._forms.page(self.learner, f"learn/{DONE}/certificate")
        return {
            "course": self._run.id, "lab": LAB, "institution": self.institution, "programme": PROGRAMME, "lang": "ko",
            "submission": submissions[self.learner], "learner": self.learner, "login": self.learner, "call": self._call(),
            "receipt": self._call(), "slot": str(slot_at(datetime.now(UTC))), "criterion": CRITERION, "index": "0", "number": "0",
            "certificate": self._found(rf"learn/{DONE}/certificate/([0-9a-f]+)", mine), "part": "pdf_ko", "report": "attendance",
            "name": "roster.csv", "kind": "roster", "purpose": "revocation", "act": "leave",
            "announcement": announced, "token": self._found(r"verify/([\w-]+)", mine),
        }  # fmt: skip

    @property
    def _yesterday(self) -> date:
        return max(day for day in self._run.days if day < self.today)

    def _hand_in(self, login: str, number: int) -> str:
        url = f"{self._site.url}{PREFIX}api/v1/courses/{self._run.id}/labs/{LAB}/submissions"
        with tempfile.TemporaryDirectory() as folder:
            build_reference(find_lab(LAB).folder, RECIPES[number % len(RECIPES)], Path(folder), Path(folder), "ko")
            files = [("files", (path.name, path.read_bytes())) for path in Path(folder).iterdir()]
        headers = {"Authorization": f"Bearer {token_of(self._site, login)}"}
        answer = httpx.post(url, headers=headers, files=files, timeout=60)
        answer.raise_for_status()
        return str(answer.json()["id"])

    def _command(self, name: str) -> None:
        env = {**os.environ, "PRACTICUM_SETTINGS": str(self._site.data / "run" / "settings.yaml")}
        command = [sys.executable, "-m", "hub_config.cli", name, self._run.id, LAB, "--json"]
        subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)

    def _judge(self, submission: str) -> None:
        at = f"class/{self._run.id}/labs/{LAB}/desk/{submission}"
        version = self._found(r'name="version" value="([^"]*)"', self._forms.page(self.teacher, at))
        self._forms.post(self.teacher, f"{at}/criteria/{CRITERION}", version=version, level="11",
                         comment="유사 도서와 다른 점을 한 문장으로 더 또렷하게 쓰면 좋겠습니다.")  # fmt: skip

    def _announce(self) -> str:
        at = f"class/{self._run.id}/announcements"
        self._forms.post(self.teacher, at, text="내일은 헤드폰을 가져오세요.")
        return self._found(rf"{at}/([0-9a-f]+)/withdraw", self._forms.page(self.teacher, at))

    def _call(self) -> str:
        return self._found(r"ai/receipts/(rcpt_[0-9a-f]+)", self._forms.page(self.learner, f"learn/{self._run.id}/ai"))

    def upload(self) -> str:
        """Upload a roster to look over; what is uploaded is kept for an hour."""
        rows = [
            ("아이디", "이름", "훈련상태"),
            *((login, f"훈련생{n}", "훈련중") for n, login in enumerate(self._run.learners)),
        ]
        at = f"office/{self.institution}/{self._run.id}/import/roster"
        leads = self._forms.post(self.office, at, files={"file": ("roster.csv", csv_file(rows))})
        return self._found(r"roster/([0-9a-f]{64})", leads)

    @staticmethod
    def _found(pattern: str, text: str) -> str:
        found = re.search(pattern, text)
        assert found, f"{pattern} is not in {text[-2000:]}"
        return found[1]
