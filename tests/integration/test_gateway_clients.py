"""Clients as they come, unchanged, against the gateway as a process: what each gets, and the receipt that each call leaves."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any, Literal

import httpx
import openai
import pytest
from aiohttp import web
from honest_provider import ANSWER, HEARD, KEY, PIXEL, VECTOR, VOICE, Asked, HonestProvider, wav
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from hub_config.assets import node
from hub_config.models.fetch import fetch

ROOT = Path(__file__).resolve().parents[2]
USERS = {"ann-token": "ann", "bob-token": "bob"}
COURSES = ("video", "poor", "exam")
ASK: Any = [{"role": "user", "content": "자막은 몇 줄이 좋은가요?"}]
PRICE = {
    "effective": "2026-01-01", "input_krw_per_million": 1_000_000, "output_krw_per_million": 2_000_000, "krw_per_audio_minute": 600,
    "krw_per_million_characters": 3_000_000, "krw_per_image": 70,
}  # fmt: skip
TOOLS: Any = [{"type": "function", "function": {"name": "cut", "parameters": {"type": "object", "properties": {}}}}]


class Label(BaseModel):
    label: Literal["keep", "cut"]
    line: int
    reason: str


LABEL = Label(label="keep", line=3, reason="because")


@dataclass
class Place:
    """The gateway, and the provider behind it."""

    url: str
    provider: HonestProvider

    def base(self, course: str = "video", lab: str = "rough-cut") -> str:
        return f"{self.url}/{course}/{lab}/v1"

    @property
    def asked(self) -> Asked:
        return self.provider.asked[-1]

    def receipt(self, id: str | None = None, token: str = "ann-token") -> dict[str, Any]:
        """Give a receipt by its id, else the newest."""
        answer = httpx.get(f"{self.url}/receipts?content=1", headers={"Authorization": f"Bearer {token}"})
        rows: list[dict[str, Any]] = answer.json()["data"]
        return next(row for row in rows if id in (None, row["id"]))

    def check(self, id: str | None = None, endpoint: str = "chat") -> dict[str, Any]:
        """Check that a call's receipt says what the provider gave, and what that costs."""
        row = self.receipt(id)
        asked = self.asked
        assert (row["endpoint"], row["outcome"], row["upstream"]) == (endpoint, "ok", "honest")
        assert (row["learner"], row["course"], row["lab"], row["model"]) == ("ann", "video", "rough-cut", "lab-default")
        if asked.prompt_tokens is not None:
            assert row["prompt_tokens"] == asked.prompt_tokens
            assert row["completion_tokens"] == (asked.completion_tokens or 0)
            assert row["cost_krw"] == asked.prompt_tokens + 2 * (asked.completion_tokens or 0)
        assert 0 < row["cost_krw"] <= row["reserved_krw"]
        return row


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder, provider = tmp_path_factory.mktemp("clients"), HonestProvider()
    (folder / "gateway").mkdir(mode=0o700)
    hub = web.Application()
    hub.router.add_get("/user", _user)
    with ExitStack() as stack:
        provider_url, hub_url = stack.enter_context(_Served(provider.app())), stack.enter_context(_Served(hub))
        model_url, model_key = stack.enter_context(_ModelServer(folder))
        endpoints = ["chat", "responses", "embeddings", "transcriptions", "speech", "images"]
        honest = {
            "upstream": "honest",
            "model": "theirs",
            "endpoints": endpoints,
            "allows": ["tools"],
            "prices": [PRICE],
        }
        small = {"upstream": "built-in", "model": "small", "endpoints": ["chat", "responses"], "prices": [PRICE]}
        config = {
            "port": 0, "database": str(folder / "gateway" / "ledger.sqlite"), "hub_api_url": hub_url,
            "upstreams": [
                {"name": "honest", "base_url": f"{provider_url}/v1", "api_key": KEY},
                {"name": "built-in", "base_url": f"{model_url}/v1", "api_key": model_key, "running_usage": "llama.cpp",
                 "when_client_leaves": "stop"},
            ],
            "models": {"lab-default": [honest], "small": [small]},
            "budgets": {"learner": {"krw": 1_000_000}},
            "courses": {"poor": {"learner": {"krw": 5}}, "exam": {"ai": False}},
            "max_tokens": 200, "commit_seconds": 0.02,
        }  # fmt: skip
        path = folder / "gateway.json"
        path.write_text(json.dumps(config))
        log = stack.enter_context((folder / "gateway.log").open("w"))
        process = subprocess.Popen(
            [sys.executable, "-m", "hub_config.ai_gateway", str(path)], stdout=subprocess.PIPE, stderr=log, text=True
        )
        stack.callback(_end, process)
        assert process.stdout is not None
        yield Place(process.stdout.readline().split()[-1], provider)


@pytest.fixture
def client(place: Place) -> Iterator[OpenAI]:
    with OpenAI(base_url=place.base(), api_key="ann-token") as made:
        yield made


class _Served:
    """A web application on a loop and a thread of its own, so that plain synchronous clients can be used."""

    def __init__(self, app: web.Application) -> None:
        self._app, self._loop, self._stop = app, asyncio.new_event_loop(), asyncio.Event()
        self._thread = Thread(target=self._loop.run_until_complete, args=(self._run(),))
        self._url: list[str] = []

    async def _run(self) -> None:
        runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self._url.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
        await self._stop.wait()
        await runner.cleanup()

    def __enter__(self) -> str:
        self._thread.start()
        while not self._url:
            time.sleep(0.01)
        return self._url[0]

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()


class _ModelServer:
    """The real model server with SmolLM2's weights."""

    def __init__(self, folder: Path) -> None:
        self._key = folder / "model-key"
        self._key.write_text("a-key-for-the-model-server")

    def __enter__(self) -> tuple[str, str]:
        weights = fetch("smollm2-135m", Path(os.environ.get("PRACTICUM_MODELS", "var/models")))
        # One thread: with as many threads as cores, a busy machine makes llama.cpp wait for itself.
        command = [sys.executable, "-m", "hub_config.models.serve", "--model", str(weights), "--alias", "small"]
        command += ["--threads", "1", "--port", "0", "--api-key-file", str(self._key)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self._process.stdout is not None
        url = next(line.split()[-1] for line in self._process.stdout if " ready at " in line)
        for _ in range(600):
            if httpx.get(f"{url}/health").status_code == 200:
                return url, self._key.read_text()
            time.sleep(0.1)
        raise AssertionError("the model server did not become healthy")

    def __exit__(self, *_: object) -> None:
        _end(self._process)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.communicate(timeout=30)


async def _user(request: web.Request) -> web.Response:
    name = USERS.get(request.headers["Authorization"].removeprefix("token "))
    if name is None:
        return web.json_response({}, status=403)
    return web.json_response({"kind": "user", "name": name, "groups": [f"nbgrader-{course}" for course in COURSES]})


# Python's openai


def test_a_chat_and_its_receipt(place: Place, client: OpenAI) -> None:
    answer = client.chat.completions.create(model="lab-default", messages=ASK)
    assert answer.choices[0].message.content == ANSWER
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "lab-default"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == place.asked.completion_tokens
    row = place.check(answer.id)
    assert json.loads(row["answer"])["choices"][0]["message"]["content"] == ANSWER
    assert ASK[0]["content"] in row["prompt"]


def test_the_environment_alone_is_enough(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", place.base())
    monkeypatch.setenv("OPENAI_API_KEY", "ann-token")
    with OpenAI() as client:
        assert client.chat.completions.create(model="lab-default", messages=ASK).choices[0].message.content == ANSWER


def test_a_streamed_chat(place: Place, client: OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model="lab-default", messages=ASK, stream=True, stream_options={"include_usage": True}
        )
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == ANSWER
    assert len(chunks) > 10
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.prompt_tokens == place.asked.prompt_tokens
    place.check(chunks[0].id)


async def test_the_async_client_whole_and_streamed(place: Place) -> None:
    async with AsyncOpenAI(base_url=place.base(), api_key="ann-token") as client:
        answers = await asyncio.gather(
            *(client.chat.completions.create(model="lab-default", messages=ASK) for _ in range(6))
        )
        assert [answer.choices[0].message.content for answer in answers] == [ANSWER] * 6
        assert len({answer.id for answer in answers}) == 6
        stream = await client.chat.completions.create(model="lab-default", messages=ASK, stream=True)
        assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == ANSWER
    place.check()


def test_parse_gives_a_pydantic_model_whole_and_streamed(place: Place, client: OpenAI) -> None:
    answer = client.chat.completions.parse(model="lab-default", messages=ASK, response_format=Label)
    assert answer.choices[0].message.parsed == LABEL
    place.check(answer.id)
    with client.chat.completions.stream(model="lab-default", messages=ASK, response_format=Label) as stream:
        assert stream.get_final_completion().choices[0].message.parsed == LABEL
    place.check()


def test_tools_whole_and_streamed(place: Place, client: OpenAI) -> None:
    answer = client.chat.completions.create(model="lab-default", messages=ASK, tools=TOOLS)
    [call] = answer.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == ("cut", {"line": 3})
    with client.chat.completions.stream(model="lab-default", messages=ASK, tools=TOOLS) as stream:
        [streamed] = stream.get_final_completion().choices[0].message.tool_calls or []
    assert (streamed.id, streamed.function.arguments) == (call.id, call.function.arguments)
    place.check()


def test_responses_whole_streamed_and_parsed(place: Place, client: OpenAI) -> None:
    answer = client.responses.create(model="lab-default", input="몇 줄?", instructions="짧게 답하세요.")
    assert (answer.output_text, answer.status, answer.model) == (ANSWER, "completed", "lab-default")
    assert answer.usage is not None
    assert answer.usage.output_tokens == place.asked.completion_tokens
    assert place.asked.body["store"] is False
    place.check(answer.id, "responses")

    events = list(client.responses.create(model="lab-default", input="몇 줄?", stream=True))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == ANSWER
    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.output_text == ANSWER
    place.check(last.response.id, "responses")

    with client.responses.stream(model="lab-default", input="몇 줄?") as stream:
        assert stream.get_final_response().output_text == ANSWER
    parsed = client.responses.parse(model="lab-default", input="몇 줄?", text_format=Label)
    assert parsed.output_parsed == LABEL
    place.check(parsed.id, "responses")


@pytest.mark.parametrize("encoding", [None, "float"])
def test_embeddings(place: Place, client: OpenAI, encoding: Any) -> None:
    options = {"encoding_format": encoding} if encoding else {}  # by itself it asks for base64
    answer = client.embeddings.create(model="lab-default", input=["하나", "two"], **options)
    assert [item.embedding for item in answer.data] == [VECTOR, VECTOR]
    assert answer.usage.prompt_tokens == place.asked.prompt_tokens
    place.check(endpoint="embeddings")


def test_transcriptions_in_every_shape(place: Place, client: OpenAI) -> None:
    sound, text = wav(1.25), " ".join(word for word, _, _ in HEARD)

    def heard(shape: Any = "json", **more: Any) -> Any:
        answer = client.audio.transcriptions.create(
            model="lab-default", file=("말.wav", sound), response_format=shape, language="ko", **more
        )
        assert place.asked.files["file"] == sound
        row = place.check(endpoint="transcriptions")
        # Captions and plain text bring no length: they cost what was reserved, which a WAV's head tells closely.
        assert row["audio_ms"] == (None if shape in ("text", "srt") else 1250)
        assert row["cost_krw"] == 13  # 600 won a minute
        return answer

    assert heard().text == text
    words = heard("verbose_json", timestamp_granularities=["word"])
    assert [(word.word, word.start, word.end) for word in words.words] == HEARD
    assert words.duration == 1.25
    assert heard("text").strip() == text
    assert heard("srt").startswith("1\n00:00:00,000 --> 00:00:01,250")


def test_speech_comes_as_it_is_made(place: Place, client: OpenAI, tmp_path: Path) -> None:
    said = "안녕하세요, 여러분."
    with client.audio.speech.with_streaming_response.create(
        model="lab-default", voice="alloy", input=said, response_format="mp3"
    ) as answer:
        answer.stream_to_file(tmp_path / "voice.mp3")
        assert answer.headers["content-type"].startswith("audio/mpeg")
    assert (tmp_path / "voice.mp3").read_bytes() == VOICE
    row = place.check(answer.headers["x-practicum-receipt"], "speech")
    assert row["characters"] == len(said)
    assert client.audio.speech.create(model="lab-default", voice="alloy", input=said).content == VOICE


def test_images_made_and_edited(place: Place, client: OpenAI) -> None:
    made = client.images.generate(model="lab-default", prompt="창가의 작업대", n=2, size="1024x1024")
    assert [picture.b64_json for picture in made.data or []] == [PIXEL, PIXEL]
    row = place.check(endpoint="images.generations")
    assert (row["images"], row["cost_krw"]) == (2, 140)
    picture = base64.b64decode(PIXEL)
    edited = client.images.edit(
        model="lab-default", prompt="더 밝게", image=("a.png", picture), mask=("m.png", picture), n=1
    )
    assert [picture.b64_json for picture in edited.data or []] == [PIXEL]
    assert set(place.asked.files) == {"image", "mask"}
    assert place.check(endpoint="images.edits")["images"] == 1


def test_models(client: OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["lab-default", "small"]


@pytest.mark.parametrize(
    ("course", "token", "model", "expected", "code"),
    [
        ("poor", "ann-token", "lab-default", openai.RateLimitError, "budget_exceeded"),
        ("exam", "ann-token", "lab-default", openai.PermissionDeniedError, "ai_off"),
        ("books", "ann-token", "lab-default", openai.PermissionDeniedError, None),
        ("video", "wrong", "lab-default", openai.AuthenticationError, None),
        ("video", "ann-token", "gpt-4o", openai.NotFoundError, "model_not_found"),
    ],
)
@pytest.mark.parametrize("api", ["chat", "streamed", "responses"])
def test_refusals_are_the_clients_own_errors_and_not_tried_again(
    place: Place, course: str, token: str, model: str, expected: type[openai.APIStatusError], code: str | None, api: str
) -> None:
    sent: list[httpx.Request] = []
    before = len(place.provider.asked)
    with (
        httpx.Client(event_hooks={"request": [sent.append]}) as http,
        OpenAI(base_url=place.base(course), api_key=token, http_client=http) as client,
    ):
        calls: dict[str, Callable[[], object]] = {
            "chat": lambda: client.chat.completions.create(model=model, messages=ASK),
            "streamed": lambda: client.chat.completions.create(model=model, messages=ASK, stream=True),
            "responses": lambda: client.responses.create(model=model, input="hi"),
        }
        with pytest.raises(expected) as caught:
            calls[api]()
    assert len(sent) == 1
    assert len(place.provider.asked) == before
    assert code in (None, caught.value.code)
    body: Any = caught.value.body
    assert set(body["text"]) == {"ko", "en"}


# npm's openai

NODE = """
import OpenAI from "openai";
const client = new OpenAI();
const messages = [{ role: "user", content: "자막은 몇 줄이 좋은가요?" }];
const told = {};
const chat = await client.chat.completions.create({ model: "lab-default", messages });
told.chat = { id: chat.id, text: chat.choices[0].message.content, usage: chat.usage };
told.streamed = { text: "" };
const stream = await client.chat.completions.create({ model: "lab-default", messages, stream: true, stream_options: { include_usage: true } });
for await (const chunk of stream) {
  told.streamed.id = chunk.id;
  told.streamed.text += chunk.choices[0]?.delta?.content ?? "";
  told.streamed.usage = chunk.usage;
}
const response = await client.responses.create({ model: "lab-default", input: "몇 줄?" });
told.response = { id: response.id, text: response.output_text, usage: response.usage };
const events = client.responses.stream({ model: "lab-default", input: "몇 줄?" });
const last = await events.finalResponse();
told.events = { id: last.id, text: last.output_text, usage: last.usage };
try {
  await client.chat.completions.create({ model: "gpt-4o", messages });
} catch (error) {
  told.error = { name: error.constructor.name, status: error.status, code: error.code };
}
console.log(JSON.stringify(told));
"""


def test_npms_openai(place: Place) -> None:
    env = {**os.environ, "OPENAI_BASE_URL": place.base(), "OPENAI_API_KEY": "ann-token"}
    done = subprocess.run(
        [str(node()), "--input-type=module", "--eval", NODE], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [told[name]["text"] for name in ("chat", "streamed", "response", "events")] == [ANSWER] * 4
    for name, words in {"chat": ("prompt", "completion"), "streamed": ("prompt", "completion"),
                        "response": ("input", "output"), "events": ("input", "output")}.items():  # fmt: skip
        row = place.receipt(told[name]["id"])
        used = [told[name]["usage"][f"{word}_tokens"] for word in words]
        assert used == [row["prompt_tokens"], row["completion_tokens"]]
        assert row["outcome"] == "ok"
    assert told["error"] == {"name": "NotFoundError", "status": 404, "code": "model_not_found"}


# The llm command


@pytest.mark.parametrize("options", [["--no-stream"], []], ids=["whole", "streamed"])
def test_the_llm_command(place: Place, tmp_path: Path, options: list[str]) -> None:
    model = {
        "model_id": "practicum",
        "model_name": "lab-default",
        "api_base": place.base(),
        "api_key_name": "practicum",
    }
    (tmp_path / "extra-openai-models.yaml").write_text(json.dumps([model]))
    (tmp_path / "keys.json").write_text(json.dumps({"practicum": "ann-token"}))
    done = subprocess.run(
        [sys.executable, "-m", "llm", "-m", "practicum", *options, "자막은 몇 줄이 좋은가요?"],
        env={**os.environ, "LLM_USER_PATH": str(tmp_path)}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ANSWER
    assert bool(place.asked.body.get("stream")) == (not options)
    place.check()


# curl


def curl(*arguments: str) -> str:
    command = [
        "curl",
        "--silent",
        "--show-error",
        "--fail-with-body",
        "-H",
        "Authorization: Bearer ann-token",
        *arguments,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_curl(place: Place, tmp_path: Path) -> None:
    ask = {"model": "lab-default", "messages": ASK}
    kind = ["-H", "Content-Type: application/json"]
    answer = json.loads(curl(f"{place.base()}/chat/completions", *kind, "-d", json.dumps(ask)))
    assert answer["choices"][0]["message"]["content"] == ANSWER
    place.check(answer["id"])

    lines = curl("--no-buffer", f"{place.base()}/chat/completions", *kind, "-d", json.dumps({**ask, "stream": True}))
    *events, end = [line.removeprefix("data: ") for line in lines.splitlines() if line.startswith("data: ")]
    chunks = [json.loads(event) for event in events]
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks) == ANSWER
    assert end == "[DONE]"
    place.check(chunks[0]["id"])

    (tmp_path / "sound.wav").write_bytes(wav(1.25))
    heard = curl(f"{place.base()}/audio/transcriptions", "-F", "model=lab-default", "-F", f"file=@{tmp_path}/sound.wav")
    assert json.loads(heard)["text"] == " ".join(word for word, _, _ in HEARD)
    place.check(endpoint="transcriptions")


# The real small model


def test_a_real_models_chat_and_response_whole_and_streamed(place: Place, client: OpenAI) -> None:
    options: Any = {"model": "small", "temperature": 0}
    whole = client.chat.completions.create(messages=ASK, max_tokens=12, **options)
    *chunks, last = client.chat.completions.create(
        messages=ASK, max_tokens=12, stream=True, stream_options={"include_usage": True}, **options
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole.choices[0].message.content
    assert whole.usage is not None
    assert last.usage is not None
    for id, usage in ((whole.id, whole.usage), (last.id, last.usage)):
        row = place.receipt(id)
        assert 1 <= row["completion_tokens"] <= 12
        assert (row["prompt_tokens"], row["completion_tokens"]) == (usage.prompt_tokens, usage.completion_tokens)
        assert (row["upstream"], row["outcome"]) == ("built-in", "ok")

    response = client.responses.create(input="Say hello.", max_output_tokens=12, **options)
    events = list(client.responses.create(input="Say hello.", max_output_tokens=12, stream=True, **options))
    final = events[-1]
    assert final.type in ("response.completed", "response.incomplete")
    assert response.output_text
    assert final.response.output_text == response.output_text
    for answer in (response, final.response):
        assert answer.usage is not None
        row = place.receipt(answer.id)
        assert (row["prompt_tokens"], row["completion_tokens"]) == (
            answer.usage.input_tokens,
            answer.usage.output_tokens,
        )
        assert (row["endpoint"], row["outcome"]) == ("responses", "ok")
    with client.responses.stream(input="Say hello.", max_output_tokens=12, **options) as stream:
        assert stream.get_final_response().output_text == response.output_text
