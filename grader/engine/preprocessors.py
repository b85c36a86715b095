"""nbgrader preprocessors of a criteria lab: points come from the checks, never from running the learner's cells.

They stand in `Autograde.autograde_preprocessors` in the place of `Execute`, so formgrader's own button grades the same way.
"""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import nbformat
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import is_grade

from grader.engine.criteria import run_criteria
from grader.engine.results import Results, results_file
from grader.gradebook import receipt_id
from labs.catalog import find_lab
from labs.checks import CriterionResult
from labs.evidence import write_text_safely
from labs.spec import read_spec


class RecordCriteria(NbGraderPreprocessor):  # type: ignore[misc]
    """Writes each criterion's points and findings into its grade cell."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        info = resources["nbgrader"]
        folder = Path(resources["metadata"]["path"]).resolve()
        results = results_for(_course_root(folder), info["student"], info["assignment"], folder)
        lang = read_spec(_material(_course_root(folder), info["assignment"])).lang
        for cell in nb.cells:
            if cell.cell_type == "code":
                cell.outputs = []
                if is_grade(cell):
                    cell.outputs = _outputs(results.of(cell.metadata.nbgrader.grade_id), lang)
        return nb, resources


class RequireReview(NbGraderPreprocessor):  # type: ignore[misc]
    """Marks every criterion that a person judges as waiting, so that a grade is final only after a look."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        info = resources["nbgrader"]
        with Gradebook(info["db_url"]) as gradebook:
            submission = gradebook.find_submission(info["assignment"], info["student"])
            for notebook in submission.notebooks:
                for grade in notebook.grades:
                    if grade.cell.type == "TaskCell":
                        grade.needs_manual_grade = True
            gradebook.db.commit()
        return nb, resources


def results_for(course_root: Path, learner: str, lab_id: str, folder: Path) -> Results:
    """The results of a collected submission: those that stand for its receipt, else checked now and kept."""
    receipt = receipt_id(folder) or ""
    path = results_file(course_root, learner, lab_id)
    if path.is_file():
        standing = Results.model_validate_json(path.read_text("utf-8"))
        if standing.receipt == receipt:
            return standing
    material = _material(course_root, lab_id)
    checked = run_criteria(find_lab(lab_id), folder, material, read_spec(material).lang)
    results = Results(receipt=receipt, criteria=tuple(checked))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text_safely(path, results.model_dump_json())
    return results


def _material(course_root: Path, lab_id: str) -> Path:
    return course_root / "release" / lab_id


def _course_root(folder: Path) -> Path:
    """nbgrader's layout is <root>/<step>/<student>/<assignment>."""
    return folder.parents[2]


def _outputs(result: CriterionResult | None, lang: str) -> list[Any]:
    points = result.points if result else 0.0
    findings = result.findings if result else ()
    said = [f"<li>{html.escape(' '.join([f.where or '', f.found.in_(lang)]))}</li>" for f in findings]
    shown = nbformat.v4.new_output("display_data", data={"text/html": f"<ul>{''.join(said)}</ul>"})
    return [shown, nbformat.v4.new_output("execute_result", data={"text/plain": str(points)}, execution_count=None)]
