"""From inside a forked server: nothing of the house, of the template or of another server can be reached.

Each attack is tried bare first where that is cheap, so that it is known to be one.
"""

from __future__ import annotations

import asyncio
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from quick_template import Template, descriptors
from server_house import RUNS, House

from grader.sandbox import Sandbox
from hub_config.quick import landlock
from hub_config.quick.calling import answers
from hub_config.supervisor import descendants

#: Runs each line of code on its own and says what came of it.
TRY = """
import ctypes, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(*args):
    if libc.syscall(*args) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
for attack in sys.argv[1:]:
    try:
        exec(attack)
        print("GOT IT", attack)
    except BaseException as error:
        print(type(error).__name__, attack)
"""
RANDOM = """
import json, multiprocessing, os, random, secrets, ssl, tempfile, uuid
import numpy
from numpy.random import default_rng
print(json.dumps([
    random.random(), random.SystemRandom().random(), float(numpy.random.rand()), float(default_rng().random()),
    str(uuid.uuid4()), str(uuid.uuid1()), secrets.token_hex(), ssl.RAND_bytes(16).hex(), os.urandom(16).hex(),
    next(tempfile._get_candidate_names()), multiprocessing.current_process().authkey.hex(),
]))
"""
DESCRIPTORS = """
import os
for name in sorted(os.listdir("/proc/self/fd"), key=int):
    try:
        print(name, os.readlink("/proc/self/fd/" + name))
    except OSError:
        pass
"""
STATUS = "print(open('/proc/self/status').read())"
NAMESPACES = """
import json, os
print(json.dumps({kind: os.readlink("/proc/self/ns/" + kind) for kind in os.listdir("/proc/self/ns")}))
"""
MOUNTS = """
lines = open("/proc/self/mountinfo").read().splitlines()
print("\\n".join(sorted(" ".join(line.split()[3:6]) for line in lines)))
"""


@pytest.fixture
def house(template: Template, tmp_path: Path) -> House:
    return House(tmp_path / "var", template.socket)


async def fresh(house: House, *cmd: str, login: str = "ann", plain: bool = False) -> str:
    house.log(login).unlink(missing_ok=True)
    return await house.says(login, *cmd, plain=plain)


async def test_a_fork_sees_what_bubblewrap_shows(house: House, tmp_path: Path) -> None:
    forked = await fresh(house, MOUNTS)
    house.template = None
    assert await fresh(house, MOUNTS) == forked
    assert len(forked.splitlines()) > 20


async def test_a_fork_shares_only_the_network_and_the_clock(house: House) -> None:
    mine = {path.name: str(path.readlink()) for path in Path("/proc/self/ns").iterdir()}
    # Both live when they are compared: the kernel gives the number of a namespace that has ended to the next one.
    servers = {login: house.spawner(login, NAMESPACES + RUNS) for login in ("ann", "bob")}
    try:
        for login, server in servers.items():
            await house.up(server, login)
        ann, bob = [json.loads(house.log(login).read_text("utf-8").splitlines()[0]) for login in servers]
    finally:
        for server in servers.values():
            await server.stop()
    same = {"net", "time", "time_for_children"}
    assert {kind for kind in mine if ann[kind] == mine[kind]} == same
    assert {kind for kind in mine if ann[kind] == bob[kind]} == same


async def test_a_fork_has_no_rights_and_gets_none(house: House) -> None:
    status = dict(line.split(":\t") for line in (await fresh(house, STATUS)).splitlines() if ":\t" in line)
    assert {status[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


async def test_a_fork_inherits_no_descriptor(house: House) -> None:
    lines = (await fresh(house, DESCRIPTORS)).splitlines()
    assert lines[0] == "0 /dev/null"
    assert lines[1:3] == [f"{number} {house.log('ann')}" for number in (1, 2)]
    # The channel to its own nursery, and the list itself, which is closed by now.
    assert [line.split()[1].partition("[")[0] for line in lines[3:]] == ["socket:"]


async def test_the_file_that_it_runs_from_cannot_be_opened(house: House) -> None:
    """It lies outside the sandbox's read-only folders: who could open it could write the Python of the whole house."""
    opens = "open('/proc/self/exe', 'rb')"
    assert await fresh(house, TRY, opens, plain=True) == f"GOT IT {opens}\n"
    attacks = [opens, "os.open('/proc/self/exe', os.O_WRONLY)", "os.truncate('/proc/self/exe', 0)",
               "open('/proc/1/root/etc/shadow')", "os.open('/proc/self/fd/1', os.O_RDONLY)"]  # fmt: skip
    assert "GOT IT" not in await fresh(house, TRY, *attacks)
    # By its number instead of its path it is no other file.
    assert "GOT IT" not in await fresh(
        house, TRY, "n = os.open('/proc/self/exe', os.O_PATH); open(f'/proc/self/fd/{n}', 'rb')"
    )


@pytest.mark.parametrize(
    "attack",
    [
        "call(101, 16, os.getppid(), 0, 0)",  # ptrace: attach
        "call(310, os.getppid(), 0, 0, 0, 0, 0)",  # process_vm_readv
        "call(248, b'user', b'x', b'y', 1, -3)",  # add_key
        "call(272, 0x10000000)",  # unshare: a user namespace
        "call(425, 1, b'\\0' * 120)",  # io_uring_setup
        "call(323, 0)",  # userfaultfd
    ],
)
async def test_calls_that_nobody_here_needs_are_refused(house: House, attack: str) -> None:
    assert (await fresh(house, TRY, attack)).startswith("PermissionError")
    house.template = None  # a server that starts by itself has the same list
    assert (await fresh(house, TRY, attack)).startswith("PermissionError")


async def test_a_new_user_namespace_is_refused_by_any_call(house: House) -> None:
    clone = "call(56, 0x10000000 | 17, 0, 0, 0, 0) or os._exit(0)"
    assert (await fresh(house, TRY, clone)).startswith("PermissionError")
    assert (await fresh(house, TRY, "call(435, 0, 0)")).startswith("OSError")  # clone3 is said not to be there


async def test_two_servers_draw_nothing_alike(house: House) -> None:
    drawn = [json.loads(await fresh(house, RANDOM, login=login)) for login in ("ann", "bob", "ann")]
    for values in zip(*drawn, strict=True):
        assert len(set(values)) == 3, values


async def test_loopback_is_closed_but_for_what_servers_call(house: House) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    attack = f"socket.create_connection(('127.0.0.1', {server.server_port}), 5).close()"
    try:
        assert "GOT IT" in await fresh(house, TRY, attack, plain=True)
        assert landlock.version() >= landlock.WITH_PORTS
        assert (await fresh(house, TRY, attack)).startswith("PermissionError")
    finally:
        server.shutdown()
        server.server_close()


async def test_abstract_sockets_of_the_machine_are_out_of_reach(house: House) -> None:
    name = f"\0practicum-{os.getpid()}"
    attack = f"socket.socket(socket.AF_UNIX).connect({name!r})"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(name)
        listener.listen()
        assert "GOT IT" in await fresh(house, TRY, attack, plain=True)
        assert (await fresh(house, TRY, attack)).startswith("PermissionError")


async def test_the_template_cannot_be_reached(house: House, template: Template) -> None:
    attack = f"socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).connect({str(template.socket)!r})"
    assert "GOT IT" in await fresh(house, TRY, attack, plain=True)
    assert "GOT IT" not in await fresh(house, TRY, attack)


def test_the_template_answers_nobody_in_a_sandbox(template: Template) -> None:
    """Even where its socket could be reached: who is in other namespaces is not the Hub."""
    code = """
import os, socket, sys
template = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
template.connect("/mnt/template.sock")
ours, theirs = socket.socketpair()
try:
    socket.send_fds(template, [b"{}"], [0, 1, theirs.fileno()])
    print(template.recv(64))
except (ConnectionResetError, BrokenPipeError):  # as it had read what was sent, or had gone before it was
    print(b"")
"""
    sandbox = Sandbox(writable=[(template.socket.parent, "/mnt")], network=True)
    done = sandbox.run([sys.executable, "-c", code])
    assert done.stdout == b"b''\n", done.stderr
    assert asyncio.run(answers(template.socket))  # it still answers who is of the house


async def test_shared_memory_is_each_ones_own(house: House) -> None:
    leave = "open('/dev/shm/left', 'w').write('x'); os.system('ipcmk -M 100 >/dev/null')"
    find = "print(os.listdir('/dev/shm')); os.system('ipcs -m')"
    neighbour = house.spawner("bob", "import os, time; " + leave + "; print('up', flush=True); time.sleep(60)")
    await house.up(neighbour, "bob")
    said = await fresh(house, "import os; " + find)
    await neighbour.stop(now=True)
    assert "[]" in said.splitlines()
    assert "0x" not in said


async def test_who_kills_all_it_can_ends_its_own_house_only(house: House) -> None:
    neighbour = house.spawner("bob", "import time; print('up', flush=True); time.sleep(60)")
    await house.up(neighbour, "bob")
    before = descendants(neighbour.pid)
    await fresh(house, "import os, signal; os.kill(-1, signal.SIGKILL)")
    assert await neighbour.poll() is None
    assert descendants(neighbour.pid) == before
    await neighbour.stop(now=True)


async def test_the_template_holds_nothing_worth_having(template: Template) -> None:
    held = descriptors(template.process.pid)
    assert sum(name.startswith("socket:") for name in held) == 1  # where it listens
    assert not any(name.endswith((".db", ".sqlite")) for name in held)
    assert len(list(Path(f"/proc/{template.process.pid}/task").iterdir())) == 1


def test_lsof_of_everything_finds_the_socket_in_a_closed_folder(template: Template) -> None:
    assert template.socket.parent.stat().st_mode & 0o777 == 0o700
    assert template.socket.stat().st_mode & 0o777 == 0o600
    assert subprocess.run(["test", "-S", template.socket], check=False).returncode == 0
