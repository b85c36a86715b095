"""A learner's server sees its own home and nothing of anybody else's; and it starts, stops and is found again.

All of it for servers that start in bubblewrap, and for those that are forked into it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import server_house
from server_house import RUNS, House, seconds
from taken import processes

from grader.sandbox import SandboxMissing, lab_folders
from hub_config import spawner as module
from hub_config.spawner import birth
from hub_config.supervisor import descendants

#: Reads whatever there is at each path.
READ = """
import pathlib, sys
for path in map(pathlib.Path, sys.argv[1:]):
    got = 0
    try:
        got = sum(len(f.read_bytes()) for f in ([path] if path.is_file() else path.rglob("*")) if f.is_file())
    except OSError:
        pass
    print(path, "GOT IT" if got else "nothing")
"""
NEIGHBOURS = """
import pathlib, sys
word = "".join(sys.argv[1:]).encode()
for name in ("environ", "cmdline"):
    for file in pathlib.Path("/proc").glob("[0-9]*/" + name):
        try:
            if word in file.read_bytes():
                print("GOT IT", file)
        except OSError:
            pass
"""
#: Something that stands in its own memory and nowhere else, and where.
SECRET = """
import time
secret = b"-".join([b"bobs", b"answer"] * 3)
print("up", id(secret) + bytes.__basicsize__ - 1, len(secret), flush=True)
time.sleep(300)
"""
WAYS = ("maps", "mem", "process_vm_readv")
#: Reads that place of the processes that it is told of, by their numbers outside, and of each that it sees.
MEMORY = """
import ctypes, os, sys
address, size = map(int, sys.argv[1:3])
libc = ctypes.CDLL(None, use_errno=True)
def maps(pid):
    lines = open(f"/proc/{pid}/maps").read().splitlines()
    spans = [[int(end, 16) for end in line.split()[0].split("-")] for line in lines]
    return pid in told and any(begin <= address < end for begin, end in spans)
def mem(pid):
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        memory.seek(address)
        return b"bobs-answer-" in memory.read(size)
def process_vm_readv(pid):
    here = ctypes.create_string_buffer(size)
    ours = (ctypes.c_size_t * 2)(ctypes.addressof(here), size)
    theirs = (ctypes.c_size_t * 2)(address, size)
    number = {"x86_64": 310, "aarch64": 270}[os.uname().machine]
    libc.syscall(number, int(pid), ours, ctypes.c_ulong(1), theirs, ctypes.c_ulong(1), ctypes.c_ulong(0))
    return b"bobs-answer-" in here.raw
told = sys.argv[3:]
seen = [name for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]
for pid in told + (seen if len(seen) < 20 else []):
    for way in (maps, mem, process_vm_readv):
        try:
            if way(pid):
                print("GOT IT", way.__name__, pid)
        except OSError:
            pass
print("read")
"""
ENVIRONMENT = "import json, os; print(json.dumps(dict(os.environ)))"
ENDS_WELL = """
import pathlib, signal, sys, time
def end(*_):
    time.sleep(0.3)
    pathlib.Path("saved").write_text("everything")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("up", flush=True)
time.sleep(300)
"""
IGNORES = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
null = subprocess.DEVNULL
subprocess.Popen(["sleep", sys.argv[1]], start_new_session=True, stdin=null, stdout=null, stderr=null)
print("up", flush=True)
time.sleep(300)
"""


# --- what a server sees ----------------------------------------------------------------------------------------------


async def test_a_learner_reads_nothing_of_the_house(house: House) -> None:
    paths = [*house.secrets, *lab_folders()]
    bare = (await house.says("ann", READ, *paths, plain=True)).splitlines()
    assert bare == [f"{path} GOT IT" for path in paths]
    house.log("ann").unlink()
    sandboxed = (await house.says("ann", READ, "work.txt", *paths)).splitlines()
    assert sandboxed == ["work.txt GOT IT", *(f"{path} nothing" for path in paths)]


async def test_a_learner_writes_nowhere_but_at_home(house: House) -> None:
    write = """
import pathlib, sys
for path in map(pathlib.Path, sys.argv[1:]):
    try:
        path.write_text("evil")
    except OSError:
        pass
"""
    targets = [*house.secrets, Path("/run/practicum/jupyter/jupyter_server_config.json"), Path(module.__file__)]
    before = Path(module.__file__).read_bytes()
    await house.says("ann", write, *targets, "/home/ann/mine.txt")
    assert all(path.read_text() == "worth reading" for path in house.secrets if "logs" not in path.parts)
    assert Path(module.__file__).read_bytes() == before
    assert (house.data / "homes/ann/mine.txt").read_text() == "evil"


async def test_a_learner_does_not_see_a_neighbours_server(house: House) -> None:
    bare = house.spawner("bob", RUNS, plain=True)
    await house.up(bare, "bob")
    assert "GOT IT" in await house.says("ann", NEIGHBOURS, "token-", "of-bob", plain=True)
    await bare.stop(now=True)
    house.log("ann").unlink()
    house.log("bob").unlink()
    neighbour = house.spawner("bob", RUNS)
    await house.up(neighbour, "bob")
    assert await house.says("ann", NEIGHBOURS, "token-", "of-bob") == ""
    await neighbour.stop(now=True)


async def test_a_learner_reads_no_neighbours_memory(house: House) -> None:
    """Nor, where that has the same place in every fork, one's own of before: what was forked holds nobody's secrets."""

    async def reads(plain: bool) -> str:
        for login in ("ann", "bob"):
            house.log(login).unlink(missing_ok=True)
        neighbour = house.spawner("bob", SECRET, plain=plain)
        await house.up(neighbour, "bob")
        word, address, size = house.log("bob").read_text().split()
        found = await house.says(
            "ann", MEMORY, address, size, *map(str, [neighbour.pid, *descendants(neighbour.pid)]), plain=plain
        )
        await neighbour.stop(now=True)
        assert word == "up"
        return found

    bare = await reads(plain=True)
    assert [bare.count(f"GOT IT {way} ") for way in WAYS] == [1, 1, 1], bare
    assert await reads(plain=False) == "read\n"


async def test_nothing_of_the_hubs_environment_comes_along(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIGPROXY_AUTH_TOKEN", "LD_LIBRARY_PATH", "PYTHONPATH", "PROVIDER_KEY"):
        monkeypatch.setenv(name, "canary")
    env = json.loads(await house.says("ann", ENVIRONMENT))
    assert "canary" not in env.values()
    assert (env["HOME"], env["USER"], env["PRACTICUM_COURSES"]) == ("/home/ann", "ann", "course-a")
    assert env["OPENAI_BASE_URL"] == "http://127.0.0.1:1/course-a/-/v1"
    assert env["OPENAI_API_KEY"] == env["JUPYTERHUB_API_TOKEN"] == "token-of-ann"
    assert "PRACTICUM_COURSE" not in env


async def test_somebody_without_a_course_gets_no_ai(house: House) -> None:
    env = json.loads(await house.says("kim", ENVIRONMENT))
    assert "OPENAI_API_KEY" not in env
    assert env["PRACTICUM_COURSES"] == ""


@pytest.mark.parametrize(("own", "other"), ["ab", "ba"])
async def test_a_formgrader_sees_its_own_course(house: House, own: str, other: str) -> None:
    """From its name alone: the Hub may know its groups later than it starts."""
    account = f"formgrader~course-{own}"
    inside = [f"/home/{account}/courses/course-{course}/gradebook.db" for course in (own, other)]
    said = await house.says(account, READ, *inside, *house.secrets)
    assert said.splitlines() == [
        f"{inside[0]} GOT IT",
        f"{inside[1]} nothing",
        *(f"{path} nothing" for path in house.secrets),
    ]
    house.log(account).unlink()
    env = json.loads(await house.says(account, ENVIRONMENT))
    assert env["PRACTICUM_COURSE"] == env["PRACTICUM_COURSES"] == f"course-{own}"
    assert env["PRACTICUM_COURSE_ROOT"] == f"/home/{account}/courses/course-{own}"
    assert env["PRACTICUM_LANG"] == {"a": "ko", "b": "en"}[own]


@pytest.mark.parametrize("login", ["ann", "eve"])
async def test_no_persons_own_server_shows_a_course(house: House, login: str) -> None:
    inside = f"/home/{login}/courses/course-a/gradebook.db"
    said = await house.says(login, READ, inside, *house.secrets, *lab_folders())
    assert "GOT IT" not in said
    house.log(login).unlink()
    env = json.loads(await house.says(login, ENVIRONMENT))
    assert "PRACTICUM_COURSE_ROOT" not in env
    assert env["PRACTICUM_COURSES"].split()[0] == "course-a"


# --- start, poll, stop -----------------------------------------------------------------------------------------------


async def test_a_server_starts_and_stops(house: House) -> None:
    spawner = house.spawner("ann", RUNS)
    await house.up(spawner, "ann")
    group = spawner.pid
    assert await spawner.poll() is None
    # bubblewrap's init and the server; forked, what holds the sandbox and the nursery besides.
    assert len(descendants(group)) == (4 if house.template else 2)
    await spawner.stop()
    assert await spawner.poll() is not None
    assert _soon_empty(group)


async def test_a_server_has_the_time_to_end_well(house: House) -> None:
    spawner = house.spawner("ann", ENDS_WELL)
    await house.up(spawner, "ann")
    await spawner.stop()
    assert (house.data / "homes/ann/saved").read_text() == "everything"


async def test_a_server_that_does_not_listen_is_killed_with_what_it_started(house: House) -> None:
    argument = seconds()
    spawner = house.spawner("ann", IGNORES, argument)
    await house.up(spawner, "ann")
    # The kernel's list of children may leave one out while others end.
    assert _soon(lambda: any(pid in descendants(spawner.pid) for pid in processes(argument)))
    group, started = spawner.pid, time.monotonic()
    await spawner.stop()
    assert 1.5 < time.monotonic() - started < 6
    assert _soon_empty(group)
    assert processes(argument) == []


async def test_a_server_that_ends_by_itself_leaves_nothing_running(house: House) -> None:
    argument = seconds()
    leaves = "import subprocess, sys; subprocess.Popen(['sleep', sys.argv[1]], start_new_session=True, stdout=2); print('up')"
    spawner = house.spawner("ann", leaves, argument)
    await house.up(spawner, "ann")
    deadline = time.monotonic() + 10
    while await spawner.poll() is None or processes(argument):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


def test_stopping_a_server_does_not_end_who_stops_it(house: House) -> None:
    """Run as a group of its own, as the Hub is: a stop that reaches the wrong group ends it too."""
    assert _hub(house, """
for now in (False, True):
    await house.up(spawner, "ann")
    await spawner.stop(now=now)
    await spawner.stop(now=now)  # twice, as an impatient person does
print("still here")
""").stdout == "still here\n"  # fmt: skip


async def test_a_hub_that_was_killed_finds_its_servers_again(house: House) -> None:
    died = _hub(house, """
await house.up(spawner, "ann")
print(json.dumps(spawner.get_state()), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
""")  # fmt: skip
    assert died.returncode == -signal.SIGKILL
    state = json.loads(died.stdout)
    again = house.spawner("ann", RUNS)
    again.load_state(state)
    assert await again.poll() is None
    assert again.get_state() == state
    await again.stop()
    assert await again.poll() == 0
    assert birth(state["pid"]) == ""


async def test_a_server_that_died_while_the_hub_was_away_is_known_to_be_dead(house: House) -> None:
    """Nobody may have taken note of its end yet: it is a zombie, and not a running server."""
    before = house.spawner("ann", "print('up', flush=True)")
    await before.start()
    os.waitid(os.P_PID, before.pid, os.WEXITED | os.WNOWAIT)
    again = house.spawner("ann", RUNS)
    again.load_state(before.get_state() | {"born": before.born})
    assert await again.poll() == 0
    assert await before.poll() == 0


async def test_a_number_that_another_program_has_now_is_left_alone(house: House) -> None:
    """Numbers begin anew with the machine or its container; the Hub's database still names the old ones."""
    other = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        spawner = house.spawner("ann", RUNS)
        spawner.load_state({"pid": other.pid, "born": "1"})
        await spawner.stop()
        assert await spawner.poll() == 0
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


async def test_without_the_sandbox_no_server_starts(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "why_missing", lambda: "no user namespaces")
    spawner = house.spawner("ann", "open('/tmp/never', 'w')")
    with pytest.raises(SandboxMissing, match="no user namespaces"):
        await spawner.start()
    assert spawner.pid == 0


def _soon_empty(group: int) -> bool:
    """Whether no process of a group lives; who has just been killed may take a moment."""
    return _soon(lambda: not _living(group))


def _soon(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 3
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds()


def _living(group: int) -> list[str]:
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _parent, its_group, *_others = file.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if state != "Z" and int(its_group) == group:
            found.append(file.parent.name)
    return found


def _hub(house: House, steps: str) -> subprocess.CompletedProcess[str]:
    """Let another process be the Hub."""
    lines = "\n    ".join(steps.strip().splitlines())
    code = f"""
import asyncio, json, os, signal, sys
from pathlib import Path
sys.path.insert(0, {str(Path(server_house.__file__).parent)!r})
from server_house import RUNS, House
house = House(Path({str(house.data)!r}), {house.template and str(house.template)!r})
spawner = house.spawner("ann", RUNS)
async def main():
    {lines}
asyncio.run(main())
"""
    argv = [sys.executable, "-W", "ignore", "-c", code]
    return subprocess.run(
        argv, stdout=subprocess.PIPE, text=True, check=False, timeout=60, start_new_session=True,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
