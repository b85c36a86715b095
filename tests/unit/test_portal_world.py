"""A small institution for the portal's tests: one course, three labs, three learners, and a Hub that is played."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from jinja2 import Environment
from sqlalchemy import event

from grader import codes
from grader.feedback import CriterionFeedback, Feedback
from grader.records import attend, journal, work
from grader.records.blobs import BlobStore, Manifest, manifest_of
from grader.records.db import open_database, reading, writing
from grader.records.models import CourseLab, CourseRun, Enrolment, Institution, Person, Programme, TrainingDayRow
from grader.records.state import find_course
from grader.records.work import CriterionPoints, GradeReport
from grader.roles import Caller
from grader.similarity.result import Alike, Comparison, Pair, Passage, Unread, comparison_file
from hub_config.ai_limits import Installation
from hub_config.assets import fonts
from hub_config.health.gather import gather
from hub_config.portal import site
from hub_config.portal.app import create_app
from hub_config.portal.config import PortalSettings
from hub_config.portal.security import Session
from hub_config.portal.site import SESSION_COOKIE
from hub_config.settings import Settings
from labs.checks import Finding
from labs.manifest import AiPolicy, Deliverable
from labs.spec import LabSpec, SpecCriterion
from labs.texts import Text

COURSE, OTHER, PREFIX = "video-1", "other-1", "/services/portal/"
ORIGIN = "http://portal.test"
SECRET = b"a secret of the institution"
FIRST = date(2026, 7, 6)
#: 10:00 in Seoul on the third training day.
NOW = datetime(2026, 7, 8, 1, 0, tzinfo=UTC)
SCRIPT = "<script>alert(1)</script>"
PEOPLE = {
    "mina": Caller("mina", groups=frozenset({f"nbgrader-{COURSE}"})),
    "jun": Caller("jun", groups=frozenset({f"nbgrader-{COURSE}"})),
    "eve": Caller("eve", groups=frozenset({f"nbgrader-{COURSE}"})),
    "teacher": Caller("teacher", groups=frozenset({f"formgrade-{COURSE}"})),
    "office": Caller("office", groups=frozenset({"institution-hanbit"})),
    "far-office": Caller("far-office", groups=frozenset({"institution-far"})),
    "stranger": Caller("stranger"),
    "both": Caller("both", groups=frozenset({f"formgrade-{COURSE}", "institution-hanbit", f"nbgrader-{OTHER}"})),
    "service": Caller("grader", kind="service"),
}
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


class Identity:
    """Knows a person by the token 'token-<login>'."""

    def caller(self, token: str) -> Caller | None:
        return PEOPLE.get(token.removeprefix("token-"))

    recall = caller


Handler = Callable[[httpx.Request], httpx.Response]


class World:
    """The portal over seeded records; `answer` plays the Hub, learner servers and the gateway."""

    def __init__(self, folder: Path, records: Path) -> None:
        self.folder, self.now = folder, NOW
        self.asked: list[httpx.Request] = []
        self.answer: Handler = lambda request: httpx.Response(503)
        #: What AI limits stand on, where a test has more than the settings of nothing that runs.
        self.ai: Installation | None = None
        self.engine = open_database(f"sqlite:///{records}")
        # A test's records need not outlive the machine's power.
        event.listen(self.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
        self.engine.dispose()
        self.blobs = BlobStore(folder / "blobs")
        assets = folder / "assets"
        assets.mkdir()
        (assets / "htmx.js").write_text("/* htmx */")
        self.settings = PortalSettings(
            prefix=PREFIX, hub_url="http://hub.test", hub_api_url="http://hub.test/hub/api", api_token="service-token",
            secret=SECRET, htmx_file=assets / "htmx.js", fonts_folder=assets, gateway_url="http://gateway.test",
            grade_command=(sys.executable, "-c", "pass"), feedback_command=(sys.executable, "-c", "pass"),
            similar_command=(sys.executable, "-c", "pass"), lab_check_command=(sys.executable, "-c", "pass"), release_command=(sys.executable, "-c", "pass"), prepare_command=(sys.executable, "-c", "pass"), courses_folder=folder / "courses", looks_folder=folder / "looks",
            paper_fonts_folder=fonts(), keys_folder=folder / "keys", address=ORIGIN, now=lambda: self.now,
        )  # fmt: skip

    def _play(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self.answer(request)

    def start(self, **changed: Any) -> None:
        """Build the application, with other settings where asked."""
        settings = self.settings.model_copy(update=changed)
        # An installation of which nothing runs: no other has these ports.
        installed = Settings(data=self.folder / "var", port=64_000)
        self.app = create_app(
            settings, self.engine, self.blobs, Identity(), transport=httpx.MockTransport(self._play),
            health=lambda watch: gather(installed, engine=self.engine, standing=watch.known),
            ai=self.ai or Installation(lambda: installed, lambda: False, installed.receipts_path),
        )  # fmt: skip
        self.site = self.app.state.portal

    def browser(self, login: str | None = None, lang: str | None = None) -> TestClient:
        """A browser of somebody who has signed in, or of nobody."""
        client = TestClient(self.app, base_url=ORIGIN, follow_redirects=False)
        if login is not None:
            self.session = Session(f"token-{login}", f"session-{login}")
            client.cookies.set(SESSION_COOKIE, self.site.seals.seal(self.session))
        if lang is not None:
            client.cookies.set("practicum-lang", lang)
        return client

    def post(self, client: TestClient, path: str, login: str, **form: str) -> httpx.Response:
        """Send a form as a page of the portal would."""
        csrf = self.site.seals.csrf(Session(f"token-{login}", f"session-{login}"))
        return client.post(f"{PREFIX}{path}", data={"csrf": csrf, **form}, headers={"origin": ORIGIN})

    def code(self) -> str:
        """What the class screen shows now."""
        return codes.code_at(SECRET, COURSE, self.now.astimezone(UTC).date(), self.now)

    def put(self, path: str, content: bytes) -> Any:
        return self.blobs.put(io.BytesIO(content), path)

    def release(self, lab: str = "rough-cut") -> None:
        """Hand a lab out, with its description."""
        manifest = manifest_of([self.put(f"{lab}.ipynb", b"{}"), self.put("lab.json", spec(lab).encode())])
        with writing(self.engine) as session:
            due = self.now + timedelta(days=3)
            work.release(
                session, find_course(session, COURSE), lab, manifest, actor="teacher", due_at=due, now=self.now
            )

    def submit(self, learner: str = "mina", lab: str = "rough-cut", name: str = "final.mp4") -> str:
        """Hand in, as the records service does; gives the receipt's id."""
        manifest: Manifest = manifest_of([self.put(name, f"{learner} {self.now}".encode())])
        with writing(self.engine) as session:
            run = find_course(session, COURSE)
            return work.submit(session, run, lab, manifest, learner=learner, now=self.now).id

    def grade(self, submission: str, points: float = 80, *, final: bool = True, note: str = "") -> None:
        """Record a grade."""
        criteria = (CriterionPoints(id="plays", points=points, max_points=100),)
        report = GradeReport(
            submission=submission, points=points, max_points=100, final=final, criteria=criteria, note=note
        )
        with writing(self.engine) as session:
            work.record_grade(session, COURSE, report, actor="grader", now=self.now)

    def feedback(
        self, submission: str, comment: str = "잘했습니다.", criteria: tuple[CriterionFeedback, ...] = ()
    ) -> None:
        """Release feedback, with a finding that shows everything and a criterion that is met where none is given."""
        finding = Finding(
            found=Text(ko=f"무음이 1.2초 남았습니다. {SCRIPT}", en=f"1.2 s of silence is left. {SCRIPT}"),
            right=Text(ko="0.8초 이하로 줄이세요.", en="Keep it within 0.8 s."), where="00:12.4", picture=PNG,
        )  # fmt: skip
        criterion = CriterionFeedback(
            id="plays",
            title=Text(ko="재생", en="Plays"),
            points=70,
            max_points=90,
            findings=(finding,),
            comment=comment,
        )
        right = Finding(ok=True, found=Text(ko=f"자막이 있습니다. {SCRIPT}", en=f"There are subtitles. {SCRIPT}"))
        met = CriterionFeedback(
            id="subtitles", title=Text(ko="자막", en="Subtitles"), points=10, max_points=10, findings=(right,)
        )
        told = Feedback(
            submission=submission, points=80, max_points=100, final=True, criteria=criteria or (criterion, met)
        )
        html, results = (
            self.put("page", b"<script>never shown</script>"),
            self.put("r", told.model_dump_json().encode()),
        )
        with writing(self.engine) as session:
            work.release_feedback(
                session,
                COURSE,
                submission,
                html_sha256=html.sha256,
                results_sha256=results.sha256,
                actor="teacher",
                now=self.now,
            )

    def log(self, learner: str, said: str, lab: str = "rough-cut") -> Path:
        """Write the log of grading a submission, as the engine does."""
        file = self.settings.courses_folder / COURSE / "logs" / learner / f"{lab}.log"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(said, "utf-8")
        return file

    def compared(self, passage: str, lab: str = "rough-cut", **receipts: str) -> None:
        """Write what a comparison found: a pair with a passage, and a file that could not be read."""
        alike = Alike(
            path="proposal.md", kind="document", share=0.714, notable=True,
            passages=(Passage(first=passage, second=f"{passage} 저도요."),),
        )  # fmt: skip
        parts = (alike, Alike(path="clip.mp4", kind="video", share=0.1, notable=False))
        found = Comparison(
            lab=lab, receipts={"mina": "a" * 8, "eve": "b" * 8, **receipts},
            unread=(Unread(learner="eve", path=f"{SCRIPT}.png", problem="unreadable"),),
            pairs=(Pair(first="eve", second="mina", parts=parts),),
        )  # fmt: skip
        file = comparison_file(self.settings.courses_folder / COURSE, lab)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(found.model_dump_json(), "utf-8")

    def attended(self, learner: str, day: date, *, out: bool = True) -> None:
        """Check somebody in, and out, with the hours of a whole day."""
        with writing(self.engine) as session:
            attend.correct(
                session, find_course(session, COURSE), login=learner, day=day, instructor="teacher", reason="출석부 확인",
                now=self.now, check_in=time(9, 0), check_out=time(18, 0) if out else None,
            )  # fmt: skip

    def events(self, kind: str) -> int:
        """How many events of a kind the journal has."""
        with reading(self.engine) as session:
            return len(journal.events(session, COURSE, kind=kind))


def spec(lab: str) -> str:
    """What lab.json says of a lab."""
    deliverable = Deliverable(path="final.mp4", kind="video", title=Text(ko="완성 영상", en="Finished clip"), max_mb=60)
    criterion = SpecCriterion(
        id="plays", title=Text(ko="재생", en="Plays"), points=100, visible=True, check="labs.evidence:reviewed"
    )  # fmt: skip
    return LabSpec(
        course=COURSE, lab=lab, lang="ko", title=Text(ko="1차 편집", en="Rough cut"), minutes=90,
        deliverables=(deliverable,), ai=AiPolicy(), criteria=(criterion,),
    ).model_dump_json(by_alias=True)  # fmt: skip


def seed(engine: Any) -> None:
    """One institution with a course of five days, and another institution's course."""
    with writing(engine) as session:
        session.add(Programme(id="p", title_ko="인공지능 전환", title_en="AI transition", rules={}))
        session.add(Institution(id="hanbit", title_ko="한빛직업전문학교", title_en="Hanbit School", region="seoul"))
        session.add(Institution(id="far", title_ko="먼학교", title_en="Far School", region="jeju"))
        session.flush()
        for course, institution in ((COURSE, "hanbit"), (OTHER, "far")):
            session.add(
                CourseRun(
                    id=course,
                    programme_id="p",
                    institution_id=institution,
                    lang="ko",
                    place="301호",
                    title_ko="영상 편집 과정",
                    title_en="Video editing",
                    starts_on=FIRST,
                    ends_on=FIRST + timedelta(days=4),
                )
            )
        people = {"mina": "김미나", "jun": "이준", "eve": f"이브{SCRIPT}"}
        session.add_all(Person(login=login, name=name) for login, name in people.items())
        session.flush()
        session.add_all(Enrolment(course_id=COURSE, login=login) for login in people)
        for offset in range(5):
            session.add(
                TrainingDayRow(course_id=COURSE, day=FIRST + timedelta(days=offset), starts=time(9), ends=time(18))
            )
        titles = (
            ("rough-cut", "인터뷰 1차 편집", "Rough cut"),
            ("captions", "자막", "Captions"),
            ("extra", "심화", "Extra"),
        )
        for position, (lab, ko, en) in enumerate(titles):
            session.add(
                CourseLab(
                    course_id=COURSE,
                    lab_id=lab,
                    position=position,
                    required=lab != "extra",
                    title_ko=ko,
                    title_en=en,
                    minutes=90,
                    pass_percent=60,
                )
            )


@pytest.fixture(scope="session")
def seeded_records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The records as every test finds them, made once."""
    file = tmp_path_factory.mktemp("seeded") / "records.sqlite"
    engine = open_database(f"sqlite:///{file}")
    seed(engine)
    engine.dispose()
    return file


def change_templates(monkeypatch: pytest.MonkeyPatch, change: Callable[[Environment], None]) -> None:
    """Have every page made by templates with a change, such as without a defence."""
    real = site.environment.__wrapped__

    def changed(words: Any) -> Environment:
        environment: Environment = real(words)
        change(environment)
        return environment

    monkeypatch.setattr(site, "environment", changed)


def without_escaping(environment: Environment) -> None:
    environment.autoescape = False


@pytest.fixture
def world(tmp_path: Path, seeded_records: Path) -> Iterator[World]:
    """The portal over a fresh course."""
    made = World(tmp_path, Path(shutil.copy(seeded_records, tmp_path / "records.sqlite")))
    made.start()
    yield made
    made.engine.dispose()
