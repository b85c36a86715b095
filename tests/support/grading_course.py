"""A course to grade in: assignments of an instructor's own, submissions in the records, and the same for stock nbgrader."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, time
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbgrader.api import Gradebook
from records_server import make_app, serving
from small_course import COURSE, MONDAY_TEN
from sqlalchemy import Engine

from grader.engine.grade import grade_lab
from grader.engine.progress import Progress, Summary
from grader.nbgrader_setup import course_api, course_config
from grader.records import work
from grader.records.blobs import BlobStore, manifest_of
from grader.records.db import writing
from grader.records.models import CourseLab, Enrolment, Person
from grader.records.state import find_course

PYTHON = {"name": "python3", "display_name": "Python 3", "language": "python"}
#: In a process of its own: stock leaves its kernels' sockets open.
EACH = """
import sys
from pathlib import Path
from nbgrader.apps.api import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config
root, course, name = sys.argv[1:]
config = Config()
config.CourseDirectory.root, config.CourseDirectory.course_id = root, course
api = NbGraderAPI(CourseDirectory(config=config), config=config)
for folder in sorted((Path(root) / "submitted").glob(f"*/{name}")):
    api.autograde(name, folder.parent.name, force=True, create=True)
"""
GENERATE = """
import sys
from pathlib import Path
from grader.nbgrader_setup import course_api
root, course, name = sys.argv[1:]
outcome = course_api(Path(root), course).generate_assignment(name, force=True, create=True)
sys.exit(0 if outcome["success"] else outcome["log"])
"""
Scores = dict[tuple[str, str, str], float | None]


def marked(cell: Any, grade_id: str, **marks: Any) -> Any:
    """A cell with nbgrader's marks."""
    kind = {"grade": False, "solution": False, "locked": False, "task": False}
    cell.metadata["nbgrader"] = {"schema_version": 3, "grade_id": grade_id, **kind, **marks}
    return cell


def graded_cell(grade_id: str, source: str, points: float = 10) -> Any:
    return marked(new_code_cell(source), grade_id, grade=True, locked=True, points=points)


def solution_cell(grade_id: str, source: str) -> Any:
    return marked(new_code_cell(source), grade_id, solution=True)


def notebook(*cells: Any, kernel: Mapping[str, str] = PYTHON) -> Any:
    """A notebook; ids are stable, so that it can be compared."""
    for number, cell in enumerate(cells):
        cell.id = f"c{number}"
    return new_notebook(cells=list(cells), metadata={"kernelspec": dict(kernel)})


def text(source: str) -> Any:
    return new_markdown_cell(source)


def workers_for(submissions: int) -> int:
    """As many workers as by itself, but no more than there are submissions."""
    return min(os.cpu_count() or 1, max(1, submissions))


class GradingCourse:
    """The course's folder with its records, and beside it the folder of a stock nbgrader."""

    def __init__(self, folder: Path, engine: Engine, api: str, blobs: Path) -> None:
        self.engine, self.api, self.blobs = engine, api, BlobStore(blobs)
        self.root, self.stock_root = folder / "courses" / COURSE, folder / "stock"
        self._handed_in: set[tuple[str, str]] = set()
        for root in (self.root, self.stock_root):
            root.mkdir(parents=True)

    def assign(
        self,
        name: str,
        source: Any,
        files: Mapping[str, bytes] | None = None,
        *,
        stock: bool = False,
        apart: bool = False,
    ) -> None:
        """Make an assignment, for stock nbgrader too where asked: source, release, and a row in the gradebook.

        `apart`: where nbgrader starts a kernel to make tests, whose sockets it leaves open, that is done in another process.
        """
        sources = {name: source} if "cells" in source else source
        for root in (self.root, *([self.stock_root] if stock else [])):
            if not (root / "gradebook.db").exists():
                (root / "gradebook.db").write_bytes(_empty_gradebook())
            folder = root / "source" / name
            folder.mkdir(parents=True)
            for title, content in sources.items():
                nbformat.write(content, folder / f"{title}.ipynb")
            write_files(folder, files or {})
        for nbgrader in (course_api(self.root, COURSE), *([self.stock_api()] if stock else [])):
            if apart:
                command = [sys.executable, "-c", GENERATE, nbgrader.coursedir.root, COURSE, name]
                subprocess.run(command, env=_with_path(), capture_output=True, check=True)
                continue
            outcome = nbgrader.generate_assignment(name, force=True, create=True)
            assert outcome["success"], outcome["log"]
        self.release(name)

    def release(self, name: str) -> None:
        """Hand out what stands in the release folder."""
        with writing(self.engine) as session:
            run = find_course(session, COURSE)
            if name not in {row.lab_id for row in run.labs}:
                run.labs.append(CourseLab(lab_id=name, position=9, required=False, title_ko=name, title_en=name,
                                          minutes=60, pass_percent=60))  # fmt: skip
                session.flush()
            released = manifest_of([self._put(p) for p in sorted((self.root / "release" / name).iterdir())])
            work.release(session, run, name, released, actor="eve", due_at=None, now=MONDAY_TEN)

    def released(self, name: str, title: str = "") -> Any:
        """The notebook that learners get."""
        return nbformat.read(self.root / "release" / name / f"{title or name}.ipynb", as_version=4)

    def hand_in(self, learner: str, name: str, files: Mapping[str, Any]) -> str:
        """A submission for both; its receipt's id. Notebooks may be given as notebooks."""
        content = {n: f if isinstance(f, bytes) else nbformat.writes(f).encode() for n, f in files.items()}
        with writing(self.engine) as session:
            if session.get(Person, learner) is None:
                session.add(Person(login=learner, name=learner))
                session.flush()
                session.add(Enrolment(course_id=COURSE, login=learner))
                session.flush()
            manifest = manifest_of([self.blobs.put(io.BytesIO(data), n) for n, data in content.items()])
            run = find_course(session, COURSE)
            receipt = work.submit(session, run, name, manifest, learner=learner, now=MONDAY_TEN)
        self._handed_in.add((name, learner))
        folder = self.stock_root / "submitted" / learner / name
        folder.mkdir(parents=True, exist_ok=True)
        write_files(folder, content)
        (folder / "timestamp.txt").write_text(f"{datetime.combine(MONDAY_TEN, time(), UTC):%Y-%m-%d %H:%M:%S} UTC")
        return receipt.id

    def grade(self, name: str, **more: Any) -> tuple[Summary, list[Progress]]:
        """Grade with the engine, in this process, with no more sandboxes than submissions: others would start for nothing."""
        self.become_grader()
        seen: list[Progress] = []
        more.setdefault("workers", workers_for(sum(handed_in == name for handed_in, _ in self._handed_in)))
        return grade_lab(self.root, COURSE, name, report=seen.append, **more), seen

    def become_grader(self) -> None:
        os.environ.update(PRACTICUM_RECORDS_URL=self.api, PRACTICUM_RECORDS_TOKEN="token-grader", PRACTICUM_LANG="en")

    def stock_api(self) -> Any:
        """nbgrader as it is installed."""
        from nbgrader.apps.api import NbGraderAPI
        from nbgrader.coursedir import CourseDirectory
        from traitlets.config import Config

        config = Config()
        config.CourseDirectory.root = str(self.stock_root)
        config.CourseDirectory.course_id = COURSE
        # What is handed out is the same for both; grading is stock's own.
        config.ClearSolutions.code_stub = course_config(self.root, COURSE).ClearSolutions.code_stub
        return NbGraderAPI(CourseDirectory(config=config), config=config)

    def stock_grade(self, name: str) -> str:
        """`nbgrader autograde`, one command for all; what it printed.

        Where it did not come through for somebody it is asked once more, for those: its kernels listen on TCP ports, which
        another program may take between their choice and their use.
        """
        command = [str(Path(sys.prefix) / "bin" / "nbgrader"), "autograde", name,
                   f"--CourseDirectory.root={self.stock_root}", f"--CourseDirectory.course_id={COURSE}"]  # fmt: skip
        said = ""
        for more in (["--force"], []):
            done = subprocess.run(
                [*command, *more], cwd=self.stock_root, env=_with_path(), capture_output=True, text=True, check=False
            )
            said += done.stdout + done.stderr
            if done.returncode == 0:
                break
        return said

    def stock_grade_each(self, name: str) -> None:
        """Stock's autograde for one learner after the other: one that stops it does not stop the next."""
        command = [sys.executable, "-c", EACH, str(self.stock_root), COURSE, name]
        subprocess.run(command, env=_with_path(), capture_output=True, check=True)

    def scores(self, name: str) -> Scores:
        """What our gradebook holds, cell by cell."""
        return scores_of(self.root, name)

    def stock_scores(self, name: str) -> Scores:
        return scores_of(self.stock_root, name)

    def _put(self, path: Path) -> Any:
        with path.open("rb") as stream:
            return self.blobs.put(stream, path.name)


@cache
def _empty_gradebook() -> bytes:
    """A new gradebook: nbgrader starts alembic to make one, so it is made once."""
    with tempfile.TemporaryDirectory() as folder:
        course_api(Path(folder), COURSE)  # puts alembic on the path
        Gradebook(f"sqlite:///{folder}/gradebook.db", COURSE).close()
        return (Path(folder) / "gradebook.db").read_bytes()


def _with_path() -> dict[str, str]:
    return {**os.environ, "PATH": f"{Path(sys.prefix) / 'bin'}{os.pathsep}{os.environ['PATH']}"}


def scores_of(root: Path, name: str) -> Scores:
    """Automatic scores by learner, notebook and cell."""
    with Gradebook(f"sqlite:///{root}/gradebook.db", COURSE) as gradebook:
        return {(submission.student.id, page.name, grade.cell.name): grade.auto_score
                for submission in gradebook.assignment_submissions(name)
                for page in submission.notebooks for grade in page.grades}  # fmt: skip


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


@contextmanager
def grading_course(folder: Path, engine: Engine) -> Iterator[GradingCourse]:
    """A course with its records service running."""
    with serving(make_app(engine, folder / "blobs")) as api:
        yield GradingCourse(folder, engine, api, folder / "blobs")
