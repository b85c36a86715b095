"""What a learner's server may take: processes, memory, and room on the disk.

All of it for servers that start in bubblewrap, and for those that are forked into it; each attack is tried bare first.
"""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from server_house import RUNS, House

from grader.sandbox import SCRATCH_BYTES
from hub_config import cgroup

WRITE = """
import pathlib
try:
    pathlib.Path("full").write_bytes(b"x" * 2_000_000)
except OSError as error:
    print("refused", error.errno)
print(pathlib.Path("full").stat().st_size)
"""
#: Takes so much room at once in a new file of each folder, by default wherever something is mounted.
TAKE = """
import contextlib, os, sys
mounted = (line.split()[4] for line in open("/proc/self/mountinfo"))
for folder in sys.argv[2:] or mounted:
    path = os.path.join(folder, f"practicum-takes-room-{os.getpid()}")
    with contextlib.suppress(OSError), open(path, "xb") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, int(sys.argv[1]))
            print("GOT IT", folder)
        finally:
            os.unlink(path)
"""


def groups(spawner: Any) -> list[Path]:
    """The folders of a server's control groups."""
    found = [folder / spawner.group for folder, _file in cgroup.places().values()]
    found = [folder for folder in found if folder.exists()]
    assert found
    return found


async def gone(folders: list[Path]) -> None:
    """Wait until control groups are removed."""
    deadline = time.monotonic() + 60
    while any(folder.exists() for folder in folders):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)


async def test_a_fork_bomb_is_bounded(house: House) -> None:
    """A group of all the server's processes, and for a fork whose user is not root its own limit."""
    bomb = """
import os, time
count = 0
try:
    while count < 300:
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
        count += 1
except OSError:
    pass
print("up", count, flush=True)
os.killpg(0, 9)
"""
    assert "pids" in cgroup.places() or os.getuid(), cgroup.why_not()
    spawner = house.spawner("ann", bomb)
    spawner.max_processes = 100
    await house.up(spawner, "ann")
    assert 50 < int(house.log("ann").read_text().split()[1]) < 100
    folders = groups(spawner)
    await spawner.stop(now=True)
    await spawner.poll()
    await gone(folders)


async def test_groups_go_even_where_the_end_of_what_was_in_them_takes_long(house: House) -> None:
    """On a machine with too much to do a hundred processes need more than a moment to die."""
    spawner = house.spawner("ann", RUNS)
    await house.up(spawner, "ann")
    folders = groups(spawner)
    with subprocess.Popen(["sleep", "60"]) as late:
        try:
            for folder in folders:
                (folder / "cgroup.procs").write_text(str(late.pid))
            await spawner.stop(now=True)
            await spawner.poll()
            await asyncio.sleep(3)
            assert any(folder.exists() for folder in folders)
        finally:
            late.kill()
    await gone(folders)


async def test_memory_of_all_processes_together_is_bounded(house: House) -> None:
    hog = """
import os, signal, time
told, tell = os.pipe()
children = []
for number in range(4):
    children.append(os.fork())
    if children[-1] == 0:
        held = b"x" * 150_000_000
        os.write(tell, b"x")
        time.sleep(60)
os.set_blocking(told, False)
held = ended = 0
while held + ended < 4:
    try:
        held += len(os.read(told, 4))
    except BlockingIOError:
        time.sleep(0.05)
    ended += os.waitpid(-1, os.WNOHANG)[0] > 0
print("ended", ended, flush=True)
for child in children:
    os.kill(child, signal.SIGKILL)
"""
    assert "ended 0" in await house.says("ann", hog)
    house.log("ann").unlink()
    assert "memory" in cgroup.places(), cgroup.why_not()
    spawner = house.spawner("ann", hog)
    spawner.mem_limit = "400M"
    await spawner.start()
    while await spawner.poll() is None:
        await asyncio.sleep(0.1)
    assert int(house.log("ann").read_text().split()[1]) > 0


async def test_no_file_grows_beyond_its_bound(house: House) -> None:
    assert await house.says("ann", WRITE, plain=True) == "2000000\n"
    house.log("ann").unlink()
    spawner = house.spawner("ann", WRITE)
    spawner.max_file_bytes = 1_000_000
    await spawner.start()
    while await spawner.poll() is None:
        await asyncio.sleep(0.05)
    assert house.log("ann").read_text() == f"refused {errno.EFBIG}\n1000000\n"
    assert (house.data / "homes/ann/full").stat().st_size == 1_000_000


async def test_folders_in_memory_take_no_more_than_they_may(house: House, tmp_path: Path) -> None:
    """Of all that is mounted only the home takes more: that is the disk's, and needs a quota of its file system."""
    room = str(SCRATCH_BYTES + 1_000_000)
    assert await house.says("ann", TAKE, room, tmp_path, plain=True) == f"GOT IT {tmp_path}\n"
    house.log("ann").unlink()
    assert await house.says("ann", TAKE, room) == "GOT IT /home/ann\n"
