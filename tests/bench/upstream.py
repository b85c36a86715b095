"""A fake provider and a fake Hub in one fast process: `python upstream.py`.

The rule: it does as little as it can, so that what is measured is the peers'; and it counts the tokens it gave, by model.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from typing import ClassVar

PROMPT_TOKENS, ANSWER_TOKENS, CHUNKS = 40, 300, 20
#: Calls of this model take a moment, so that many are under way together.
COUNTED, COUNTED_SECONDS = "counted", 0.02
#: About as long as 300 tokens are, in the two languages of the labs.
WORDS = (
    "12번째 줄은 남기세요. 이 영상이 무엇에 관한 것인지 말해 주는 문장입니다. 그다음 두 줄은 같은 말을 되풀이하므로 잘라 내도 뜻이 남습니다. "
    "Keep the second cut: it shows the room before anybody speaks, and the sound of the door leads into the first answer. "
) * 4
USAGE = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": ANSWER_TOKENS, "total_tokens": PROMPT_TOKENS + ANSWER_TOKENS}  # fmt: skip
MODEL = re.compile(rb'"model":\s*"([^"]*)"')
STREAMED = re.compile(rb'"stream":\s*true')
LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)


def _head(content_type: str, length: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n{length}\r\n\r\n".encode()


def _json(value: object) -> bytes:
    body = json.dumps(value).encode()
    return _head("application/json", f"Content-Length: {len(body)}") + body


def _event(data: str) -> bytes:
    line = f"data: {data}\n\n".encode()
    return f"{len(line):x}\r\n".encode() + line + b"\r\n"


def _chunk(delta: dict[str, str], finish: str | None = None, **more: object) -> bytes:
    choices = [] if more else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return _event(json.dumps({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices, **more}))  # fmt: skip


_MESSAGE = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": WORDS}}
WHOLE = _json({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [_MESSAGE], "usage": USAGE})  # fmt: skip
_PART = len(WORDS) // CHUNKS
STREAM = [
    _head("text/event-stream", "Transfer-Encoding: chunked") + _chunk({"role": "assistant", "content": WORDS[:_PART]}),
    *(_chunk({"content": WORDS[at : at + _PART]}) for at in range(_PART, len(WORDS), _PART)),
    _chunk({}, "stop"),
    _chunk({}, usage=USAGE),
    _event("[DONE]") + b"0\r\n\r\n",
]


class Connection(asyncio.Protocol):
    """A client's connection: one request after another."""

    counted: ClassVar[Counter[str]] = Counter()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.data = transport, b""

    def data_received(self, data: bytes) -> None:
        """Answer once a request is whole."""
        self.data += data
        head, end, body = self.data.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        if not end or len(body) < (int(length[1]) if length else 0):
            return
        self.data = b""
        if head.startswith(b"POST"):
            self._answer(body)
        else:
            self.transport.write(self._about(head))

    def _answer(self, body: bytes) -> None:
        found = MODEL.search(body)
        model = found[1].decode() if found else ""
        self.counted[model] += PROMPT_TOKENS + ANSWER_TOKENS
        parts = STREAM if STREAMED.search(body) else [WHOLE]
        if model == COUNTED:
            asyncio.get_running_loop().call_later(COUNTED_SECONDS, self._send, parts, 0)
        else:
            self._send(parts, 0)

    def _send(self, parts: list[bytes], number: int) -> None:
        """Send each part by itself, as a provider does."""
        self.transport.write(parts[number])
        if number + 1 < len(parts):
            asyncio.get_running_loop().call_soon(self._send, parts, number + 1)

    def _about(self, head: bytes) -> bytes:
        if b" /counted " in head:
            return _json(self.counted)
        token = re.search(rb"\r\nauthorization: token ([a-z0-9-]+)", head, re.IGNORECASE)
        name = token[1].decode() if token else ""
        return _json({"kind": "user", "name": name, "groups": ["nbgrader-bench"]})


async def main() -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0, backlog=512)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
