"""How an installation is: what is gathered of it, while services lie, hang, talk without end, and while nothing runs."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from running import free_base_port

from grader.records.chain import Finding as Broken
from grader.records.db import open_database, writing
from grader.records.models import Person
from grader.records.watch import Standing
from hub_config import doctor, services
from hub_config.backup.noted import FILE, note, noted
from hub_config.heads import head_export
from hub_config.health import faults, kept, machine, running
from hub_config.health.finding import Finding, State
from hub_config.health.gather import gather
from hub_config.quick.calling import STALE, WELL
from hub_config.quick.template import listen
from hub_config.seed import seed_demo
from hub_config.services import addresses
from hub_config.settings import Settings
from labs.texts import Text

NOW = datetime(2026, 7, 6, 3, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An installation with the demonstration's records, of which nothing runs."""
    found = Settings(data=tmp_path / "var", port=free_base_port())
    for name in ("run", "logs", "secrets"):
        (found.data / name).mkdir(parents=True)
    engine = open_database(found.records_database)
    seed_demo(engine, NOW)
    engine.dispose()
    return found


@contextmanager
def up(settings: Settings) -> Iterator[None]:
    """The lock that a running Practicum holds."""
    handle = os.open(settings.data / "run" / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(handle)


@contextmanager
def played(port: int, say: Callable[[socket.socket], None]) -> Iterator[None]:
    """Something on a service's port that says what it likes."""
    with socket.create_server(("127.0.0.1", port)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    one, _ = server.accept()
                    threading.Thread(target=answer, args=(one,), daemon=True).start()

        def answer(one: socket.socket) -> None:
            with suppress(OSError), one:
                one.recv(4096)
                say(one)

        threading.Thread(target=serve, daemon=True).start()
        yield
        server.shutdown(socket.SHUT_RDWR)


def says(body: bytes, status: str = "200 OK") -> Callable[[socket.socket], None]:
    return lambda one: one.sendall(b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n%s" % (status.encode(), len(body), body))


def hangs(one: socket.socket) -> None:
    time.sleep(10)
    one.sendall(b"late")


def drips(one: socket.socket) -> None:
    for letter in b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\nx: ":
        one.sendall(bytes([letter]))
    while True:
        one.sendall(b"x")
        time.sleep(0.1)


def talks(one: socket.socket) -> None:
    one.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        one.sendall(b"x" * 65_536)


def part(findings: tuple[Finding, ...] | list[Finding], name: str) -> Finding:
    return next(finding for finding in findings if finding.part == name)


def test_while_nothing_runs_everything_else_is_told_and_that_is_no_fault(settings: Settings) -> None:
    health = gather(settings, NOW)
    services = [*addresses(settings), "template"]
    assert [part(health.findings, name).state for name in services] == ["off"] * len(services)
    assert [f for f in health.findings if f.section == f.part] == []
    assert {"sandbox", "disk", "grading", "journal", "backup"} <= {finding.part for finding in health.findings}
    with up(settings):
        down = gather(settings, NOW)
    assert part(down.findings, "hub").state == "bad"
    assert "logs/hub.log" in (part(down.findings, "hub").todo or Text(ko="", en="")).en
    assert not down.is_well


def test_looking_makes_nothing(tmp_path: Path) -> None:
    before = Settings(data=tmp_path / "none", port=free_base_port())
    assert part(gather(before, NOW).findings, "records").state == "off"
    assert not before.data.exists()


@pytest.mark.parametrize("hostile", [hangs, drips, talks])
def test_a_service_that_hangs_or_talks_without_end_holds_nothing_up(
    settings: Settings, hostile: Callable[[socket.socket], None]
) -> None:
    ports = (settings.proxy_api_port, settings.gateway_port, settings.portal_port, settings.hub_port)
    with (
        up(settings),
        played(ports[0], hostile),
        played(ports[1], hostile),
        played(ports[2], says(b"ok")),
        played(ports[3], hostile),
    ):
        machine.look(settings)  # the first look at a sandbox and at packs takes a moment of its own
        began = time.monotonic()
        found = gather(settings, NOW).findings
        assert time.monotonic() - began < 3
    assert {name: part(found, name).state for name in ("proxy", "gateway", "portal", "hub")} == {
        "proxy": "bad", "gateway": "bad", "portal": "good", "hub": "bad",
    }  # fmt: skip
    assert part(found, "disk").state == "good" or part(found, "disk").todo


@contextmanager
def template(settings: Settings, says: bytes | None) -> Iterator[None]:
    """A socket in the place of the template's; it is asked how it is, and says that, or nothing."""
    asked = listen(settings.template_socket)

    def answer() -> None:
        one, _ = asked.accept()
        with one:
            assert one.recv(64) == WELL
            if says is None:
                one.recv(64)  # until who asked has gone
            else:
                one.send(says)

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield
    finally:
        thread.join()
        asked.close()


@pytest.mark.parametrize(("says", "state", "said"), [(WELL, "good", "answers"), (STALE, "good", "answers"),
                                                     (b"", "bad", "cannot be reached"), (None, "bad", "does not answer within 2 s")])  # fmt: skip
def test_the_template_of_servers_is_asked_too(settings: Settings, says: bytes | None, state: str, said: str) -> None:
    with up(settings), template(settings, says):
        found = part(running.look(settings), "template")
    assert (found.state, found.said.en) == (state, said)
    with up(settings):
        assert part(running.look(settings), "template").said.en == "cannot be reached"


def test_no_template_is_asked_where_none_is_wanted_or_none_can_be(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = settings.model_copy(update={"spawner": "bubblewrap"})
    assert "template" not in {finding.part for finding in running.look(bare)}
    monkeypatch.setattr(services, "why_not", lambda: "no Landlock")
    assert "template" not in {finding.part for finding in running.look(settings)}
    assert "template" not in {service.name for service in services.all_services(settings)}
    monkeypatch.setattr(machine, "why_not", lambda: "no Landlock")
    told = next(finding for finding in machine.look(settings) if finding.part == "quick")
    assert (told.state, "no Landlock" in told.said.en) == ("off", True)


def test_what_waits_is_counted_and_nobody_is_named(settings: Settings) -> None:
    routes = json.dumps({"/": {}, "/user/haneul/": {}, "/user/minsu/ai-work-ko/": {}, "/services/portal/": {}}).encode()
    metrics = b"""# TYPE practicum_ai_running gauge
practicum_ai_running{upstream="a"} 2.0
practicum_ai_running{upstream="b"} 1.0
practicum_ai_waiting{upstream="a"} 7.0
practicum_ai_upstream_down{upstream="a"} 0.0
practicum_ai_upstream_down{upstream="b"} 1.0
practicum_ai_unwritten_receipts 4.0
"""
    with played(settings.proxy_api_port, says(routes)), played(settings.gateway_port, says(metrics)):
        found = running.look(settings)
    assert part(found, "servers").said.en == "2 personal servers running"
    assert part(found, "ai").said.en == "3 AI calls running, 7 waiting, 4 receipts to be written"
    assert part(found, "ai").state == "bad"
    assert "haneul" not in str(found)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b"[1]",
        b"null",
        b"\xff\xfe",
        b'practicum_ai_running{upstream="a"} NaN',
        b"practicum_ai_waiting inf",
    ],
)
def test_an_answer_of_another_shape_is_told_as_such(settings: Settings, body: bytes) -> None:
    with played(settings.proxy_api_port, says(body)), played(settings.gateway_port, says(body)):
        found = running.look(settings)
    assert part(found, "servers").state == "todo"
    assert part(found, "ai").state in ("todo", "good")


def test_the_last_backup_is_told_with_its_age(settings: Settings, tmp_path: Path) -> None:
    def backup(now: datetime = NOW) -> Finding:
        return part(kept.look(settings, now, None, None), "backup")

    assert backup().state == "todo"
    file = tmp_path / "practicum.backup"
    file.write_bytes(b"x" * 2_000_000)
    note(settings.data, "made", file, sealed=True)
    note(settings.data, "verified", tmp_path / "practicum.backup", sealed=True)
    (made_at,) = [one.at for one in noted(settings.data) if one.what == "made"]
    told = backup(made_at)
    assert (told.state, told.said.en) == (
        "good",
        f"{made_at.astimezone(ZoneInfo('Asia/Seoul')):%Y-%m-%d %H:%M} KST, 2.0 MB, practicum.backup",
    )
    assert backup(made_at + timedelta(days=9)).state == "todo"
    (settings.data / FILE).write_text("{")
    assert backup(made_at).state == "todo"


def test_moments_are_told_in_the_institutions_time_zone(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "practicum.backup"
    file.write_bytes(b"x")
    note(settings.data, "made", file, sealed=True)
    found = gather(settings, NOW)
    assert f"{found.at:%Y-%m-%d %H:%M %Z}" == "2026-07-06 12:00 KST"
    nothing = Settings(data=tmp_path / "new", port=settings.port)
    assert kept.here(nothing, NOW, None).tzname() == "UTC", "nothing says where it is"
    assert " KST, " in part(list(found.findings), "backup").said.ko


def test_the_journal_is_told_with_its_head_and_what_does_not_hold(settings: Settings) -> None:
    def journal(now: datetime = NOW, standing: Standing | None = None) -> Finding:
        return part(kept.look(settings, now, None, standing), "journal")

    real_now = datetime.now(UTC)
    assert "no signed head" in journal(real_now).said.en
    engine = open_database(settings.records_database)
    head_export(settings).export(engine, real_now)
    engine.dispose()
    assert "last signed head 1" in journal(real_now).said.en
    assert "it holds" in journal(real_now, Standing(None, real_now)).said.en
    broken = Standing(Broken("changed", 3, Text(ko="3번이 바뀌었습니다", en="3 was changed")), real_now)
    assert (journal(real_now, broken).state, journal(real_now, broken).said.en) == ("bad", "3 was changed")
    with head_export(settings).heads.file.open("ab") as stream:
        stream.write(b"no head\n")
    assert journal(real_now).state == "bad"


def test_a_database_that_is_none_is_told(settings: Settings) -> None:
    settings.records_path.write_bytes(b"this is no database, and long enough to be read as one" * 100)
    (settings.data / "logs" / "hub.log").write_text("ERROR haneul did something\n")
    health = gather(settings, NOW)
    assert part(health.findings, "records").state == "bad"
    assert health.faults == ()  # nobody's name can be taken out of it


SECRET = "s3cret-of-this-installation"
HOSTILE = [
    f"ERROR token={SECRET} was refused",
    "ERROR Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.abc.def1234567890",
    "ERROR the learner wrote '내 일기는 아무도 읽지 마세요' in a cell",
    "ValueError: my private diary says so",
    "[E 2026-07-06 12:00:00.123 JupyterHub web:1] 500 GET /hub/user/haneul/lab?token=abcdef0123456789abcdef (haneul@127.0.0.1)",
    "ERROR Haneul: call 010-1234-5678 or haneul@example.kr, 900101-1234567",
    'Traceback of "unfinished',
    "ERROR <script>alert(1)</script> \x1b[31mred\x1b[0m \u202eright to left",
    '{"at": "2026-07-06T12:00:00", "level": "error", "logger": "practicum", "prompt": "diary", "message": "TimeoutError: my diary"}',
    "ERROR " + "a" * 10_000,
]


def test_a_hostile_log_gives_away_nothing(settings: Settings) -> None:
    (settings.data / "secrets" / "hub-token").write_text(SECRET + "\n")
    (settings.data / "logs" / "hub.log").write_text("all is well\n" + "\n".join(HOSTILE) + "\n", "utf-8")
    told = gather(settings, NOW).faults
    said = "\n".join(fault.said for fault in told)
    assert len(told) == len(HOSTILE)
    for word in (
        SECRET,
        "eyJ",
        "일기",
        "diary",
        "aneul",
        "5678",
        "example.kr",
        "1234567",
        "\x1b",
        "\u202e",
        "abcdef",
        "/hub/user",
        "all is well",
    ):
        assert word not in said, word
    assert "ValueError" in said
    assert "TimeoutError" in said
    assert max(len(fault.said) for fault in told) <= faults.SHOWN


def test_a_name_in_latin_letters_stands_in_no_line(settings: Settings) -> None:
    engine = open_database(settings.records_database)
    with writing(engine) as session:
        session.add(Person(login="p1", name="Maria 로페즈 Lopez"))
    engine.dispose()
    (settings.data / "logs" / "hub.log").write_text("ERROR 로페즈 and LOPEZ, p1 (maria)\n", "utf-8")
    (fault,) = gather(settings, NOW).faults
    assert fault.said == "ERROR … and … … …"


def test_lines_that_are_alike_are_counted_and_only_the_end_of_a_log_is_read(settings: Settings) -> None:
    log = settings.data / "logs" / "portal.log"
    log.write_text("ERROR first\n" + "quiet\n" * 20_000 + "ERROR again\n" * 3)
    assert [(fault.said, fault.count) for fault in faults.look(settings, tuple)] == [("ERROR again", 3)]
    log.write_text("\n".join(f"ERROR kind {chr(97 + at % 26)}{chr(97 + at // 26)}" for at in range(100)))
    assert len(faults.look(settings, tuple)) == faults.MOST


def test_a_log_that_is_no_file_is_not_opened(settings: Settings, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("ERROR elsewhere\n")
    (settings.data / "logs" / "hub.log").symlink_to(elsewhere)
    os.mkfifo(settings.data / "logs" / "portal.log")
    (settings.data / "logs" / "gateway.log").mkdir()
    assert faults.look(settings, tuple) == ()


def test_no_line_takes_long_however_it_is_made() -> None:
    began = time.monotonic()
    for piece in ('"', "'", "/", "a.", "Error", "https:/", "\\", "…", "{", "=-", "0-", "@a."):
        faults.shape(piece * faults.LINE, ["secret-secret"], {"haneul"})
        faults.telling([piece * faults.LINE, *faults._MARKS])
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("state", ["good", "todo", "bad", "off"])
def test_the_terminal_and_the_json_say_the_same(
    settings: Settings, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = Finding("machine", "disk", state, Text(ko="찼음", en="full"), Text(ko="비우세요", en="make room"))
    monkeypatch.setattr(machine, "look", lambda settings: [finding])
    health = gather(settings, NOW)
    text, told = "\n".join(doctor.lines(health, "en")), json.loads(doctor.as_json(health))
    assert f"{doctor.MARKS[state]} disk       full" in text
    assert "→ make room" in text
    assert told["ok"] == (state != "bad")
    assert {"section": "machine", "part": "disk", "state": state, "said": {"ko": "찼음", "en": "full"}, "todo": {"ko": "비우세요", "en": "make room"}} in told["findings"]  # fmt: skip


def test_a_look_that_fails_is_a_finding(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_settings: Settings) -> list[Finding]:
        raise RuntimeError("a word of somebody")

    monkeypatch.setattr(machine, "look", fails)
    found = part(gather(settings, NOW).findings, "machine")
    assert (found.state, found.said.en) == ("bad", "cannot be looked at (RuntimeError)")
