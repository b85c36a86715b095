"""The records service: who may do what, what is refused and why, and that nothing acknowledged is lost."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from records_server import MAX_UPLOAD, make_app
from small_course import COURSE, MONDAY_TEN
from sqlalchemy import Engine

from grader.records import deadlines, journal, work
from grader.records.db import reading, writing
from grader.records.state import find_course, learner_state
from grader.roles import Caller
from labs.manifest import LatePolicy, Terms

RELEASE = f"/api/v1/courses/{COURSE}/labs/rough-cut/release"
SUBMISSIONS = f"/api/v1/courses/{COURSE}/labs/rough-cut/submissions"


@pytest.fixture
def client(engine: Engine, tmp_path: Path) -> TestClient:
    return TestClient(make_app(engine, tmp_path / "blobs"), raise_server_exceptions=False)


def as_(who: str) -> dict[str, str]:
    return {"Authorization": f"Bearer token-{who}"}


def files(**named: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    return [("files", (name.replace("__", "."), data)) for name, data in named.items()]


@pytest.fixture
def released(client: TestClient) -> TestClient:
    answer = client.put(RELEASE, headers=as_("eve"), files=files(rough__ipynb=b"{}", brief__md=b"brief"))
    assert answer.status_code == 200, answer.text
    return client


def test_a_lab_is_due_at_the_end_of_the_day_in_the_institutions_zone(released: TestClient) -> None:
    (lab,) = released.get(f"/api/v1/courses/{COURSE}/labs", headers=as_("ann")).json()
    assert lab["due_at"] == "2026-07-09T23:59:59+09:00"


def due(engine: Engine, hours: int, *, attempts: int = 0, policy: Any = "percent") -> None:
    """Set the lab's due time so many hours from now."""
    terms = Terms(grace_minutes=0, late=LatePolicy(policy=policy), attempts=attempts)
    with writing(engine) as session:
        deadlines.set_deadline(
            session, find_course(session, COURSE), "rough-cut", due_at=MONDAY_TEN + timedelta(hours=hours), terms=terms,
            reason="시험", instructor="eve", now=MONDAY_TEN,
        )  # fmt: skip


def test_the_server_says_when_it_is_due_and_how_late_each_submission_is(released: TestClient, engine: Engine) -> None:
    due(engine, -30)
    with writing(engine) as session:
        deadlines.extend(
            session, find_course(session, COURSE), "rough-cut", learner="bob", until=MONDAY_TEN + timedelta(hours=1),
            reason="병원", instructor="eve", now=MONDAY_TEN,
        )  # fmt: skip
    for who in ("ann", "bob"):
        forged = {"received_at": "2000-01-01T00:00:00+00:00", "days_late": "0"}
        released.post(SUBMISSIONS, headers=as_(who), files=files(timestamp__txt=b"2000-01-01"), data=forged)
    rows = released.get(SUBMISSIONS, headers=as_("grader")).json()
    assert [(row["learner"], row["due_at"], row["days_late"], row["late_percent"]) for row in rows] == [
        ("ann", "2026-07-05T04:00:00+09:00", 2, 20),
        ("bob", "2026-07-06T11:00:00+09:00", 0, 0),
    ]
    labs = f"/api/v1/courses/{COURSE}/labs"
    seen = {who: released.get(labs, headers=as_(who)).json()[0] for who in ("ann", "bob")}
    assert [lab["due_at"][:13] for lab in seen.values()] == ["2026-07-05T04", "2026-07-06T11"]
    assert seen["ann"]["terms"]["late"]["percent_per_day"] == 10


def test_what_comes_too_late_is_refused_in_both_languages(released: TestClient, engine: Engine) -> None:
    due(engine, -1, policy="refuse")
    answer = released.post(SUBMISSIONS, headers=as_("ann"), files=files(a=b"1"))
    assert answer.status_code == 409
    assert "7월 6일 09:00" in answer.json()["ko"]
    assert "2026-07-06 09:00" in answer.json()["en"]
    assert released.get(SUBMISSIONS, headers=as_("ann")).json() == []


def test_the_last_attempt_is_taken_once_however_many_come_at_once(released: TestClient, engine: Engine) -> None:
    due(engine, 1, attempts=2)
    statuses: list[int] = []

    def hand_in(number: int) -> None:
        content = files(a=f"{number}".encode())
        statuses.append(released.post(SUBMISSIONS, headers=as_("ann"), files=content).status_code)

    threads = [threading.Thread(target=hand_in, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201] * 2 + [409] * 6
    assert len(released.get(SUBMISSIONS, headers=as_("ann")).json()) == 2


def test_a_receipt_names_the_tokens_owner_whatever_the_request_says(released: TestClient) -> None:
    answer = released.post(
        f"{SUBMISSIONS}?learner=bob", headers={**as_("ann"), "X-Forwarded-User": "bob"},
        files=[*files(final__mp4=b"video"), ("learner", ("learner", b"bob"))], data={"student_id": "bob"},
    )  # fmt: skip
    assert answer.status_code == 201
    assert answer.json()["learner"] == "ann"
    assert released.get(SUBMISSIONS, headers=as_("bob")).json() == []


def test_a_second_submission_keeps_the_first(released: TestClient, engine: Engine) -> None:
    first = released.post(SUBMISSIONS, headers=as_("ann"), files=files(final__mp4=b"one")).json()
    second = released.post(SUBMISSIONS, headers=as_("ann"), files=files(final__mp4=b"two")).json()
    assert first["sha256"] != second["sha256"]
    path = f"/api/v1/courses/{COURSE}/submissions/{first['id']}/files/{first['files'][0]['sha256']}"
    assert released.get(path, headers=as_("ann")).content == b"one"
    with reading(engine) as session:
        assert journal.verify(session) is None


@pytest.mark.parametrize("who", ["zoe", "nobody"])
def test_an_outsider_neither_reads_nor_hands_in(released: TestClient, who: str) -> None:
    expected = 403 if who == "zoe" else 401
    assert released.post(SUBMISSIONS, headers=as_(who), files=files(a__txt=b"x")).status_code == expected
    assert released.get(SUBMISSIONS, headers=as_(who)).status_code == expected
    assert released.get(f"/api/v1/courses/{COURSE}/labs", headers=as_(who)).status_code == expected


def test_an_instructor_hands_in_nothing_and_a_learner_grades_nothing(released: TestClient) -> None:
    assert released.post(SUBMISSIONS, headers=as_("eve"), files=files(a__txt=b"x")).status_code == 403
    receipt = released.post(SUBMISSIONS, headers=as_("ann"), files=files(a__txt=b"x")).json()
    grade = {"submission": receipt["id"], "points": 100, "max_points": 100, "final": True}
    assert released.post(f"/api/v1/courses/{COURSE}/grades", headers=as_("ann"), json=grade).status_code == 403
    assert released.put(RELEASE, headers=as_("ann"), files=files(a__txt=b"x")).status_code == 403


def test_another_learners_work_is_as_if_it_were_not_there(released: TestClient) -> None:
    receipt = released.post(SUBMISSIONS, headers=as_("ann"), files=files(a__txt=b"secret")).json()
    path = f"/api/v1/courses/{COURSE}/submissions/{receipt['id']}"
    file = f"{path}/files/{receipt['files'][0]['sha256']}"
    assert released.get(file, headers=as_("bob")).status_code == 404
    assert released.get(f"{path}/feedback/results", headers=as_("bob")).status_code == 404
    assert released.get(file, headers=as_("eve")).content == b"secret"
    # A hash alone opens nothing: the file must belong to what is asked for.
    stray = f"/api/v1/courses/{COURSE}/labs/rough-cut/release/{receipt['files'][0]['sha256']}"
    assert released.get(stray, headers=as_("bob")).status_code == 404


@pytest.mark.parametrize(
    "name",
    [
        "../evil.txt",
        "/etc/passwd",
        "a/../../evil",
        "..",
        "a\\b",
        "new\nline",
        "-rf",
        "a/-x",
        "x" * 201,
        "\u202egpj.exe",
    ],
)
def test_a_hostile_file_name_is_refused_and_named(released: TestClient, name: str, engine: Engine) -> None:
    boundary = "b"
    body = (
        f"--{boundary}\r\nContent-Disposition: form-data; name=\"files\"; filename*=UTF-8''{_quoted(name)}\r\n\r\nx\r\n--{boundary}--\r\n"
    ).encode()
    headers = {**as_("ann"), "Content-Type": f"multipart/form-data; boundary={boundary}"}
    answer = released.post(SUBMISSIONS, headers=headers, content=body)
    assert answer.status_code == 422, answer.text
    with reading(engine) as session:
        assert work.submissions(session, COURSE) == []


def _quoted(name: str) -> str:
    from urllib.parse import quote

    return quote(name, safe="")


def test_one_name_twice_is_refused(released: TestClient) -> None:
    answer = released.post(SUBMISSIONS, headers=as_("ann"), files=[*files(a__txt=b"1"), *files(a__txt=b"2")])
    assert answer.status_code == 422
    assert "a.txt" in answer.json()["ko"]


def test_a_body_over_the_limit_is_refused_announced_or_not(released: TestClient) -> None:
    too_large = b"x" * (MAX_UPLOAD + 1)
    answer = released.post(SUBMISSIONS, headers=as_("ann"), files=files(a__bin=too_large))
    assert answer.status_code == 413
    assert "5MB" in answer.json()["ko"]

    def endless() -> Any:
        yield b'--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
        for _ in range(20):
            yield b"x" * 1_000_000

    headers = {**as_("ann"), "Content-Type": "multipart/form-data; boundary=b"}
    assert released.post(SUBMISSIONS, headers=headers, content=endless()).status_code == 413
    assert released.get(SUBMISSIONS, headers=as_("ann")).json() == []


def test_an_unknown_lab_or_course_is_said(released: TestClient) -> None:
    answer = released.post(
        f"/api/v1/courses/{COURSE}/labs/nothing/submissions", headers=as_("ann"), files=files(a=b"x")
    )
    assert answer.status_code == 404
    assert "rough-cut" in answer.json()["ko"]
    answer = released.post(
        f"/api/v1/courses/{COURSE}/labs/book-proposal/submissions", headers=as_("ann"), files=files(a=b"x")
    )
    assert answer.status_code == 404
    assert "배포" in answer.json()["ko"]


def test_112_learners_submitting_at_once_lose_nothing(released: TestClient, engine: Engine) -> None:
    from records_server import PEOPLE

    for number in range(112):
        PEOPLE[f"token-l{number}"] = Caller(f"l{number}", groups=frozenset({f"nbgrader-{COURSE}"}))
    acknowledged: list[str] = []

    def hand_in(number: int) -> None:
        answer = released.post(
            SUBMISSIONS, headers=as_(f"l{number}"), files=files(final__mp4=f"video {number}".encode())
        )
        acknowledged.append(answer.json()["id"])

    threads = [threading.Thread(target=hand_in, args=(number,)) for number in range(112)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with reading(engine) as session:
        receipts = work.submissions(session, COURSE)
        assert journal.verify(session) is None
    assert sorted(receipt.id for receipt in receipts) == sorted(acknowledged)
    assert len({receipt.learner for receipt in receipts}) == 112


def test_a_grade_counts_for_the_latest_attempt_only(released: TestClient, engine: Engine) -> None:
    first = released.post(SUBMISSIONS, headers=as_("ann"), files=files(a=b"1")).json()
    grade = {"submission": first["id"], "points": 80, "max_points": 100, "final": True}
    grades = f"/api/v1/courses/{COURSE}/grades"
    one = released.post(grades, headers=as_("grader"), json=grade).json()
    assert released.post(grades, headers=as_("grader"), json=grade).json() == one  # the same again is no new event
    with reading(engine) as session:
        state = learner_state(session, COURSE, "ann", MONDAY_TEN)
        assert state is not None
        assert state.labs[0].step == "graded"
    released.post(SUBMISSIONS, headers=as_("ann"), files=files(a=b"2"))
    with reading(engine) as session:
        state = learner_state(session, COURSE, "ann", MONDAY_TEN)
        assert state is not None
        assert state.labs[0].step == "submitted"
