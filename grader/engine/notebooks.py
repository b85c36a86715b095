"""A notebook between nbgrader and the sandbox: which cells go in, and what of their outputs comes back.

The rule: what comes out of the sandbox is a learner's text. It is rebuilt field by field; nothing else of it is kept.
"""

from __future__ import annotations

from typing import Any

import nbformat
from nbgrader import utils

from grader.engine.warm.worker import Cell, Execution, Ran

NOT_PROVEN = "NotProven"
STREAMS = ("stdout", "stderr")


def code_cells(notebook: Any) -> list[tuple[int, Cell]]:
    """The cells that are executed, each with its place; as a kernel does, empty ones and those tagged so are passed over."""
    found = []
    for place, cell in enumerate(notebook.cells):
        if cell.cell_type != "code" or not cell.source.strip() or "skip-execution" in cell.metadata.get("tags", []):
            continue
        name = cell.metadata.get("nbgrader", {}).get("grade_id") or str(place + 1)
        found.append((place, Cell(str(name), cell.source, is_locked(cell))))
    return found


def cells_to_run(notebook: Any) -> list[tuple[int, Cell]]:
    """The cells of a criteria lab's notebook that are executed again, each with its number among the code cells.

    The criteria's own are left out: their checks have run.
    """
    places = [place for place, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    numbers = {place: number for number, place in enumerate(places, 1)}
    return [(numbers[place], cell) for place, cell in code_cells(notebook) if not utils.is_grade(notebook.cells[place])]


def is_locked(cell: Any) -> bool:
    """Whether a cell's source is the instructor's."""
    return bool(utils.is_locked(cell))


def fill(notebook: Any, places: list[int], execution: Execution) -> list[str]:
    """Put the outputs into the notebook; say of each test cell that did not run to its end why."""
    said = []
    ran = dict(zip(places, execution.cells, strict=False))
    for count, place in enumerate(places, 1):
        cell = notebook.cells[place]
        result = ran.get(place, Ran([], why=execution.why or "not reached"))
        cell.execution_count = count
        cell.outputs = [output for raw in result.outputs if (output := rebuilt(raw, count)) is not None]
        if utils.is_grade(cell) and not utils.is_solution(cell):
            if not result.proven:
                why = result.why or ("" if _has_error(cell) else "did not run to its end")
                if not _has_error(cell):
                    cell.outputs.append(_error(why))
                said.append(f"{cell.metadata.nbgrader.grade_id}: 0 ({why or cell.outputs[-1].get('ename', 'error')})")
            elif problem := _bad_partial(cell):
                cell.outputs.append(_error(problem))
                said.append(f"{cell.metadata.nbgrader.grade_id}: 0 ({problem})")
    return said


def rebuilt(raw: Any, count: int) -> Any:
    """One output as nbformat knows it, from what the sandbox said; None for what is none."""
    if not isinstance(raw, dict):
        return None
    kind = raw.get("output_type")
    if kind == "stream" and raw.get("name") in STREAMS:
        return nbformat.v4.new_output("stream", name=raw["name"], text=_text(raw.get("text")))
    if kind == "error":
        lines = raw.get("traceback")
        lines = [_text(line) for line in lines] if isinstance(lines, list) else []
        return nbformat.v4.new_output(
            "error", ename=_text(raw.get("ename")), evalue=_text(raw.get("evalue")), traceback=lines
        )
    if kind in ("display_data", "execute_result") and isinstance(raw.get("data"), dict):
        data = {_text(mime): _text(value) for mime, value in raw["data"].items()}
        more = {"execution_count": count} if kind == "execute_result" else {}
        return nbformat.v4.new_output(kind, data=data, metadata={}, **more)
    return None


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else "" if value is None else str(value)
    # A lone surrogate cannot be written to a file.
    return text.encode("utf-8", "replace").decode("utf-8")


def _has_error(cell: Any) -> bool:
    return any(output.output_type == "error" for output in cell.outputs)


def _bad_partial(cell: Any) -> str:
    """Why a partial score cannot be taken; nbgrader would stop at it."""
    for output in cell.outputs:
        if output.output_type == "execute_result":
            try:
                utils.get_partial_grade(output, float(cell.metadata.nbgrader["points"]))
            except (ValueError, KeyError) as error:
                return f"partial score not usable: {error}"
    return ""


def _error(why: str) -> Any:
    return nbformat.v4.new_output("error", ename=NOT_PROVEN, evalue=why, traceback=[f"{NOT_PROVEN}: {why}"])
