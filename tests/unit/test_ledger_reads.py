"""Questions to the ledger: receipts page by page, what was spent by whom, where and when, and what replay is given."""

# ruff: noqa: F401, F811 (fixtures are imported, and named again where they are used)

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ledger_support import ANN, Clock, open_ledger, opening
from test_ledger_receipts import BOB, CHO, call, clock, ledger, path

from hub_config.ai_gateway.ledger import Ledger, Place, ReceiptQuery, Settlement, Usage


async def test_asking_for_receipts(ledger: Ledger, clock: Clock) -> None:
    begin = clock()
    ids = []
    for place in (ANN, BOB, CHO, ANN):
        ids.append(await call(ledger, place))
        clock.forward(hours=1)
    a, b, c, d = ids

    async def ask(**query: Any) -> list[str]:
        return [row["id"] for row in (await ledger.receipts(ReceiptQuery(**query))).rows]

    assert await ask() == [d, c, b, a]
    assert await ask(courses=("video",)) == [d, b, a]
    assert await ask(courses=("video",), learner="ann") == [d, a]
    assert await ask(courses=("books", "video"), limit=3) == [d, c, b]
    assert await ask(learner="cho") == [c]
    assert await ask(courses=("video",), lab="titles") == [b]
    assert await ask(since=begin + timedelta(hours=1), until=begin + timedelta(hours=3)) == [c, b]
    assert await ask(limit=2) == [d, c]
    assert await ask(before=c, limit=2) == [b, a]
    assert await ask(before="rcpt_unknown") == []
    (bare,) = (await ledger.receipts(ReceiptQuery(limit=1))).rows
    (full,) = (await ledger.receipts(ReceiptQuery(limit=1, content="all"))).rows
    (asked,) = (await ledger.receipts(ReceiptQuery(limit=1, content="asked"))).rows
    assert (bare["prompt"], bare["answer"], bare["answer_type"]) == (None, None, None)
    assert (asked["prompt"], asked["answer"], asked["answer_type"]) == ("[]", None, None)
    assert (full["prompt"], full["answer"], full["answer_type"]) == ("[]", "well", "text/plain")
    await call(ledger, Place("ann", "design", "-"))
    assert await ask(courses=("books", "video")) == [d, c, b, a], "several courses, and none of a third"
    assert await ask(courses=("books", "none-such"), learner="cho") == [c]


async def test_a_page_ends_where_its_words_are_many_and_the_next_goes_on(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub_config.ai_gateway.ledger.reads.MOST_LETTERS", 10)
    ids = [await call(ledger, end=Settlement("ok", 2, answer="seven..")) for _ in range(5)]
    first = await ledger.receipts(ReceiptQuery(content="all"))
    assert ([row["id"] for row in first.rows], first.has_more) == ([ids[4], ids[3]], True)
    rest = await ledger.receipts(ReceiptQuery(content="all", before=ids[1]))
    assert ([row["id"] for row in rest.rows], rest.has_more) == ([ids[0]], False)
    without = await ledger.receipts(ReceiptQuery())
    assert (len(without.rows), without.has_more) == (5, False), "words that are not told are not counted"


async def test_what_was_spent_by_whom_where_when_and_on_what(ledger: Ledger, clock: Clock) -> None:
    await call(ledger)
    await call(ledger, BOB)
    clock.forward(days=1)
    await call(ledger, CHO, model="big")
    ledger.refused(opening(model="none-such"), "unknown_model")
    later = "2026-11-24T03:00:00.000+00:00"
    assert await ledger.spend("learner", "video") == [
        {
            "learner": "ann",
            "calls": 1,
            "refused": 1,
            "prompt_tokens": 3,
            "completion_tokens": 4,
            "cost_krw": 2,
            "first_at": "2026-11-23T03:00:00.000+00:00",
            "last_at": later,
        },
        {
            "learner": "bob",
            "calls": 1,
            "refused": 0,
            "prompt_tokens": 3,
            "completion_tokens": 4,
            "cost_krw": 2,
            "first_at": "2026-11-23T03:00:00.000+00:00",
            "last_at": "2026-11-23T03:00:00.000+00:00",
        },
    ]
    sums = {
        group: {row[group]: row["calls"] for row in await ledger.spend(group)}
        for group in ("course", "lab", "day", "model")
    }  # type: ignore[arg-type]
    assert sums == {
        "course": {"video": 2, "books": 1},
        "lab": {"rough-cut": 1, "titles": 1, "-": 1},
        "day": {"2026-11-23": 2, "2026-11-24": 1},
        "model": {"lab-default": 2, "big": 1, "none-such": 0},
    }
    outcomes = {row["outcome"]: (row["calls"], row["refused"]) for row in await ledger.spend("outcome", "video")}
    assert outcomes == {"ok": (2, 0), "unknown_model": (0, 1)}
    both = {
        (row["learner"], row["outcome"]): row["calls"] for row in await ledger.spend("learner", "video", by="outcome")
    }
    assert both[("ann", "unknown_model")] == 0, "told apart by the second"
    assert sum(both.values()) == sum(row["calls"] for row in await ledger.spend("learner", "video"))
    by_lab = await ledger.spend("learner", "video", by="lab")
    assert {(row["learner"], row["lab"]) for row in by_lab if row["calls"]} == {("ann", "rough-cut"), ("bob", "titles")}
    assert [row["course"] for row in await ledger.spend("course", since=clock() - timedelta(hours=1))] == [
        "books",
        "video",
    ]


async def test_what_replay_is_given(ledger: Ledger) -> None:
    first = await call(ledger)
    await call(ledger, end=Settlement("client_left", None, answer="half"))
    await call(ledger, end=Settlement("ok", 1, answer=None))
    await call(ledger, BOB)
    last = await call(ledger)
    found = await ledger.answered("video", "rough-cut", "ann")
    assert [(row["id"], row["answer"]) for row in found] == [(first, "well"), (last, "well")]


async def test_kept_sums_are_those_of_the_receipts_also_of_a_ledger_that_had_none(path: Path, clock: Clock) -> None:
    begin = clock()
    ledger = await open_ledger(path, now=clock)
    for place in (ANN, BOB, CHO, ANN, Place("ann", "books", "-"), Place("bob", "design", "-")):
        await call(ledger, place)
        clock.forward(hours=1)
    ledger.refused(opening(place=BOB, model="none-such"), "unknown_model")
    await call(ledger, end=Settlement("upstream_error", 0))
    await ledger.flush()

    async def told(**asked: Any) -> list[list[dict[str, Any]]]:
        return [
            await ledger.spend("learner", **asked), await ledger.spend("course", **asked), await ledger.spend("learner", "video", **asked),
            await ledger.spend("course", by="learner", **asked), await ledger.spend("course", "video", "books", **asked),
            await ledger.spend("learner", "books", **asked),
        ]  # fmt: skip

    counted = await told(since=begin - timedelta(days=1))  # a moment is asked of the receipts themselves
    assert await told() == counted
    await ledger.close()
    for damage in (
        "DROP TRIGGER receipts_summed; DROP TABLE sums; PRAGMA user_version = 1;",  # as the first version was
        "PRAGMA user_version = 2;",
        "UPDATE sums SET cost_krw = 0;",
        "DELETE FROM sums;",
    ):
        with closing(sqlite3.connect(path)) as db:
            db.executescript(damage)
        ledger = await open_ledger(path, now=clock)
        assert await told() == counted, damage
        await ledger.close()
    ledger = await open_ledger(path, now=clock)
    await call(ledger, BOB)
    assert await told() == await told(since=begin - timedelta(days=1)) != counted
    dearest = await ledger.spend("learner", limit=2)
    assert [(row["learner"], row["cost_krw"]) for row in dearest] == [("ann", 6), ("bob", 6)]
    await ledger.close()
