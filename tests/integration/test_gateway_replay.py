"""What a learner's notebook was answered through the gateway, answered again from the recordings, to the letter."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from aiohttp import web
from gateway_support import MODEL, chunk, friendly, last_chunk, stream, usage, world

ROUTE = {"endpoints": ["chat", "responses", "embeddings", "transcriptions", "speech"]}
NOTEBOOK = f"""
import io, json
from openai import OpenAI, NotFoundError

client, model = OpenAI(max_retries=0), "{MODEL}"
messages = [{{"role": "user", "content": "컷을 골라 줘"}}]
said = {{}}
whole = client.chat.completions.create(model=model, messages=messages, temperature=0)
said["chat"] = [whole.id, whole.choices[0].message.content, whole.usage.total_tokens]
parts = client.chat.completions.create(model=model, messages=messages, max_tokens=7, stream=True)
said["stream"] = "".join(part.choices[0].delta.content or "" for part in parts if part.choices)
said["response"] = client.responses.create(model=model, input="안녕").output_text
said["vector"] = client.embeddings.create(model=model, input="안녕").data[0].embedding
said["heard"] = client.audio.transcriptions.create(model=model, file=("a.wav", io.BytesIO(b"RIFF")), language="ko").text
said["spoken"] = client.audio.speech.create(model=model, input="안녕", voice="alloy", response_format="wav").read().hex()
print(json.dumps(said))
"""
OTHER = """
from openai import OpenAI, NotFoundError

try:
    OpenAI().chat.completions.create(model="lab-default", messages=[{"role": "user", "content": "something else"}])
except NotFoundError as error:
    print(error.body["code"])
"""


async def provider(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    """Answer each endpoint differently every time, so that only a recording can say the same again."""
    number = provider.calls = getattr(provider, "calls", 0) + 1  # type: ignore[attr-defined]
    endpoint = request.match_info["endpoint"]
    if endpoint == "chat/completions" and body.get("stream"):
        return await stream(request, [chunk(f"{number}번 "), chunk("컷"), chunk(None, "stop"), last_chunk(usage())])
    if endpoint == "responses":
        content = [{"type": "output_text", "text": f"답 {number}", "annotations": []}]
        message = {"type": "message", "id": "m", "status": "completed", "role": "assistant", "content": content}
        used = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
        return web.json_response({"id": "r", "object": "response", "created_at": 1, "status": "completed", "output": [message],
                                  "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "usage": used})  # fmt: skip
    if endpoint == "embeddings":
        return web.json_response({"data": [{"embedding": [number, 0.5]}], "usage": {"prompt_tokens": 1}})
    if endpoint == "audio/transcriptions":
        return web.json_response({"text": f"들은 말 {number}", "duration": 1.0})
    if endpoint == "audio/speech":
        return web.Response(body=b"RIFF" + bytes([number]), content_type="audio/wav")
    return await friendly(request, body)


async def run(script: str, *, env: dict[str, str], through: list[str] | None = None) -> str:
    command = [*(through or []), sys.executable, "-c", script]
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, **env}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, errors.decode()
    return out.decode().splitlines()[-1]


async def test_a_notebook_gets_the_same_answers_again_without_a_gateway(tmp_path: Path) -> None:
    async with world(tmp_path, route=ROUTE) as w:
        w.provider.behave = provider
        env = {"OPENAI_BASE_URL": f"{w.url}/video/rough-cut/v1", "OPENAI_API_KEY": "ann-token"}
        first, second = [json.loads(await run(NOTEBOOK, env=env)) for _ in range(2)]
        recorded = await w.ask("GET", "/video/rough-cut/replay?learner=ann", token="grader-token")
    (tmp_path / "calls.jsonl").write_text(recorded.text, "utf-8")
    replay = [sys.executable, "-m", "grader.replay", str(tmp_path / "calls.jsonl"), "--"]
    again = json.loads(await run(NOTEBOOK, env={"OPENAI_API_KEY": "none"}, through=replay))
    assert first["chat"][0].startswith("rcpt_")
    assert first != second, "the provider answers differently each time"
    assert again == first
    assert await run(OTHER, env={"OPENAI_API_KEY": "none"}, through=replay) == "not_recorded"
