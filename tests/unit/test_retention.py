"""What is older than it may be is named first, then goes for good: names, files, homes, scores; the chain holds."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from small_course import COURSE, MONDAY_TEN, fill
from small_gradebook import make_gradebook

from grader.gradebook import open_book
from grader.records import journal, looks, retention, work
from grader.records.blobs import BlobStore, manifest_of
from grader.records.db import open_database, reading, writing
from grader.records.models import Enrolment, Person
from grader.records.state import find_course
from hub_config.cli import main
from hub_config.retention import carry_out, find
from hub_config.settings import Settings

#: The small course ended on 10 July 2026.
LATER = datetime(2031, 7, 11, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A data folder with the small course, two submissions, a gradebook and homes."""
    made = Settings(data=tmp_path / "var")
    engine = open_database(made.records_database)
    fill(engine)
    blobs = BlobStore(made.data / "records" / "blobs")
    with writing(engine) as session:
        run = find_course(session, COURSE)
        shared = blobs.put(io.BytesIO(b"handed out"), "clip.mp4")
        work.release(session, run, "rough-cut", manifest_of([shared]), actor="eve", due_at=None, now=MONDAY_TEN)
        for login in ("ann", "bob"):
            mine = blobs.put(io.BytesIO(login.encode()), "final.mp4")
            work.submit(session, run, "rough-cut", manifest_of([shared, mine]), learner=login, now=MONDAY_TEN)
        looks.note(session, who="eve", address="::1", what="x", course=COURSE, subject="ann", now=MONDAY_TEN)
    engine.dispose()
    root = made.course_root(COURSE)
    make_gradebook(root, "rough-cut", ["ann", "bob"])
    for login in ("ann", "bob"):
        for folder in (made.data / "homes" / login, root / "submitted" / login / "rough-cut", root / "logs" / login):
            folder.mkdir(parents=True)
            (folder / "work.txt").write_text(login)
    prints = root / "similar" / "prints" / "rough-cut"
    prints.mkdir(parents=True)
    (prints / "ann.json").write_text("{}")
    return made


def test_nothing_is_due_before_its_time(settings: Settings) -> None:
    found = find(settings, datetime(2028, 7, 5, tzinfo=UTC))
    assert (found.looks, found.people) == (0, ())
    assert find(settings, datetime(2028, 7, 7, tzinfo=UTC)).looks == 1
    assert find(settings, LATER - timedelta(days=1)).people == ()


def test_staff_and_who_came_again_stay(settings: Settings) -> None:
    engine = open_database(settings.records_database)
    with writing(engine) as session:
        session.add(Enrolment(course_id=COURSE, login="eve"))
    engine.dispose()
    assert find(settings, LATER).people == ("ann", "bob")


def test_what_is_due_goes_and_the_chain_holds(settings: Settings) -> None:
    found = find(settings, LATER)
    assert list(carry_out(settings, found, actor="operator", now=LATER)) == ["ann", "bob"]
    engine = open_database(settings.records_database)
    with reading(engine) as session:
        people = [session.get_one(Person, login) for login in ("ann", "bob")]
        assert {(person.name, person.outside_id) for person in people} == {(retention.NOBODY, None)}
        assert session.get_one(Person, "eve").name == "이브"
        assert journal.verify(session) is None
        assert looks.older_than(session, LATER) == 0
    engine.dispose()
    left = sorted(file.read_bytes() for file in (settings.data / "records" / "blobs").glob("*/*"))
    assert left == [b"handed out"], "what was handed out to everybody stays"
    root = settings.course_root(COURSE)
    for folder in (settings.data / "homes", root / "submitted", root / "logs"):
        assert list(folder.iterdir()) == []
    assert not (root / "similar").exists()
    with open_book(root) as book:
        assert list(book.students) == []
    assert find(settings, LATER).people == ()


def test_a_stop_in_the_middle_is_taken_up_again(settings: Settings) -> None:
    going = carry_out(settings, find(settings, LATER), actor="operator", now=LATER)
    assert next(going) == "ann"
    going.close()
    assert find(settings, LATER).people == ("bob",)
    assert list(carry_out(settings, find(settings, LATER), actor="operator", now=LATER)) == ["bob"]


def test_a_link_in_the_place_of_a_home_is_not_followed(settings: Settings, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("")
    home = settings.data / "homes" / "ann"
    (home / "work.txt").unlink()
    home.rmdir()
    home.symlink_to(elsewhere)
    list(carry_out(settings, find(settings, LATER), actor="operator", now=LATER))
    assert (elsewhere / "kept").exists()


@pytest.fixture
def command(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CliRunner]:
    file = tmp_path / "practicum.yaml"
    file.write_text("data: var\nlanguage: en\nkeep_records_years: 1\nkeep_looks_years: 1\n")
    monkeypatch.setenv("PRACTICUM_SETTINGS", str(file))
    return CliRunner()


def test_the_command_names_first_and_deletes_when_it_is_told(command: CliRunner, settings: Settings) -> None:
    # The course began in July 2026; these settings keep a year.
    if date(2027, 7, 12) > datetime.now(UTC).date():
        assert "0 looks" in command.invoke(main, ["retention"]).output
    engine = open_database(settings.records_database)
    with writing(engine) as session:
        find_course(session, COURSE).ends_on = date(2020, 1, 1)
    engine.dispose()
    said = command.invoke(main, ["retention"])
    assert "2 learners" in said.output
    assert "run it again with --apply" in said.output
    assert (settings.data / "homes" / "ann").is_dir()
    done = command.invoke(main, ["retention", "--apply"])
    assert "✔ ann" in done.output
    assert not (settings.data / "homes" / "ann").exists()
