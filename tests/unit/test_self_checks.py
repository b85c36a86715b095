"""The door by which a learner's own process tells of a self-check: what gets in, and how little it reaches."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from records_server import make_app, serving
from small_course import COURSE, MONDAY_TEN
from sqlalchemy import Engine, func, select

from grader.records import self_checks
from grader.records.db import reading
from grader.records.models import Event, SelfCheck
from grader.records.state import course_state
from labs import checks, telling
from labs.manifest import AiPolicy
from labs.session import open_lab
from labs.spec import LabSpec, SpecCriterion
from labs.texts import Text

LAB = f"/api/v1/courses/{COURSE}/labs/rough-cut"
PASSED = {"criterion": "plays", "passed": False}


def as_(who: str) -> dict[str, str]:
    return {"Authorization": f"Bearer token-{who}"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A learner's lab with a check that fails while the clip is missing, and a hidden criterion."""

    def has_clip(folder: Path) -> checks.CheckResult:
        is_there = (folder / "final.mp4").is_file()
        return checks.passed("있음", "there") if is_there else checks.failed(Text(ko="없음", en="missing"))

    monkeypatch.setattr(checks, "has_clip", has_clip, raising=False)
    shown = SpecCriterion(
        id="plays", title=Text(ko="재생", en="Plays"), points=10, visible=True, check="labs.checks:has_clip"
    )
    hidden = SpecCriterion(id="secret", title=Text(ko="숨김", en="Hidden"), points=10, visible=False)
    spec = LabSpec(
        course=COURSE, lab="rough-cut", lang="ko", title=Text(ko="편집", en="Cut"), minutes=9, deliverables=(),
        ai=AiPolicy(), criteria=(shown, hidden),
    )  # fmt: skip
    made = tmp_path / "work"
    made.mkdir()
    (made / "lab.json").write_text(spec.model_dump_json(by_alias=True))
    return made


@pytest.fixture
def client(engine: Engine, tmp_path: Path, folder: Path) -> TestClient:
    """The records service, with the lab handed out."""
    made = TestClient(make_app(engine, tmp_path / "blobs"), raise_server_exceptions=False)
    files = [("files", ("lab.json", (folder / "lab.json").read_bytes())), ("files", ("rough-cut.ipynb", b"{}"))]
    assert made.put(f"{LAB}/release", headers=as_("eve"), files=files).status_code == 200
    return made


def kept(engine: Engine) -> list[tuple[str, str, int, int]]:
    with reading(engine) as session:
        rows = self_checks.of_course(session, COURSE)
        return [(row.login, row.criterion, row.tries, row.failed_in_a_row) for row in rows]


def test_a_notebooks_self_check_reaches_the_records_as_its_learner(
    client: TestClient, engine: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []
    monkeypatch.setattr("labs.session.tell_self_check", lambda *args: sent.append(telling.tell_self_check(*args)))
    with serving(client.app) as address:  # type: ignore[arg-type]
        monkeypatch.setenv("PRACTICUM_RECORDS_URL", address)
        monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "token-ann")
        session = open_lab(folder, {})
        for _ in range(2):
            session.check("plays")
            sent[-1].join(10)
        session.check("secret")
        assert kept(engine) == [("ann", "plays", 2, 2)]
        (folder / "final.mp4").write_bytes(b"clip")
        session.check("plays")
        sent[-1].join(10)
    assert len(sent) == 3, "a hidden criterion has no self-check to tell of"
    assert kept(engine) == [("ann", "plays", 3, 0)]


@pytest.mark.parametrize("address", ["", "http://127.0.0.1:9/api/v1", "no address at all"])
def test_a_notebook_neither_fails_nor_waits_where_nobody_listens(
    folder: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("PRACTICUM_RECORDS_URL", address)
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "token-ann")
    assert "없음" in repr(open_lab(folder, {}).check("plays"))
    # What the background does, so that nothing of it is lost in a thread.
    telling._send(address, "token-ann", {})


@pytest.mark.parametrize(("who", "status"), [("eve", 403), ("ida", 403), ("zoe", 403), ("nobody", 401), ("ann", 204)])
def test_only_a_learner_of_the_course_tells_of_their_own(
    client: TestClient, engine: Engine, who: str, status: int
) -> None:
    assert client.post(f"{LAB}/self-checks", headers=as_(who), json=PASSED).status_code == status
    assert kept(engine) == ([("ann", "plays", 1, 1)] if who == "ann" else [])


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({**PASSED, "learner": "bob"}, 422),
        ({**PASSED, "criterion": "secret"}, 404),
        ({**PASSED, "criterion": "made-up"}, 404),
        ({**PASSED, "criterion": "x" * 61}, 422),
        ({"criterion": "plays", "passed": "perhaps"}, 422),
        ({"criterion": "plays"}, 422),
    ],
)
def test_nothing_but_a_self_check_of_the_lab_is_kept(
    client: TestClient, engine: Engine, told: dict[str, object], status: int
) -> None:
    answer = client.post(f"{LAB}/self-checks", headers=as_("ann"), json=told)
    assert answer.status_code == status
    assert kept(engine) == []
    elsewhere = LAB.replace("rough-cut", "captions")
    assert client.post(f"{elsewhere}/self-checks", headers=as_("ann"), json=PASSED).status_code == 404


def test_a_flood_of_claims_is_one_row_no_event_and_changes_no_decision(client: TestClient, engine: Engine) -> None:
    def state() -> object:
        with reading(engine) as session:
            learners = course_state(session, COURSE, MONDAY_TEN).learners
            events = session.scalar(select(func.count()).select_from(Event))
            return events, [(one.login, one.outcome, one.decision, one.attendance) for one in learners]

    before = state()
    for _ in range(40):
        client.post(f"{LAB}/self-checks", headers=as_("ann"), json={"criterion": "plays", "passed": True})
    assert state() == before
    with reading(engine) as session:
        (row,) = session.scalars(select(SelfCheck)).all()
    assert (row.tries, row.failed_in_a_row) == (40, 0)
