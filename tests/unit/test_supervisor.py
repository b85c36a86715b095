"""The supervisor keeps services running, gives up where it has to, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

import httpx
import pytest

#: A service that answers, after it has written its process id; `sleep` of so many seconds is its far grandchild.
WEB = """
import http.server, os, signal, subprocess, sys
port, pids, sleep, deaf = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4] == "deaf"
with open(pids, "a") as out:
    out.write(f"{os.getpid()}\\n")
if deaf:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
null = subprocess.DEVNULL
far = "import subprocess, sys; subprocess.Popen(['sleep', sys.argv[1]], start_new_session=True)"
subprocess.run([sys.executable, "-c", far, sleep], stdin=null, stdout=null, stderr=null, start_new_session=True)
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        known = self.path == "/" or os.path.exists(pids + self.path.replace("/", "."))
        self.send_response(200 if known else 404)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", port), Answer).serve_forever()
"""
#: A service that answers on a socket that it was handed, with who it is.
SHARES = """
import http.server, os, socket, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(str(os.getpid()).encode())
server = http.server.HTTPServer(("", 0), Answer, bind_and_activate=False)
server.socket = socket.socket(fileno=int(os.environ["PRACTICUM_LISTEN_FD"]))
with open(sys.argv[1], "a") as out:
    out.write(f"{os.getpid()}\\n")
server.serve_forever()
"""
#: The process that supervises: the supervisor is told of every process below its own, so it gets one for itself.
SUPERVISE = """
import asyncio, dataclasses, json, sys
from pathlib import Path
from hub_config import supervisor
supervisor.STOP_SECONDS, supervisor.LOOK_SECONDS = 1.0, 0.1
job = json.loads(sys.argv[1])
say = lambda line: print(line, flush=True)
def ready():
    say("READY")
    if job["breaks"]:
        raise RuntimeError("handing out failed")
services = [supervisor.Service(**service) for service in job["services"]]
services = [dataclasses.replace(one, listens_on=one.listens_on and tuple(one.listens_on)) for one in services]
try:
    asyncio.run(supervisor.Supervisor(services, Path(job["logs"]), say).run(ready))
except supervisor.ServiceFailed as failed:
    say(f"FAILED {failed.name} {failed.log.name}")
except RuntimeError as error:
    say(f"BROKE {error}")
say("END")
"""


@dataclass
class Web:
    """A service to be supervised, and where it says who it is."""

    port: int
    pids: Path
    sleep: str

    def service(self, name: str, *, deaf: bool = False) -> dict[str, object]:
        argv = [sys.executable, "-c", WEB, str(self.port), str(self.pids), self.sleep, "deaf" if deaf else ""]
        return {"name": name, "argv": argv, "ready_url": f"http://127.0.0.1:{self.port}/", "ready_seconds": 20}

    @property
    def started(self) -> list[int]:
        return [int(line) for line in self.pids.read_text().split()] if self.pids.exists() else []


@pytest.fixture
def web(tmp_path: Path) -> Web:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return Web(probe.getsockname()[1], tmp_path / "pids", f"300.{secrets.randbelow(10**12):012d}")


class Supervised:
    """A running supervisor and what it says."""

    def __init__(self, process: subprocess.Popen[str], out: IO[str]) -> None:
        self.process, self.out = process, out

    def until(self, word: str) -> list[str]:
        lines = []
        for line in self.out:
            lines.append(line.strip())
            if word in line:
                return lines
        raise AssertionError(f"{word} was never said: {lines}")


@contextmanager
def supervising(tmp_path: Path, *services: dict[str, object], breaks: bool = False) -> Iterator[Supervised]:
    job = json.dumps({"services": services, "logs": str(tmp_path), "breaks": breaks})
    argv = [sys.executable, "-c", SUPERVISE, job]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Supervised(process, process.stdout)
        finally:
            if process.poll() is None:
                process.terminate()


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def sleeping(seconds: str) -> list[int]:
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if file.read_bytes().split(b"\0")[:2] == [b"sleep", seconds.encode()]:
                found.append(int(file.parent.name))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_service_starts_and_nothing_of_it_is_left(tmp_path: Path, web: Web, number: signal.Signals) -> None:
    with supervising(tmp_path, web.service("web")) as supervised:
        supervised.until("READY")
        assert len(web.started) == 1
        assert len(sleeping(web.sleep)) == 1  # in a session of its own, without a parent
        supervised.process.send_signal(number)
        assert supervised.until("END") == ["END"]
        assert supervised.process.wait(5) == 0
    assert not alive(web.started[0])
    assert sleeping(web.sleep) == []


def test_a_killed_service_starts_again(tmp_path: Path, web: Web) -> None:
    with supervising(tmp_path, web.service("web")) as supervised:
        supervised.until("READY")
        os.kill(web.started[0], signal.SIGKILL)
        assert supervised.until("↻") == ["web: -9 ↻"]
        assert eventually(lambda: len(web.started) == 2)
        assert alive(web.started[1])
    assert eventually(lambda: sleeping(web.sleep) == [])


def shares(web: Web, name: str) -> dict[str, object]:
    """A service that shares the port."""
    argv = [sys.executable, "-c", SHARES, str(web.pids)]
    return {**web.service(name), "argv": argv, "listens_on": ["127.0.0.1", web.port]}


def test_services_that_share_an_address_answer_for_each_other(tmp_path: Path, web: Web) -> None:
    ask = partial(httpx.get, f"http://127.0.0.1:{web.port}/", timeout=20)
    with supervising(tmp_path, shares(web, "one"), shares(web, "other")) as supervised:
        supervised.until("READY")
        assert eventually(lambda: len(web.started) == 2)
        killed, left = web.started
        os.kill(killed, signal.SIGSTOP)
        assert {int(ask().text) for _ in range(5)} == {left}
        os.kill(killed, signal.SIGKILL)
        supervised.until("-9 ↻")  # whichever of them came up first
        assert eventually(lambda: len(web.started) == 3)
        os.kill(left, signal.SIGSTOP)
        assert {int(ask().text) for _ in range(5)} == {web.started[2]}
        os.kill(left, signal.SIGCONT)
        # Who asks while none is there waits, and is not refused.
        for pid in (left, web.started[2]):
            os.kill(pid, signal.SIGKILL)
        assert ask().status_code == 200


def test_an_address_that_somebody_else_has_is_said(tmp_path: Path, web: Web) -> None:
    with socket.create_server(("127.0.0.1", web.port)), supervising(tmp_path, shares(web, "one")) as supervised:
        assert supervised.until("END") == ["FAILED one one.log", "END"]
    assert "Address already in use" in (tmp_path / "one.log").read_text()


def test_what_came_back_and_ended_is_taken_note_of(tmp_path: Path, web: Web) -> None:
    """It would be a number of the machine that nobody gets any more, one for each server of a day."""
    with supervising(tmp_path, web.service("web")) as supervised:
        supervised.until("READY")
        far = sleeping(web.sleep)[0]
        assert int(Path(f"/proc/{far}/stat").read_text().rpartition(")")[2].split()[1]) == supervised.process.pid
        os.kill(far, signal.SIGKILL)
        assert eventually(lambda: not Path(f"/proc/{far}").exists())
        # Whoever is waited for is left to who waits: the service's own end is told.
        os.kill(web.started[0], signal.SIGKILL)
        assert supervised.until("↻") == ["web: -9 ↻"]


def test_who_does_not_listen_is_killed(tmp_path: Path, web: Web) -> None:
    with supervising(tmp_path, web.service("web", deaf=True)) as supervised:
        supervised.until("READY")
        supervised.process.terminate()
        supervised.until("END")
    assert not alive(web.started[0])
    assert sleeping(web.sleep) == []


def test_a_service_that_dies_again_and_again_is_given_up_at_once(tmp_path: Path, web: Web) -> None:
    dies = {"name": "dies", "argv": [sys.executable, "-c", "raise SystemExit(3)"], "ready_url": "http://127.0.0.1:9/"}
    started = time.monotonic()
    with supervising(tmp_path, web.service("web"), {**dies, "ready_seconds": 60}) as supervised:
        said = supervised.until("END")
    assert said == [*["dies: 3 ↻"] * 4, "FAILED dies dies.log", "END"]
    assert time.monotonic() - started < 20  # not the sixty seconds that it would have had to answer
    assert not alive(web.started[0])
    assert sleeping(web.sleep) == []


def test_a_service_that_dies_later_again_and_again_is_given_up(tmp_path: Path, web: Web) -> None:
    with supervising(tmp_path, web.service("web")) as supervised:
        supervised.until("READY")
        for deaths in range(1, 6):
            assert eventually(lambda deaths=deaths: len(web.started) == deaths)
            os.kill(web.started[-1], signal.SIGKILL)
        assert supervised.until("END")[-2:] == ["FAILED web web.log", "END"]
    assert sleeping(web.sleep) == []


def test_a_service_that_nobody_waits_for_holds_nothing_up(tmp_path: Path, web: Web) -> None:
    """Without the template servers start by themselves: however often it dies, the class goes on."""
    dies = {"name": "dies", "argv": [sys.executable, "-S", "-c", "raise SystemExit(3)"], "ready_url": ""}
    with supervising(tmp_path, dies, web.service("web")) as supervised:
        supervised.until("READY")
        for _ in range(6):
            assert supervised.until("↻")[-1] == "dies: 3 ↻"
        assert alive(web.started[0])
        supervised.process.terminate()
        assert supervised.until("END")[-1] == "END"
    assert eventually(lambda: sleeping(web.sleep) == [])


def test_a_service_that_never_answers_is_named(tmp_path: Path, web: Web) -> None:
    silent = {"name": "silent", "argv": ["sleep", web.sleep], "ready_url": f"http://127.0.0.1:{web.port}/"}
    with supervising(tmp_path, {**silent, "ready_seconds": 0.5}) as supervised:
        assert supervised.until("END") == ["FAILED silent silent.log", "END"]
    assert sleeping(web.sleep) == []


def test_an_address_that_is_not_there_yet_is_waited_for(tmp_path: Path, web: Web) -> None:
    """A proxy answers from the first moment, with 404 for what it has not been told of."""
    service = web.service("web")
    with supervising(tmp_path, {**service, "ready_url": f"{service['ready_url']}late"}) as supervised:
        assert eventually(lambda: len(sleeping(web.sleep)) == 1)
        time.sleep(0.5)
        assert select.select([supervised.out], [], [], 0)[0] == []
        web.pids.with_name("pids.late").touch()
        assert supervised.until("READY") == ["READY"]


def test_what_breaks_when_all_is_ready_is_said_and_leaves_nothing(tmp_path: Path, web: Web) -> None:
    with supervising(tmp_path, web.service("web"), breaks=True) as supervised:
        assert supervised.until("END") == ["READY", "BROKE handing out failed", "END"]
    assert sleeping(web.sleep) == []
    assert not alive(web.started[0])


def test_a_killed_supervisor_takes_its_services_along(tmp_path: Path, web: Web) -> None:
    with supervising(tmp_path, web.service("web")) as supervised:
        supervised.until("READY")
        supervised.process.kill()
    assert eventually(lambda: not alive(web.started[0]))
    for left in sleeping(web.sleep):  # what had left its session no longer has anybody who knows it
        os.kill(left, signal.SIGKILL)
