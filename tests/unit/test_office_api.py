"""The API for an institution's own systems: what it tells, who may ask, and entries that are made once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from records_server import make_app
from small_course import COURSE, MONDAY_TEN
from sqlalchemy import Engine, func, select

from grader.records import enrolments, journal
from grader.records.db import reading
from grader.records.models import Event, Look
from hub_config.portal.refusals import REFUSALS, refusal_text

V1 = "/api/v1"
LEARNER = f"{V1}/courses/{COURSE}/learners/ann"
MONDAY = {"day": "2026-07-06", "check_in": "09:00", "check_out": "18:00", "reason": "단말기 고장"}


class Api:
    """Calls as somebody."""

    def __init__(self, engine: Engine, client: TestClient) -> None:
        self.engine, self.client = engine, client

    def get(self, path: str, who: str = "ida", **query: str) -> Any:
        return self.client.get(path, params=query, headers={"authorization": f"Bearer token-{who}"})

    def post(self, path: str, body: Any = None, who: str = "ida", key: str = "") -> Any:
        headers = {"authorization": f"Bearer token-{who}", **({"Idempotency-Key": key} if key else {})}
        return self.client.post(path, json=body, headers=headers)

    def count(self, table: type = Event) -> int:
        with reading(self.engine) as session:
            assert journal.verify(session) is None
            return session.scalar(select(func.count()).select_from(table)) or 0


@pytest.fixture
def api(engine: Engine, tmp_path: Path) -> Iterator[Api]:
    with TestClient(make_app(engine, tmp_path / "blobs")) as client:
        yield Api(engine, client)


def test_an_office_reads_its_courses_and_how_learners_stand(api: Api) -> None:
    assert [course["id"] for course in api.get(f"{V1}/institutions/inst/courses").json()] == [COURSE]
    told = api.get(f"{V1}/courses/{COURSE}").json()
    assert (told["title"], told["training_days"], told["learners"]) == ({"ko": "가", "en": "A"}, 5, 2)
    assert api.post(f"{LEARNER}/corrections", MONDAY).status_code == 201
    assert api.get(LEARNER).json()["days"][0]["counted_as"] == "open", "it is ten o'clock"
    evening = "2026-07-06T18:00:00+09:00"
    ann, bob = api.get(f"{V1}/courses/{COURSE}/learners", as_of=evening).json()
    assert (ann["login"], ann["credited"], ann["outcome"], bob["credited"]) == ("ann", 1, "in_progress", 0)
    whole = api.get(LEARNER, as_of=evening).json()
    assert whole["days"][0]["counted_as"] == "attended"
    assert whole["requirements"][0]["id"] == "attendance"
    event = api.get(f"{V1}/courses/{COURSE}/events").json()[0]
    assert whole["requirements"][0]["rests_on"] == [event["id"]]
    assert api.get(f"{V1}/journal/head").json() == {"seq": event["seq"], "hash": event["hash"]}
    assert api.get(f"{V1}/courses/{COURSE}/events", after=str(event["seq"])).json() == []


def test_as_known_at_a_moment(api: Api) -> None:
    api.post(f"{LEARNER}/corrections", MONDAY)
    before = (MONDAY_TEN - timedelta(seconds=1)).isoformat()
    assert api.get(LEARNER, as_of=before).json()["credited"] == 0
    assert api.get(LEARNER, as_of="2026-07-06T10:00:00").status_code == 422, "a moment has an offset from UTC"


@pytest.mark.parametrize("who", ["ann", "zoe", "nobody", "eve"])
def test_who_may_read_and_who_may_enter(api: Api, who: str) -> None:
    teaches = who == "eve"
    refused = 401 if who == "nobody" else 404
    for path in (
        f"/courses/{COURSE}",
        f"/courses/{COURSE}/learners",
        f"/courses/{COURSE}/learners/ann",
        f"/courses/{COURSE}/events",
    ):
        assert api.get(V1 + path, who).status_code == (200 if teaches else refused), path
    assert api.get(f"{V1}/institutions/inst/courses", who).status_code == (401 if who == "nobody" else 403)
    assert api.get(f"{V1}/journal/head", who).status_code == (401 if who == "nobody" else 403)
    assert api.post(f"{LEARNER}/corrections", MONDAY, who).status_code == (201 if teaches else refused)
    for path, body in (
        ("leaving", {"how": "dropout", "on": "2026-07-07", "reason": "r"}),
        ("exemptions", {"lab": "rough-cut", "reason": "r"}),
        ("reopening", {"reason": "r"}),
    ):
        assert api.post(f"{LEARNER}/{path}", body, who).status_code == (403 if teaches else refused), path
    assert api.post(f"{V1}/courses/{COURSE}/decisions", None, who).status_code == (403 if teaches else refused)
    assert api.count() == (1 if teaches else 0)


def test_an_instructor_corrects_in_time_and_the_office_at_any_time(engine: Engine, tmp_path: Path) -> None:
    """The same deadline as on the pages: the API is no way around it."""
    late = make_app(engine, tmp_path / "blobs", now=MONDAY_TEN + timedelta(days=3))
    with TestClient(late) as client:
        api = Api(engine, client)
        refused = api.post(f"{LEARNER}/corrections", MONDAY, who="eve")
        assert (refused.status_code, refused.json()["reason"]) == (422, "correction_too_late")
        assert api.post(f"{LEARNER}/corrections", MONDAY).status_code == 201


def test_the_same_key_again_is_one_entry(api: Api) -> None:
    body = {"how": "dropout", "on": "2026-07-07", "reason": "이사"}
    first = api.post(f"{LEARNER}/leaving", body, key="k-1").json()
    again = api.post(f"{LEARNER}/leaving", {**body, "on": "2026-07-08"}, key="k-1")
    assert again.json()["id"] == first["id"]
    assert (first["kind"], first["actor"]) == (enrolments.ENDED, "ida")
    assert api.post(f"{LEARNER}/corrections", MONDAY, who="eve", key="k-1").json()["id"] != first["id"], "another's key"
    assert api.count() == 2


def test_a_refused_entry_uses_up_no_key(api: Api) -> None:
    assert (
        api.post(f"{LEARNER}/leaving", {"how": "dropout", "on": "2027-01-01", "reason": "r"}, key="k").status_code
        == 422
    )
    assert api.post(f"{LEARNER}/exemptions", {"lab": "rough-cut", "reason": "r"}).json()["kind"] == "lab.exempted"
    assert (
        api.post(f"{LEARNER}/leaving", {"how": "dropout", "on": "2026-07-07", "reason": "r"}, key="k").status_code
        == 201
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({**MONDAY, "day": "2026-07-11"}, "This is not a training day"),
        ({**MONDAY, "check_out": "08:00"}, "The check-out must be later"),
        ({**MONDAY, "reason": " "}, "body.reason"),
        ({**MONDAY, "day": "Monday"}, "body.day"),
        ({**MONDAY, "score": 5}, "body.score"),
    ],
)
def test_what_is_wrong_is_named(api: Api, body: dict[str, Any], said: str) -> None:
    answer = api.post(f"{LEARNER}/corrections", body)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(said)
    assert api.count() == 0


@pytest.mark.parametrize("reason", sorted(REFUSALS))
def test_each_refusal_is_a_sentence_in_both_languages(reason: str) -> None:
    text = refusal_text(reason)
    assert text.en == REFUSALS[reason]
    assert re.search("[가-힣]", text.ko)


def test_a_refusal_carries_the_sentence_and_its_short_name(api: Api) -> None:
    told = api.post(f"{LEARNER}/corrections", {**MONDAY, "day": "2026-07-11"}).json()
    assert told == {
        "detail": "This is not a training day of the course.", "en": "This is not a training day of the course.",
        "ko": "이 과정의 훈련일이 아닙니다.", "reason": "no_training_day",
    }  # fmt: skip


def test_decisions_are_frozen_and_opened(api: Api, engine: Engine, tmp_path: Path) -> None:
    assert api.post(f"{V1}/courses/{COURSE}/decisions").status_code == 409, "the run is not over"
    later = make_app(engine, tmp_path / "blobs", now=datetime(2026, 7, 20, tzinfo=UTC))
    with TestClient(later) as client:
        over = Api(engine, client)
        assert [event["subject"] for event in over.post(f"{V1}/courses/{COURSE}/decisions").json()] == ["ann", "bob"]
        assert over.get(LEARNER).json()["frozen_by"] == "ida"
        assert over.post(f"{LEARNER}/corrections", MONDAY).status_code == 409
        assert over.post(f"{LEARNER}/reopening", {"reason": "정정"}).status_code == 201
        assert over.get(LEARNER).json()["frozen_by"] is None


def test_each_look_is_written_down(api: Api) -> None:
    for path in (LEARNER, f"{V1}/courses/{COURSE}/learners", f"{V1}/courses/{COURSE}"):
        api.get(path)
    with reading(api.engine) as session:
        seen = [(look.who, look.what, look.subject) for look in session.scalars(select(Look))]
    assert seen == [
        ("ida", "api/courses/{course}/learners/{login}", "ann"), ("ida", "api/courses/{course}/learners", ""),
    ]  # fmt: skip


def test_the_schema_is_served_and_names_every_refusal(api: Api) -> None:
    schema = api.client.get("/openapi.json").json()
    for path, methods in schema["paths"].items():
        for told in methods.values():
            assert {"401", "403", "404", "422"} <= set(told["responses"]), path
