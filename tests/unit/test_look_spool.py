"""Looks on their way into the database: none is lost with its process, none comes in twice, and none is given without."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from test_portal_world import COURSE, NOW, PREFIX, World, seeded_records, world

from grader.records import look_spool
from grader.records.db import open_database, reading
from grader.records.look_spool import LookSpool
from grader.records.models import Look

#: Writes looks without an end, and says each that is written.
WRITER = """
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from grader.records.db import engine_for
from grader.records.look_spool import LookSpool
folder, name = Path(sys.argv[1]), sys.argv[2]
spool = LookSpool(folder, engine_for(f"sqlite:///{folder}/records.db"))
if name.startswith("keeps"):
    spool.start()
number = 0
while True:
    number += 1
    now = datetime(2026, 7, 8, tzinfo=UTC) + timedelta(microseconds=number)
    spool.write(who=name, address="::1", what=str(number), course="video-1", subject="", now=now)
    print(number, flush=True)
    time.sleep(0.002)
"""

#: Writes one look, where files may grow by a few bytes only.
FULL = """
import resource, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from grader.records.db import engine_for
from grader.records.look_spool import LookSpool
folder, most = Path(sys.argv[1]), int(sys.argv[2])
spool = LookSpool(folder, engine_for(f"sqlite:///{folder}/records.db"))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
try:
    spool.write(who="bob", address="::1", what="x", course="video-1", subject="", now=datetime.now(UTC))
except OSError:
    print("not written")
"""


@pytest.fixture
def spool(tmp_path: Path) -> LookSpool:
    return LookSpool(tmp_path, open_database(f"sqlite:///{tmp_path}/records.db"))


def write(spool: LookSpool, *whos: str) -> None:
    for number, who in enumerate(whos):
        at = NOW + timedelta(microseconds=number)
        spool.write(who=who, address="::1", what="class/{course}", course=COURSE, subject="mina", now=at)


def taken(spool: LookSpool) -> list[str]:
    with reading(spool._engine) as session:
        return [look.who for look in session.scalars(select(Look).order_by(Look.id))]


def test_what_is_written_comes_in_whole_and_once(spool: LookSpool) -> None:
    write(spool, "ann", "김선생", "c" * 90)
    assert taken(spool) == []
    for _ in range(2):
        spool.take_in()
        assert taken(spool) == ["ann", "김선생", "c" * 60]
    with reading(spool._engine) as session:
        look = session.scalars(select(Look)).first()
    assert look is not None
    assert (look.at, look.what, look.course_id, look.subject) == (NOW, "class/{course}", COURSE, "mina")


def test_a_thread_takes_them_in_by_itself_and_at_the_end(spool: LookSpool) -> None:
    write(spool, "left by an earlier portal")
    spool.start()
    deadline = time.monotonic() + 20
    while taken(spool) != ["left by an earlier portal"] and time.monotonic() < deadline:
        time.sleep(0.05)
    write(spool, "the last")
    spool.stop()
    assert taken(spool) == ["left by an earlier portal", "the last"]


@pytest.mark.parametrize("died", ["before the commit", "after the commit"])
def test_a_death_around_the_commit_neither_loses_nor_doubles(
    spool: LookSpool, monkeypatch: pytest.MonkeyPatch, died: str
) -> None:
    write(spool, "ann", "bob")

    def dies(*_: Any, **__: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as dying:
        dying.setattr(*((look_spool.looks, "note") if died == "before the commit" else (Path, "unlink")), dies)
        with pytest.raises(SystemExit):
            spool.take_in()
    assert taken(spool) == ([] if died == "before the commit" else ["ann", "bob"])
    write(spool, "ann", "eve")
    spool.take_in()
    assert Counter(taken(spool)) == {"ann": 2, "bob": 1, "eve": 1}


def test_killed_writers_lose_nothing_and_double_nothing(tmp_path: Path, spool: LookSpool) -> None:
    for turn in range(3):
        # One of them takes in too, and is killed at any step of that.
        names = [f"writes-{turn}", f"keeps-{turn}"]
        said = {name: tmp_path / f"{name}.txt" for name in names}
        running = []
        for name, file in said.items():
            with file.open("w") as out:
                running.append(subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), name], stdout=out))
        while not all(file.stat().st_size for file in said.values()):
            time.sleep(0.05)
        time.sleep(1 + 0.27 * turn)
        for one in running:
            one.kill()
            one.wait()
        spool.take_in()
        with reading(spool._engine) as session:
            found = Counter((look.who, look.what) for look in session.scalars(select(Look)))
        wrote = {(name, number) for name, file in said.items() for number in file.read_text().split("\n")[:-1]}
        assert wrote <= set(found), "what was said to be written"
        assert set(found.values()) == {1}


def test_nothing_is_left_of_a_look_that_the_disk_did_not_take(tmp_path: Path, spool: LookSpool) -> None:
    write(spool, "ann")
    size = (tmp_path / "looks.jsonl").stat().st_size
    said = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path), str(size + 20)], capture_output=True, text=True, timeout=60, check=True
    )  # fmt: skip
    assert said.stdout == "not written\n"
    assert (tmp_path / "looks.jsonl").stat().st_size == size
    write(spool, "eve")
    spool.take_in()
    assert taken(spool) == ["ann", "eve"]


def test_a_page_is_not_given_where_its_look_cannot_be_written(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = world.browser("teacher")
    browser._transport.raise_server_exceptions = False  # type: ignore[attr-defined]
    (world.folder / "looks" / "looks.jsonl").mkdir()
    answer = browser.get(f"{PREFIX}class/{COURSE}")
    assert answer.status_code == 500
    assert "김미나" not in answer.text


def test_what_a_power_failure_left_of_a_line_stops_nothing(
    spool: LookSpool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(spool, "ann")
    with (tmp_path / "looks.jsonl").open("ab") as file:
        file.write(b'{"who": "bo\n\0\0\0\0\n[1]\n')
    write(spool, "eve")
    spool.take_in()
    assert taken(spool) == ["ann", "eve"]
    assert len(caplog.records) == 3


def test_the_files_are_their_owners(spool: LookSpool, tmp_path: Path) -> None:
    write(spool, "ann")
    assert {path.name: path.stat().st_mode & 0o077 for path in tmp_path.glob("looks*")} == {
        "looks.jsonl": 0,
        "looks.lock": 0,
    }
