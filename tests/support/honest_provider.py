"""A provider that speaks every endpoint of the OpenAI API in its own shapes. The rule: what it says it used is what it gave."""

from __future__ import annotations

import base64
import io
import json
import struct
import wave
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import BodyPartReader, web

KEY = "sk-honest-provider-5d21"
ANSWER = "자막은 두 줄을 넘지 않게 하세요. Keep it short."
HEARD = [("안녕하세요", 0.0, 0.6), ("여러분", 0.6, 1.25)]
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n the picture's bytes").decode()
VOICE = b"ID3" + bytes(range(256)) * 40
VECTOR = [0.25, -0.5, 0.125]
TOOL = {"id": "call_1", "type": "function", "function": {"name": "cut", "arguments": '{"line":3}'}}


@dataclass
class Asked:
    """A request that came, and what was used for it."""

    path: str
    body: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


@dataclass
class HonestProvider:
    """Answers at once, and keeps what it was asked."""

    asked: list[Asked] = field(default_factory=list)

    def app(self) -> web.Application:
        """Make its web application."""
        app = web.Application(client_max_size=50_000_000)
        posts = {
            "/chat/completions": self._chat, "/responses": self._responses, "/embeddings": self._embeddings,
            "/audio/transcriptions": self._transcription, "/audio/speech": self._speech,
            "/images/generations": self._images, "/images/edits": self._images,
        }  # fmt: skip
        for path, handler in posts.items():
            app.router.add_post("/v1" + path, handler)
        return app

    async def _read(self, request: web.Request) -> Asked:
        assert request.headers["Authorization"] == f"Bearer {KEY}"
        asked = Asked(request.path.removeprefix("/v1"), {})
        if request.content_type == "application/json":
            asked.body = await request.json()
        else:
            async for part in await request.multipart():
                assert isinstance(part, BodyPartReader)
                data = bytes(await part.read())
                if part.filename:
                    asked.files[str(part.name)] = data
                else:
                    asked.body.setdefault(str(part.name), []).append(data.decode())
        self.asked.append(asked)
        return asked

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        asked = await self._read(request)
        body, message = asked.body, _message(asked.body)
        said = message["content"] or message["tool_calls"][0]["function"]["arguments"]
        asked.prompt_tokens, asked.completion_tokens = _tokens(json.dumps(body["messages"])), len(_pieces(said))
        usage = _chat_usage(asked)
        finish = "tool_calls" if "tool_calls" in message else "stop"
        frame = {"id": "chatcmpl-1", "created": 1_790_000_000, "model": "theirs"}
        if not body.get("stream"):
            choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
            return web.json_response({**frame, "object": "chat.completion", "choices": [choice], "usage": usage})
        chunks = [_delta(part) for part in _deltas(message)] + [_delta({}, finish)]
        if (body.get("stream_options") or {}).get("include_usage"):
            chunks.append({"choices": [], "usage": usage})
        events = [{**frame, "object": "chat.completion.chunk", **chunk} for chunk in chunks]
        return await _stream(request, [f"data: {json.dumps(event)}\n\n" for event in events] + ["data: [DONE]\n\n"])

    async def _responses(self, request: web.Request) -> web.StreamResponse:
        asked = await self._read(request)
        body = asked.body
        text = _answer((body.get("text") or {}).get("format"))
        asked.prompt_tokens, asked.completion_tokens = _tokens(json.dumps(body["input"])), len(_pieces(text))
        events = list(_response_events(body, text, asked))
        if not body.get("stream"):
            return web.json_response(events[-1]["response"])
        lines = [
            f"event: {event['type']}\ndata: {json.dumps({**event, 'sequence_number': number})}\n\n"
            for number, event in enumerate(events)
        ]
        return await _stream(request, lines)

    async def _embeddings(self, request: web.Request) -> web.StreamResponse:
        asked = await self._read(request)
        texts = asked.body["input"] if isinstance(asked.body["input"], list) else [asked.body["input"]]
        asked.prompt_tokens = sum(_tokens(text) for text in texts)
        packed = base64.b64encode(struct.pack(f"<{len(VECTOR)}f", *VECTOR)).decode()
        vector: Any = packed if asked.body.get("encoding_format") == "base64" else VECTOR
        data = [{"object": "embedding", "index": number, "embedding": vector} for number in range(len(texts))]
        usage = {"prompt_tokens": asked.prompt_tokens, "total_tokens": asked.prompt_tokens}
        return web.json_response({"object": "list", "data": data, "model": "theirs", "usage": usage})

    async def _transcription(self, request: web.Request) -> web.StreamResponse:
        asked = await self._read(request)
        with wave.open(io.BytesIO(asked.files["file"])) as sound:
            seconds = sound.getnframes() / sound.getframerate()
        text = " ".join(word for word, _, _ in HEARD)
        wanted = asked.body.get("response_format", ["json"])[0]
        if wanted == "text":
            return web.Response(text=text + "\n")
        if wanted == "srt":
            return web.Response(text=f"1\n00:00:00,000 --> 00:00:01,250\n{text}\n")
        usage = {"type": "duration", "seconds": seconds}
        answer: dict[str, Any] = {"text": text, "usage": usage}
        if wanted == "verbose_json":
            words = [{"word": word, "start": start, "end": end} for word, start, end in HEARD]
            answer |= {"task": "transcribe", "language": "korean", "duration": seconds, "words": words}
        return web.json_response(answer)

    async def _speech(self, request: web.Request) -> web.StreamResponse:
        await self._read(request)
        response = web.StreamResponse(headers={"Content-Type": "audio/mpeg"})
        await response.prepare(request)
        for start in range(0, len(VOICE), 2048):
            await response.write(VOICE[start : start + 2048])
        return response

    async def _images(self, request: web.Request) -> web.StreamResponse:
        asked = await self._read(request)
        number = asked.body.get("n") or 1
        many = int(number[0] if isinstance(number, list) else number)
        return web.json_response({"created": 1_790_000_000, "data": [{"b64_json": PIXEL}] * many})


def wav(seconds: float) -> bytes:
    """Make a silent WAV file."""
    data = io.BytesIO()
    with wave.open(data, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(bytes(2 * round(16_000 * seconds)))
    return data.getvalue()


def _message(body: dict[str, Any]) -> dict[str, Any]:
    if body.get("tools"):
        return {"role": "assistant", "content": None, "tool_calls": [TOOL]}
    shape = body.get("response_format") or {}
    return {"role": "assistant", "content": _answer(shape.get("json_schema")), "refusal": None}


def _answer(shape: dict[str, Any] | None) -> str:
    """Give the usual answer, or one of the shape that was asked for."""
    return json.dumps(_example(shape["schema"])) if shape and "schema" in shape else ANSWER


def _example(schema: dict[str, Any]) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    if schema["type"] == "object":
        return {name: _example(part) for name, part in schema["properties"].items()}
    return {"string": "because", "integer": 3, "boolean": True}[schema["type"]]


def _pieces(text: str) -> list[str]:
    """Cut a text into its tokens: here, three characters each."""
    return [text[at : at + 3] for at in range(0, len(text), 3)]


def _tokens(text: str) -> int:
    return len(_pieces(text))


def _chat_usage(asked: Asked) -> dict[str, Any]:
    prompt, completion = asked.prompt_tokens or 0, asked.completion_tokens or 0
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _deltas(message: dict[str, Any]) -> Iterable[dict[str, Any]]:
    yield {"role": "assistant", "content": None if "tool_calls" in message else ""}
    if "tool_calls" not in message:
        yield from ({"content": piece} for piece in _pieces(message["content"]))
        return
    function = {"name": TOOL["function"]["name"], "arguments": ""}  # type: ignore[index]
    yield {"tool_calls": [{**TOOL, "index": 0, "function": function}]}
    for piece in _pieces(TOOL["function"]["arguments"]):  # type: ignore[index]
        yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}


def _delta(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}]}


def _response_events(body: dict[str, Any], text: str, asked: Asked) -> Iterable[dict[str, Any]]:
    """Give the events of a response; the last one holds it whole."""
    where = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    part: dict[str, Any] = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    item: dict[str, Any] = {
        "type": "message",
        "id": "msg_1",
        "status": "in_progress",
        "role": "assistant",
        "content": [],
    }
    response: dict[str, Any] = {
        "id": "resp_1", "object": "response", "created_at": 1_790_000_000, "status": "in_progress", "error": None,
        "incomplete_details": None, "instructions": body.get("instructions"), "max_output_tokens": body.get("max_output_tokens"),
        "model": "theirs", "output": [], "parallel_tool_calls": True, "store": False, "temperature": 1.0,
        "text": body.get("text") or {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [], "top_p": 1.0,
        "truncation": "disabled", "usage": None, "metadata": {},
    }  # fmt: skip
    yield {"type": "response.created", "response": response}
    yield {"type": "response.in_progress", "response": response}
    yield {"type": "response.output_item.added", "output_index": 0, "item": item}
    yield {"type": "response.content_part.added", **where, "part": part}
    for piece in _pieces(text):
        yield {"type": "response.output_text.delta", **where, "delta": piece, "logprobs": []}
    yield {"type": "response.output_text.done", **where, "text": text, "logprobs": []}
    part = {**part, "text": text}
    yield {"type": "response.content_part.done", **where, "part": part}
    item = {**item, "status": "completed", "content": [part]}
    yield {"type": "response.output_item.done", "output_index": 0, "item": item}
    used = _chat_usage(asked)
    usage = {
        "input_tokens": used["prompt_tokens"], "input_tokens_details": {"cached_tokens": 0}, "output_tokens": used["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": used["total_tokens"],
    }  # fmt: skip
    whole = {**response, "status": "completed", "output": [item], "usage": usage}
    yield {"type": "response.completed", "response": whole}


async def _stream(request: web.Request, events: Iterable[str]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for event in events:
        await response.write(event.encode())
    return response
