"""Putting a course's labs together: build the source version, make nbgrader's release version, hand it out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from sqlalchemy import select

from grader.nbgrader_setup import course_api, problem_of
from grader.records import work
from grader.records.blobs import hash_file
from grader.records.db import open_database, reading
from grader.records.models import CourseRun, Event
from hub_config.grading import become_grader
from hub_config.settings import Settings
from labs.build import build_lab
from labs.catalog import LabFolder, find_lab
from labs.texts import Lang, UserError


class BuildFailed(UserError):
    """A lab that nbgrader would not build or hand out."""


def course_labs(settings: Settings, only: str | None = None) -> list[tuple[str, Lang, str]]:
    """Every lab of a pack in every course run, or in one: course, language, lab. What instructors wrote they hand out themselves."""
    engine = open_database(settings.records_database)
    with reading(engine) as session:
        own = {
            (event.course_id, event.payload["lab"])
            for event in session.scalars(select(Event).where(Event.kind == work.RELEASED))
            if "title_ko" in event.payload
        }
        runs = session.scalars(select(CourseRun).order_by(CourseRun.id)).all()
        found: list[tuple[str, Lang, str]] = [
            (run.id, "en" if run.lang == "en" else "ko", row.lab_id)
            for run in runs
            for row in run.labs
            if (run.id, row.lab_id) not in own and only in (None, run.id)
        ]
    engine.dispose()
    return found


def build_labs(settings: Settings, say: Callable[[str], None], only: str | None = None) -> None:
    """Build every lab that is not built, or whose source has changed; of one course run where asked."""
    for course, lang, lab_id in course_labs(settings, only):
        root, lab = settings.course_root(course), find_lab(lab_id)
        stamp = root / "built" / lab_id
        state = _state(lab)
        if stamp.is_file() and stamp.read_text("utf-8") == state:
            continue
        say(f"{course} · {lab_id}")
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        build_lab(lab, course, lang, root / "source" / lab_id)
        _must(course_api(root, course).generate_assignment(lab_id, force=True), course, lab_id)
        stamp.parent.mkdir(exist_ok=True)
        stamp.write_text(state, "utf-8")


def release_labs(settings: Settings, only: str | None = None) -> None:
    """Hand out every lab; one that is handed out unchanged stays as it is. Of one course run where asked."""
    become_grader(settings)
    for course, _lang, lab_id in course_labs(settings, only):
        _must(course_api(settings.course_root(course), course).release_assignment(lab_id), course, lab_id)


def _state(lab: LabFolder) -> str:
    """What the built lab depends on: its folder and our version."""
    digest = hashlib.sha256(version("practicum").encode())
    for path in sorted(p for p in lab.folder.rglob("*") if p.is_file() and "reference" not in p.parts):
        digest.update(f"{path.relative_to(lab.folder)} {hash_file(path)}\n".encode())
    return digest.hexdigest()


def _must(outcome: dict[str, Any], course: str, lab: str) -> None:
    if said := problem_of(outcome):
        raise BuildFailed(
            f"{course}의 실습 {lab}을(를) 만들지 못했습니다: {said}", f"{course}: lab {lab} was not built: {said}"
        )
