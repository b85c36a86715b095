"""Deleting what is older than it may be, on this machine. The rule: nothing goes that `practicum retention` did not name before."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from grader.gradebook import forget_student
from grader.records import looks, retention, self_checks, sightings
from grader.records.blobs import BlobStore
from grader.records.db import open_database, reading, writing
from grader.records.retention import Due
from hub_config.settings import Settings

#: Folders of a course that have a folder for each learner.
BY_LEARNER = ("submitted", "autograded", "feedback", "results", "logs")
REASON = "retention period over"


def find(settings: Settings, now: datetime) -> Due:
    """What may go now."""
    engine = open_database(settings.records_database)
    with reading(engine) as session:
        found = retention.due(
            session, now.date(), looks_years=settings.keep_looks_years, records_years=settings.keep_records_years
        )
    engine.dispose()
    return found


def carry_out(settings: Settings, found: Due, *, actor: str, now: datetime) -> Iterator[str]:
    """Delete and anonymise, one person after the other; gives each login when it is done. Can be run again after a stop."""
    engine = open_database(settings.records_database)
    blobs = BlobStore(settings.data / "records" / "blobs")
    with writing(engine) as session:
        looks.forget(session, found.looks_before)
        sightings.forget(session, now)
        self_checks.forget(session, now)
    for login in found.people:
        with reading(engine) as session:
            files = retention.files_of(session, login)
        for sha256 in files:
            blobs.forget(sha256)
        for folder in _folders(settings, login):
            shutil.rmtree(folder)
        for course in (settings.data / "courses").glob("*/"):
            forget_student(course, login)
            # What was compared names two people each time; it can be made again.
            if any(course.glob(f"similar/prints/*/{login}.json")):
                shutil.rmtree(course / "similar")
        # Last: until the name is gone the person is found again.
        with writing(engine) as session:
            retention.anonymise(session, login, actor=actor, reason=REASON, now=now)
        yield login
    engine.dispose()


def _folders(settings: Settings, login: str) -> Iterator[Path]:
    """What lies on this machine of a learner: the home, and a folder in each course's."""
    places = [settings.data / "homes"]
    places += [course / kind for course in (settings.data / "courses").glob("*/") for kind in BY_LEARNER]
    for place in places:
        folder = place / login
        if folder.is_dir() and not folder.is_symlink() and folder.parent == place:
            yield folder
