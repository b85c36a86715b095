"""Learners who do the packs' labs through a real gateway, hand in what they have, and are graded with their recordings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
from aiohttp import web
from gateway_support import USERS, usage, whole
from grading_course import GradingCourse
from small_course import COURSE

from grader.engine.again.report import Rerun
from grader.engine.results import Results, results_file
from grader.nbgrader_setup import course_api
from hub_config import assets
from labs.build import build_lab
from labs.catalog import find_lab
from labs.texts import Lang
from uiux_design.wireframe import read_sections

#: What the gateway's Hub is asked about: the learners of the small course, and the grader as the records know it.
PEOPLE = {
    **{f"{name}-a": {"kind": "user", "name": name, "groups": [f"nbgrader-{COURSE}"]} for name in ("ann", "bob")},
    "token-grader": USERS["grader-token"],
}
#: So that a whole notebook can ask.
GATEWAY: dict[str, Any] = {"max_tokens": 1000, "budget_krw": 100_000}
EXECUTE = """
import sys
import nbformat
from nbclient import NotebookClient
file, folder = sys.argv[1:]
NotebookClient(nbformat.read(file, 4), timeout=120, resources={"metadata": {"path": folder}}).execute()
"""


def prepare(course: GradingCourse, lab_id: str, lang: Lang = "ko") -> None:
    """Build a pack's lab, and hand it out."""
    build_lab(find_lab(lab_id), COURSE, lang, course.root / "source" / lab_id)
    outcome = course_api(course.root, COURSE).generate_assignment(lab_id, force=True, create=True)
    assert outcome["success"], outcome["log"]
    course.release(lab_id)


def do_lab(course: GradingCourse, lab_id: str, folder: Path, gateway: str, learner: str = "ann") -> dict[str, bytes]:
    """Do a lab as its solutions say, in a kernel that asks the gateway; the folder's files, with the solved notebook."""
    released, solved = course.root / "release" / lab_id, course.root / "source" / lab_id / f"{lab_id}.ipynb"
    folder.mkdir()
    for path in released.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    env = {"PRACTICUM_GATEWAY_URL": gateway, "JUPYTERHUB_API_TOKEN": f"{learner}-a",
           "PRACTICUM_FONTS": str(assets.fonts())}  # fmt: skip
    command = [sys.executable, "-c", EXECUTE, str(solved), str(folder)]
    done = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (folder / f"{lab_id}.ipynb").write_bytes(solved.read_bytes())
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def with_cells(files: dict[str, bytes], lab_id: str, *sources: str) -> dict[str, bytes]:
    """A submission whose notebook has these cells and no other: the files, and what the learner may have written."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    return {**files, f"{lab_id}.ipynb": nbformat.writes(notebook).encode()}


def rerun_of(course: GradingCourse, lab_id: str, learner: str = "ann") -> Rerun:
    """What grading kept of executing a learner's notebook again."""
    results = Results.model_validate_json(results_file(course.root, learner, lab_id).read_bytes())
    assert results.execution is not None
    return results.execution


def outcomes(rerun: Rerun) -> dict[str, str]:
    return {made.path: made.outcome for made in rerun.made}


async def provider(_request: web.Request, body: dict[str, Any]) -> web.Response:
    """Answer what the labs' notebooks ask as the built-in model once did; no two answers have the same id."""
    provider.calls = calls = getattr(provider, "calls", 0) + 1  # type: ignore[attr-defined]
    return web.json_response(whole(_answer(body, calls), use=usage()))


def _answer(body: dict[str, Any], number: int) -> str:
    asked = str(body["messages"][-1]["content"])
    schema = body.get("response_format", {}).get("json_schema", {}).get("schema", {})
    if schema and all(line.startswith("L") for line in schema["required"]):
        return json.dumps({line: {"label": "keep", "reason": "r"} for line in schema["required"]})
    for lang in ("ko", "en"):
        wireframe = find_lab("landing-wireframe").folder
        answers = json.loads((wireframe / "reference" / f"raw_ai.{lang}.json").read_text("utf-8"))["answers"]
        for section in read_sections(wireframe / "learner" / f"sections.{lang}.json"):
            if section.wants in asked:
                return str(answers[section.id])
    if schema:
        recorded = find_lab("book-proposal").folder / "reference" / "recorded.ko.json"
        return str(json.loads(recorded.read_text("utf-8"))["content"])
    return f"답 {number}"
