"""What a notebook and its forms say of AI: errors and the budget in one sentence, and the receipt beside each answer."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import nbformat
import openai
import pytest
from nbclient import NotebookClient
from pydantic import ValidationError

from labs import ai
from labs.ai import Budget, ai_error_sentence, budget_sentence
from labs.evidence import Evidence, Item, load_evidence, receipt_id
from labs.session import LabSession
from labs.spec import LabSpec
from labs.texts import UserError
from labs.widgets import Question, ReviewForm, TextForm, errors_shown

RECEIPT = "rcpt_" + "0a" * 12
QUEUE = {"ko": "앞선 요청이 끝난 뒤 다시 보내세요.", "en": "Send it again when some have ended."}
Answer = Callable[[int, Any, dict[str, str]], None]


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answer]:
    """A gateway on loopback that gives one answer to everything; call it to set the answer."""
    asked: dict[str, Any] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(asked["status"])
            for name, value in {"content-type": "application/json", **asked["headers"]}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(asked["body"])

        def do_GET(self) -> None:
            asked["path"], asked["token"] = self.path, self.headers["authorization"]
            self.do_POST()

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    for name, value in {"PRACTICUM_GATEWAY_URL": address, "OPENAI_BASE_URL": f"{address}/c/l/v1",
                        "JUPYTERHUB_API_TOKEN": "t", "OPENAI_API_KEY": "t"}.items():  # fmt: skip
        monkeypatch.setenv(name, value)

    def answer(status: int, body: Any, headers: dict[str, str]) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        asked.update(status=status, body=raw, headers=headers)

    answer.asked = asked  # type: ignore[attr-defined]
    yield answer
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def lab(tmp_path: Path) -> LabSession:
    return LabSession(tmp_path, spec("ko"))


def spec(lang: Any) -> LabSpec:
    title = {"ko": "실습", "en": "lab"}
    fields = {"course": "course-a", "lab": "rough-cut", "lang": lang, "title": title, "minutes": 1}
    return LabSpec.model_validate({**fields, "deliverables": [], "criteria": [], "ai": {}})


def failure(*, stream: bool = False) -> openai.OpenAIError:
    """Ask with the real client; give the error."""
    with openai.OpenAI(max_retries=0) as client, pytest.raises(openai.OpenAIError) as caught:
        for _ in client.chat.completions.create(model="m", messages=[{"role": "user", "content": "?"}], stream=stream):
            pass
    return caught.value


def error(code: str, text: Any) -> dict[str, Any]:
    return {"error": {"message": "both languages", "type": "x", "param": None, "code": code, "text": text}}


@pytest.mark.parametrize(("lang", "said"), [("ko", QUEUE["ko"]), ("en", QUEUE["en"])])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
def test_the_gateways_own_sentence_stands_alone(gateway: Answer, status: int, lang: str, said: str) -> None:
    gateway(status, error("any", QUEUE), {})
    assert ai_error_sentence(failure(), lang) == said


def test_a_wait_is_told_with_its_seconds(gateway: Answer) -> None:
    gateway(429, error("too_many_calls", QUEUE), {"Retry-After": "8"})
    caught = failure()
    assert ai_error_sentence(caught, "ko") == "앞선 요청이 끝난 뒤 다시 보내세요(약 8초 뒤)."
    assert ai_error_sentence(caught, "en") == "Send it again when some have ended (in about 8 s)."
    gateway(429, error("too_many_calls", QUEUE), {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"})
    assert ai_error_sentence(failure(), "ko") == QUEUE["ko"]


def test_a_stream_that_breaks_off_says_the_gateways_sentence(gateway: Answer) -> None:
    event = f"data: {json.dumps(error('upstream_broken', QUEUE))}\n\n".encode()
    gateway(200, event, {"content-type": "text/event-stream"})
    caught = failure(stream=True)
    assert type(caught) is openai.APIError
    assert ai_error_sentence(caught, "ko") == QUEUE["ko"]


@pytest.mark.parametrize("text", [None, "x", {"ko": 1, "en": 2}, {"ko": "가"}, [], {"ko": "", "en": ""}])
def test_a_service_that_is_not_ours_gets_the_notebooks_sentence(gateway: Answer, text: Any) -> None:
    gateway(429, error("x", text), {})
    assert ai_error_sentence(failure(), "en").startswith("The AI budget is spent or it is not your turn yet.")
    gateway(500, b"<html>", {})
    assert ai_error_sentence(failure(), "ko").startswith("AI 서비스가 지금 답하지 못합니다.")


def test_no_service_at_all_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "t")
    caught = failure()
    assert "연결하지 못했습니다" in ai_error_sentence(caught, "ko")
    assert "could not be reached" in ai_error_sentence(caught, "en")


def test_a_cell_shows_the_sentence_instead_of_a_traceback(gateway: Answer, tmp_path: Path) -> None:
    gateway(429, error("budget_exceeded", QUEUE), {"x-should-retry": "false"})
    (tmp_path / "lab.json").write_text(spec("ko").model_dump_json(by_alias=True))
    ask = 'OpenAI().chat.completions.create(model="m", messages=[{"role": "user", "content": "?"}])'
    cells = ["from labs.session import open_lab; lab = open_lab()\nfrom openai import OpenAI", ask]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    context = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=60, allow_errors=True, kernel_name="python3", resources=context).execute()
    shown = "".join(output.get("text", "") for output in notebook.cells[1].outputs)
    assert shown.strip() == QUEUE["ko"]
    assert "Traceback" not in json.dumps(notebook)


LEFT = {"ai": True, "limit_krw": 3000, "left_krw": 2940, "left_tokens": None, "renews_at": None, "accounts": []}
RENEWS = "2026-11-24T00:00:00+09:00"


@pytest.mark.parametrize(
    ("change", "ko", "en"),
    [
        ({}, "남은 AI 예산은 2,940원(전체 3,000원)입니다.", "AI budget left: 2,940 of 3,000 won."),
        (
            {"left_tokens": 12000, "renews_at": RENEWS},
            "남은 AI 예산은 2,940원(전체 3,000원), 12,000토큰이며, 2026-11-24 00:00에 다시 채워집니다.",
            "AI budget left: 2,940 of 3,000 won, 12,000 tokens; it renews at 2026-11-24 00:00.",
        ),
        ({"limit_krw": None}, "남은 AI 예산은 2,940원입니다.", "AI budget left: 2,940 won."),
        ({"left_krw": None, "left_tokens": 5}, "남은 AI 예산은 5토큰입니다.", "AI budget left: 5 tokens."),
        ({"left_krw": None}, ai.UNLIMITED.ko, ai.UNLIMITED.en),
        ({"ai": False}, ai.OFF.ko, ai.OFF.en),
    ],
)
def test_the_budget_is_one_sentence(change: dict[str, Any], ko: str, en: str) -> None:
    budget = Budget.model_validate({**LEFT, **change})
    assert (budget.sentence("ko"), budget.sentence("en")) == (ko, en)


def test_a_cell_asks_for_its_own_course_and_lab(gateway: Any, lab: LabSession) -> None:
    gateway(200, LEFT, {})
    assert repr(lab.budget()) == "남은 AI 예산은 2,940원(전체 3,000원)입니다."
    assert gateway.asked["path"] == "/course-a/rough-cut/budget"
    assert gateway.asked["token"] == "Bearer t"


def test_a_refusal_is_shown_as_text_never_as_markup(gateway: Answer, lab: LabSession) -> None:
    gateway(403, error("course_forbidden", {"ko": "<script>안 됩니다", "en": "no"}), {})
    assert lab.budget()._repr_html_() == "<p>&lt;script&gt;안 됩니다</p>"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"[" * 100_000, b"<html>", b'{"ai": 7}', b'{"error": 1}', b"\xff"]
)
@pytest.mark.parametrize("status", [200, 500])
def test_a_gateway_that_makes_no_sense_is_not_reachable(gateway: Answer, body: bytes, status: int) -> None:
    gateway(status, body, {})
    assert budget_sentence("c", "l", "ko") == ai.UNREACHABLE.ko


def test_no_gateway_and_a_silent_one_are_said_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PRACTICUM_GATEWAY_URL", raising=False)
    assert budget_sentence("c", "l", "en") == ai.NO_GATEWAY.en
    for address in ("http://127.0.0.1:9", "nonsense", "http://[", "http://a b"):
        monkeypatch.setenv("PRACTICUM_GATEWAY_URL", address)
        assert budget_sentence("c", "l", "en") == ai.UNREACHABLE.en
    monkeypatch.setattr(ai, "TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("PRACTICUM_GATEWAY_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert budget_sentence("c", "l", "en") == ai.UNREACHABLE.en


@pytest.mark.parametrize(
    "said", [None, 1, "", "chatcmpl-1", RECEIPT + "\n", RECEIPT[:-1], RECEIPT.upper(), "x" + RECEIPT]
)
def test_only_a_receipts_id_is_kept_beside_an_answer(said: Any) -> None:
    assert receipt_id(said) == ""
    if said not in ("", None):
        with pytest.raises(ValidationError):
            Item(id="1", ai="a", final="a", decision="accepted", receipt=said)


def test_the_review_keeps_each_answers_receipt_and_counts_the_calls(lab: LabSession) -> None:
    other = "rcpt_" + "f" * 24
    ids = (RECEIPT, RECEIPT, other, "chatcmpl-1")
    questions = [Question(str(at), "?", "keep", receipt=receipt) for at, receipt in enumerate(ids)]
    ReviewForm(lab, questions, {"keep": "남김"}).save()
    evidence = load_evidence(lab.folder)
    assert [item.receipt for item in evidence.items] == [RECEIPT, RECEIPT, other, ""]
    assert evidence.calls == 2
    assert "2번" in evidence.calls_line("ko")
    assert evidence.calls_line("en").endswith("judged: 2")
    assert Evidence().calls_line("ko") == ""


def test_evidence_from_before_receipts_is_read(tmp_path: Path) -> None:
    old = {"items": [{"id": "1", "ai": "a", "final": "a", "decision": "accepted", "reason": "", "model": "m"}]}
    (tmp_path / "evidence.json").write_text(json.dumps(old))
    assert load_evidence(tmp_path).calls == 0


def test_what_fails_behind_a_button_is_shown_in_the_form(
    gateway: Answer, lab: LabSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = ReviewForm(lab, [Question("1", "?", "keep")], {"keep": "남김"})
    gateway(429, error("x", {**QUEUE, "ko": "<b>기다리세요."}), {})
    for raised, said in (
        (failure(), "&lt;b&gt;기다리세요."),
        (UserError("다시 고르세요.", "Choose again."), "다시 고르세요."),
    ):
        monkeypatch.setattr(form, "save", _raiser(raised))
        form._save_or_say(None)
        assert said in form._status.value
    monkeypatch.undo()
    form._save_or_say(None)
    assert form._status.value == "저장했습니다."


def test_a_fault_behind_a_button_is_shown_and_not_hidden(lab: LabSession, monkeypatch: pytest.MonkeyPatch) -> None:
    form = TextForm(lab, "why", "왜?")
    monkeypatch.setattr(LabSession, "answer", lambda *_: _raiser(PermissionError())())
    with pytest.raises(PermissionError):
        form.value = "그래서"
    assert "저장하지 못했습니다(PermissionError)" in form._status.value
    with errors_shown(lab, form._status):
        pass
    assert form._status.value == ""


def _raiser(raised: Exception) -> Callable[[], None]:
    def save() -> None:
        raise raised

    return save
