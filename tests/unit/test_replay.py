"""Recorded AI calls, given again to the real `openai` client; and what is not recorded, broken or hostile."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import AsyncOpenAI, OpenAI

from grader.replay import canonical, form_body, request_key
from grader.replay.questions import endpoint_of, first_words, read_body
from grader.replay.recording import RecordingError, read_recording
from grader.replay.server import MAX_BODY_BYTES, ReplayServer

ASKED = {"model": "lab-default", "messages": [{"role": "user", "content": "우산을 고칠까요?"}]}
SAID = "네, 고칩니다. 😀 Yes."
RECEIPT = "rcpt_" + "0" * 24


def completion(text: str = SAID) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    return {
        "id": RECEIPT, "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage
    }  # fmt: skip


def response(text: str = SAID) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}
    return {
        "id": RECEIPT, "object": "response", "created_at": 1, "status": "completed", "model": "m", "output": [message],
        "parallel_tool_calls": False, "tool_choice": "auto", "tools": [],
        "usage": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7,
                  "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}},
    }  # fmt: skip


def line(endpoint: str, body: dict[str, Any], answer: Any, kind: str = "application/json") -> dict[str, Any]:
    said = (
        {"answer_base64": base64.b64encode(answer).decode()}
        if isinstance(answer, bytes)
        else {"answer": answer if isinstance(answer, str) else json.dumps(answer)}
    )
    return {
        "receipt": RECEIPT, "at": "2026-11-23T00:00:00Z", "endpoint": endpoint,
        "request_sha256": request_key(endpoint, body), "content_type": kind, **said,
    }  # fmt: skip


Replay = Callable[..., ReplayServer]


@pytest.fixture
def replay(tmp_path: Path) -> Iterator[Replay]:
    servers: list[ReplayServer] = []

    def start(*lines: dict[str, Any]) -> ReplayServer:
        file = tmp_path / "calls.jsonl"
        file.write_text("\n".join(json.dumps(one, ensure_ascii=False) for one in lines), "utf-8")
        server = ReplayServer(read_recording(file))
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


CLIENTS: list[OpenAI] = []


def client(server: ReplayServer, prefix: str = "/course-a/rough-cut") -> OpenAI:
    CLIENTS.append(OpenAI(base_url=f"{server.address}{prefix}/v1", api_key="x", max_retries=2))
    return CLIENTS[-1]


@pytest.fixture(autouse=True)
def closed_clients() -> Iterator[None]:
    yield
    while CLIENTS:
        CLIENTS.pop().close()


def raw(server: ReplayServer, method: str, target: str, body: bytes = b"", **headers: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.putrequest(method, target, skip_accept_encoding=True)
    for name, value in {"content_length": str(len(body)), **headers}.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    connection.send(body)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, json.loads(data) if data else None


def test_the_key_is_of_what_was_asked_not_of_how_it_is_sent() -> None:
    key = request_key("chat", ASKED)
    assert key == request_key("chat", {**dict(reversed(ASKED.items())), "stream": True, "stream_options": {}})
    assert key != request_key("responses", ASKED)
    assert key != request_key("chat", {**ASKED, "temperature": 0})
    said = '{"body":{"input":"가"},"endpoint":"embeddings"}'
    assert request_key("embeddings", {"input": "가"}) == hashlib.sha256(said.encode()).hexdigest()
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical({"x": float("nan")})
    request_key("chat", {"half": "\ud800"})


def test_a_form_is_its_texts_and_the_hashes_of_its_files() -> None:
    a = {"sha256": hashlib.sha256(b"a").hexdigest()}
    assert form_body([("model", "w"), ("file", b"a")]) == {"model": "w", "file": a}
    assert form_body([("image[]", b"a"), ("image[]", b"a"), ("n", "1")]) == {"image[]": [a, a], "n": "1"}


@pytest.mark.parametrize("prefix", ["", "/course-a/rough-cut", "/course-a/-"])
def test_a_recorded_chat_is_answered_again(replay: Replay, prefix: str) -> None:
    asked = client(replay(line("chat", ASKED, completion())), prefix).chat.completions
    first, again = asked.create(**ASKED), asked.create(**ASKED)
    assert first.choices[0].message.content == again.choices[0].message.content == SAID
    assert first.id == RECEIPT
    assert asked.with_raw_response.create(**ASKED).headers["x-practicum-receipt"] == RECEIPT


def test_several_answers_come_in_their_order_then_the_last_again(replay: Replay) -> None:
    asked = client(replay(*(line("chat", ASKED, completion(text)) for text in "abc"))).chat.completions
    assert [asked.create(**ASKED).choices[0].message.content for _ in range(5)] == ["a", "b", "c", "c", "c"]


def test_a_streamed_chat_is_put_together_to_the_same_text(replay: Replay) -> None:
    server = replay(line("chat", ASKED, completion()))
    chunks = list(client(server).chat.completions.create(**ASKED, stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == SAID
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 7
    with client(server).chat.completions.stream(**ASKED) as stream:
        final = stream.get_final_completion()
    assert (final.choices[0].message.content, final.choices[0].finish_reason) == (SAID, "stop")


def test_a_streamed_tool_call_is_put_together(replay: Replay) -> None:
    said = completion("")
    call = {"id": "c1", "type": "function", "function": {"name": "cut", "arguments": '{"line":1}'}}
    said["choices"][0] |= {
        "finish_reason": "tool_calls",
        "message": {"role": "assistant", "content": None, "tool_calls": [call]},
    }
    with client(replay(line("chat", ASKED, said))).chat.completions.stream(**ASKED) as stream:
        calls = stream.get_final_completion().choices[0].message.tool_calls
    assert calls is not None
    assert calls[0].function.arguments == '{"line":1}'


def test_a_response_comes_whole_and_streamed(replay: Replay) -> None:
    asked: Any = {"model": "lab-default", "input": "우산?"}
    responses = client(replay(line("responses", asked, response()))).responses
    assert responses.create(**asked).output_text == SAID
    deltas = [event.delta for event in responses.create(**asked, stream=True) if event.type.endswith("text.delta")]
    assert "".join(deltas) == SAID
    with responses.stream(**asked) as stream:
        assert stream.get_final_response().output_text == SAID


async def test_the_asynchronous_client_is_answered(replay: Replay) -> None:
    server = replay(line("chat", ASKED, completion()))
    async with AsyncOpenAI(base_url=f"{server.address}/v1", api_key="x") as asked:
        stream = await asked.chat.completions.create(**ASKED, stream=True)
        said = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(said) == SAID


def test_embeddings_transcriptions_and_speech(replay: Replay, tmp_path: Path) -> None:
    body = {"model": "e", "input": ["우산"], "encoding_format": "float"}
    vectors = {"object": "list", "model": "e", "usage": {"prompt_tokens": 1, "total_tokens": 1}, "data": [
        {"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}]}  # fmt: skip
    sound = bytes(range(256)) * 40 + b"\r\n--\r\n"
    file = {"sha256": hashlib.sha256(sound).hexdigest()}
    form = {"model": "w", "language": "ko", "timestamp_granularities[]": "word", "file": file}
    speech = {"model": "v", "voice": "k", "input": "안녕"}
    asked = client(
        replay(
            line("embeddings", body, vectors),
            line("transcriptions", form, {"text": "우산"}),
            line("speech", speech, b"RIFF\x00\xff", "audio/wav"),
        )
    )
    assert asked.embeddings.create(**body).data[0].embedding == [0.5, 0.25]
    (tmp_path / "a.wav").write_bytes(sound)
    with (tmp_path / "a.wav").open("rb") as opened:
        heard = asked.audio.transcriptions.create(
            model="w", language="ko", file=opened, timestamp_granularities=["word"]
        )
    assert heard.text == "우산"
    assert asked.audio.speech.create(**speech).content == b"RIFF\x00\xff"


def test_what_is_not_recorded_is_refused_in_both_languages_and_not_tried_again(replay: Replay) -> None:
    asked = client(replay(line("chat", ASKED, completion())))
    other = {**ASKED, "messages": [{"role": "user", "content": "다른\n질문 " + "길" * 200}]}
    with pytest.raises(openai.NotFoundError) as caught:
        asked.chat.completions.create(**other)
    assert caught.value.response.request.headers["x-stainless-retry-count"] == "0"
    error: Any = caught.value.body
    assert error["code"] == "not_recorded"
    for text in error["text"].values():
        assert "chat, lab-default, “다른 질문 길" in text
        assert "길" * 60 not in text
    assert "기록된 AI 호출에만" in error["text"]["ko"]
    assert "only recorded calls" in error["text"]["en"]


GOOD = line("chat", ASKED, completion())


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        ("[" * 100_000, "JSON"),
        ("not json", "JSON"),
        ("[]", "JSON"),
        ({**GOOD, "endpoint": "../etc"}, "endpoint"),
        ({**GOOD, "endpoint": []}, "endpoint"),
        ({**GOOD, "request_sha256": "x"}, "request_sha256"),
        ({**GOOD, "receipt": "a\r\nset-cookie: b"}, "receipt"),
        ({**GOOD, "content_type": "a/b\r\nset-cookie: c"}, "content_type"),
        ({**GOOD, "answer": None}, "answer"),
        ({**GOOD, "answer_base64": "AA=="}, "answer"),
        ({**GOOD, "answer": None, "answer_base64": "é"}, "answer_base64"),
        ({**GOOD, "answer": "{}"}, "answer"),
        ({**GOOD, "answer": '{"choices":[1]}'}, "answer"),
        ({**GOOD, "endpoint": "responses"}, "answer"),
    ],
)
def test_a_bad_file_is_told_by_line_and_field(tmp_path: Path, bad: Any, field: str) -> None:
    file = tmp_path / "bad.jsonl"
    text = bad if isinstance(bad, str) else json.dumps(bad)
    file.write_text(f"{json.dumps(GOOD)}\n\n{text}\n", "utf-8")
    with pytest.raises(RecordingError, match=f"Line 3, {field}:"):
        read_recording(file)


@pytest.mark.parametrize(
    "target",
    ["/v1/../../etc/passwd", "/etc/passwd", "/a/b/c/v1/chat/completions", "/a/v1/chat/completions",
     "/v1/chat/completions/", "/v1/files", "http://169.254.169.254/v1/chat/completions", "/" + "a" * 5000 + "/b/v1/x"],
)  # fmt: skip
def test_any_other_address_is_refused(replay: Replay, target: str) -> None:
    assert endpoint_of(target) is None
    status, said = raw(replay(GOOD), "POST", target, json.dumps(ASKED).encode())
    assert (status, said["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {"content_length": str(MAX_BODY_BYTES + 1)}, 413),
        (b"", {"content_length": "9" * 400}, 411),
        (b"", {"content_length": "-1"}, 411),
        (b"[" * 200_000, {}, 400),
        (b'{"a":' * 50_000, {}, 400),
        (b'{"model": NaN}', {}, 400),
        (b"9" * 10_000, {}, 400),
        (b"\xff\xfe", {}, 400),
        (b"[1]", {}, 400),
        (b"--x\r\n", {"content_type": "multipart/form-data; boundary=x"}, 400),
        (b"--x\r\n\r\n\xff\r\n--x--", {"content_type": "multipart/form-data; boundary=x"}, 400),
        (b"--x\r\n" * 1000, {"content_type": "multipart/form-data; boundary=x"}, 400),
        (b"{}", {"content_type": "multipart/form-data"}, 400),
    ],
)
def test_a_hostile_body_is_refused_and_the_next_request_answered(
    replay: Replay, body: bytes, headers: dict[str, str], status: int
) -> None:
    server = replay(GOOD)
    got, said = raw(server, "POST", "/v1/chat/completions", body, **headers)
    assert got == status
    assert set(said["error"]["text"]) == {"ko", "en"}
    assert client(server).chat.completions.create(**ASKED).id == RECEIPT


def test_a_client_that_leaves_is_nobodys_business(replay: Replay, capfd: pytest.CaptureFixture[str]) -> None:
    server = replay(line("speech", {"input": "x"}, bytes(20_000_000), "audio/wav"))
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", server.server_port)) as leaving:
            leaving.sendall(b'POST /v1/audio/speech HTTP/1.1\r\nContent-Length: 13\r\n\r\n{"input":"x"}')
            leaving.recv(10)
            # Closes with a reset, while most of the answer is still to be sent.
            leaving.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    time.sleep(0.2)
    assert capfd.readouterr().err == ""


@given(st.binary(max_size=300), st.sampled_from(["application/json", "multipart/form-data; boundary=x", "\x00"]))
def test_any_body_is_read_or_not(body: bytes, kind: str) -> None:
    read = read_body(kind, body)
    if read is not None:
        request_key("chat", read)
        assert len(first_words(read)) <= 60


def test_the_command_prints_its_address_or_says_what_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    file.write_text(json.dumps(GOOD))
    argv = [sys.executable, "-m", "grader.replay", str(file)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        with OpenAI(base_url=address, api_key="x") as asked:
            assert asked.chat.completions.create(**ASKED).id == RECEIPT
        process.terminate()
    file.write_text("{}")
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Line 1, endpoint" in done.stderr
    assert subprocess.run([*argv[:3], "/dev/null", "--", "sh", "-c", "exit 7"], check=False).returncode == 7


def test_it_needs_nothing_but_the_standard_library() -> None:
    code = "import sys; import grader.replay.server; print([m for m in ('pydantic', 'openai', 'labs') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
