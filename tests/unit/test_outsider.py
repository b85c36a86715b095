"""The program with which an outsider verifies the journal: on a copy of the database and on lines of JSON, without Practicum."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, inspect, text

from grader.records import heads, journal, verify_journal
from grader.records.db import writing
from grader.records.heads import Heads
from hub_config.cli import main

NOON = datetime(2026, 7, 6, 3, tzinfo=UTC)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The program as the command prints it."""
    path = tmp_path / "verify_journal.py"
    path.write_text(CliRunner().invoke(main, ["journal", "script"]).output, "utf-8")
    return path


@pytest.fixture
def exported(engine: Engine, tmp_path: Path) -> Heads:
    made = Heads(tmp_path / "heads", tmp_path / "journal-key")
    for number in range(3):
        with writing(engine) as session:
            journal.append(
                session, "attendance.checked_in", actor="haneul", course="course-a", subject="haneul", key=f"k{number}",
                payload={"day": "2026-07-06", "글": "가나다 \"é\" \U0001f600 \\u0000", "points": 7.5 + number, "none": None},
                at=None if number else NOON,
            )  # fmt: skip
        heads.export(engine, made, NOON)
    return made


def events_of(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, copy: bool) -> Path:
    """What the outsider is given: a copy of the SQLite file, or a dump."""
    if copy:
        return Path(shutil.copy(str(engine.url.database), tmp_path / "copy.db"))
    settings = tmp_path / "practicum.yaml"
    url = "" if engine.dialect.name == "sqlite" else f"database_url: {engine.url.render_as_string(False)}"
    folder = "data"
    if not url:
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "records").symlink_to(Path(str(engine.url.database)).parent)
    settings.write_text(f"data: {folder}\n{url}\n")
    monkeypatch.setenv("PRACTICUM_SETTINGS", str(settings))
    dump = tmp_path / "events.jsonl"
    said = CliRunner().invoke(main, ["journal", "dump", str(dump)])
    assert said.exit_code == 0, said.output
    return dump


def run(*argv: str | Path, isolated: bool = False) -> subprocess.CompletedProcess[str]:
    """With `isolated`, a Python without any package."""
    python = [sys.executable, "-I", "-S"] if isolated else [sys.executable]
    return subprocess.run([*python, *map(str, argv)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("copy", [True, False], ids=["copy", "dump"])
def test_an_outsider_verifies_the_journal(
    engine: Engine, exported: Heads, program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copy: bool
) -> None:
    copy = copy and engine.dialect.name == "sqlite"
    file = events_of(engine, tmp_path, monkeypatch, copy=copy)
    with engine.connect() as connection:
        end = connection.execute(text("SELECT seq, hash FROM event ORDER BY seq DESC LIMIT 1")).one()
    for argv in ([file], [file, exported.file]):
        said = run(program, *argv)
        assert (said.returncode, said.stdout, said.stderr) == (0, f"{end.seq} {end.hash}\n", "")
    said = run(program, file, exported.file, isolated=True)
    assert (said.returncode, said.stdout) == (0, f"{end.seq} {end.hash}\n")
    assert "signatures are not verified" in said.stderr
    with exported.file.open("r+b") as stream:
        changed = stream.read().replace(b'"institution":"inst"', b'"institution":"mine"')
        stream.seek(0)
        stream.write(changed)
    assert "wrong signature" in run(program, file, exported.file).stderr


@pytest.mark.parametrize(
    ("attack", "named"),
    [
        ("UPDATE event SET actor = 'b' WHERE seq = 3", "event 3 does not hold"),
        ("DELETE FROM event WHERE seq = 2", "event 3 does not hold"),
        ("DELETE FROM event WHERE seq > 4", "event 5 does not hold"),
    ],
)
def test_an_outsider_finds_what_was_changed(
    engine: Engine,
    exported: Heads,
    program: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    attack: str,
    named: str,
) -> None:
    with engine.begin() as connection:
        connection.execute(text(attack))
    said = run(program, events_of(engine, tmp_path, monkeypatch, copy=False), exported.file)
    assert said.returncode == 1
    assert named in said.stderr


def test_what_the_program_hashes_is_every_column(engine: Engine) -> None:
    columns = {column["name"] for column in inspect(engine).get_columns("event")}
    assert columns == set(verify_journal.COLUMNS.split(", "))
