"""What a lab is: its manifest, what is handed out of it, its notebook, its self-check, and the evidence."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from labs import checks
from labs.build import build_lab, build_notebook
from labs.catalog import LabFolder
from labs.evidence import Item, load_evidence, reviewed, save_evidence
from labs.manifest import Lab, ManifestError, load
from labs.self_check import SelfCheck
from labs.session import open_lab
from labs.spec import read_spec, resolve_params, spec_of
from labs.texts import Text
from labs.widgets import Question, ReviewForm, TextForm

LAB: dict[str, Any] = {
    "title": {"ko": "시험 실습", "en": "Test lab"},
    "summary": {"ko": "요약", "en": "summary"},
    "minutes": 30,
    "deliverables": [{"path": "note.{lang}.md", "kind": "document", "title": {"ko": "메모", "en": "note"}}],
    "criteria": [
        {"id": "reviewed", "title": {"ko": "검토", "en": "review"}, "points": 10, "check": "labs.evidence:reviewed"},
        {"id": "hidden", "title": {"ko": "숨김", "en": "hidden"}, "points": 5, "check": "labs.evidence:reviewed", "visible": False,
         "params": {"file": "server/CANARY.json"}, "about": {"ko": "사실을 봅니다.", "en": "Looks at facts."}},
        {"id": "story", "title": {"ko": "이야기", "en": "story"}, "points": 4,
         "review": {"levels": [{"points": 4, "ko": "좋음", "en": "good"}, {"points": 0, "ko": "없음", "en": "none"}]}},
    ],
}  # fmt: skip
SOURCE = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
---

+++ {"lang": "ko"}

# 안녕하세요

+++ {"lang": "en"}

# Hello

```{code-cell} ipython3
:hide: true
from labs.session import open_lab; lab = open_lab()
```

```{code-cell} ipython3
:solution: prompt
prompt = ""
### BEGIN SOLUTION
prompt = "SOLUTION-CANARY"
### END SOLUTION
```

+++ {"part": "criteria"}

+++ {"lang": "ko"}

끝

+++ {"lang": "en"}

End
"""


@pytest.fixture
def lab(tmp_path: Path) -> LabFolder:
    folder = tmp_path / "pack" / "labs" / "test_lab"
    (folder / "learner").mkdir(parents=True)
    (folder / "server").mkdir()
    (folder / "server" / "CANARY.json").write_text("{}")
    (folder / "learner" / "brief.ko.md").write_text("의뢰")
    (folder / "learner" / "brief.en.md").write_text("brief")
    (folder / "lab.yaml").write_text(yaml.safe_dump(LAB))
    (folder / "lab.md").write_text(SOURCE)
    return LabFolder("test-lab", "pack", folder, load(folder / "lab.yaml", Lab))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"minutes": 0}, "minutes"),
        ({"surprise": 1}, "surprise"),
        ({"criteria": [*LAB["criteria"], LAB["criteria"][0]]}, "used twice: reviewed"),
        ({"criteria": [{**LAB["criteria"][0], "review": LAB["criteria"][2]["review"]}]}, "either a check or a review"),
        ({"criteria": [{**LAB["criteria"][1], "visible": True}]}, "visible: false"),
        ({"criteria": [{k: v for k, v in LAB["criteria"][1].items() if k != "about"}]}, "needs 'about'"),
        ({"deliverables": [{**LAB["deliverables"][0], "path": "../x"}]}, "no '..'"),
        ({"deliverables": [{**LAB["deliverables"][0], "path": "/x"}]}, "deliverables.0.path"),
        ({"title": {"ko": "하나"}}, "title.en"),
    ],
)
def test_a_manifest_says_which_field_is_wrong(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    path = tmp_path / "lab.yaml"
    path.write_text(yaml.safe_dump({**LAB, **change}))
    with pytest.raises(ManifestError, match=re.escape(said)) as caught:
        load(path, Lab)
    assert "lab.yaml" in str(caught.value)


@pytest.mark.parametrize(("lang", "own", "other"), [("ko", "안녕하세요", "Hello"), ("en", "Hello", "안녕하세요")])
def test_a_course_gets_its_language_and_no_key(lab: LabFolder, tmp_path: Path, lang: Any, own: str, other: str) -> None:
    out = tmp_path / "source"
    build_lab(lab, "course-a", lang, out)
    names = sorted(path.name for path in out.iterdir())
    assert names == [f"brief.{lang}.md", "lab.json", "test-lab.ipynb"]
    everything = "".join(path.read_text() for path in out.iterdir())
    assert own in everything
    assert other not in everything
    assert "CANARY.json" not in everything
    assert read_spec(out).deliverables[0].path == f"note.{lang}.md"


def test_criteria_are_grade_cells_and_only_solutions_can_be_written(lab: LabFolder) -> None:
    notebook = build_notebook(lab, "ko")
    marks = {cell.metadata.nbgrader.grade_id: cell for cell in notebook.cells if "nbgrader" in cell.metadata}
    assert [marks[i].metadata.nbgrader.points for i in ("reviewed", "hidden", "story")] == [10, 5, 4]
    assert marks["reviewed"].metadata.nbgrader.grade
    assert marks["story"].metadata.nbgrader.task
    assert marks["answer-prompt"].metadata.nbgrader.solution
    assert all(cell.metadata.nbgrader.locked for name, cell in marks.items() if name != "answer-prompt")
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    nbformat.validate(notebook)


def test_two_learner_cells_of_one_name_are_said(lab: LabFolder) -> None:
    twice = SOURCE + "\n```{code-cell} ipython3\n:solution: prompt\nx = 1\n```\n"
    (lab.folder / "lab.md").write_text(twice)
    with pytest.raises(ManifestError, match="used twice: answer-prompt"):
        build_notebook(lab, "ko")


def test_the_self_check_runs_visible_criteria_and_tells_of_hidden_ones(lab: LabFolder, tmp_path: Path) -> None:
    out = tmp_path / "work"
    build_lab(lab, "course-a", "ko", out)
    session = open_lab(out, {})
    assert "evidence.json 파일이 없습니다" in repr(session.check("reviewed"))
    assert "사실을 봅니다." in repr(session.check("hidden"))
    with pytest.raises(KeyError, match="known: reviewed, hidden, story"):
        session.check("nothing")
    assert "note.ko.md (없음)" in repr(session.checklist())


def test_what_a_file_says_is_shown_as_text_never_as_markup(
    lab: LabFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hostile(folder: Path) -> checks.CheckResult:
        return checks.failed(Text(ko="<script>1</script>", en="x"), where='"><img src=x onerror=1>')

    monkeypatch.setattr(checks, "hostile", hostile, raising=False)
    spec = spec_of(lab, "c", "ko")
    criterion = spec.criteria[0].model_copy(update={"check": "labs.checks:hostile", "params": {}})
    (tmp_path / "lab.json").write_text(
        spec.model_copy(update={"criteria": (criterion,)}).model_dump_json(by_alias=True)
    )
    markup = open_lab(tmp_path, {}).check("reviewed")._repr_html_()
    assert "<script>" not in markup
    assert "<img" not in markup


def test_opening_a_lab_points_openai_at_the_course_and_the_lab(
    lab: LabFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "before")
    build_lab(lab, "course-a", "ko", tmp_path / "w")
    open_lab(tmp_path / "w", {"PRACTICUM_GATEWAY_URL": "http://127.0.0.1:9/", "JUPYTERHUB_API_TOKEN": "t"})
    from openai import OpenAI

    client = OpenAI()
    assert (str(client.base_url), client.api_key) == ("http://127.0.0.1:9/course-a/test-lab/v1/", "t")
    with pytest.raises(ManifestError, match=r"lab\.json is missing"):
        open_lab(tmp_path, {})


def test_parameters_of_the_lab_become_paths_and_texts(tmp_path: Path) -> None:
    params = {
        "file": "final.{lang}.mp4",
        "source": "learner/a.mp4",
        "key": "server/k.json",
        "cps": {"ko": 12, "en": 17},
    }
    resolved = resolve_params(params, "ko", tmp_path / "material", tmp_path / "server")
    assert resolved == {
        "file": "final.ko.mp4",
        "source": tmp_path / "material/a.mp4",
        "key": tmp_path / "server/k.json",
        "cps": 12,
    }


def test_a_broken_check_scores_nothing_and_says_so(tmp_path: Path) -> None:
    result = checks.run_check("labs.checks:no_such_check", tmp_path, {})
    assert result.score == 0
    assert "오류" in result.findings[0].found.ko


@pytest.mark.parametrize("name", ["link", "../outside.txt", "folder", "absent"])
def test_a_file_outside_or_none_is_not_read(tmp_path: Path, name: str) -> None:
    inside = tmp_path / "in"
    (inside / "folder").mkdir(parents=True)
    (tmp_path / "outside.txt").write_text("secret")
    (inside / "link").symlink_to(tmp_path / "outside.txt")
    assert checks.safe_path(inside, name) is None
    assert isinstance(checks.read_text(inside, name), checks.CheckResult)


@given(st.binary(max_size=300))
def test_any_bytes_as_json_are_a_value_or_a_result(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "x.json").write_bytes(data)
    value = checks.read_json(folder, "x.json")
    if not isinstance(value, checks.CheckResult):
        json.dumps(value)


def test_deep_json_is_a_result(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("[" * 100_000)
    assert isinstance(checks.read_json(tmp_path, "x.json"), checks.CheckResult)


def item(number: int, decision: Any = "accepted", reason: str = "") -> Item:
    return Item(
        id=f"q{number}", ai="keep", final="keep" if decision == "accepted" else "cut", decision=decision, reason=reason
    )


@pytest.mark.parametrize(
    ("items", "score"),
    [
        ([item(1), item(2, "edited", "사실이 틀렸습니다")], 1),
        ([item(1), item(2)], 1 / 3),  # enough judged, nothing changed
        ([item(1), item(2, "edited")], 2 / 3),  # changed without a reason
        ([item(1, "edited", "사실이 틀렸습니다")], 2 / 3),  # too few
        ([], 0),
    ],
)
def test_the_review_of_ai_answers(tmp_path: Path, items: list[Item], score: float) -> None:
    save_evidence(tmp_path, items)
    assert reviewed(tmp_path, min_items=2, min_changed=1).score == pytest.approx(score)


def test_forms_fill_save_and_remember(lab: LabFolder, tmp_path: Path) -> None:
    build_lab(lab, "c", "ko", tmp_path / "w")
    session = open_lab(tmp_path / "w", {})
    TextForm(session, "why", "왜?").value = "그래서"
    assert TextForm(session, "why", "왜?").value == "그래서"
    questions = [
        Question("1", "첫 줄", "keep", "핵심"),
        Question("2", "<b>둘째</b>", "cut"),
        Question("3", "셋째", "nonsense"),
    ]
    form = ReviewForm(session, questions, {"keep": "남김", "cut": "버림"}, model="m")
    assert form.final == {"1": "keep", "2": "cut"}
    form.fill({"2": ("keep", "사실이 들어 있음"), "3": ("cut", "군말")})
    form.save()
    decisions = {i.id: (i.decision, i.reason) for i in load_evidence(session.folder).items}
    assert decisions == {"1": ("accepted", ""), "2": ("edited", "사실이 들어 있음"), "3": ("rejected", "군말")}
    again = ReviewForm(session, questions, {"keep": "남김", "cut": "버림"})
    assert again.final == {"1": "keep", "2": "keep", "3": "cut"}


def test_the_self_check_tells_the_visible_criteria_as_data_and_prints_nothing_else(
    lab: LabFolder, tmp_path: Path
) -> None:
    out = tmp_path / "source"
    build_lab(lab, "course-a", "ko", out)
    told = subprocess.run(
        [sys.executable, "-m", "labs.self_check", str(out)], capture_output=True, check=True, cwd=tmp_path
    )
    found = SelfCheck.model_validate_json(told.stdout)
    assert [(one.id, one.max_points) for one in found.results] == [("reviewed", 10)]
    assert found.results[0].points < 10
    assert found.results[0].findings
