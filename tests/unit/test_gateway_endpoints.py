"""Every endpoint beside chat: what is sent on, what is given back, what it costs, and what is refused."""

from __future__ import annotations

import base64
import io
import json
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from gateway_support import CANARY_KEY, MODEL, World, stream, world

ENDPOINTS = ["chat", "responses", "embeddings", "transcriptions", "speech", "images"]
PRICE = {
    "effective": "2026-01-01",
    "output_krw_per_million": 1_000_000,
    "krw_per_audio_minute": 60,
    "krw_per_million_characters": 1_000_000,
    "krw_per_image": 50,
}
RESPONSE = {
    "id": "resp_theirs",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "model": "their-name",
    "output": [
        {
            "type": "message",
            "id": "msg_1",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "안녕", "annotations": []}],
        }
    ],
    "usage": {"input_tokens": 5, "output_tokens": 10, "total_tokens": 15},
    "internal_route": "rack-7",
}


@pytest.fixture
async def w(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path, route={"endpoints": ENDPOINTS, "prices": [PRICE]}) as running:
        yield running


def answering(w: World, body: Any, content_type: str = "application/json") -> None:
    async def behave(request: web.Request, _body: Any) -> web.StreamResponse:
        if isinstance(body, bytes):
            return web.Response(body=body, content_type=content_type)
        return web.json_response(body)

    w.provider.behave = behave


def sound(seconds: float = 2.0, byte_rate: int | None = None) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(b"\0\0" * int(8000 * seconds))
    data = bytearray(file.getvalue())
    if byte_rate is not None:
        data[28:32] = byte_rate.to_bytes(4, "little")
    return bytes(data)


def form(fields: dict[str, Any], **files: bytes) -> aiohttp.FormData:
    data = aiohttp.FormData()
    for name, value in fields.items():
        for item in value if isinstance(value, list) else [value]:
            data.add_field(name, item)
    for name, content in files.items():
        data.add_field(name, content, filename="../../회의 녹음.WAV", content_type="audio/wav")
    return data


async def post(w: World, path: str, **options: Any) -> Any:
    return await w.ask("POST", f"/video/rough-cut/v1/{path}", **options)


async def only_receipt(w: World) -> dict[str, Any]:
    (row,) = await w.receipts()
    return row


async def test_a_response_is_rebuilt_and_nothing_is_stored_at_the_provider(w: World) -> None:
    answering(w, RESPONSE)
    answer = await post(
        w, "responses", json={"model": MODEL, "input": "안녕?", "store": True, "max_output_tokens": 9999}
    )
    assert answer.status == 200
    body, row = answer.json(), await only_receipt(w)
    assert (body["id"], body["model"], body["output"][0]["content"][0]["text"]) == (row["id"], MODEL, "안녕")
    assert "rack-7" not in answer.text
    sent = w.provider.bodies[0]
    assert (sent["store"], sent["max_output_tokens"], sent["model"]) == (False, 100, "their-name")
    assert (row["endpoint"], row["cost_krw"], row["completion_tokens"]) == ("responses", 10, 10)


async def test_a_streamed_response_keeps_its_events_and_its_usage(w: World) -> None:
    delta = {"type": "response.output_text.delta", "delta": "안녕", "item_id": "msg_1", "sequence_number": 1, "leak": 1}

    async def streaming(request: web.Request, body: Any) -> web.StreamResponse:
        created = {"type": "response.created", "response": {**RESPONSE, "status": "in_progress", "usage": None}}
        return await stream(request, [created, delta, {"type": "response.completed", "response": RESPONSE}], done=False)

    w.provider.behave = streaming
    answer = await post(w, "responses", json={"model": MODEL, "input": "안녕?", "stream": True})
    lines = answer.text.splitlines()
    assert [line for line in lines if line.startswith("event:")] == [
        "event: response.created", "event: response.output_text.delta", "event: response.completed",
    ]  # fmt: skip
    events = [json.loads(line[5:]) for line in lines if line.startswith("data:")]
    assert "leak" not in events[1]
    assert {event["response"]["id"] for event in events if "response" in event} == {
        answer.headers["x-practicum-receipt"]
    }
    assert (await only_receipt(w))["cost_krw"] == 10


@pytest.mark.parametrize(
    "fields",
    [
        {"previous_response_id": "resp_somebody"},
        {"conversation": "conv_1"},
        {"background": True},
        {"include": ["file_search_call.results"]},
        {"prompt": {"id": "pmpt_1"}},
        {"tools": [{"type": "web_search"}]},
        {"tools": [{"type": "mcp", "server_url": "http://127.0.0.1/"}]},
        {"input": [{"type": "item_reference", "id": "msg_somebody"}]},
        {"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "http://127.0.0.1/"}]}]},
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "http://127.0.0.1/x.png"}]}]},
        {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "file_1"}]}]},
    ],
)
async def test_what_is_stored_or_lies_elsewhere_cannot_be_named(w: World, fields: dict[str, Any]) -> None:
    answer = await post(w, "responses", json={"model": MODEL, "input": "x", **fields})
    assert answer.status == 400
    assert w.provider.bodies == []


async def test_a_picture_in_a_chat_has_to_be_inside_the_request(tmp_path: Path) -> None:
    def picture(url: str) -> list[dict[str, Any]]:
        return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]

    async with world(tmp_path, route={"allows": ["images"]}, budget_krw=10**9) as w:
        refused = await w.chat(messages=picture("http://169.254.169.254/latest/meta-data"))
        assert (refused.status, refused.error["param"]) == (400, "messages.content.image_url")
        large = {"model": MODEL, "messages": picture("data:image/png;base64," + "A" * 2_000_000)}
        assert (await post(w, "chat/completions", data=io.BytesIO(json.dumps(large).encode()))).status == 200


async def test_embeddings_are_counted_and_numbered(w: World) -> None:
    vectors = [{"object": "embedding", "index": n, "embedding": [0.5, n], "x": CANARY_KEY} for n in range(2)]
    answering(
        w, {"object": "list", "data": vectors, "model": "their", "usage": {"prompt_tokens": 7, "total_tokens": 7}}
    )
    answer = await post(w, "embeddings", json={"model": MODEL, "input": ["하나", "둘"], "encoding_format": "float"})
    assert answer.json()["data"] == [{"object": "embedding", "index": n, "embedding": [0.5, n]} for n in range(2)]
    assert answer.json()["usage"] == {"prompt_tokens": 7, "total_tokens": 7}
    assert (await only_receipt(w))["prompt_tokens"] == 7


async def test_too_few_embeddings_are_no_answer(w: World) -> None:
    answering(w, {"data": [{"embedding": [1.0]}]})
    assert (await post(w, "embeddings", json={"model": MODEL, "input": ["하나", "둘"]})).error[
        "code"
    ] == "upstream_broken"


async def test_a_transcription_is_charged_by_its_seconds(w: World) -> None:
    words = [{"word": "안녕", "start": 0.0, "end": 0.5, "secret": 1}]
    answering(w, {"text": "안녕", "words": words, "duration": 2.0, "usage": {"type": "duration", "seconds": 2}, "x": 1})
    fields = {
        "model": MODEL,
        "language": "ko",
        "response_format": "verbose_json",
        "timestamp_granularities[]": ["word"],
    }
    answer = await post(w, "audio/transcriptions", data=form(fields, file=sound(2)))
    assert answer.json()["words"] == [{"word": "안녕", "start": 0.0, "end": 0.5}]
    sent, row = w.provider.forms[0], await only_receipt(w)
    assert (sent["model"], sent["language"], sent["timestamp_granularities[]"]) == ("their-name", "ko", "word")
    assert sent["file"] == sound(2)
    assert (row["audio_ms"], row["cost_krw"], row["reserved_krw"]) == (2000, 2, 3)


async def test_a_transcription_that_heard_nothing_and_yet_says_something_costs_its_reservation(w: World) -> None:
    answering(w, {"text": "안녕", "duration": 0})
    await post(w, "audio/transcriptions", data=form({"model": MODEL}, file=sound(2)))
    row = await only_receipt(w)
    assert row["cost_krw"] == row["reserved_krw"] == 3


async def test_captions_come_as_text(w: World) -> None:
    answering(w, b"1\n00:00:00,000 --> 00:00:01,000\nhi\n", "text/plain")
    answer = await post(w, "audio/transcriptions", data=form({"model": MODEL, "response_format": "srt"}, file=sound()))
    assert answer.text.startswith("1\n00:00")
    assert (await only_receipt(w))["answer"] == answer.text


@pytest.mark.parametrize(("told", "cost"), [("1.5", 2), ("0", 3), ("nan", 3), ("-1", 3), ("x", 3), ("9" * 400, 3)])
async def test_captions_cost_the_length_that_the_built_in_models_tell(w: World, told: str, cost: int) -> None:
    async def behave(request: web.Request, _body: Any) -> web.StreamResponse:
        return web.Response(text="hi", headers={"X-Audio-Seconds": told})

    w.provider.behave = behave
    await post(w, "audio/transcriptions", data=form({"model": MODEL, "response_format": "text"}, file=sound(2)))
    assert (await only_receipt(w))["cost_krw"] == cost


@pytest.mark.parametrize(
    ("content", "reserved"),
    [(sound(60), 61), (sound(60, byte_rate=10**9), 961), (b"\xff\xfb" * 30_000, 61), (b"", 1)],
)
async def test_the_length_of_a_sound_is_bounded_by_its_size_unless_a_wav_tells_it(
    w: World, content: bytes, reserved: int
) -> None:
    answering(w, {"text": "x"})
    await post(w, "audio/transcriptions", data=form({"model": MODEL}, file=content))
    assert (await only_receipt(w))["reserved_krw"] == reserved


async def test_speech_costs_its_characters(w: World) -> None:
    answering(w, b"RIFF-sound", "audio/wav")
    body = {"model": MODEL, "input": "안녕하세요", "voice": "alloy", "response_format": "wav"}
    answer = await post(w, "audio/speech", json=body)
    assert (answer.text, answer.headers["Content-Type"]) == ("RIFF-sound", "audio/wav")
    row = await only_receipt(w)
    assert (row["characters"], row["cost_krw"]) == (5, 5)
    assert (row["answer_type"], base64.b64decode(row["answer"])) == ("audio/wav;base64", b"RIFF-sound")


async def test_a_sound_that_breaks_off_does_not_look_whole(w: World) -> None:
    async def breaking(request: web.Request, body: Any) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "999"})
        await response.prepare(request)
        await response.write(b"RIFF")
        assert request.transport is not None
        request.transport.abort()
        return response

    w.provider.behave = breaking
    with pytest.raises(aiohttp.ClientError):
        await post(w, "audio/speech", json={"model": MODEL, "input": "안녕", "voice": "alloy"})
    assert (await w.settled())[0]["outcome"] == "upstream_broken"


async def test_pictures_cost_by_their_number(w: World) -> None:
    answering(w, {"created": 1, "data": [{"b64_json": "QQ==", "url": "http://x"}], "secret": 1})
    answer = await post(w, "images/generations", json={"model": MODEL, "prompt": "표지", "n": 2})
    assert answer.json() == {"created": 1, "data": [{"b64_json": "QQ=="}]}
    row = await only_receipt(w)
    assert (row["reserved_krw"], row["cost_krw"], row["images"]) == (100, 50, 1)


async def test_pictures_are_edited_with_their_mask(w: World) -> None:
    answering(w, {"created": 1, "data": [{"b64_json": "QQ=="}]})
    answer = await post(
        w, "images/edits", data=form({"model": MODEL, "prompt": "바탕을 희게", "n": "1"}, image=b"PNG", mask=b"MASK")
    )
    assert answer.status == 200
    assert w.provider.forms[0]["mask"] == b"MASK"


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("embeddings", {"input": []}, "input"),
        ("embeddings", {"input": [1, 2]}, "input"),
        ("embeddings", {"input": "x", "api_base": "http://h"}, "api_base"),
        ("audio/speech", {"input": "x", "voice": "../etc"}, "voice"),
        ("audio/speech", {"input": "x" * 5000, "voice": "alloy"}, "input"),
        ("audio/speech", {"input": "x", "voice": "alloy", "stream_format": "sse"}, "stream_format"),
        ("images/generations", {"prompt": "x", "n": 99}, "n"),
        ("images/generations", {"prompt": "x", "response_format": "url"}, "response_format"),
        ("responses", {"input": []}, "input"),
    ],
)
async def test_a_wrong_field_is_named(w: World, path: str, body: dict[str, Any], param: str) -> None:
    answer = await post(w, path, json={"model": MODEL, **body})
    assert (answer.status, answer.error["param"]) == (400, param)
    assert w.provider.bodies == []


@pytest.mark.parametrize(
    "data",
    [
        form({"model": MODEL}),
        form({"model": MODEL, "stream": "true"}, file=b"x"),
        form({"model": MODEL, "api_base": "http://h"}, file=b"x"),
        form({"model": MODEL}, file=b"x", other=b"y"),
        form({"model": MODEL, "response_format": "exe"}, file=b"x"),
    ],
)
async def test_a_wrong_form_is_refused(w: World, data: aiohttp.FormData) -> None:
    assert (await post(w, "audio/transcriptions", data=data)).status == 400
    assert w.provider.forms == []


@pytest.mark.parametrize("body", [b"", b"--x", b'{"model": "m"}'])
async def test_what_is_no_form_is_400(w: World, body: bytes) -> None:
    answer = await post(
        w, "audio/transcriptions", data=body, headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    assert answer.status == 400
    assert (await post(w, "audio/transcriptions", json={"model": MODEL})).error["code"] == "invalid_form"


async def test_an_upload_over_the_limit_is_413(tmp_path: Path) -> None:
    async with world(tmp_path, route={"endpoints": ENDPOINTS}, upload_bytes=100_000) as w:
        answer = await post(w, "audio/transcriptions", data=form({"model": MODEL}, file=b"x" * 200_000))
        assert (answer.status, answer.error["code"]) == (413, "request_too_large")


@pytest.mark.parametrize("path", ["responses", "embeddings", "audio/speech", "images/generations"])
async def test_what_a_model_does_not_do_names_the_setting(tmp_path: Path, path: str) -> None:
    bodies = {
        "responses": {"input": "x"}, "embeddings": {"input": "x"}, "audio/speech": {"input": "x", "voice": "alloy"},
        "images/generations": {"prompt": "x"},
    }  # fmt: skip
    async with world(tmp_path) as w:
        answer = await post(w, path, json={"model": MODEL, **bodies[path]})
        assert (answer.status, answer.error["code"]) == (400, "endpoint_not_served")
        assert "x-practicum-receipt" not in answer.headers
        assert (
            f"ai_models.{MODEL}: endpoints: [{path.split('/')[-1].replace('generations', 'images')}]"
            in answer.error["message"]
        )
