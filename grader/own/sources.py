"""An assignment's source folder as an instructor left it: what is in it, and what is missing before it can be handed out.

The rule: the folder is written by an instructor's server and read here outside of every sandbox. No link is followed, nothing of
it is run, and a notebook is only data.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from grader.course_files import inside
from grader.own.terms import is_own_name, pack_labs

MAX_BYTES = 20_000_000
#: nbgrader's own list, and editors' leftovers.
IGNORED = frozenset({".ipynb_checkpoints", "__pycache__", "feedback"})
#: A mark whose lines nbgrader would run in a kernel to write the test: outside of the sandbox that is not done.
AUTOTEST = "AUTOTEST"
Trouble = Literal[
    "bad_name", "link", "no_notebook", "unreadable", "no_grade_cell", "duplicate", "autotest", "not_python"
]


@dataclass(frozen=True)
class Problem:
    """Why an assignment cannot be handed out; `where` is a file or a cell of it."""

    trouble: Trouble
    where: str = ""


@dataclass(frozen=True)
class Source:
    """An assignment of the course's source folder."""

    name: str
    notebooks: tuple[str, ...]
    #: The other files, which are handed out as they are.
    files: tuple[str, ...]
    problems: tuple[Problem, ...]


def own_sources(root: Path) -> list[Source]:
    """The assignments in a course's folder that are no pack's labs."""
    folder = inside(root, "source")
    names = (
        sorted(p.name for p in folder.iterdir() if p.is_dir() and p.name[0] != ".")
        if folder and folder.is_dir()
        else []
    )
    return [look_at(root, name) for name in names if name not in pack_labs()]


def look_at(root: Path, name: str) -> Source:
    """Look through one assignment."""
    folder = inside(root, "source", name)
    if folder is None or not folder.is_dir():
        return Source(name, (), (), (Problem("link", name),))
    if not is_own_name(name):
        return Source(name, (), (), (Problem("bad_name", name),))
    found = [(path.relative_to(folder).as_posix(), path.is_file() and not path.is_symlink()) for path in walk(folder)]
    files, links = ([path for path, plain in found if plain is wanted] for wanted in (True, False))
    notebooks = [path for path in files if path.endswith(".ipynb") and "/" not in path]
    problems = [Problem("link", path) for path in links]
    problems += [] if notebooks else [Problem("no_notebook")]
    problems += _in_notebooks([folder / path for path in notebooks])
    others = tuple(path for path in files if not path.endswith(".ipynb"))
    return Source(name, tuple(notebooks), others, tuple(problems))


def walk(folder: Path) -> Iterator[Path]:
    """What belongs to an assignment, links among it."""
    for where, folders, names in os.walk(folder):
        here = Path(where)
        yield from sorted(here / name for name in folders if (here / name).is_symlink())
        folders[:] = sorted(name for name in folders if name not in IGNORED and not (here / name).is_symlink())
        yield from sorted(here / name for name in names if not name.endswith(".pyc"))


def _in_notebooks(paths: list[Path]) -> Iterator[Problem]:
    graded = False
    for path in paths:
        try:
            cells, language = read_cells(path)
        except (OSError, ValueError, RecursionError):
            yield Problem("unreadable", path.name)
            graded = True  # what cannot be read may have some
            continue
        marks = [cell["metadata"].get("nbgrader") or {} for cell in cells]
        names = Counter(str(mark["grade_id"]) for mark in marks if mark.get("grade_id"))
        graded = graded or any(mark.get("grade") or mark.get("task") for mark in marks)
        yield from (Problem("duplicate", f"{path.name}: {name}") for name, count in names.items() if count > 1)
        if language not in ("", "python"):
            yield Problem("not_python", path.name)
        if any(
            AUTOTEST in line and line.lstrip().startswith("#")
            for cell in cells
            for line in source_of(cell).splitlines()
        ):
            yield Problem("autotest", path.name)
    if paths and not graded:
        yield Problem("no_grade_cell")


def read_cells(path: Path) -> tuple[list[dict[str, Any]], str]:
    """A notebook's cells and its language; ValueError where it is none."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as stream:
        data = stream.read(MAX_BYTES + 1)
    read = json.loads(data) if len(data) <= MAX_BYTES else None
    notebook: dict[str, Any] = read if isinstance(read, dict) else {}
    cells = notebook.get("cells")
    if not isinstance(cells, list) or not all(
        isinstance(c, dict) and isinstance(c.get("metadata"), dict) for c in cells
    ):
        raise ValueError(path.name)
    kernel = (notebook.get("metadata") or {}).get("kernelspec") or {}
    return cells, str(kernel.get("language") or "")


def source_of(cell: dict[str, Any]) -> str:
    """A cell's source, which stands as one text or as lines."""
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(map(str, source))
