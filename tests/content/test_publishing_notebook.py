"""The lab's notebook from top to bottom, in both languages, against a small AI on loopback that gives the recorded answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

import publishing
from labs.build import build_lab
from labs.catalog import read_pack
from labs.session import open_lab
from labs.spec import resolve_params, run_criterion
from publishing.disclosure import PARTS, complete, compose
from publishing.drafting import Draft, read_draft, save_draft, saved_draft
from publishing.forms import DraftReview
from publishing.reference import build

LAB = read_pack("publishing", Path(publishing.__file__).parent).labs[0]
REFERENCES = LAB.folder / "reference"


class FakeAi(BaseHTTPRequestHandler):
    """Answers chat completions with the recorded answer of the language that the messages are in."""

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["content-length"])).decode()
        lang = "ko" if "메모" in asked or "작가" in asked else "en"
        content = json.loads((REFERENCES / f"recorded.{lang}.json").read_text("utf-8"))["content"]
        body = json.dumps(completion(content if "json_schema" in asked else "?")).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        pass


def completion(content: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": content}
    return {
        "id": "fake",
        "object": "chat.completion",
        "created": 0,
        "model": "fake",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }


@pytest.fixture
def ai(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeAi)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    monkeypatch.delenv("PRACTICUM_GATEWAY_URL", raising=False)
    yield
    server.shutdown()
    server.server_close()


def without_solutions(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    for cell in notebook.cells:
        if "### BEGIN SOLUTION" in cell.source:
            cell.source = cell.source.split("### BEGIN SOLUTION")[0] + cell.source.split("### END SOLUTION")[1]
    return notebook


def run(folder: Path, lang: Any, *, solved: bool) -> dict[str, float]:
    """Build and execute the lab; give the share of each automatic criterion."""
    build_lab(LAB, "demo", lang, folder)
    notebook = nbformat.read(folder / "book-proposal.ipynb", as_version=4)
    NotebookClient(
        notebook if solved else without_solutions(notebook), timeout=120, resources={"metadata": {"path": str(folder)}}
    ).execute()
    shares = {}
    for criterion in LAB.lab.criteria:
        if criterion.check:
            params = resolve_params(criterion.params, lang, LAB.folder / "learner", LAB.folder / "server")
            result = run_criterion(criterion.id, criterion.points, criterion.check, folder, params)
            shares[criterion.id] = result.points / result.max_points
    return shares


@pytest.mark.parametrize("lang", ["ko", pytest.param("en", marks=pytest.mark.long)])
def test_run_all_with_the_reference_answers(lang: str, ai: None, tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    shares = run(folder, lang, solved=True)
    assert shares == dict.fromkeys(shares, 1.0)
    assert all((folder / deliverable.path).is_file() for deliverable in LAB.lab.deliverables)
    build(REFERENCES / "good.yaml", LAB.folder, tmp_path / "good", lang)
    for name in ("proposal.md", "facts.json", "ai_disclosure.md"):
        assert (folder / name).read_text("utf-8") == (tmp_path / "good" / name).read_text("utf-8")


def test_the_released_notebook_runs_before_anything_is_filled_in(ai: None, tmp_path: Path) -> None:
    shares = run(tmp_path / "lab", "ko", solved=False)
    assert shares["ai-reviewed"] == 0
    assert shares["sources"] == 0
    assert shares["facts"] < 0.5
    handed_out = {path.name for path in (tmp_path / "lab").rglob("*")}
    assert not handed_out & {"server", "reference", "key.ko.yaml", "brief.en.md"}


def test_a_drafts_receipt_goes_with_it_into_the_evidence_and_the_disclosure(tmp_path: Path) -> None:
    build_lab(LAB, "demo", "ko", tmp_path / "lab")
    lab, receipt = open_lab(tmp_path / "lab", {}), "rcpt_" + "3" * 24
    save_draft(lab.folder, Draft("w", "m", read_draft('{"한 줄 소개": "우산"}'), 1.0, 2, receipt))
    draft = saved_draft(lab.folder, "w")
    assert draft is not None
    DraftReview(lab, draft, {}).save()
    assert {item.receipt for item in lab.evidence.items} == {receipt}
    told = lab.evidence.calls_line("ko")
    answers = dict.fromkeys(PARTS, "여덟 글자보다 긴 글")
    (lab.folder / "ai_disclosure.md").write_text(compose(answers, "ko", calls=told), "utf-8")
    assert told in (lab.folder / "ai_disclosure.md").read_text("utf-8")
    assert complete(lab.folder).score == 1


@pytest.mark.parametrize("written", ["rcpt_<script>", 7, None, ["rcpt_"]])
def test_a_draft_whose_receipt_was_tampered_with_has_none(tmp_path: Path, written: Any) -> None:
    draft = {"wish": "w", "model": "m", "parts": {}, "seconds": 1, "tokens": 2, "receipt": written}
    (tmp_path / "draft.json").write_text(json.dumps(draft))
    kept = saved_draft(tmp_path, "w")
    assert kept is not None
    assert kept.receipt == ""
