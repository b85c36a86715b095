"""Processes that read what learners send. The rule: each runs in the sandbox with limits, without a network, or not at all."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from grader.sandbox import Sandbox, lab_folders, why_missing
from grader.sandbox import missing as sandbox_missing
from hub_config.models import errors

DEVNULL, PIPE = asyncio.subprocess.DEVNULL, asyncio.subprocess.PIPE
#: How much a process may write to one file: it has none to write but in its own scratch folders.
FILE_BYTES = 100_000_000


@dataclass(frozen=True)
class Limits:
    """What one process may use."""

    memory_bytes: int
    cpu_seconds: int | None = None


def sandbox(*read_only: tuple[Path, str], writable: Sequence[tuple[Path, str]] = (), threads: int = 1) -> Sandbox:
    """Give a sandbox that sees the named folders, and of the packs nothing that would tell a lab's solutions."""
    # Threads that wait would else spin, and take the cores from those that work.
    env = {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1"}
    return Sandbox(read_only=read_only, writable=writable, hidden=lab_folders(), env=env)


async def start(
    box: Sandbox, argv: Sequence[str], limits: Limits, *, stdin: int = PIPE, stderr: int = PIPE
) -> asyncio.subprocess.Process:
    """Start a process in the sandbox; ServiceError where the machine has none."""
    if (why := why_missing()) is not None:
        raise errors.no_sandbox(sandbox_missing(why).text)
    return await asyncio.create_subprocess_exec(
        *box.command([*_limited(limits), *argv]), env=box.environment(), stdin=stdin, stdout=PIPE, stderr=stderr,
        start_new_session=True,
    )  # fmt: skip


async def run(
    box: Sandbox, argv: Sequence[str], limits: Limits, *, stdin: bytes = b"", seconds: float, most_bytes: int
) -> bytes | None:
    """Run a process to its end and give what it wrote, at most one byte more than the limit; None where it failed.

    Whoever waits for it and leaves ends it.
    """
    process = await start(box, argv, limits, stderr=DEVNULL)
    assert process.stdout is not None  # noqa: S101  # asked for
    feeding = asyncio.create_task(_feed(process, stdin))
    out = bytearray()
    try:
        async with asyncio.timeout(seconds):
            while len(out) <= most_bytes and (block := await process.stdout.read(1 << 18)):
                out += block
            if len(out) > most_bytes:
                return bytes(out[: most_bytes + 1])
            return bytes(out) if await process.wait() == 0 else None
    except TimeoutError:
        return None
    finally:
        feeding.cancel()
        await end(process)


async def end(process: asyncio.subprocess.Process) -> None:
    """End a process, and with it all that runs in its sandbox."""
    # The group: bubblewrap alone, killed in its first milliseconds, would leave behind what it was about to watch.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
    # A pipe that nobody reads to its end is not closed by itself, and asyncio has no public way to do it.
    process._transport.close()  # type: ignore[attr-defined]
    await asyncio.sleep(0)


async def _feed(process: asyncio.subprocess.Process, content: bytes) -> None:
    # Who ends before it has read everything breaks the pipe: its exit code says enough.
    assert process.stdin is not None  # noqa: S101  # asked for
    with suppress(ConnectionError):
        process.stdin.write(content)
        await process.stdin.drain()
    process.stdin.close()


def _limited(limits: Limits) -> list[str]:
    command = ["prlimit", f"--data={limits.memory_bytes}", f"--fsize={FILE_BYTES}", "--core=0", "--nofile=256"]
    return [*command, *([f"--cpu={limits.cpu_seconds}"] if limits.cpu_seconds else []), "--"]
