"""Receipts as lists, tables, sums and recordings, and what an operator sees."""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from gateway_support import CANARY_PROMPT, MODEL, World, served, world

from grader.replay import request_key
from hub_config.ai_gateway import anchor
from hub_config.ai_gateway.gateway import GATEWAY

METRICS = "Bearer the-metrics-token"


@pytest.fixture
async def w(tmp_path: Path) -> AsyncIterator[World]:
    (tmp_path / "metrics-token").write_text("the-metrics-token\n")
    async with world(tmp_path, metrics_token_file=str(tmp_path / "metrics-token")) as running:
        yield running


async def test_receipts_are_found_by_lab_learner_and_day(w: World) -> None:
    await w.chat()
    await w.chat(where="/video/captions")
    await w.chat(token="bob-token")

    async def found(query: str) -> list[tuple[str, str]]:
        return [(row["learner"], row["lab"]) for row in await w.receipts(query, "teacher-token")]

    assert await found("?course=video&lab=captions") == [("ann", "captions")]
    assert await found("?course=video&learner=bob") == [("bob", "rough-cut")]
    assert await found("?course=video&until=2020-01-01") == []
    assert len(await found("?course=video&since=2020-01-01")) == 3
    for wrong in ("limit=0", "limit=x", "limit=1001", "since=yesterday", "content=yes"):
        assert (await w.ask("GET", f"/receipts?{wrong}")).status == 400
    page = (await w.ask("GET", "/receipts?course=video&limit=2", token="teacher-token")).json()
    assert (len(page["data"]), page["has_more"]) == (2, True)
    rest = await w.ask("GET", f"/receipts?course=video&limit=2&before={page['data'][-1]['id']}", token="teacher-token")
    assert (len(rest.json()["data"]), rest.json()["has_more"]) == (1, False)
    assert (await w.receipts("?content=0"))[0]["prompt"] is None
    asked, full = [(await w.receipts(f"?content={name}"))[0] for name in ("asked", "1")]
    assert (asked["prompt"], asked["answer"]) == (full["prompt"], None)


async def test_a_receipt_is_shown_to_those_who_may_see_it(w: World) -> None:
    receipt = (await w.chat()).headers["x-practicum-receipt"]
    statuses = [
        (await w.ask("GET", f"/receipts/{receipt}", token=f"{name}-token")).status
        for name in ("ann", "teacher", "office", "bob")
    ]
    assert statuses == [200, 200, 200, 404]


async def test_the_answers_id_is_the_receipts(w: World) -> None:
    answer = await w.chat()
    assert answer.json()["id"] == answer.headers["x-practicum-receipt"]
    streamed = await w.chat(stream=True)
    assert json.loads(streamed.text.split("\n")[0][5:])["id"] == streamed.headers["x-practicum-receipt"]


async def test_a_table_of_receipts_holds_no_formula(w: World) -> None:
    await w.chat(messages=[{"role": "user", "content": "=HYPERLINK(1)"}], where="/video/-")
    answer = await w.ask("GET", "/receipts.csv?content=1")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.text.startswith("\ufeff")
    (row,) = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert (row["learner"], row["lab"], row["cost_krw"]) == ("ann", "'-", "10")
    assert "prompt" not in (await w.ask("GET", "/receipts.csv")).text.splitlines()[0].split(",")
    assert (await w.ask("GET", "/receipts.csv?learner=bob")).status == 403


async def test_a_table_goes_on_over_many_pages(w: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub_config.ai_gateway.receipts.MOST", 2)
    for _ in range(5):
        await w.chat()
    rows = list(csv.DictReader(io.StringIO((await w.ask("GET", "/receipts.csv")).text.removeprefix("\ufeff"))))
    assert [int(row["number"]) for row in rows] == [5, 4, 3, 2, 1]


async def test_what_is_long_comes_in_more_pages_and_nothing_is_left_out(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        await w.chat(messages=[{"role": "user", "content": "x" * 900}])
    assert len((await w.ask("GET", "/receipts")).json()["data"]) == 4, "without the bound it is all in memory at once"
    monkeypatch.setattr("hub_config.ai_gateway.ledger.reads.MOST_LETTERS", 1_000)
    page = (await w.ask("GET", "/receipts")).json()
    assert (len(page["data"]), page["has_more"]) == (1, True)
    text = (await w.ask("GET", "/receipts.csv?content=1")).text
    assert [int(row["number"]) for row in csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))] == [4, 3, 2, 1]


async def test_spend_is_summed_for_the_course_and_the_institution(w: World) -> None:
    await w.chat()
    await w.chat(token="bob-token")
    await w.chat(token="bob-token", where="/books/-")
    by_learner = (await w.ask("GET", "/spend?course=video", token="teacher-token")).json()["data"]
    assert {row["learner"]: (row["calls"], row["cost_krw"]) for row in by_learner} == {"ann": (1, 10), "bob": (1, 10)}
    by_course = (await w.ask("GET", "/spend?group=course", token="office-token")).json()["data"]
    assert {row["course"]: row["cost_krw"] for row in by_course} == {"video": 20, "books": 10}
    both = (await w.ask("GET", "/spend?group=course&course=books&course=video", token="office-token")).json()["data"]
    assert [row["course"] for row in both] == ["books", "video"]
    (own,) = (await w.ask("GET", "/spend?course=video", token="ann-token")).json()["data"]
    assert (own["learner"], own["cost_krw"]) == ("ann", 10)
    dearest = (await w.ask("GET", "/spend?group=course&limit=1", token="office-token")).json()["data"]
    assert [row["course"] for row in dearest] == ["video"]
    (own,) = (await w.ask("GET", "/spend?course=video&limit=1", token="bob-token")).json()["data"]
    assert own["learner"] == "bob", "what one may not see counts for no limit"
    assert (await w.ask("GET", "/spend?limit=0", token="office-token")).status == 400
    refused = [
        ("/spend?course=video&group=lab", "ann"), ("/spend?course=books", "ann"), ("/spend", "ann"), ("/spend", "teacher"),
        ("/spend?course=books", "teacher"), ("/spend?course=video&course=books", "teacher"), ("/spend?course=video&course=books", "ann"),
        ("/receipts?course=video&course=books&learner=bob", "teacher"),
    ]  # fmt: skip
    assert [(await w.ask("GET", path, token=f"{name}-token")).status for path, name in refused] == [403] * 8
    for bad in ("group=password", "group=learner&by=password", "by=learner,outcome"):
        assert (await w.ask("GET", f"/spend?{bad}", token="office-token")).status == 400, bad
    both = (await w.ask("GET", "/spend?course=video&by=outcome", token="teacher-token")).json()["data"]
    assert [(row["learner"], row["outcome"], row["calls"]) for row in both] == [("ann", "ok", 1), ("bob", "ok", 1)]
    (own,) = (await w.ask("GET", "/spend?course=video&by=outcome", token="ann-token")).json()["data"]
    assert own["learner"] == "ann"


async def test_recordings_hold_the_key_of_the_request(w: World) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}], "temperature": 0}
    answer = await w.chat(body)
    await w.chat({**body, "stream": True})
    for token, status in (("ann", 403), ("teacher", 200), ("office", 200), ("grader", 200), ("service", 403)):
        assert (await w.ask("GET", "/video/rough-cut/replay?learner=ann", token=f"{token}-token")).status == status
    lines = (await w.ask("GET", "/video/rough-cut/replay?learner=ann", token="grader-token")).text.splitlines()
    recorded = [json.loads(line) for line in lines]
    assert [row["request_sha256"] for row in recorded] == [request_key("chat", body)] * 2
    assert recorded[0]["answer"] == answer.text
    assert json.loads(recorded[1]["answer"])["choices"][0]["message"]["content"] == "안녕, Hello"
    assert (await w.ask("GET", "/video/rough-cut/replay", token="teacher-token")).status == 400


async def test_metrics_count_and_name_nobody(w: World) -> None:
    await w.chat(messages=[{"role": "user", "content": CANARY_PROMPT}])
    await w.chat({"model": CANARY_PROMPT, "messages": [{"role": "user", "content": "x"}]})
    answer = await w.ask("GET", "/metrics", token=None, headers={"Authorization": METRICS})
    assert answer.status == 200
    call = f'practicum_ai_calls_total{{endpoint="chat",model="{MODEL}",outcome="ok",upstream="built-in"}} 1.0'
    assert call in answer.text
    for name in ("practicum_ai_running", "practicum_ai_unwritten_receipts", "practicum_ai_call_seconds_bucket"):
        assert name in answer.text
    assert not any(word in answer.text for word in ("ann", CANARY_PROMPT, "rcpt_"))
    for wrong in ("", "Bearer ", "Bearer x", "Bearer ann-token"):
        assert (await w.ask("GET", "/metrics", token=None, headers={"Authorization": wrong})).status == 401


async def test_a_call_is_one_log_line_without_its_words(w: World, caplog: pytest.LogCaptureFixture) -> None:
    from hub_config.ai_gateway.operation import JsonLines

    caplog.set_level(logging.INFO, "practicum.ai_gateway.calls")
    answer = await w.chat(messages=[{"role": "user", "content": CANARY_PROMPT}])
    (record,) = caplog.records
    line = json.loads(JsonLines().format(record))
    assert line["receipt"] == answer.headers["x-practicum-receipt"]
    assert (line["outcome"], line["tokens"], line["cost_krw"], line["endpoint"]) == ("ok", 15, 10, "chat")
    assert "ann" not in str(line)
    assert CANARY_PROMPT not in str(line)


async def test_the_state_is_for_the_institution(w: World) -> None:
    await w.chat()
    assert (await w.ask("GET", "/status", token="teacher-token")).status == 403
    state = (await w.ask("GET", "/status", token="office-token")).json()
    assert [(one["name"], one["state"]) for one in state["upstreams"]] == [("built-in", "closed")]
    assert (state["spend_today_krw"], state["ledger"]["receipts"], state["ledger"]["anchored"]) == (10, 1, 0)


async def test_the_chain_is_anchored_in_the_journal_once(tmp_path: Path) -> None:
    sent: list[tuple[str, dict[str, object]]] = []

    async def take(request: web.Request) -> web.Response:
        sent.append((request.headers["Authorization"], await request.json()))
        return web.json_response({}, status=201)

    records = web.Application()
    records.router.add_post("/api/ai/anchors", take)
    (tmp_path / "token").write_text("gateway-token\n")
    async with (
        served(records) as url,
        world(tmp_path, records_url=f"{url}/api", service_token_file=str(tmp_path / "token")) as w,
    ):
        await w.chat()
        rows = await w.receipts()
        for _ in range(2):
            await anchor.once(w.app[GATEWAY], w.http)
        assert sent == [("Bearer gateway-token", {"number": 1, "hash": rows[0]["hash"]})]
