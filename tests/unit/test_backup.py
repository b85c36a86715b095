"""Backup and restore: taken while everything is written to, complete when it is back, and refused where it is not what it was."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ledger_support import NO_LIMITS, open_ledger, opening
from small_course import COURSE, MONDAY_TEN, fill
from sqlalchemy import Engine, select, text

from grader.records import anchors, journal, work
from grader.records.blobs import BlobStore, manifest_of
from grader.records.chain import Finding, rows
from grader.records.db import open_database, reading, writing
from grader.records.head_check import verify as verify_heads
from grader.records.models import Event, Person
from grader.records.state import find_course
from hub_config.ai_gateway.ledger import Settlement
from hub_config.backup import archive, restore, sealed, sources
from hub_config.backup.archive import FORMAT, LIST, MARK, Contents
from hub_config.backup.create import create
from hub_config.backup.faults import BadBackup
from hub_config.heads import head_export
from hub_config.settings import Settings

PASSPHRASE = "열두 글자보다 긴 암호"
LAB = "rough-cut"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A passphrase that is guessed faster: the tests open many."""
    assert sealed.WORK >= 17
    monkeypatch.setattr(sealed, "WORK", 10)


class House:
    """A data folder as a Practicum leaves it, over one of the two databases."""

    def __init__(self, folder: Path, database: str) -> None:
        self.data = folder / "var"
        url = None if database.startswith("sqlite") else database
        self.settings = Settings(data=self.data, database_url=url)
        self.engine = open_database(self.settings.records_database)
        fill(self.engine)
        self.blobs = BlobStore(self.data / "records" / "blobs")
        self.hand_in(b"a clip")
        for path, content in {
            "courses/course-a/source/lab/한글 이름.md": "글".encode(),
            "courses/course-a/logs/ann/lab.log": b"x" * 100,
            f"homes/ann/{'긴이름' * 20}/{'x' * 120}.txt": b"long",
            "homes/ann/run.sh": b"#!/bin/sh",
            "secrets/class-codes": b"a" * 64,
            "run/settings.yaml": b"language: ko\n",
            "logs/portal.log": b"never kept",
            "models/weights": b"never kept",
        }.items():
            self.put(path, content)
        (self.data / "homes" / "ann" / "run.sh").chmod(0o4755)
        self.database("courses/course-a/gradebook.db")
        self.database("hub/jupyterhub.sqlite")
        self.receipts()
        head_export(self.settings).export(self.engine, MONDAY_TEN)

    def put(self, path: str, content: bytes) -> Path:
        file = self.data / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return file

    def database(self, path: str) -> None:
        self.put(path, b"").unlink()
        with closing(sqlite3.connect(self.data / path)) as made, made:
            made.execute("CREATE TABLE t (n)")
            made.executemany("INSERT INTO t VALUES (?)", [(n,) for n in range(1000)])

    def receipts(self) -> None:
        async def call() -> tuple[int, str]:
            ledger = await open_ledger(self.data / "ai" / "gateway.db")
            made = opening()
            assert await ledger.reserve(made, NO_LIMITS) is None
            ledger.settle(made.receipt, Settlement("ok", cost_krw=1))
            await ledger.flush()
            head = await ledger.head()
            await ledger.close()
            return head

        number, digest = asyncio.run(call())
        with writing(self.engine) as session:
            anchors.add(session, anchors.Anchor(number=number, hash=digest), "ai-gateway")

    def hand_in(self, content: bytes) -> None:
        manifest = manifest_of([self.blobs.put(io.BytesIO(content), "final.mp4")])
        with writing(self.engine) as session:
            run = find_course(session, COURSE)
            work.release(session, run, LAB, manifest, actor="eve", due_at=None, now=MONDAY_TEN)
            work.submit(session, run, LAB, manifest, learner="ann", now=MONDAY_TEN)

    def files(self, *folders: str) -> dict[str, bytes]:
        found = [path for folder in folders for path in (self.data / folder).rglob("*") if path.is_file()]
        return {str(path.relative_to(self.data)): path.read_bytes() for path in found}


@pytest.fixture
def house(tmp_path: Path, database: str) -> Iterator[House]:
    made = House(tmp_path, database)
    yield made
    made.engine.dispose()


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[House]:
    """On SQLite only, where the database makes no difference."""
    made = House(tmp_path, "sqlite://")
    yield made
    made.engine.dispose()


def events_of(engine: Engine) -> list[tuple[Any, ...]]:
    with reading(engine) as session:
        return [tuple(row) for row in rows(session) if not isinstance(row, Finding)]


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


# --- damaged and cut off ---------------------------------------------------------------------------------------------


@pytest.fixture(params=[None, PASSPHRASE], ids=["plain", "sealed"])
def backup(request: pytest.FixtureRequest, plain: House, tmp_path: Path) -> tuple[Path, str | None]:
    plain.put("courses/course-a/source/lab/noise.bin", random.Random(1).randbytes(3_000_000))
    create(plain.settings, tmp_path / "a.backup", passphrase=request.param)
    return tmp_path / "a.backup", request.param


def refused(file: Path, folder: Path, passphrase: str | None = None) -> str:
    """The sentence with which a backup is refused, and nothing is left of it."""
    with pytest.raises(BadBackup) as error:
        restore.restore(file, folder, passphrase)
    assert not folder.exists()
    with pytest.raises(BadBackup):
        restore.verify(file, passphrase)
    for said in (error.value.text.ko, error.value.text.en):
        assert "\n" not in said
    return error.value.text.en


def test_a_truncated_backup_is_refused(backup: tuple[Path, str | None], tmp_path: Path) -> None:
    file, passphrase = backup
    whole, chance = file.read_bytes(), random.Random(2)
    pieces = [1 << 20, (1 << 20) + 68, 52, 40, 1, len(whole) - 1]
    for size in [*pieces, *(chance.randrange(1, len(whole)) for _ in range(8))]:
        (tmp_path / "cut").write_bytes(whole[:size])
        said = refused(tmp_path / "cut", tmp_path / "restored", passphrase)
        assert any(word in said for word in ("ends before its end", "cut off", "no backup of Practicum")), (size, said)


def test_a_changed_backup_is_refused(backup: tuple[Path, str | None], tmp_path: Path) -> None:
    file, passphrase = backup
    whole, chance = file.read_bytes(), random.Random(3)
    for _ in range(12):
        changed = bytearray(whole)
        place = chance.randrange(20, len(whole))  # the head of gzip holds what nobody reads
        changed[place] ^= 1 << chance.randrange(8)
        (tmp_path / "changed").write_bytes(changed)
        refused(tmp_path / "changed", tmp_path / "restored", passphrase)
    (tmp_path / "longer").write_bytes(whole + b"x" * 100)
    refused(tmp_path / "longer", tmp_path / "restored", passphrase)


def test_a_sealed_backup_opens_with_its_passphrase_only(plain: House, tmp_path: Path) -> None:
    file = tmp_path / "a.backup"
    create(plain.settings, file, passphrase=PASSPHRASE)
    assert "the passphrase is wrong" in refused(file, tmp_path / "restored", PASSPHRASE + "x")
    assert "--passphrase-file" in refused(file, tmp_path / "restored")
    assert "안나".encode() not in file.read_bytes()
    whole = file.read_bytes()
    assert (
        len(
            {
                whole[:40],
                (create(plain.settings, tmp_path / "b", passphrase=PASSPHRASE), (tmp_path / "b").read_bytes()[:40])[1],
            }
        )
        == 2
    )


def test_pieces_of_a_sealed_backup_cannot_be_moved(plain: House, tmp_path: Path) -> None:
    plain.put("courses/course-a/source/lab/noise.bin", random.Random(1).randbytes(4_000_000))
    file = tmp_path / "a.backup"
    create(plain.settings, file, passphrase=PASSPHRASE)
    whole, head, piece = file.read_bytes(), len("practicum-sealed-1\n") + 1 + 16 + 16, (1 << 20) + 16
    parts = [whole[:head], *(whole[at : at + piece] for at in range(head, len(whole), piece))]
    assert len(parts) > 4
    for order in (
        [0, 2, 1, *range(3, len(parts))],
        [0, 1, *range(3, len(parts))],
        [*range(len(parts) - 1)],
        [0, 1, 1, *range(2, len(parts))],
    ):
        (tmp_path / "moved").write_bytes(b"".join(parts[number] for number in order))
        assert "cut off or changed" in refused(tmp_path / "moved", tmp_path / "restored", PASSPHRASE)


def test_a_folder_that_is_not_empty_is_refused_and_stays(plain: House, tmp_path: Path) -> None:
    create(plain.settings, tmp_path / "a.backup")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    for folder in (tmp_path / "full", tmp_path / "full" / "mine"):
        with pytest.raises(BadBackup, match="is not empty"):
            restore.restore(tmp_path / "a.backup", folder)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine"]
    (tmp_path / "empty").mkdir()
    (tmp_path / "foreign").write_bytes(b"x")
    with pytest.raises(BadBackup):
        restore.restore(tmp_path / "foreign", tmp_path / "empty")
    assert list((tmp_path / "empty").iterdir()) == []
    restore.restore(tmp_path / "a.backup", tmp_path / "empty")
    assert not (tmp_path / "empty" / ".restoring").exists()


# --- records that do not hold ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attack", "named"),
    [
        (lambda house: sql(house, "UPDATE event SET actor = 'b' WHERE seq = 2"), "event 2"),
        (lambda house: sql(house, "DELETE FROM event WHERE seq >= 3"), "event 3"),
        (lambda house: next((house.data / "records/blobs").rglob("?" * 64)).write_bytes(b"other"), "something else"),
        (lambda house: next((house.data / "records/blobs").rglob("?" * 64)).unlink(), "event 1 names is not"),
        (lambda house: (house.data / "ai/gateway.db").unlink(), "AI receipts"),
    ],
)
def test_a_backup_of_records_that_do_not_hold_says_so(
    plain: House, tmp_path: Path, attack: Callable[[House], None], named: str
) -> None:
    attack(plain)
    create(plain.settings, tmp_path / "a.backup")
    assert named in refused(tmp_path / "a.backup", tmp_path / "restored")
    _, held = restore.restore(tmp_path / "a.backup", tmp_path / "restored", anyway=True)
    assert held.wrong is not None
    assert named in held.wrong.en
    assert (tmp_path / "restored/records/records.db").is_file()


def sql(house: House, statement: str) -> None:
    with house.engine.begin() as connection:
        connection.execute(text(statement))


# --- hostile archives ------------------------------------------------------------------------------------------------


def member(name: str, content: bytes = b"x", **more: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in more.items():
        setattr(info, field, value)
    return info, content


def forged(file: Path, *members: tuple[tarfile.TarInfo, bytes], listed: list[str] | None = None, **fields: Any) -> Path:
    """An archive that somebody made by hand, with a list that fits where none is given."""
    files = [
        {"path": info.name, "size": info.size, "sha256": hashlib.sha256(content).hexdigest(), "mode": 0o644}
        for info, content in members
        if listed is None or info.name in listed
    ]
    contents = {
        "made_at": "2026-07-06T00:00:00Z", "version": "1", "database": "sqlite", "homes": True, "secrets": True,
        "left_out": [], "files": files, **fields,
    }  # fmt: skip
    listing = str(contents).replace("'", '"').replace("True", "true").encode()
    with tarfile.open(file, "w:gz", format=tarfile.PAX_FORMAT) as tar:
        for info, content in (member(MARK, FORMAT), *members, member(LIST, listing)):
            tar.addfile(info, io.BytesIO(content))
    return file


@pytest.mark.parametrize(
    "name",
    [
        "/etc/x",
        "../x",
        "homes/../../x",
        "homes//x",
        "homes/./x",
        "homes",
        "x",
        "etc/x",
        "run/settings.yaml",
        "homes/x/",
        "manifest.json/x",
        "homes/" + "x" * 5000,
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    refused(forged(tmp_path / "a", member(name)), tmp_path / "restored")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]


@pytest.mark.parametrize(
    "kind",
    [
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.FIFOTYPE,
        tarfile.CHRTYPE,
        tarfile.BLKTYPE,
        tarfile.DIRTYPE,
        tarfile.CONTTYPE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_SPARSE,
        b"Q",
    ],
)
def test_what_is_no_plain_file_is_refused(tmp_path: Path, kind: bytes) -> None:
    info, _ = member("homes/ann", b"", type=kind, linkname="/etc")
    said = refused(forged(tmp_path / "a", (info, b""), member("homes/ann/x")), tmp_path / "restored")
    assert "no plain file" in said


def test_a_link_would_have_led_out_of_the_folder(tmp_path: Path) -> None:
    """What the plain way of unpacking makes of it: the attack is real."""
    (tmp_path / "outside").mkdir()
    link, _ = member("homes/ann", b"", type=tarfile.SYMTYPE, linkname=str(tmp_path / "outside"))
    file = forged(tmp_path / "a", (link, b""), member("homes/ann/x"))
    with tarfile.open(file) as tar:
        # An attribute: before 3.11.4 `extractall` takes no filter, and trusts everything by itself.
        tar.extraction_filter = lambda entry, _path: entry
        tar.extractall(tmp_path / "naive")
    assert (tmp_path / "outside" / "x").is_file()
    (tmp_path / "outside" / "x").unlink()
    refused(file, tmp_path / "restored")
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_huge_name_is_refused_before_it_is_read(tmp_path: Path) -> None:
    info, content = member("homes/x", b"0" * 200_000, type=tarfile.XHDTYPE)
    assert "no plain file" in refused(forged(tmp_path / "a", (info, content)), tmp_path / "restored")


@pytest.mark.parametrize(
    "members",
    [
        [member("homes/a"), member("homes/a", b"y")],
        [member("homes/a"), member("homes/a/b")],
        [member("homes/a/b"), member("homes/a")],
        [member(LIST, b"{}"), member("homes/a")],
        [member(MARK, b"1\n")],
    ],
)
def test_a_file_that_comes_twice_or_stands_in_another_ones_place_is_refused(tmp_path: Path, members: list[Any]) -> None:
    assert "wrong place" in refused(forged(tmp_path / "a", *members), tmp_path / "restored")


@pytest.mark.parametrize(
    ("members", "more"),
    [
        ([member("homes/a"), member("homes/b")], {"listed": ["homes/a"]}),
        ([member("homes/a")], {"files": []}),
        ([member("homes/a")], {"files": [{"path": "homes/a", "size": 1, "sha256": "0" * 64, "mode": 0o644}]}),
        (
            [member("homes/a")],
            {"files": [{"path": "homes/a", "size": 2, "sha256": hashlib.sha256(b"x").hexdigest(), "mode": 0o644}]},
        ),
        ([member("homes/a")], {"files": [{"path": "../a", "size": 1, "sha256": "0" * 64, "mode": 0o644}]}),
        ([member("homes/a")], {"homes": "maybe"}),
        ([member("homes/a")], {}),  # whole, but without records
    ],
)
def test_a_list_that_does_not_fit_is_refused(tmp_path: Path, members: list[Any], more: dict[str, Any]) -> None:
    refused(forged(tmp_path / "a", *members, **more), tmp_path / "restored")


def test_what_would_fill_the_disk_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = shutil.disk_usage(tmp_path).free
    monkeypatch.setattr(restore, "LEAST_FREE_BYTES", free - 40_000_000)
    file = forged(tmp_path / "a", member("homes/bomb", bytes(300_000_000)))
    assert file.stat().st_size < 1_000_000
    assert "not enough room" in refused_restore(file, tmp_path / "restored")


def refused_restore(file: Path, folder: Path) -> str:
    with pytest.raises(BadBackup) as error:
        restore.restore(file, folder)
    assert not folder.exists()
    return error.value.text.en


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x",
        b"text " * 1000,
        gzip.compress(b"not a tar" * 1000, mtime=0),
        gzip.compress(b"", mtime=0),
        b"PK\x03\x04" + b"0" * 500,
        b"practicum-sealed-1\n",
        b"practicum-sealed-1\n" + bytes(200),
    ],
)
def test_a_foreign_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    refused(tmp_path / "a", tmp_path / "restored", PASSPHRASE)


def test_a_foreign_archive_is_refused_at_its_first_file(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a", "w:gz") as tar:
        for info, content in (member("homes/a"), member("records/records.db")):
            tar.addfile(info, io.BytesIO(content))
    assert "no backup of Practicum" in refused(tmp_path / "a", tmp_path / "restored")


def test_the_list_tells_of_every_file(plain: House, tmp_path: Path) -> None:
    contents = create(plain.settings, tmp_path / "a.backup", homes=True, secrets=True)
    with tarfile.open(tmp_path / "a.backup") as tar:  # as other tools read it
        names = tar.getnames()
        listed = Contents.model_validate_json(tar.extractfile(LIST).read())  # type: ignore[union-attr]
    assert names == [MARK, *(entry.path for entry in contents.files), LIST]
    assert listed == contents
    assert sources.size_of(plain.data, sources.folders_of(True, True)) > 10_000
    assert Event.__tablename__ == "event"
