"""The skills checks' notebooks from top to bottom: with the reference answers every point, as they are handed out none."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from skills_submissions import CHECKS, graded, total

from labs.build import build_lab
from labs.catalog import LabFolder

SOLUTION = re.compile(r"### BEGIN SOLUTION.*?### END SOLUTION\n?", re.DOTALL)


def run(lab: LabFolder, folder: Path, lang: Any, *, solved: bool) -> nbformat.NotebookNode:
    build_lab(lab, "demo", lang, folder)
    notebook = nbformat.read(folder / f"{lab.id}.ipynb", as_version=4)
    if not solved:
        for cell in notebook.cells:
            cell.source = SOLUTION.sub("", cell.source)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook


@pytest.mark.parametrize("lang", ["ko", pytest.param("en", marks=pytest.mark.long)])
@pytest.mark.parametrize("lab", CHECKS, ids=lambda lab: lab.id)
def test_run_all_with_the_reference_answers(lab: LabFolder, lang: str, tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    run(lab, folder, lang, solved=True)
    lost = {one.id: one.findings for one in graded(lab, folder, lang).values() if one.points < one.max_points}
    assert lost == {}
    assert {deliverable.path for deliverable in lab.lab.deliverables} <= {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("lab", [lab for lab in CHECKS if lab.id.endswith("before")], ids=lambda lab: lab.id)
def test_as_it_is_handed_out_it_runs_gives_no_point_and_holds_no_answer(lab: LabFolder, tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    notebook = run(lab, folder, "ko", solved=False)
    assert total(graded(lab, folder, "ko")) == 0
    handed_out = {path.name for path in folder.rglob("*")}
    assert not handed_out & {"server", "reference", "judge.yaml", "mend.yaml", "cuts.yaml"}
    assert not any(".en." in name for name in handed_out)
    shown = str(notebook) + "".join(path.read_text("utf-8") for path in folder.iterdir() if path.is_file())
    for told in re.findall(r"ko: (.+)", (lab.folder / "server" / "judge.yaml").read_text("utf-8")):
        assert told.strip("'\"") not in shown
