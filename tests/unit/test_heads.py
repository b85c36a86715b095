"""Signed heads: what is cut off or made anew is found, a day gets one head, and keys change without losing the old ones."""

from __future__ import annotations

import json
import logging
import shutil
import stat
import threading
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session
from turns import ONE_DATABASE

from grader.records import chain, head_check, heads, journal
from grader.records.chain import Finding
from grader.records.db import reading, writing
from grader.records.heads import Head, Heads, HeadsError
from grader.records.watch import Standing, Watch
from hub_config.heads import HeadExport
from hub_config.portal.keeper import Keeper

#: Noon in Seoul.
NOON = datetime(2026, 7, 6, 3, tzinfo=UTC)
DAY = timedelta(days=1)


def add(engine: Engine, number: int, at: datetime = NOON) -> None:
    with writing(engine) as session:
        journal.append(session, "test", actor="a", course="c", payload={"n": number}, at=at)


def found(engine: Engine, exported: Heads) -> Finding | None:
    with reading(engine) as session:
        return head_check.verify(session, exported).finding


def make_anew(engine: Engine, seq: int) -> None:
    """What somebody who can write the database does: change an event, and compute the chain anew from there on."""
    with writing(engine) as session:
        previous = chain.GENESIS
        session.execute(text("UPDATE event SET actor = 'forger' WHERE seq = :seq"), {"seq": seq})
        for row in list(chain.rows(session)):
            assert not isinstance(row, Finding)
            event = journal.Event(**(row._asdict() | {"previous": previous}))
            previous = journal.digest(event)
            session.execute(
                text("UPDATE event SET previous = :p, hash = :h WHERE seq = :s"),
                {"p": event.previous, "h": previous, "s": event.seq},
            )


@pytest.fixture
def exported(tmp_path: Path) -> Heads:
    return Heads(tmp_path / "heads", tmp_path / "secrets" / "journal-key")


def test_a_head_says_where_the_journal_ended_and_who_says_so(engine: Engine, exported: Heads) -> None:
    for number in range(3):
        add(engine, number)
    head = heads.export(engine, exported, NOON)
    assert head is not None
    assert (head.number, head.seq, head.institution, head.at) == (1, 3, "inst", NOON)
    assert exported.read() == [head]
    assert stat.S_IMODE(exported.key_file.stat().st_mode) == 0o600
    public = (exported.folder / "keys" / f"{head.key}.pem").read_text()
    assert public.startswith("-----BEGIN PUBLIC KEY-----")
    with reading(engine) as session:
        (noted,) = journal.events(session, "", kind=heads.EXPORTED)
    assert noted.payload == {"number": 1, "seq": 3, "sha256": head.sha256}
    assert found(engine, exported) is None
    assert heads.export(engine, exported, NOON + DAY) is None, "its own event is nothing new"


def test_cutting_off_the_end_is_found(engine: Engine, exported: Heads) -> None:
    for number in range(4):
        add(engine, number)
    heads.export(engine, exported, NOON)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM event WHERE seq > 2"))
    with reading(engine) as session:
        assert journal.verify(session) is None, "the chain alone does not tell"
    bad = found(engine, exported)
    assert bad is not None
    assert (bad.fault, bad.seq) == ("cut_off", 3)


def test_a_chain_that_was_made_anew_is_found(engine: Engine, exported: Heads) -> None:
    for number in range(4):
        add(engine, number)
    heads.export(engine, exported, NOON)
    make_anew(engine, 2)
    with reading(engine) as session:
        assert journal.verify(session) is None, "the chain alone does not tell"
    bad = found(engine, exported)
    assert bad is not None
    assert (bad.fault, bad.seq) == ("rewritten", 4)


@pytest.mark.parametrize(
    "attack",
    [
        lambda lines: lines[:-1],
        lambda lines: lines[1:],
        lambda lines: [lines[1], lines[0], *lines[2:]],
        lambda lines: [*lines[:1], *lines[2:]],
        lambda lines: [*lines, lines[-1]],
        lambda lines: [lines[0].replace(b'"seq":1', b'"seq":2'), *lines[1:]],
        lambda lines: [lines[0].replace(b"{", b"{ "), *lines[1:]],
        lambda lines: [b"not json", *lines[1:]],
        lambda lines: [*lines[:-1], lines[-1][:-9]],
        lambda lines: [],
    ],
)
def test_any_change_of_the_heads_is_found(engine: Engine, exported: Heads, attack: object) -> None:
    for number in range(3):
        add(engine, number)
        heads.export(engine, exported, NOON)
    lines = exported.file.read_bytes().splitlines()
    assert len(lines) == 3
    exported.file.write_bytes(b"".join(line + b"\n" for line in attack(lines)))  # type: ignore[operator]
    bad = found(engine, exported)
    assert bad is not None
    assert bad.fault == "head"


def test_a_head_of_somebody_elses_key_is_found(engine: Engine, exported: Heads, tmp_path: Path) -> None:
    add(engine, 1)
    heads.export(engine, exported, NOON)
    (line,) = exported.read()
    forger = Heads(tmp_path / "forger", tmp_path / "forged-key")
    name = forger.keys.current()
    forged = line.model_copy(update={"key": name})
    forged = forged.model_copy(update={"signature": forger.keys.sign(forged.signed)})
    exported.file.write_bytes(forged.line + b"\n")
    assert "public key" in str(found(engine, exported))
    shutil.copy(forger.folder / "keys" / f"{name}.pem", exported.folder / "keys" / f"{line.key}.pem")
    exported.file.write_bytes(line.line + b"\n")
    assert "public key" in str(found(engine, exported)), "a file under another key's name is no key"


def test_a_day_that_is_over_gets_one_head_however_often_it_is_asked(engine: Engine, exported: Heads) -> None:
    add(engine, 1, NOON)

    def ask(today: date, now: datetime) -> list[Head | None]:
        asked: list[Head | None] = []
        threads = [
            threading.Thread(target=lambda: asked.append(heads.export(engine, exported, now, before=today)))
            for _ in range(5)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [head for head in asked if head is not None]

    assert ask(date(2026, 7, 6), NOON) == [], "the day still goes on"
    add(engine, 2, NOON + DAY)
    (first,) = ask(date(2026, 7, 7), NOON + DAY)
    assert first is not None
    assert first.seq == 2
    assert ask(date(2026, 7, 7), NOON + DAY) == []
    assert ask(date(2026, 7, 8), NOON + 2 * DAY) == [], "all is covered, and a day without events has no head"
    add(engine, 3, NOON + 3 * DAY)
    assert len(ask(date(2026, 7, 12), NOON + 6 * DAY)) == 1, "after days of standing still"
    assert found(engine, exported) is None


def test_an_interrupted_export_is_made_up_for(engine: Engine, exported: Heads) -> None:
    add(engine, 1)
    head = heads.export(engine, exported, NOON)
    assert head is not None
    with engine.begin() as connection:  # killed between the line and its event
        connection.execute(text("DELETE FROM event WHERE kind = 'journal.head'"))
    assert found(engine, exported) is None
    assert heads.export(engine, exported, NOON) is None
    with reading(engine) as session:
        assert len(journal.events(session, "", kind=heads.EXPORTED)) == 1
    with exported.file.open("ab") as stream:  # killed within the line
        stream.write(head.line[:40])
    assert found(engine, exported) is None
    add(engine, 2)
    heads.export(engine, exported, NOON)
    assert [line.number for line in exported.read()] == [1, 2]
    assert found(engine, exported) is None


def test_a_new_key_signs_and_the_old_heads_still_verify(engine: Engine, exported: Heads) -> None:
    names = []
    for number in range(3):
        add(engine, number)
        head = heads.export(engine, exported, NOON)
        assert head is not None
        names.append(head.key)
        exported.keys.renew()
    assert len(set(names)) == 3
    assert found(engine, exported) is None
    (exported.folder / "keys" / f"{names[0]}.pem").unlink()
    assert names[0] in str(found(engine, exported))


def test_heads_that_cannot_be_read_stop_an_export_with_a_sentence(engine: Engine, exported: Heads) -> None:
    add(engine, 1)
    exported.folder.mkdir()
    exported.file.write_text("{}\n")
    with pytest.raises(HeadsError, match="line 1"):
        heads.export(engine, exported, NOON)


# --- an address outside ----------------------------------------------------------------------------------------------


class Outside(HTTPServer):
    """An address that gets heads, and answers as it is told."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taking)
        self.status, self.got = 200, list[str]()
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Taking(BaseHTTPRequestHandler):
    server: Outside

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        if self.server.status == 200:
            self.server.got += body.splitlines()
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_an_address_gets_each_head_once_and_what_it_missed_later(
    engine: Engine, exported: Heads, caplog: pytest.LogCaptureFixture
) -> None:
    outside = Outside()
    sending = HeadExport(exported, f"http://127.0.0.1:{outside.server_port}/heads")
    for number, status in enumerate((200, 500, 200), start=1):
        outside.status = status
        add(engine, number)
        assert sending.export(engine, NOON) is not None
        assert (len(caplog.records) == 1) is (number >= 2)
    assert outside.got == [head.line.decode() for head in exported.read()]
    outside.shutdown()
    outside.server_close()
    add(engine, 4)
    assert sending.export(engine, NOON) is not None, "an address that is gone stops nothing"
    assert "journal_head_url" in caplog.text


def looked(watch: Watch, session: Session) -> Standing:
    standing = watch.look(session)
    assert standing is not None
    return standing


# --- what the portal does by itself ----------------------------------------------------------------------------------


@pytest.mark.parametrize("database", ONE_DATABASE, indirect=True)
def test_the_keeper_exports_each_day_and_walks_the_whole_once_a_day(
    engine: Engine, exported: Heads, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What it folds, and that the collector's memory is put in order after it, is test_warming's: seconds here.
    monkeypatch.setattr("hub_config.portal.keeper.warm", lambda *_: 0)
    clock = [NOON]
    add(engine, 1)

    def restarted() -> tuple[Keeper, Watch]:
        watch = Watch(engine, lambda: clock[0], exported)
        return Keeper(watch, engine, HeadExport(exported), lambda: clock[0]), watch

    for hours in range(0, 72, 6):
        clock[0] = NOON + timedelta(hours=hours)
        keeper, watch = restarted()
        for _ in range(2):
            keeper.tick()
        with reading(engine) as session:
            assert looked(watch, session).whole_at == clock[0]
    (head,) = exported.read()
    assert head.at == NOON + timedelta(hours=12), "the first look after midnight in Seoul"
    clock[0] += timedelta(hours=23)
    keeper.tick()
    with reading(engine) as session:
        assert looked(watch, session).whole_at == NOON + timedelta(hours=66), "not yet a day"
    with engine.begin() as connection:
        connection.execute(text("UPDATE event SET actor = 'b' WHERE seq = 1"))
    clock[0] += timedelta(hours=1)
    with caplog.at_level(logging.ERROR):
        keeper.tick()
    assert "event 1" in caplog.text
    exported.file.write_text("broken\n")
    keeper.tick()
    assert "line 1" in caplog.text, "what goes wrong is a line in the log"


def test_the_keepers_thread_starts_with_the_portal_and_ends_with_it(engine: Engine, exported: Heads) -> None:
    add(engine, 1, NOON - DAY)
    watch = Watch(engine, lambda: NOON, exported)
    keeper = Keeper(watch, engine, HeadExport(exported), lambda: NOON)
    keeper.start()
    keeper.stop()
    assert len(exported.read()) == 1


def test_pages_walk_only_what_is_new(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    walked: list[int] = []
    real = chain.digest
    monkeypatch.setattr(chain, "digest", lambda event: (walked.append(event.seq), real(event))[1])
    watch = Watch(engine, lambda: NOON)
    for number in range(5):
        add(engine, number)
    with reading(engine) as session:
        assert looked(watch, session).finding is None
        assert walked == [1, 2, 3, 4, 5]
    add(engine, 6)
    with reading(engine) as session:
        assert looked(watch, session).finding is None
        assert walked == [1, 2, 3, 4, 5, 6]
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM event WHERE seq >= 5"))
    with reading(engine) as session:
        bad = looked(watch, session).finding
    assert bad is not None
    assert (bad.fault, bad.seq) == ("cut_off", 5)
    assert json.loads(json.dumps(bad.text.model_dump()))["ko"]


def test_no_page_waits_for_the_first_walk(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    add(engine, 1)
    watch, real = Watch(engine, lambda: NOON), chain.digest
    seen: list[object] = []

    def digest(event: object) -> str:
        with reading(engine) as session:
            seen.append(watch.look(session))
        return real(event)  # type: ignore[arg-type]

    monkeypatch.setattr(chain, "digest", digest)
    watch.whole()
    assert seen == [None]
    with reading(engine) as session:
        assert (standing := watch.look(session)) is not None
        assert standing.whole_at == NOON
