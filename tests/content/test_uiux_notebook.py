"""The wireframe lab's notebook: it runs from top to bottom, with the reference answers and as it is handed out."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

import uiux_design
from labs.build import build_lab
from labs.catalog import read_pack
from labs.evidence import load_evidence
from labs.session import open_lab
from labs.spec import resolve_params, run_criterion
from labs.texts import Lang
from uiux_design.forms import ElementsForm
from uiux_design.reference import build, recorded_draft
from uiux_design.wireframe import FILE, PICTURE, Wireframe, read_sections

LAB = read_pack("uiux_design", Path(uiux_design.__file__).parent).labs[0]
RECEIPT = "rcpt_" + "2" * 24
LANGS: list[Lang] = ["ko", "en"]
SOLUTION = re.compile(r"### BEGIN SOLUTION.*?### END SOLUTION\n?", re.DOTALL)


def recorded(lang: str) -> dict[str, str]:
    """Give the recorded answer for what a section is wanted for."""
    answers = json.loads((LAB.folder / "reference" / f"raw_ai.{lang}.json").read_text("utf-8"))["answers"]
    return {s.wants: answers[s.id] for s in read_sections(LAB.folder / "learner" / f"sections.{lang}.json")}


@pytest.fixture
def gateway() -> Iterator[str]:
    """An OpenAI-compatible server on loopback that answers with the model's recorded answers."""
    by_wants = recorded("ko") | recorded("en")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"][-1]["content"]
            answer = next(text for wants, text in by_wants.items() if wants in asked)
            message = {"role": "assistant", "content": answer}
            body: dict[str, Any] = {
                "id": RECEIPT, "object": "chat.completion", "created": 1, "model": "recorded",
                "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
                "usage": {"prompt_tokens": 300, "completion_tokens": 200, "total_tokens": 500},
            }  # fmt: skip
            data = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()
    thread.join(5)


def run(folder: Path, lang: Lang, gateway: str, monkeypatch: pytest.MonkeyPatch, *, solved: bool) -> None:
    build_lab(LAB, "demo", lang, folder)
    notebook = nbformat.read(folder / f"{LAB.id}.ipynb", as_version=4)
    if not solved:
        for cell in notebook.cells:
            cell.source = SOLUTION.sub("", cell.source)
    monkeypatch.setenv("OPENAI_BASE_URL", gateway)
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    monkeypatch.delenv("PRACTICUM_GATEWAY_URL", raising=False)
    monkeypatch.setenv("PRACTICUM_FONTS", os.environ.get("PRACTICUM_FONTS", ""))
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()


def points(folder: Path, lang: Lang) -> dict[str, tuple[float, float]]:
    found = {}
    for criterion in LAB.lab.criteria:
        if criterion.check:
            params = resolve_params(criterion.params, lang, LAB.folder / "learner", LAB.folder / "server")
            result = run_criterion(criterion.id, criterion.points, criterion.check, folder, params)
            found[criterion.id] = (result.points, result.max_points)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("lang", ["ko", pytest.param("en", marks=pytest.mark.long)])
def test_run_all_with_the_reference_answers_makes_the_good_submission(
    lang: Lang, tmp_path: Path, gateway: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "lab"
    run(folder, lang, gateway, monkeypatch, solved=True)
    assert {d.path for d in LAB.lab.deliverables} <= {path.name for path in folder.iterdir()}
    assert {name for name, (got, full) in points(folder, lang).items() if got < full} == set()
    good = build("good", LAB.folder, tmp_path / "good", lang)
    assert json.loads((folder / FILE).read_text("utf-8")) == json.loads((good / FILE).read_text("utf-8"))
    evidence = load_evidence(folder)
    assert {item.receipt for item in evidence.items} == {RECEIPT}
    assert evidence.calls_line(lang) in (folder / "ai_disclosure.md").read_text("utf-8")
    other = {"ko": "en", "en": "ko"}[lang]
    assert not list(folder.glob(f"*.{other}.*"))


@pytest.mark.slow
def test_the_handed_out_notebook_runs_before_anything_is_filled_in(
    tmp_path: Path, gateway: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "lab"
    run(folder, "ko", gateway, monkeypatch, solved=False)
    assert (folder / PICTURE).is_file()
    got = sum(one for one, _ in points(folder, "ko").values())
    assert 100 * got / LAB.lab.max_points < LAB.lab.pass_percent


@pytest.fixture
def form(tmp_path: Path) -> ElementsForm:
    build_lab(LAB, "demo", "ko", tmp_path / "lab")
    draft, model = recorded_draft(LAB.folder, "ko")
    return ElementsForm(open_lab(tmp_path / "lab", {}), draft, model=model)


def test_nothing_is_judged_until_a_person_judges(form: ElementsForm) -> None:
    form.save()
    assert load_evidence(form.lab.folder).items == []


def test_evidence_says_what_really_happened(form: ElementsForm) -> None:
    first, second, third, fourth = [element.id for element in form.draft.elements[:4]]
    form.accept(first)
    form.change(second, "대비가 모자랍니다.", color="#1F4D36", size=21)
    form.reject(third, "의뢰서에 없습니다.")
    form.change(fourth, "바꾼 것이 없습니다.")
    page = form.save()
    decisions = {item.id: item.decision for item in load_evidence(form.lab.folder).items}
    assert decisions == {first: "accepted", second: "edited", third: "rejected", fourth: "accepted"}
    assert third not in {element.id for element in page.elements}


def test_what_was_saved_comes_back(form: ElementsForm) -> None:
    first, second = [element.id for element in form.draft.elements[:2]]
    form.change(first, "글자를 키웠습니다.", size=33)
    form.reject(second, "겹칩니다.")
    form.add("own-1", "footer", text="상자는 매월 5일에 보냅니다.", order=15)
    form.auto.value = True
    page = form.save()
    again = ElementsForm(form.lab, form.draft)
    assert again.save() == page
    assert again.rows[second].reason.value == "겹칩니다."


def test_an_unreadable_value_is_said_and_nothing_is_written(
    form: ElementsForm, capsys: pytest.CaptureFixture[str]
) -> None:
    form.change(form.draft.elements[0].id, "색", color="연두")
    assert form.draw() is None
    assert "연두" in capsys.readouterr().out
    assert not (form.lab.folder / FILE).exists()


def test_text_of_an_ai_is_escaped_in_the_form(form: ElementsForm) -> None:
    evil = form.draft.elements[0].model_copy(update={"text": "<script>alert(1)</script>"})
    hostile = ElementsForm(form.lab, Wireframe(height=900, elements=(evil,)))
    shown = hostile._list.children[0].children[0].value
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
