"""Backup and restore: taken while everything is written to, complete when it is back, and refused where it is not what it was."""

# ruff: noqa: F401, F811 (fixtures are imported, and named again where they are used)

from __future__ import annotations

import gzip
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tarfile
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from backup_house import PASSPHRASE, House, events_of, house, plain, quick
from small_course import COURSE
from sqlalchemy import select

from grader.records import journal
from grader.records.db import open_database, reading, writing
from grader.records.head_check import verify as verify_heads
from grader.records.models import Event, Person
from hub_config.backup import archive, restore, sources
from hub_config.backup.archive import LIST, MARK, Contents
from hub_config.backup.create import create
from hub_config.backup.faults import BadBackup
from hub_config.heads import head_export
from hub_config.settings import Settings

# --- whole and back again --------------------------------------------------------------------------------------------


def test_a_backup_taken_while_all_is_written_to_comes_back_whole(house: House, tmp_path: Path) -> None:
    stop, failed = threading.Event(), list[BaseException]()

    def write() -> None:
        number = 0
        try:
            while not stop.is_set():
                number += 1
                house.hand_in(f"submission {number}".encode())
                head_export(house.settings).export(house.engine, datetime.now(UTC))
        except BaseException as error:
            failed.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        time.sleep(0.3)
        before = events_of(house.engine)
        made = [create(house.settings, tmp_path / f"{n}.backup", homes=True, passphrase=PASSPHRASE) for n in range(3)]
        after = events_of(house.engine)
    finally:
        stop.set()
        writer.join()
    assert failed == []
    assert [contents.left_out for contents in made] == [(), (), ()]
    folder = tmp_path / "restored"
    contents, held = restore.restore(tmp_path / "2.backup", folder, PASSPHRASE)
    restored = Settings(data=folder)
    engine = open_database(restored.records_database)
    events = events_of(engine)
    assert len(before) < len(events) <= len(after)
    assert events == after[: len(events)]
    with reading(engine) as session:
        assert verify_heads(session, head_export(restored).heads).finding is None
        assert session.scalars(select(Person.name).order_by(Person.login)).all() == ["안나", "밥", "이브"]
    assert held.events == len(events)
    assert held.heads >= 2
    for path, content in house.files("courses", "homes", "secrets").items():
        if not path.endswith(".db"):
            assert (folder / path).read_bytes() == content, path
    assert not (folder / "logs").exists()
    assert not (folder / "models").exists()
    assert (folder / archive.SETTINGS).read_text() == "language: ko\n"
    with closing(sqlite3.connect(folder / "courses/course-a/gradebook.db")) as gradebook:
        assert gradebook.execute("SELECT count(*) FROM t").fetchone() == (1000,)
    # And it goes on: another event, another head with the same key.
    with writing(engine) as session:
        journal.append(session, "test", actor="a", course=COURSE)
    head = head_export(restored).export(engine, datetime.now(UTC))
    assert head is not None
    assert head.key == head_export(house.settings).heads.keys.current()
    with reading(engine) as session:
        assert verify_heads(session, head_export(restored).heads).finding is None
    engine.dispose()
    assert contents.database == house.engine.dialect.name


def test_records_go_back_into_postgresql(house: House, tmp_path: Path, postgres: Any) -> None:
    create(house.settings, tmp_path / "a.backup")
    restore.restore(tmp_path / "a.backup", tmp_path / "restored")
    url = postgres.make()
    target = Settings(data=tmp_path / "restored", database_url=url)
    assert restore.load_records(tmp_path / "restored", target) > 10
    engine = open_database(target.records_database)
    assert events_of(engine) == events_of(house.engine)
    with reading(engine) as session:
        assert verify_heads(session, head_export(target).heads).finding is None
    engine.dispose()
    with pytest.raises(Exception, match="not empty"):
        restore.load_records(tmp_path / "restored", target)
    postgres.drop(url)


@pytest.mark.parametrize(
    ("passphrase", "secrets", "kept"), [(None, False, False), (None, True, True), (PASSPHRASE, True, True)]
)
def test_secrets_are_kept_only_where_it_was_said(
    plain: House, tmp_path: Path, passphrase: str | None, secrets: bool, kept: bool
) -> None:
    file = tmp_path / "a.backup"
    contents = create(plain.settings, file, secrets=secrets, passphrase=passphrase)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {entry.path for entry in contents.files if entry.path.startswith("secrets/")} == (
        {"secrets/class-codes", "secrets/journal-key"} if kept else set()
    )
    assert not any(entry.path.startswith("homes/") for entry in contents.files)
    assert (b"a" * 64 in gzip.decompress(file.read_bytes())) is kept if passphrase is None else True
    restore.restore(file, tmp_path / "restored", passphrase)
    if kept:
        assert stat.S_IMODE((tmp_path / "restored/secrets/class-codes").stat().st_mode) == 0o600


def test_a_restored_program_keeps_its_mode_but_never_a_set_user_bit(plain: House, tmp_path: Path) -> None:
    create(plain.settings, tmp_path / "a.backup", homes=True)
    restore.restore(tmp_path / "a.backup", tmp_path / "restored")
    assert stat.S_IMODE((tmp_path / "restored/homes/ann/run.sh").stat().st_mode) == 0o755


def test_links_and_what_is_no_file_are_left_out_and_named(plain: House, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("a secret of the machine")
    for name, make in {
        "link": lambda path: path.symlink_to(outside),
        "folder": lambda path: path.symlink_to(tmp_path),
        "pipe": lambda path: os.mkfifo(path),
        "broken.db": lambda path: path.write_bytes(b"SQLite format 3\0" + b"x" * 5000),
    }.items():
        make(plain.data / "courses" / "course-a" / name)
    contents = create(plain.settings, tmp_path / "a.backup")
    assert sorted(left.partition(":")[0] for left in contents.left_out) == [
        f"courses/course-a/{name}" for name in ("broken.db", "folder", "link", "pipe")
    ]
    assert b"a secret of the machine" not in gzip.decompress((tmp_path / "a.backup").read_bytes())
    restore.verify(tmp_path / "a.backup")


def test_a_folder_that_stands_on_another_disk_is_kept(plain: House, tmp_path: Path) -> None:
    shutil.move(plain.data / "courses", tmp_path / "elsewhere")
    (plain.data / "courses").symlink_to(tmp_path / "elsewhere")
    contents = create(plain.settings, tmp_path / "a.backup")
    assert "courses/course-a/source/lab/한글 이름.md" in {entry.path for entry in contents.files}


# --- interrupted -----------------------------------------------------------------------------------------------------


def test_an_interrupted_backup_leaves_nothing_under_its_name(plain: House, tmp_path: Path) -> None:
    def interrupt(_size: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        create(plain.settings, tmp_path / "a.backup", report=interrupt, passphrase=PASSPHRASE)
    assert [path.name for path in tmp_path.iterdir()] == ["var"]
    assert not any((plain.data / "run").glob("tmp*"))


def test_a_killed_backup_leaves_nothing_under_its_name_and_the_next_one_is_whole(plain: House, tmp_path: Path) -> None:
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom hub_config.backup.create import create\n"
        "from hub_config.settings import Settings\n"
        "def slow(size): print(size, flush=True); time.sleep(0.2)\n"
        "create(Settings(data=Path(sys.argv[1])), Path(sys.argv[2]), report=slow)\n"
    )
    argv = [sys.executable, "-c", script, str(plain.data), str(tmp_path / "a.backup")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(3):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "a.backup").exists()
    create(plain.settings, tmp_path / "a.backup")
    restore.verify(tmp_path / "a.backup")
    assert {path.name for path in tmp_path.iterdir()} == {"var", "a.backup"}


def test_what_is_in_the_way_of_a_backup_is_one_sentence(plain: House, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    with pytest.raises(BadBackup, match="is there already"):
        create(plain.settings, tmp_path / "there")
    assert (tmp_path / "there").read_text() == "mine"
    with pytest.raises(BadBackup, match="no such folder"):
        create(plain.settings, tmp_path / "nowhere" / "a")
    with pytest.raises(BadBackup, match="no records yet"):
        create(Settings(data=tmp_path / "empty"), tmp_path / "a")


def test_the_list_tells_of_every_file(plain: House, tmp_path: Path) -> None:
    contents = create(plain.settings, tmp_path / "a.backup", homes=True, secrets=True)
    with tarfile.open(tmp_path / "a.backup") as tar:  # as other tools read it
        names = tar.getnames()
        listed = Contents.model_validate_json(tar.extractfile(LIST).read())  # type: ignore[union-attr]
    assert names == [MARK, *(entry.path for entry in contents.files), LIST]
    assert listed == contents
    assert sources.size_of(plain.data, sources.folders_of(True, True)) > 10_000
    assert Event.__tablename__ == "event"
