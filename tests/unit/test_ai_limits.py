"""What an office allows to be spent: events above the settings, put together for the gateway, and handed over without a restart."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from small_course import COURSE, MONDAY_TEN, fill
from sqlalchemy import Engine

from grader.records import ai_limits, journal
from grader.records.ai_limits import Account, ChangedMeanwhile
from grader.records.db import open_database, reading, writing
from grader.records.models import Event
from hub_config import services
from hub_config.ai_gateway.config import Budgets, CoursePolicy, Limit, Policy, read_config
from hub_config.ai_gateway.policy import rules
from hub_config.ai_limits import put_together, standing
from hub_config.settings import Settings

NONE: dict[str, int | None] = {"krw": None, "tokens": None, "krw_per_day": None, "tokens_per_day": None}
SAID: dict[str, Any] = {
    "ai_budgets": Budgets(learner=Limit(krw=3000), course=Limit(krw=60000)),
    "ai_courses": {
        COURSE: CoursePolicy(ai=True, learner=Limit(krw=500), labs={"captions": Policy(models=frozenset({"large"}))})
    },
}


def change(engine: Engine, account: Account, limit: dict[str, int | None] | None, seen: str = "") -> Event:
    with writing(engine) as session:
        return ai_limits.change(session, "inst", account, limit, was=NONE, seen=seen, actor="ida", now=MONDAY_TEN)


def ids(found: dict[Account, Event]) -> dict[Account, str]:
    return {account: event.id for account, event in found.items()}


def newest(engine: Engine) -> dict[Account, Event]:
    with reading(engine) as session:
        return ai_limits.newest(ai_limits.changes(session, "inst"))


def test_the_newest_change_holds_and_each_is_an_event(engine: Engine) -> None:
    account = Account("lab", COURSE, "captions")
    first = change(engine, account, {**NONE, "krw": 100})
    second = change(engine, account, None, first.id)
    other = change(engine, Account("institution"), {**NONE, "tokens": 0})
    assert ids(newest(engine)) == {account: second.id, Account("institution"): other.id}
    with reading(engine) as session:
        assert [event.id for event in ai_limits.changes(session, "inst")] == [other.id, second.id, first.id]
        assert ai_limits.changes(session, "elsewhere") == [], "another institution's are not theirs"
        assert journal.verify(session) is None
    assert (first.actor, first.at, first.course_id, first.subject) == ("ida", MONDAY_TEN, COURSE, "")
    told = {"institution": "inst", "account": "lab", "lab": "captions", "limit": {**NONE, "krw": 100}, "was": NONE}
    assert first.payload == told


@pytest.mark.parametrize("seen", ["", "0" * 32, "'; DROP TABLE event; --"])
def test_a_change_that_knows_not_the_newest_is_refused(engine: Engine, seen: str) -> None:
    account = Account("learner")
    stands = change(engine, account, {**NONE, "krw": 1})
    with pytest.raises(ChangedMeanwhile):
        change(engine, account, {**NONE, "krw": 2}, seen)
    assert ids(newest(engine)) == {account: stands.id}
    change(engine, Account("course"), {**NONE, "krw": 2})  # another account is not concerned


def test_an_offices_limit_stands_above_the_settings_and_is_given_back(engine: Engine) -> None:
    settings = Settings(**SAID)

    def found(*account: Any) -> tuple[int | None, str, bool]:
        now = standing(Account(*account), settings, newest(engine))
        return now.limit.krw, now.source, now.of_all

    assert found("institution") == (None, "default", False)
    assert found("learner") == (3000, "default", False)
    assert found("course") == (60000, "settings", False)
    assert found("learner", COURSE) == (500, "settings", False)
    assert found("course", COURSE) == (60000, "settings", True)
    assert found("lab", COURSE, "rough-cut") == (300, "lab", False)
    assert found("lab", COURSE, "invented") == (None, "default", False)

    everywhere = change(engine, Account("course"), {**NONE, "krw": 7})
    assert found("course", COURSE) == (7, "office", True)
    here = change(engine, Account("course", COURSE), {**NONE, "krw": 8})
    assert found("course", COURSE) == (8, "office", False)
    change(engine, Account("course", COURSE), None, here.id)
    change(engine, Account("course"), None, everywhere.id)
    assert found("course", COURSE) == (60000, "settings", True)


def test_the_gateway_gets_the_offices_limits_and_keeps_the_rest_of_a_policy(engine: Engine) -> None:
    for account, krw in (
        (Account("institution"), 1), (Account("learner"), 2), (Account("course"), 3), (Account("learner", COURSE), 4),
        (Account("course", COURSE), 5), (Account("lab", COURSE, "captions"), 6), (Account("lab", COURSE, "rough-cut"), 7),
    ):  # fmt: skip
        change(engine, account, {**NONE, "krw": krw})
    both = put_together(Settings(**SAID), newest(engine))
    assert [getattr(both.ai_budgets, name).krw for name in ("institution", "learner", "course")] == [1, 2, 3]
    policy = both.ai_courses[COURSE]
    assert (policy.ai, policy.learner, policy.course) == (True, Limit(krw=4), Limit(krw=5))
    assert policy.labs["captions"] == Policy(models=frozenset({"large"}), learner=Limit(krw=6))
    assert policy.labs["rough-cut"].learner == Limit(krw=7)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An installation with a small course in its own records."""
    made = Settings(data=tmp_path / "var", port=64_000, model="smollm2-135m", **SAID)
    records = open_database(made.records_database)
    fill(records)
    change(records, Account("learner", COURSE), {**NONE, "krw": 4, "tokens_per_day": 40})
    records.dispose()
    return made


def test_what_the_gateway_reads_holds_the_offices_limits_at_every_start(settings: Settings) -> None:
    for _ in range(2):
        path = services.write_gateway_settings(settings)
        held = rules(read_config(path), COURSE, "-").limits
        assert (held.learner, held.course) == (Limit(krw=4, tokens_per_day=40), Limit(krw=60000))
        assert path.stat().st_mode & 0o077 == 0
        path.unlink()


def test_a_running_gateway_is_told_once_of_what_it_has_not_read(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: told.append((pid, number)))
    path = services.write_gateway_settings(settings)
    pid = path.with_suffix(".pid")

    def hand_over() -> bool:
        return services.hand_over(settings.data, lambda: settings)

    assert not hand_over(), "none runs: it reads them when it starts"
    pid.write_text("4711")
    assert hand_over()
    assert told == [], "it has read what stands there"
    records = open_database(settings.records_database)
    change(records, Account("institution"), {**NONE, "krw": 1})
    records.dispose()
    written = path.stat().st_mtime_ns
    assert hand_over()
    assert path.stat().st_mtime_ns > written
    assert told == [(4711, signal.SIGHUP)]
    assert hand_over(), "not read yet: told again"
    assert len(told) == 2
    os.utime(pid)
    assert hand_over()
    assert len(told) == 2
    pid.write_text("")
    os.utime(pid, ns=(0, 0))
    assert not hand_over()


def test_a_gateway_that_is_gone_is_not_taken_for_another_process(settings: Settings) -> None:
    pid = settings.data / "run" / "gateway.pid"
    pid.parent.mkdir(parents=True)
    pid.write_text("1")
    services._gateway(settings)
    assert not pid.exists()
