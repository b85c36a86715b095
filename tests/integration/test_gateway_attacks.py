"""Attacks on the gateway from outside and from its provider; a defence of our own is also taken away, to see the attack work."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from itertools import product
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from counting_upstream import MODEL, PRICES
from gateway_class import (
    ANN,
    OFFICE,
    TEACHER,
    attacked,
    learner_token,
    raw,
    send,
)

from hub_config.ai_gateway import receipts
from hub_config.ai_gateway.identity import Identity

BOB = learner_token("bob")
CANARY = "the-canary-prompt-51b2"
CHAT = "/video/rough-cut/v1/chat/completions"
MESSAGES = [{"role": "user", "content": f"ok ann call 5 9 {CANARY}"[:15]}]


# Who one is


@pytest.mark.parametrize("remembered", [0.3, 30])
async def test_a_revoked_token_stops_when_it_is_no_longer_remembered(tmp_path: Path, remembered: float) -> None:
    async with attacked(tmp_path, identity_seconds=remembered) as (asking, _, hub):
        assert (await send(asking, "GET", "/video/-/budget"))[0] == 200
        hub.revoked.add(ANN)
        await asyncio.sleep(0.35)
        status, _ = await send(asking, "GET", "/video/-/budget")
        assert status == (401 if remembered < 1 else 200)


@pytest.mark.parametrize("token", [None, "", "ann", "ann.nbgrader-video\x00", "x" * 5000, "훈련생.nbgrader-video", "*"])
async def test_a_token_of_nobody_is_nobody(tmp_path: Path, token: str | None) -> None:
    async with attacked(tmp_path) as (asking, upstream, _):
        header = f"Authorization: Bearer {token}\r\n".encode() if token is not None else b""
        answer = await raw(
            asking.url, b"GET /video/-/budget HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + header + b"\r\n"
        )
        assert answer.split()[1] in (b"401", b"400")
        assert upstream.asked.total() == 0


PLACES = [
    "/books/-", "/Video/-", "/VIDEO/-", "/video%20/-", "/vid%C3%A9o/-", "/ｖideo/-", "/video%00/-", "/video/../books/-", "/video/%2e%2e/books/-",
    "/video/..%2fbooks/-", "/video%2f..%2fbooks/-", "//books/-", "/books//-", "/./books/-", "/books/-/../../video/-", "/video/Rough-Cut",
    "/video/-%0d%0aX-A:1", "/video/a%2fb", "/video/..", "/*/-", "/%2a/-", "/video;books/-", "/video,books/-", "/nbgrader-video/-",
]  # fmt: skip


@pytest.mark.parametrize("defended", [True, False])
async def test_a_forged_course_or_lab_in_the_address_opens_nothing(
    tmp_path: Path, defended: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not defended:
        monkeypatch.setattr(Identity, "takes_part", lambda self, course: True)
    async with attacked(tmp_path) as (asking, _, _):
        opened = set()
        for place, end in product(PLACES, ("/budget", "/v1/models")):
            head = f"GET {place}{end} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ANN}\r\nConnection: close\r\n\r\n"
            status = (await raw(asking.url, head.encode())).split()[1]
            assert status in (b"200", b"400", b"403", b"404")
            opened |= {place} if status == b"200" else set()
        assert ("/books/-" in opened) is not defended
        assert not (defended and opened)


async def test_headers_name_nobody_else(tmp_path: Path) -> None:
    names = (
        "X-Forwarded-User",
        "X-Remote-User",
        "Remote-User",
        "X-Forwarded-For",
        "X-User",
        "X-JupyterHub-User",
        "Forwarded",
    )
    smuggled = "".join(f"{name}: bob\r\n" for name in names) + f"Cookie: token={BOB}\r\nHost: bob\r\n"
    body = json.dumps({"model": MODEL, "messages": MESSAGES, "max_tokens": 9}).encode()
    async with attacked(tmp_path) as (asking, upstream, _):
        for more in ("", f"Authorization: Bearer {BOB}\r\n", f"authorization: token {BOB}\r\n"):
            head = f"POST {CHAT} HTTP/1.1\r\nAuthorization: Bearer {ANN}\r\n{more}{smuggled}Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
            await raw(asking.url, head.encode() + body)
        query = f"/video/-/budget?token={BOB}&access_token={BOB}&user=bob"
        assert (await send(asking, "GET", query, token=None))[0] == 401
        assert upstream.asked.total() > 0
        assert {row["learner"] for row in await asking.receipts()} == {"ann"}


SMUGGLED = b"GET /video/-/budget HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + BOB.encode() + b"\r\n\r\n"


@pytest.mark.parametrize(
    "lengths",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5",
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Content-Length: +5",
        b"Content-Length: -1",
        b"Content-Length: 5, 5",
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding: identity, chunked\r\nContent-Length: 3",
        b"Transfer-Encoding : chunked",
        b"X: y\r\n Transfer-Encoding: chunked",
    ],
)
async def test_a_second_request_inside_a_body_is_not_answered(tmp_path: Path, lengths: bytes) -> None:
    async with attacked(tmp_path) as (asking, upstream, _):
        head = b"POST " + CHAT.encode() + b" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + ANN.encode() + b"\r\n"
        answer = await raw(asking.url, head + lengths + b"\r\n\r\n0\r\n\r\n" + SMUGGLED, 0.6)
        assert b'"course": "video"' not in answer
        assert upstream.asked.total() == 0


# What one asks for

ELSEWHERE = "http://127.0.0.1:1/x.png"
FORBIDDEN: list[tuple[str, dict[str, Any]]] = [
    ("responses", {"previous_response_id": "resp_1"}),
    ("responses", {"conversation": "conv_1"}),
    ("responses", {"input": [{"type": "item_reference", "id": "msg_1"}]}),
    ("responses", {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": ELSEWHERE}]}]}),
    ("responses", {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "file-1"}]}]}),
    ("responses", {"input": [{"role": "user", "content": [{"type": "input_file", "file_url": ELSEWHERE}]}]}),
    ("responses", {"tools": [{"type": "web_search"}]}),
    ("responses", {"tools": [{"type": "mcp", "server_url": ELSEWHERE}]}),
    ("responses", {"background": True}),
    ("responses", {"prompt": {"id": "pmpt_1"}}),
    ("chat/completions", {"tools": [{"type": "mcp", "server_url": ELSEWHERE}]}),
    ("chat/completions", {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": ELSEWHERE}}]}]}),
    ("chat/completions", {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}]}]}),
    ("chat/completions", {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]}),
    ("chat/completions", {"store": True}),
    ("chat/completions", {"web_search_options": {}}),
    ("images/generations", {"response_format": "url"}),
    ("images/generations", {"n": 1000}),
    ("audio/speech", {"voice": "../../etc/passwd"}),
    ("audio/speech", {"voice": {"id": ELSEWHERE}}),
]  # fmt: skip
GOOD: dict[str, dict[str, Any]] = {
    "chat/completions": {"messages": MESSAGES},
    "responses": {"input": "hi"},
    "embeddings": {"input": "hi"},
    "audio/speech": {"input": "hi", "voice": "alloy"},
    "images/generations": {"prompt": "hi"},
}


async def test_nothing_makes_the_provider_fetch_remember_or_leave_its_address(tmp_path: Path) -> None:
    bases = (
        "api_base",
        "base_url",
        "extra_body",
        "api_key",
        "organization",
        "custom_llm_provider",
        "extra_headers",
        "user",
    )
    asked = FORBIDDEN + [(end, {base: {"api_base": ELSEWHERE}}) for end, base in product(GOOD, bases)]
    asked += [("chat/completions", {"messages": [MESSAGES[0] | {base: ELSEWHERE}]}) for base in bases]
    asked += [
        (end, {"model": model})
        for end in GOOD
        for model in ("gpt-4o", "their-name", "openai/gpt-4o", f"{MODEL}\n", "", None)
    ]
    async with attacked(tmp_path) as (asking, upstream, _):
        for endpoint, fields in asked:
            body = {"model": MODEL} | GOOD[endpoint] | fields
            status, text = await send(asking, "POST", f"/video/-/v1/{endpoint}", json=body)
            assert status in (400, 404), (endpoint, fields, text)
        for field in ("api_base", "url", "image_url", "prompt_id"):
            for endpoint in ("audio/transcriptions", "images/edits"):
                form = aiohttp.FormData({"model": MODEL, "prompt": "x", field: ELSEWHERE}, default_to_multipart=True)
                form.add_field("file" if "audio" in endpoint else "image", b"x", filename="x.png")
                status, text = await send(asking, "POST", f"/video/-/v1/{endpoint}", data=form)
                assert (status, json.loads(text)["error"]["param"]) == (400, field)
        assert upstream.asked.total() == 0


@pytest.mark.parametrize("end", [
    "models/../chat/completions", "chat/completions/", "chat/completions/../responses", "chat%2fcompletions", "Chat/Completions", "completions",
    "files", "fine_tuning/jobs", "responses/resp_1", "responses/resp_1/cancel", "chat/completions/x", "../../../status", "audio/translations",
    "images/variations", "batches", "chat/completions;x", "chat/completions%00", "realtime", "embeddings%20",
])  # fmt: skip
async def test_no_other_address_of_the_api_is_there(tmp_path: Path, end: str) -> None:
    async with attacked(tmp_path) as (asking, upstream, _):
        body = json.dumps({"model": MODEL, "messages": MESSAGES}).encode()
        for method in ("POST", "GET", "PUT", "DELETE", "OPTIONS", "HEAD", "TRACE"):
            head = f"{method} /video/-/v1/{end} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ANN}\r\nConnection: close\r\n"
            answer = await raw(asking.url, f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            assert answer.split()[1] in (b"404", b"400"), answer[:200]
        assert upstream.asked.total() == 0


# What others may see


@pytest.mark.parametrize("defended", [True, False])
async def test_nobody_reads_receipts_spend_or_a_replay_of_others(
    tmp_path: Path, defended: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not defended:
        monkeypatch.setattr(receipts, "_sees_all", lambda *_: True)
    stranger, teacher_elsewhere = learner_token("eve"), "eve.formgrade-books"
    async with attacked(tmp_path) as (asking, _, _):
        heard = await asking.ask(asking.heard("ann"), stream=False)
        assert heard.whole
        (own,) = await asking.receipts()
        addresses = [
            f"/receipts/{own['id']}", "/receipts?learner=ann", "/receipts?learner=ann&course=video", "/receipts.csv?learner=ann",
            "/spend?course=video&group=learner", "/video/rough-cut/replay?learner=ann",
        ]  # fmt: skip
        for address, token in product(addresses, (stranger, BOB, teacher_elsewhere, "robot.service")):
            status, text = await send(asking, "GET", address, token)
            if not defended:
                assert status == (401 if token == "robot.service" and "replay" not in address else 200)
                continue
            assert status in ((200, 401, 403) if "/spend" in address else (401, 403, 404)), (address, token, text)
            assert own["id"] not in text
            assert '"learner": "ann"' not in text
        for token in (stranger, teacher_elsewhere):
            assert own["id"] not in (await send(asking, "GET", "/receipts", token))[1] or not defended
        assert (await send(asking, "GET", "/video/rough-cut/replay?learner=ann", ANN))[0] == (403 if defended else 200)


async def test_a_learner_turns_no_switch_and_sees_no_status(tmp_path: Path) -> None:
    async with attacked(tmp_path) as (asking, _, _):
        for token in (ANN, "eve.formgrade-books", "robot.service", "grader.service"):
            for path in ("/video/-/switch", "/video/rough-cut/switch"):
                assert (await send(asking, "PUT", path, token, json={"ai": False}))[0] in (401, 403)
        for token in (ANN, TEACHER, "robot.service"):
            assert (await send(asking, "GET", "/status", token))[0] in (401, 403)
        assert (await send(asking, "PUT", "/video/-/switch", TEACHER, json={"ai": False}))[0] == 200
        assert (await asking.ask(asking.heard("ann"), stream=False)).code == "ai_off"


@pytest.mark.parametrize("content", [None, "", "\n", "right"])
async def test_metrics_need_their_token(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "metrics-token"
    if content is not None:
        path.write_text(content)
    async with attacked(tmp_path, metrics_token_file=str(path)) as (asking, _, _):
        for token in (None, "", " ", "wrong", ANN, OFFICE, "right\xe9"):
            assert (await send(asking, "GET", "/metrics", token))[0] == 401
        assert (await send(asking, "GET", "/metrics", "right"))[0] == (200 if content == "right" else 401)


@pytest.mark.parametrize("defended", [True, False])
async def test_no_cell_of_the_table_is_a_formula(
    tmp_path: Path, defended: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not defended:
        monkeypatch.setattr(receipts, "FORMULA", ())
    names = ["=cmd|'/C calc'!A0", "+1+1", "-1", "@SUM(1)", "\t=1", '"=1']
    async with attacked(tmp_path, models={"=HYPERLINK".strip("="): [{"upstream": "built-in", "model": "=1", "prices": PRICES}]} | {
        MODEL: [{"upstream": "built-in", "model": "=their", "prices": PRICES}]
    }) as (asking, upstream, _):  # fmt: skip
        upstream.mode = "429"
        for name in names:
            body = {"model": MODEL, "messages": [{"role": "user", "content": "429 x y 1 1"}]}
            token = f"{name}.nbgrader-video"
            status, _ = await send(asking, "POST", "/video/-/v1/chat/completions", token.replace("\t", ""), json=body)
            assert status in (401, 429)
        _, text = await send(asking, "GET", "/receipts.csv?content=1", OFFICE)
        rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
        formulas = [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t")) and cell != "-"]
        assert len(rows) >= 5
        assert bool(formulas) is not defended
