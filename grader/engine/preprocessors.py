"""nbgrader preprocessors of a criteria lab: points come from the checks, never from running the learner's cells.

They stand in `Autograde.autograde_preprocessors` in the place of `Execute`, so formgrader's own button grades the same way.
"""

from __future__ import annotations

import html
from functools import lru_cache
from pathlib import Path
from typing import Any

import nbformat
import nbgrader.preprocessors
from nbformat import NotebookNode
from nbformat.corpus.words import generate_corpus_id
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import is_grade

from grader.engine.criteria import run_criteria
from grader.engine.results import Results, keep_results, standing_results
from grader.gradebook import receipt_id
from labs.catalog import find_lab
from labs.checks import CriterionResult
from labs.spec import read_spec


class DropEmptyMarks(NbGraderPreprocessor):  # type: ignore[misc]
    """Takes nbgrader's marks off a copy of a cell, which `DeduplicateIds` has emptied and nbgrader would stop at."""

    def preprocess_cell(self, cell: Any, resources: Any, _index: int) -> tuple[Any, Any]:
        if "nbgrader" in cell.metadata and not cell.metadata.nbgrader.get("grade_id"):
            del cell.metadata["nbgrader"]
        return cell, resources


class OverwriteCells(nbgrader.preprocessors.OverwriteCells):  # type: ignore[misc]
    """nbgrader's own; besides, a cell is again of the kind that the instructor made it, and a deleted grade cell is back."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        info = resources["nbgrader"]
        folder = _course_root(Path(resources["metadata"]["path"]).resolve()) / "source" / info["assignment"]
        self._order = _grade_ids(folder / f"{info['notebook']}.ipynb")
        nb, resources = super().preprocess(nb, resources)
        nb.cells = [_whole(cell, nb.nbformat_minor) for cell in nb.cells]
        return nb, resources

    def preprocess_cell(self, cell: Any, resources: Any, index: int) -> tuple[Any, Any]:
        source = self.gradebook.find_notebook(self.notebook_id, self.assignment_id)
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        kinds = {"grade": source.grade_cells, "solution": source.solution_cells, "task": source.task_cells}
        if name in {known.name for known in source.source_cells}:
            cell.metadata.nbgrader.update({k: name in {c.name for c in cells} for k, cells in kinds.items()})
            for graded in (*source.grade_cells, *source.task_cells):
                if graded.name == name:
                    cell.metadata.nbgrader["points"] = graded.max_score
        return super().preprocess_cell(cell, resources, index)  # type: ignore[no-any-return]

    def add_missing_grade_cells(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        source = self.gradebook.find_notebook(self.notebook_id, self.assignment_id)
        cells, solutions = {c.name: c for c in source.source_cells}, {c.name for c in source.solution_cells}
        places = {cell.metadata.get("nbgrader", {}).get("grade_id"): i for i, cell in enumerate(nb.cells)}
        found = {-1: []} | {place: [cell] for place, cell in enumerate(nb.cells)}
        missing = {grade.name: grade.max_score for grade in source.grade_cells if grade.name not in places}
        for name in sorted(missing, key=self._order.index):
            self.log.warning("Missing grade cell %s encountered, adding to notebook", name)
            before = [places[other] for other in self._order[: self._order.index(name)] if other in places]
            made = self.missing_cell_transform(cells[name], missing[name], is_solution=name in solutions)
            found[max(before, default=-1)].append(made)
        nb.cells = [cell for place in sorted(found) for cell in found[place]]
        return nb, resources


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
    standing = standing_results(course_root, learner, lab_id, receipt)
    if standing is not None:
        return standing
    material = _material(course_root, lab_id)
    checked = run_criteria(find_lab(lab_id), folder, material, read_spec(material).lang)
    return keep_results(course_root, learner, lab_id, receipt, checked)


def _whole(cell: Any, minor: int) -> Any:
    """A cell that nbgrader has put back comes as plain dictionaries, and without an id."""
    if isinstance(cell.metadata, NotebookNode):
        return cell
    return nbformat.from_dict({**cell, **({"id": generate_corpus_id()} if minor >= 5 else {})})


@lru_cache(maxsize=8)
def _grade_ids(source: Path) -> list[str]:
    """The marked cells of a source notebook in their order, which the gradebook does not keep."""
    marks = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in nbformat.read(source, as_version=4).cells]
    return [str(mark) for mark in marks if mark]


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
