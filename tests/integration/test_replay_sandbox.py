"""The replay inside the real sandbox: no network but its own loopback, and a script that asks the plain `openai` client."""

from __future__ import annotations

import json
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from grader.replay import request_key
from grader.sandbox import Sandbox

ASKED: dict[str, Any] = {"model": "lab-default", "messages": [{"role": "user", "content": "우산?"}]}
SCRIPT = """
import os, openai
from openai import OpenAI

client = OpenAI()
asked = dict(model="lab-default", messages=[{"role": "user", "content": "우산?"}])
print("whole", client.chat.completions.create(**asked).choices[0].message.content)
streamed = client.chat.completions.create(**asked, stream=True)
print("streamed", "".join(chunk.choices[0].delta.content or "" for chunk in streamed))
gateway = os.environ["PRACTICUM_GATEWAY_URL"]
print("prefixed", OpenAI(base_url=f"{gateway}/course-a/lab-b/v1").chat.completions.create(**asked).id)
try:
    client.chat.completions.create(**{**asked, "temperature": 1})
except openai.NotFoundError as error:
    print("refused", error.body["code"])
"""
CONNECT = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 3); print('GOT IT')"


def recording(folder: Path) -> Path:
    message = {"role": "assistant", "content": "네"}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    said = {"id": "rcpt_1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    line = {
        "receipt": "rcpt_1", "at": "", "endpoint": "chat", "request_sha256": request_key("chat", ASKED),
        "content_type": "application/json", "answer": json.dumps(said),
    }  # fmt: skip
    path = folder / "calls.jsonl"
    path.write_text(json.dumps(line), "utf-8")
    return path


def test_a_script_in_the_sandbox_gets_the_recorded_answers(tmp_path: Path) -> None:
    sandbox = Sandbox(read_only=[(recording(tmp_path), "/replay.jsonl")])
    argv = [sys.executable, "-m", "grader.replay", "/replay.jsonl", "--", sys.executable, "-c", SCRIPT]
    done = sandbox.run(argv, timeout_seconds=60)
    assert done.stdout.decode().splitlines() == [
        "whole 네",
        "streamed 네",
        "prefixed rcpt_1",
        "refused not_recorded",
    ], done.stderr.decode()
    assert done.returncode == 0


def test_the_sandboxs_loopback_is_its_own(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as outside:
        threading.Thread(target=lambda: outside.accept()[0].close(), daemon=True).start()
        port = str(outside.getsockname()[1])
        argv = [sys.executable, "-m", "grader.replay", "/replay.jsonl", "--", sys.executable, "-c", CONNECT, port]
        files = [(recording(tmp_path), "/replay.jsonl")]
        inside = Sandbox(read_only=files).run(argv, timeout_seconds=30)
        assert b"GOT IT" not in inside.stdout
        assert b"refused" in inside.stderr
        # With the machine's network the same line gets through.
        assert b"GOT IT" in Sandbox(read_only=files, network=True).run(argv, timeout_seconds=30).stdout
