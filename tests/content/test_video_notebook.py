"""The lab's notebook from top to bottom with its reference answers, against a small AI on loopback; and attacks on its texts."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbclient import NotebookClient
from video_submissions import Submissions

from labs.ai import NO_GATEWAY
from labs.build import build_lab
from labs.evidence import load_evidence
from video_content.disclosure import names_ai_work, write_disclosure
from video_content.labelling import LABELS, read_labels, response_format

RECEIPT = "rcpt_" + "1" * 24
BATCH = [{"id": "L01", "text": "가"}, {"id": "L02", "text": "나"}]


class KeepsEverything(BaseHTTPRequestHandler):
    """An AI that keeps every line it is asked about."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        ids = asked["response_format"]["json_schema"]["schema"]["required"]
        content = json.dumps({line: {"label": "keep", "reason": "<script>"} for line in ids})
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        body = json.dumps(
            {
                "id": RECEIPT,
                "object": "chat.completion",
                "created": 0,
                "model": "fake",
                "choices": [choice],
                "usage": usage,
            }
        )
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_arguments: Any) -> None:
        pass


@pytest.fixture
def ai(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), KeepsEverything)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    monkeypatch.delenv("PRACTICUM_GATEWAY_URL", raising=False)
    yield
    server.shutdown()
    server.server_close()


@pytest.mark.slow
@pytest.mark.usefixtures("ai")
@pytest.mark.parametrize("lang", ["ko", pytest.param("en", marks=pytest.mark.long)])
def test_run_all_with_reference_answers_gets_full_marks(tmp_path: Path, lang: Any) -> None:
    made = Submissions(tmp_path)
    folder = made.base / f"material-{lang}"
    build_lab(made.lab, "demo", lang, folder)
    notebook = nbformat.read(folder / "rough-cut.ipynb", as_version=4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    scores = made.scores(folder, lang)
    assert {i: r.score for i, r in scores.items() if r.score < 1} == {}
    assert {item.receipt for item in load_evidence(folder).items} == {RECEIPT}
    assert load_evidence(folder).calls_line(lang) in (folder / "ai_disclosure.md").read_text("utf-8")
    shown = json.dumps(notebook.cells, ensure_ascii=False)
    assert shown.count(NO_GATEWAY.in_(lang)) == 2 * 2  # before and after the AI step, as text and as HTML
    assert "server/" not in shown


@given(
    st.text(max_size=200)
    | st.recursive(
        st.none() | st.integers() | st.text(max_size=9),
        lambda x: st.lists(x) | st.dictionaries(st.sampled_from(["L01", "L02", "label", "reason"]), x),
    ).map(json.dumps)
)
def test_any_answer_gives_each_line_a_label(answer: str) -> None:
    labels = read_labels(answer, BATCH)
    assert list(labels) == ["L01", "L02"]
    assert all(label.label in LABELS and len(label.reason) <= 60 for label in labels.values())


def test_the_schema_asks_for_each_line_once() -> None:
    schema = response_format(BATCH)["json_schema"]["schema"]
    assert schema["required"] == ["L01", "L02"]
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("lang", ["ko", "en"])
def test_a_disclosure_needs_each_part_in_own_words(tmp_path: Path, lang: str) -> None:
    whole = dict.fromkeys(("tool", "did", "changed", "checked"), "언어 모델로 줄을 골랐습니다")
    write_disclosure(tmp_path, whole, lang)
    assert names_ai_work(tmp_path).score == 1
    write_disclosure(tmp_path, {**whole, "did": "____", "changed": "(여기에 쓰세요)"}, lang)
    assert names_ai_work(tmp_path).score == 0.5


@given(st.text(max_size=300))
def test_no_disclosure_crashes_the_check(text: str) -> None:
    from video_content.disclosure import sections

    assert set(sections("## AI가 한 일\n" + text)) <= {"tool", "did", "changed", "checked"}
