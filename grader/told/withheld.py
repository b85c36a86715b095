"""What of a graded notebook a learner may see.

The rule: an instructor's cell is shown as it was handed out, and no output counts as harmless that came at or after the first
hidden test, in the order in which the notebooks were executed: a learner's code reads the test beside it, and may print it there,
later, turned round or in an error's name. Scores are shown; texts are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbgrader import utils
from nbgrader.preprocessors import OverwriteCells

from grader.course_files import file_inside, inside

SAID = "이 칸의 출력은 숨은 테스트 때문에 보여 주지 않습니다. / The output of this cell is not shown, because of a hidden test.\n"
MARKS = ("schema_version", "grade_id", "grade", "solution", "task", "locked", "points", "cell_type")


@dataclass(frozen=True)
class Graded:
    """One notebook of a graded submission, as it is kept for the instructor."""

    name: str
    notebook: Any
    #: The cells of the handed-out notebook by their grade_id; empty where it cannot be read.
    released: Mapping[str, str]
    #: The place of the first code cell whose outputs are withheld; None where all may be seen.
    closed_from: int | None

    def is_closed(self, place: int) -> bool:
        """Whether what a cell put out is withheld."""
        return self.closed_from is not None and place >= self.closed_from

    def hides(self, cell: Any) -> bool:
        """Whether a part of the instructor's cell was not handed out."""
        return is_hidden(cell, self.released)


def graded_notebooks(root: Path, learner: str, lab: str) -> list[Graded]:
    """The notebooks of a graded submission in the order of their execution."""
    folder = inside(root, "autograded", learner, lab)
    found: list[Graded] = []
    closed = False
    for name in sorted(path.name for path in folder.glob("*.ipynb")) if folder else ():
        notebook = _read(file_inside(root, "autograded", learner, lab, name))
        if notebook is not None:
            released = _released(file_inside(root, "release", lab, name))
            first = 0 if closed else first_hidden(notebook, released)
            closed = first is not None
            found.append(Graded(name.removesuffix(".ipynb"), notebook, released, first))
    return found


def first_hidden(notebook: Any, released: Mapping[str, str]) -> int | None:
    """The place of the first code cell with a part that was not handed out."""
    places = (place for place, cell in enumerate(notebook.cells) if is_hidden(cell, released))
    return next(places, None)


def is_hidden(cell: Any, released: Mapping[str, str]) -> bool:
    """Whether an instructor's code cell is another than the one that was handed out."""
    if cell.cell_type != "code" or not utils.is_locked(cell):
        return False
    name = _id(cell)
    return cell.source not in (released.get(name), _brought_back(name, released.get(name, "")))


def for_learner(graded: Graded) -> Any:
    """The notebook as its learner may see it, rebuilt cell by cell."""
    cells = [_shown(graded, place, cell) for place, cell in enumerate(graded.notebook.cells)]
    language = {"language_info": {"name": "python"}}
    return nbformat.v4.new_notebook(cells=cells, metadata=language)


def _shown(graded: Graded, place: int, cell: Any) -> Any:
    marks = cell.metadata.get("nbgrader", {})
    source = cell.source
    if utils.is_locked(cell) or utils.is_task(cell):
        source = graded.released.get(_id(cell), "")
    kept = {"nbgrader": {name: marks[name] for name in MARKS if name in marks}} if _id(cell) else {}
    if cell.cell_type != "code":
        return nbformat.from_dict({"cell_type": cell.cell_type, "metadata": kept, "source": source, "id": cell.id})
    outputs = deepcopy(cell.outputs)
    if outputs and graded.is_closed(place):
        outputs = [nbformat.v4.new_output("stream", name="stdout", text=SAID)]
    return nbformat.v4.new_code_cell(source, metadata=kept, outputs=outputs, execution_count=cell.execution_count)


def _id(cell: Any) -> str:
    return str(cell.metadata.get("nbgrader", {}).get("grade_id") or "")


def _brought_back(name: str, source: str) -> str:
    """A grade cell that the learner had deleted, as nbgrader puts it back."""
    notice: str = OverwriteCells.missing_cell_notification.default_value.format(cell_id=name)
    return f"# {notice}{source}"


def _released(file: Path | None) -> dict[str, str]:
    notebook = _read(file)
    return {} if notebook is None else {_id(cell): cell.source for cell in notebook.cells if _id(cell)}


def _read(file: Path | None) -> Any:
    return None if file is None else nbformat.read(file, as_version=4)
