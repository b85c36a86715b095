"""The template inside the sandbox: imports once what the notebooks need, then forks a child for each submission.

The rule: one child at a time. When it has ended, every process in the sandbox but this one is killed and what it wrote is
removed, so that the next submission meets nothing of it; a job that says `keep` leaves its files to the job that `goes_on`.
Where that fails the template ends, and a new sandbox takes over.
It is the sandbox's first process: no other one of ours is there, and what a child leaves behind becomes its own child.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import resource
import select
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from grader.engine.warm.leftovers import remove_leftovers

#: Where the folder of the submission that comes next is shown, read-only.
INBOX = Path("/submission")
WORK = Path("/assignment")
#: All that can be written in the sandbox.
SCRATCH = (WORK, Path("/tmp"), Path("/run"), Path("/var/tmp"), Path("/dev/shm"), Path("/home/learner"))  # noqa: S108
TICK_SECONDS = 0.02
Become = Callable[[int, tuple[int, int], dict[str, Any]], NoReturn]
PR_SET_DUMPABLE = 4
FIRST = "1"


def main() -> None:
    """Serve the channel on standard input until it closes."""
    # A child runs under the same user: not dumpable, this process can neither be traced nor read through /proc.
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    channel = socket.socket(fileno=os.dup(0))
    order = json.loads(channel.recv(1 << 20))
    os.chdir(WORK)
    for name in order["imports"]:
        # What cannot be imported here is the notebook's own trouble, later, in its own words.
        with suppress(BaseException):
            importlib.import_module(name)
    become = BECOME[order["child"]](order)
    mounts, machine = _mounts(), os.uname().machine
    gc.collect()
    gc.freeze()
    channel.send(b'{"ready": true}')
    kept = False
    while True:
        message, descriptors, _flags, _address = socket.recv_fds(channel, 1 << 20, 1)
        if not message:
            return
        job = json.loads(message)
        if kept and not job.get("goes_on"):
            return  # what the one before left may not be met by another
        pid, outputs = _fork(channel, descriptors[0], become, job)
        os.close(descriptors[0])
        why = _watch(channel, pid, outputs, job)
        ended = _end(pid)
        for output in outputs:
            os.close(output)
        kept = bool(job.get("keep"))
        clean = kept or (_wipe(SCRATCH, mounts) and remove_leftovers(machine))
        channel.send(json.dumps({"why": why or ended, "clean": clean}).encode())


def _notebook(order: dict[str, Any]) -> Become:
    """Children that execute notebooks."""
    from grader.engine.warm.child import become_child
    from grader.engine.warm.shell import make_shell
    from grader.engine.warm.snapshot import snapshot_of

    shell, snapshot = make_shell(), snapshot_of(order["guarded"])
    return lambda descriptor, outputs, job: become_child(descriptor, outputs, shell, snapshot, INBOX, WORK, job)


def _check(order: dict[str, Any]) -> Become:
    """Children that run a submission's checks."""
    from grader.engine.warm.check import become_check

    return lambda descriptor, outputs, job: become_check(descriptor, outputs, INBOX, order["lang"], job)


def _kernel(order: dict[str, Any]) -> Become:
    """Children that drive a kernel of another language."""
    from grader.engine.cold.driver import become_driver

    return lambda descriptor, outputs, job: become_driver(descriptor, outputs, order, INBOX, WORK, job)


def _again(_order: dict[str, Any]) -> Become:
    """Children that execute a notebook beside its recorded AI answers, and then children that compare what it made."""
    from grader.engine.again.inside import become_again
    from grader.engine.warm.shell import make_shell
    from grader.engine.warm.snapshot import snapshot_of

    shell, snapshot = make_shell(), snapshot_of(())
    return lambda descriptor, outputs, job: become_again(descriptor, outputs, shell, snapshot, job)


BECOME = {"notebook": _notebook, "check": _check, "kernel": _kernel, "again": _again}


def _fork(channel: socket.socket, descriptor: int, become: Become, job: dict[str, Any]) -> tuple[int, tuple[int, int]]:
    outputs = (os.memfd_create("stdout"), os.memfd_create("stderr"))
    pid = os.fork()
    if pid == 0:
        try:
            channel.close()
            _confine(job)
            become(descriptor, outputs, job)
        finally:
            os._exit(1)
    return pid, outputs


def _confine(limits: dict[str, Any]) -> None:
    """Set the limits of the child and of all that it starts."""
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
    os.setsid()
    os.nice(2)
    for kind, value in (
        (resource.RLIMIT_AS, limits.get("address_bytes", limits["memory_bytes"])),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_NOFILE, limits["open_files"]),
        (resource.RLIMIT_NPROC, limits["processes"]),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        resource.setrlimit(kind, (value, value))
    # The first bound says why; the second comes for who ignores it.
    resource.setrlimit(resource.RLIMIT_CPU, (limits["cpu_seconds"], limits["cpu_seconds"] + 2))


def _watch(channel: socket.socket, pid: int, outputs: tuple[int, int], limits: dict[str, Any]) -> str:
    """Wait for the child's end; give the limit that it broke, or nothing."""
    child = os.pidfd_open(pid)
    try:
        while True:
            ready, _, _ = select.select([child, channel.fileno()], [], [], TICK_SECONDS)
            if child in ready:
                return ""
            if channel.fileno() in ready:
                order = channel.recv(64)
                if order != b"interrupt":
                    return "time_limit" if order == b"late" else "ended"
                os.kill(pid, signal.SIGINT)
            if broken := _broken(outputs, limits):
                return broken
    finally:
        os.close(child)


def _broken(outputs: tuple[int, int], limits: dict[str, Any]) -> str:
    processes = _processes()
    if len(processes) > limits["processes"] + 1:  # this one
        return "process_limit"
    if sum(map(_resident_bytes, processes)) > limits["memory_bytes"]:
        return "memory_limit"
    if sum(os.fstat(output).st_size for output in outputs) > limits["output_bytes"]:
        return "output_limit"
    if "cpu_seconds_of_all" in limits and sum(map(_cpu_seconds, processes)) > limits["cpu_seconds_of_all"]:
        return "cpu_limit"
    return ""


def _resident_bytes(process: str) -> int:
    if process == FIRST:
        return 0
    try:
        statm = Path(f"/proc/{process}/statm").read_text("ascii").split()
    except OSError:
        return 0
    return (int(statm[1]) - int(statm[2])) * resource.getpagesize()


def _cpu_seconds(process: str) -> float:
    """Of a process, and of what it started and waited for."""
    if process == FIRST:
        return 0
    try:
        # A process's name may hold anything, and ends at the last bracket.
        stat = Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return 0
    return sum(map(int, stat[11:15])) / os.sysconf("SC_CLK_TCK")


def _end(pid: int) -> str:
    """Kill everything but this process, wait for it, and say how the child had ended where it did not end well."""
    how = ""
    with suppress(ChildProcessError):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done and os.WIFSIGNALED(status):
            how = "cpu_limit" if os.WTERMSIG(status) == signal.SIGXCPU else "killed"
    until = time.monotonic() + 10
    while set(_processes()) - {FIRST} and time.monotonic() < until:
        # To all but this process.
        with suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.001)
    return how


def _processes() -> list[str]:
    return [path.name for path in Path("/proc").iterdir() if path.name.isdigit()]


def _wipe(folders: Iterable[Path], mounts: frozenset[Path]) -> bool:
    """Empty what can be written, and leave what is mounted there; False where something stays."""
    try:
        for folder in folders:
            for path in folder.iterdir():
                if path in mounts:
                    continue
                if any(mount.is_relative_to(path) for mount in mounts):
                    _wipe([path], mounts)
                elif path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
    except (OSError, RecursionError):
        return False
    return True


def _mounts() -> frozenset[Path]:
    """What is mounted: an installation may stand below /tmp, and is shown there."""
    lines = Path("/proc/self/mountinfo").read_text("utf-8").splitlines()
    return frozenset(Path(line.split()[4].encode().decode("unicode_escape")) for line in lines)


if __name__ == "__main__":
    main()
