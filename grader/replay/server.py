"""Answers the addresses of the OpenAI API on loopback from recorded calls, and nothing else.

The rule: an answer is a recorded one or a refusal that says so; nothing is made up and nothing goes out.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from grader.replay.keys import request_key
from grader.replay.questions import endpoint_of, first_words, read_body
from grader.replay.recording import Answer, Recording
from grader.replay.streams import stream_of

LOOPBACK = "127.0.0.1"
MAX_BODY_BYTES = 32_000_000
TIMEOUT_SECONDS = 60


class ReplayServer(ThreadingHTTPServer):
    """One recording behind an address on loopback."""

    daemon_threads = True

    def __init__(
        self, recording: Recording, port: int = 0, heard: Callable[[bool], None] = lambda _known: None
    ) -> None:
        super().__init__((LOOPBACK, port), _Handler)
        self.recording, self.heard = recording, heard

    @property
    def address(self) -> str:
        """The base address, as PRACTICUM_GATEWAY_URL names it; the API is below /v1."""
        return f"http://{LOOPBACK}:{self.server_port}"

    @property
    def environment(self) -> dict[str, str]:
        """What lets a client or a lab's notebook ask here."""
        keys = dict.fromkeys(("OPENAI_API_KEY", "JUPYTERHUB_API_TOKEN"), "replay")
        return {"OPENAI_BASE_URL": f"{self.address}/v1", "PRACTICUM_GATEWAY_URL": self.address, **keys}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that left or fell silent."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class Refused(Exception):
    """An answer that is an error, in the OpenAI API's shape."""

    def __init__(self, status: int, code: str, ko: str, en: str) -> None:
        super().__init__(code)
        self.status = status
        text = {"ko": ko, "en": en}
        error = {"message": f"{ko} {en}", "type": "invalid_request_error", "param": None, "code": code, "text": text}
        self.body = json.dumps({"error": error}, ensure_ascii=False).encode("utf-8", "replace")


class _Handler(BaseHTTPRequestHandler):
    server: ReplayServer
    protocol_version = "HTTP/1.1"
    server_version = "replay"
    timeout = TIMEOUT_SECONDS

    def do_POST(self) -> None:
        try:
            endpoint, body = self._question()
            answer = self._recorded(endpoint, body)
            streamed = body.get("stream") is True and endpoint in ("chat", "responses")
            content = stream_of(answer, usage=_wants_usage(body)) if streamed else answer.content
            kind = "text/event-stream" if streamed else answer.content_type
            self._send(200, kind, content, {"x-practicum-receipt": answer.receipt})
        except Refused as refused:
            self._refuse(refused)

    def do_GET(self) -> None:
        self._refuse(_no_address())

    do_PUT = do_DELETE = do_PATCH = do_HEAD = do_GET

    def _question(self) -> tuple[str, dict[str, Any]]:
        endpoint = endpoint_of(self.path)
        if endpoint is None:
            raise _no_address()
        length = self.headers.get("content-length", "")
        if not (length.isascii() and length.isdigit()) or len(length) > 12:
            raise Refused(411, "length_required", "요청의 길이가 없습니다.", "The request names no length.")
        if int(length) > MAX_BODY_BYTES:
            raise Refused(413, "request_too_large", "요청이 너무 큽니다.", "The request is too large.")
        body = read_body(self.headers.get("content-type", ""), self.rfile.read(int(length)))
        if body is None:
            raise Refused(400, "invalid_body", "요청을 읽을 수 없습니다.", "The request cannot be read.")
        return endpoint, body

    def _recorded(self, endpoint: str, body: dict[str, Any]) -> Answer:
        try:
            answer = self.server.recording.answer(request_key(endpoint, body))
        except RecursionError:
            answer = None
        known = answer is not None and answer.endpoint == endpoint
        self.server.heard(known)
        if answer is None or not known:
            raise _not_recorded(endpoint, body)
        return answer

    def _refuse(self, refused: Refused) -> None:
        # What is left of the request is not read, so the connection cannot go on.
        self.close_connection = True
        more = {"x-should-retry": "false", "connection": "close"}
        self._send(refused.status, "application/json", refused.body, more)

    def _send(self, status: int, kind: str, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"content-type": kind, "content-length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing: the output belongs to what runs beside the server."""


def _wants_usage(body: dict[str, Any]) -> bool:
    options = body.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def _no_address() -> Refused:
    return Refused(404, "not_found", "재생 서버에 없는 주소입니다.", "The replay server has no such address.")


def _not_recorded(endpoint: str, body: dict[str, Any]) -> Refused:
    asked = f"{endpoint}, {str(body.get('model', '-'))[:60]}, “{first_words(body)}”"
    return Refused(
        404,
        "not_recorded",
        f"기록에 없는 AI 요청입니다({asked}). 노트북을 다시 실행할 때에는 실습 중에 기록된 AI 호출에만 답합니다.",
        f"This AI call was not recorded ({asked}); when a notebook is executed again, only recorded calls are answered.",
    )
