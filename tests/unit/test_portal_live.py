"""How a run goes, live: events that change the page, who may listen, and clients that are slow or gone."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from test_portal_world import COURSE, PREFIX, World, seeded_records, world

from hub_config.portal import live
from hub_config.portal.__main__ import Server, config_of, handed_sockets
from hub_config.portal.listeners import MOST, MOST_EACH, Listeners
from hub_config.portal.runs import Run
from hub_config.portal.shared import Shared
from hub_config.supervisor import LISTEN_FD

LAB = f"class/{COURSE}/labs/rough-cut"


def steps(*lines: str, pause: float = 0.3, go_on: Path | None = None) -> tuple[str, ...]:
    """A command that writes lines with a pause after each, and ends when it may."""
    waits = f"while not __import__('pathlib').Path({str(go_on)!r}).exists(): time.sleep(0.05)\n" if go_on else ""
    return (
        sys.executable, "-c",
        f"import time\nfor line in {lines!r}:\n    print(line, flush=True)\n    time.sleep({pause})\n{waits}"
        'print(\'{"finished": true, "graded": 2, "failed": 0}\', flush=True)',
    )  # fmt: skip


def told(stream: str) -> list[tuple[str, str]]:
    return [(name, json.loads(data)) for name, data in re.findall(r"event: (\w+)\nretry: 2000\ndata: (.*)\n", stream)]


def test_each_change_is_an_event_and_the_last_one_ends_the_stream(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.02)
    lines = (
        '{"done": 1, "total": 2, "learner": "mina", "seconds_left": 95}',
        '{"done": 2, "total": 2, "learner": "jun"}',
    )
    world.start(grade_command=steps(*lines, pause=2.0))
    teacher = world.browser("teacher")
    world.post(teacher, f"{LAB}/grade", "teacher")
    answer = teacher.get(f"{PREFIX}{LAB}/run/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "no-transform" in answer.headers["cache-control"]
    assert answer.headers["x-accel-buffering"] == "no"
    found = told(answer.text)
    assert [name for name, _ in found[:-1]] == ["part"] * (len(found) - 1)
    assert found[-1][0] == "end"
    first = next(html for _, html in found if "mina" in html)
    assert "1 / 2" in first
    assert "남은 제출물 1건" in first
    assert "약 2분 남음" in first
    assert "채점을 마쳤습니다: 2건." in found[-1][1]
    assert world.site.listeners.count == 0


def test_a_page_brings_the_script_and_says_where_to_listen_and_where_to_ask(world: World) -> None:
    teacher = world.browser("teacher")
    for path in (LAB, f"{LAB}/similar"):
        page = teacher.get(PREFIX + path).text
        assert re.search(rf'<script src="{PREFIX}static/live.js\?\w+" defer></script>', page)
        assert f'data-events="{PREFIX}{LAB}/run/events" data-part="{PREFIX}{LAB}/run"' in page
        assert page.count('id="results"') == 1, "what is renewed when the run has ended"
    script = teacher.get(f"{PREFIX}static/live.js")
    assert "javascript" in script.headers["content-type"]
    assert "setTimeout(ask" in script.text, "where no events come, the page asks"


def test_without_a_run_the_stream_ends_at_once(world: World) -> None:
    assert [name for name, _ in told(world.browser("teacher").get(f"{PREFIX}{LAB}/run/events").text)] == ["end"]


def test_what_a_command_says_is_text(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.02)
    said = json.dumps(
        {"done": 1, "total": 2, "learner": "<b>x", "message": "\u202e<script>\n\nevent: end\n" + "y" * 9000}
    )
    world.start(grade_command=steps(said))
    teacher = world.browser("teacher")
    world.post(teacher, f"{LAB}/grade", "teacher")
    stream = teacher.get(f"{PREFIX}{LAB}/run/events").text
    assert [name for name, _ in told(stream)].count("end") == 1
    assert stream.count("\nevent: end") == 1, "a line break of a message begins no event"
    part = next(html for _, html in told(stream) if "[U+202E]&lt;script&gt;" in html)
    assert "<script" not in part
    assert "&lt;b&gt;x" in part
    assert len(part) < 3000


def test_only_so_many_listen_and_each_only_so_often() -> None:
    listeners = Listeners(Shared())
    held = [listeners.seat("ann") for _ in range(MOST_EACH)]
    assert [seat.__enter__() for seat in held] == [True] * MOST_EACH
    with listeners.seat("ann") as more:
        assert not more
    with listeners.seat("bob") as other:
        assert other, "somebody else's tabs take nobody's place"
    others = [listeners.seat(f"p{n}") for n in range(MOST - MOST_EACH)]
    assert [seat.__enter__() for seat in others] == [True] * len(others)
    assert not listeners.has_room("zoe")
    for seat in held + others:
        seat.__exit__(None, None, None)
    assert listeners.count == 0
    listeners.close()
    assert not listeners.has_room("ann")


def test_one_who_may_not_listen_any_more_is_told_to_ask_instead(world: World) -> None:
    held = [world.site.listeners.seat("teacher") for _ in range(MOST_EACH)]
    assert all(seat.__enter__() for seat in held)
    answer = world.browser("teacher").get(f"{PREFIX}{LAB}/run/events")
    assert answer.status_code == 503
    assert "화면이 너무 많습니다" in answer.text
    assert world.browser("teacher").get(f"{PREFIX}{LAB}/run").status_code == 200


async def test_a_stream_beats_ends_after_a_while_and_looks_at_the_run_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, seconds in (("LOOK_SECONDS", 0.01), ("BEAT_SECONDS", 0.05), ("LONGEST_SECONDS", 0.4)):
        monkeypatch.setattr(live, name, seconds)
    run = Run(kind="grade", started_at=datetime(2026, 7, 8, tzinfo=UTC))
    rendered: list[int] = []

    def part() -> str:
        rendered.append(1)
        return "<p>"

    listeners = Listeners(Shared())
    found = [event async for event in live.events(listeners, "ann", lambda: run, part)]
    names = [re.findall(r"event: (\w+)", event)[0] for event in found]
    assert names[0] == "part"
    assert set(names[1:]) == {"beat"}
    assert 3 <= len(names) <= 10
    assert len(rendered) == 1, "what has not changed is not rendered again"
    assert listeners.count == 0


@contextmanager
def served(world: World) -> Iterator[tuple[str, Server]]:
    """The portal on a loopback port, as the product serves it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Server(config_of(world.app, "127.0.0.1", port), world.site.listeners)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}", server
    finally:
        server.handle_exit(15, None)
        thread.join(20)
        assert not thread.is_alive(), "streams keep no stopping portal"


def until(condition: object, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_socket_that_was_handed_over_goes_on_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that the portal starts could else take its requests."""
    assert handed_sockets() is None
    with socket.create_server(("127.0.0.1", 0)) as opened:
        number = os.dup(opened.fileno())
        os.set_inheritable(number, True)
        monkeypatch.setenv(LISTEN_FD, str(number))
        (handed,) = handed_sockets() or []
        assert handed.getsockname() == opened.getsockname()
        assert not handed.get_inheritable()
        assert LISTEN_FD not in os.environ
        handed.close()


def test_a_connection_ends_with_its_answer_and_the_proxy_is_told(world: World) -> None:
    """One that is kept binds the proxy to a process that may have much to do; one closed without a word meets its next request."""
    with served(world) as (url, _), httpx.Client(base_url=url, timeout=20) as proxy:
        for path in ("health", "static/portal.css"):
            answer = proxy.get(PREFIX + path)
            assert (answer.status_code, answer.headers["connection"]) == (200, "close")


def test_clients_that_left_or_never_read_cost_nothing_and_stopping_waits_for_nobody(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.02)
    world.start(grade_command=steps('{"done": 1, "total": 2}', go_on=tmp_path / "go"))
    teacher = world.browser("teacher")
    world.post(teacher, f"{LAB}/grade", "teacher")
    cookies = {cookie.name: cookie.value for cookie in teacher.cookies.jar}
    threads = threading.active_count()
    with served(world) as (address, _server):
        with httpx.Client(base_url=address, cookies=cookies, timeout=20) as client:
            for _ in range(MOST_EACH):
                with client.stream("GET", f"{PREFIX}{LAB}/run/events") as stream:
                    assert "event: part" in next(stream.iter_text())
            until(lambda: world.site.listeners.count == 0)
            # One that asks and never reads: its seat is its own, and others are served.
            port = int(address.rpartition(":")[2])
            silent = socket.create_connection(("127.0.0.1", port))
            cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
            silent.sendall(f"GET {PREFIX}{LAB}/run/events HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\n\r\n".encode())
            until(lambda: world.site.listeners.count == 1)
            assert client.get(f"{PREFIX}health").text == "ok\n"
            # Threads are borrowed to render, from the one pool of the process: none waits with a stream.
            assert threading.active_count() - threads <= 6
        began = time.monotonic()
    assert time.monotonic() - began < 10
    silent.close()
    assert world.site.listeners.count == 0
    (tmp_path / "go").touch()
    until(lambda: world.site.runs.latest(COURSE, "rough-cut").state != "running")
