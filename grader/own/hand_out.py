"""Handing out an assignment that an instructor wrote: copy, generate, look it through, release.

The rule: it is generated from a copy that nobody can change meanwhile, and what still holds a solution or a hidden test is not
handed out. nbgrader's step that runs cells to write tests is left out: it would run them outside of the sandbox.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from nbgrader.converters.generate_assignment import GenerateAssignment
from nbgrader.coursedir import CourseDirectory

from grader.client import RecordsClient
from grader.course_files import inside
from grader.nbgrader_setup import course_config, problem_of, put_on_path
from grader.own.marks import has_mark
from grader.own.sources import look_at, read_cells, source_of, walk
from grader.own.terms import OwnTerms
from labs.texts import UserError


class NotHandedOut(UserError):
    """An assignment that cannot be handed out as it is."""


def hand_out(root: Path, course: str, name: str, terms: OwnTerms | None) -> None:
    """Hand out an assignment; without terms again, as it is changed now."""
    source = look_at(root, name)
    if source.problems:
        told = "; ".join(f"{p.trouble} {p.where}".strip() for p in source.problems)
        raise NotHandedOut(f"{name}: 먼저 고칠 것이 있습니다: {told}", f"{name}: to be mended first: {told}")
    with tempfile.TemporaryDirectory(prefix="practicum-release-") as folder:
        staging = Path(folder)
        _copy(root / "source" / name, staging / "source" / "." / name)
        _generate(root, course, name, staging)
        released = staging / "release" / name
        if left := sorted(set(_left(staging / "source" / name, released))):
            told = ", ".join(left)
            raise NotHandedOut(
                f"{name}: 풀이나 숨은 테스트가 남아 있어 배포하지 않았습니다: {told}",
                f"{name}: not handed out, because a solution or a hidden test is left in {told}",
            )
        _keep(released, root, name)
        files = [(path.relative_to(released).as_posix(), path) for path in walk(released)]
        more = {"own": terms.model_dump_json()} if terms else {}
        with RecordsClient() as records:
            records.upload("PUT", f"/courses/{course}/labs/{name}/release", files, more)


def _copy(source: Path, target: Path) -> None:
    for path in walk(source):
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        # A file that became a link since it was looked at is not opened.
        with (
            os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as stream,
            place.open("wb") as out,
        ):
            shutil.copyfileobj(stream, out)


def _generate(root: Path, course: str, name: str, staging: Path) -> None:
    """nbgrader's release version, beside the copy; the cells go into the course's own gradebook."""
    gradebook = inside(root, "gradebook.db")
    if gradebook is None:
        raise NotHandedOut(f"{course}: gradebook.db가 링크입니다.", f"{course}: gradebook.db is a link")
    put_on_path()
    config = course_config(staging, course)
    config.CourseDirectory.db_url = f"sqlite:///{gradebook}"
    coursedir = CourseDirectory(config=config, assignment_id=name)
    converter = GenerateAssignment(coursedir=coursedir, config=config)
    converter.preprocessors = [step for step in converter.preprocessors if step.__name__ != "InstantiateTests"]
    converter.force = True
    said = _Heard()
    converter.log.addHandler(said)
    try:
        converter.start()
    except (Exception, SystemExit) as error:
        log = "\n".join([*said.lines, f"{type(error).__name__}: {error}"])
        told = problem_of({"success": False, "log": log})
        raise NotHandedOut(
            f"{name}: 배포본을 만들지 못했습니다: {told}", f"{name}: it could not be generated: {told}"
        ) from error
    finally:
        converter.log.removeHandler(said)


def _left(source: Path, released: Path) -> Iterator[str]:
    """The files of a release version in which something is left that was to be taken out."""
    for path in walk(released):
        if path.suffix != ".ipynb":
            if has_mark(path.read_bytes().decode("utf-8", "replace")):
                yield path.name
            continue
        lines, hidden = _lines(source / path.name)
        now = {line.strip() for cell in read_cells(path)[0] for line in source_of(cell).splitlines()}
        outputs = any(cell.get("outputs") for cell in read_cells(path)[0])
        if outputs or (hidden - lines) & now or any(map(has_mark, now)):
            yield path.name


def _lines(notebook: Path) -> tuple[set[str], set[str]]:
    """The lines of a source notebook that may be seen, and those that may not."""
    seen: set[str] = {""}
    hidden: set[str] = set()
    for cell in read_cells(notebook)[0]:
        region = False
        for line in source_of(cell).splitlines():
            if has_mark(line):
                region = "BEGIN" in line.upper()
            else:
                (hidden if region else seen).add(line.strip())
    return seen, hidden


def _keep(released: Path, root: Path, name: str) -> None:
    """Put the release version and a copy of nothing else where nbgrader looks for it."""
    target = inside(root, "release", name)
    if target is None:
        raise NotHandedOut(f"{name}: release 폴더가 링크입니다.", f"{name}: the release folder is a link")
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(released, target)


class _Heard(logging.Handler):
    """What nbgrader says went wrong."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines += record.getMessage().splitlines()
