"""A lab's source text -> the nbgrader source version of the lab, in the course's language.

The source (`lab.md`, jupytext MyST) has one set of code cells and prose cells of both languages, told apart by
`+++ {"lang": "ko"}`. A code cell is read-only unless it carries `:solution: some-id`; `:hide: true` folds its source. The
cell `+++ {"part": "criteria"}` is where the criteria come in as grade cells; without it they stand at the end.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbformat import NotebookNode

from labs.catalog import LabFolder
from labs.checks import load_check
from labs.manifest import Criterion, ManifestError, Review
from labs.spec import FILE, spec_of
from labs.texts import LANGUAGES, Lang

KERNEL = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
REVIEWED = {"ko": "강사가 채점합니다", "en": "Reviewed by your instructor"}
POINTS = {"ko": "점", "en": " points"}


def build_lab(lab: LabFolder, course: str, lang: Lang, out: Path) -> None:
    """Write a lab's source version into a folder: notebook, lab.json, handed-out files and rendered material.

    An existing folder is replaced. Nothing of `server/` or `reference/` goes into it.
    """
    if out.exists():
        shutil.rmtree(out)
    shutil.copytree(lab.folder / "learner", out, ignore=other_language(lang))
    if lab.lab.material:
        render: Any = load_check(lab.lab.material)
        render(lab.folder, out, lang)
    (out / FILE).write_text(spec_of(lab, course, lang).model_dump_json(indent=2, by_alias=True), "utf-8")
    nbformat.write(build_notebook(lab, lang), out / f"{lab.id}.ipynb")


def build_notebook(lab: LabFolder, lang: Lang) -> NotebookNode:
    """Make the source notebook of a lab, with solutions, in a language."""
    source = lab.folder / "lab.md"
    if not source.is_file():
        raise ManifestError(f"lab.md is missing in {lab.folder.name}/")
    cells: list[NotebookNode] = []
    placed = False
    for cell in jupytext.reads(source.read_text("utf-8"), fmt="md:myst").cells:
        if cell.metadata.get("part") == "criteria":
            cells.extend(_criterion_cells(lab, lang))
            placed = True
        elif (said := cell.metadata.get("lang")) is None or said == lang:
            if said is not None and said not in LANGUAGES:
                raise ManifestError(f"{lab.folder.name}/lab.md: unknown lang '{said}'; known: {', '.join(LANGUAGES)}")
            cells.append(cell)
    if not placed:
        cells.extend(_criterion_cells(lab, lang))
    notebook: NotebookNode = nbformat.v4.new_notebook(
        metadata={"kernelspec": KERNEL, "language_info": {"name": "python"}}
    )
    notebook.cells = [_finish(cell, f"cell-{number:02}") for number, cell in enumerate(cells, 1)]
    _must_be_unique(lab, notebook)
    nbformat.validate(notebook)
    return notebook


def _must_be_unique(lab: LabFolder, notebook: NotebookNode) -> None:
    ids = [cell.metadata.nbgrader.grade_id for cell in notebook.cells if "nbgrader" in cell.metadata]
    if doubled := sorted({i for i in ids if ids.count(i) > 1}):
        raise ManifestError(f"{lab.folder.name}/lab.md: ':solution:' used twice: {', '.join(doubled)}")


def other_language(lang: Lang) -> Any:
    """Leave out files that carry the other language in their name: brief.en.md in a Korean course."""
    endings = tuple(f".{other}." for other in LANGUAGES if other != lang)
    return lambda _folder, names: [name for name in names if any(ending in name for ending in endings)]


def _criterion_cells(lab: LabFolder, lang: Lang) -> list[NotebookNode]:
    return [_review_cell(c, c.review, lang) if c.review else _check_cell(c) for c in lab.lab.criteria]


def _check_cell(criterion: Criterion) -> NotebookNode:
    cell: NotebookNode = nbformat.v4.new_code_cell(f'lab.check("{criterion.id}")')
    cell.metadata["nbgrader"] = _nbgrader(criterion.id, grade=True, locked=True, points=criterion.points)
    return cell


def _review_cell(criterion: Criterion, review: Review, lang: Lang) -> NotebookNode:
    rows = [f"| {level.points:g} | {level.text.in_(lang)} |" for level in review.levels]
    title = f"### {criterion.title.in_(lang)} ({criterion.points:g}{POINTS[lang]}, {REVIEWED[lang]})"
    cell: NotebookNode = nbformat.v4.new_markdown_cell(
        "\n".join([title, "", f"| {POINTS[lang].strip()} | |", "|---|---|", *rows])
    )
    cell.metadata["nbgrader"] = _nbgrader(criterion.id, task=True, locked=True, points=criterion.points)
    return cell


def _finish(cell: NotebookNode, number: str) -> NotebookNode:
    """Give a cell a stable id and nbgrader's marks: learners change solution cells only."""
    cell.id = number
    solution, hide = cell.metadata.pop("solution", None), cell.metadata.pop("hide", False)
    cell.metadata.pop("lang", None)
    if hide:
        cell.metadata["jupyter"] = {"source_hidden": True}
    if cell.cell_type == "code" and "nbgrader" not in cell.metadata:
        # The prefix keeps a learner's cell and a criterion of the same name apart.
        grade_id = f"answer-{solution}" if solution else number
        cell.metadata["nbgrader"] = _nbgrader(grade_id, solution=bool(solution), locked=not solution)
    return cell


def _nbgrader(grade_id: str, *, points: float | None = None, **kind: bool) -> dict[str, Any]:
    marks: dict[str, Any] = {
        "schema_version": 3,
        "grade_id": grade_id,
        "grade": False,
        "solution": False,
        "locked": False,
        "task": False,
        **kind,
    }
    return marks if points is None else {**marks, "points": points}
