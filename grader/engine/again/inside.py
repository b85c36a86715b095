"""The two children of a rerun, inside the sandbox: one executes the notebook beside its recorded AI answers, one compares.

The rule: the replay is a process of its own that the notebook's code can neither trace nor read, and so are the counts that it
keeps; nothing is compared while a process of the notebook lives, and nothing that the notebook wrote is ever imported.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import sys
from threading import Lock
from typing import Any, NoReturn

from grader.engine.again.compare import compare
from grader.engine.again.recordings import COUNT_BYTES, RECORDING, RECORDINGS
from grader.engine.warm.child import CHANNEL, become_child, lay_out_descriptors
from grader.engine.warm.template import INBOX, PR_SET_DUMPABLE, WORK
from grader.replay.recording import Recording, RecordingError, read_recording
from grader.replay.server import ReplayServer


def become_again(descriptor: int, outputs: tuple[int, int], shell: Any, snapshot: Any, job: dict[str, Any]) -> NoReturn:
    """Be the child that the job asks for."""
    if "compare" in job:
        _compare(descriptor, outputs, job["compare"])
    os.environ.update(_replay_beside(descriptor, outputs))
    become_child(descriptor, outputs, shell, snapshot, INBOX, WORK, job)


def _replay_beside(descriptor: int, outputs: tuple[int, int]) -> dict[str, str]:
    """Start the replay, hand its counts out, and keep nothing of either; the environment that leads a client there."""
    counts = os.memfd_create("counts")
    os.ftruncate(counts, 2 * COUNT_BYTES)
    server = ReplayServer(_recording(), heard=_counting(counts))
    if os.fork() == 0:
        try:
            ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
            for held in (descriptor, *outputs):
                os.close(held)
            server.serve_forever()
        finally:
            os._exit(1)
    with socket.socket(fileno=os.dup(descriptor)) as channel:
        socket.send_fds(channel, [b"+"], [counts])
    os.close(counts)
    server.socket.close()
    return server.environment


def _recording() -> Recording:
    try:
        return read_recording(RECORDINGS / RECORDING)
    except (RecordingError, OSError):
        return Recording([])


def _counting(counts: int) -> Any:
    """Count calls that were recorded and calls that were not, where the outside reads it."""
    known, lock = [0, 0], Lock()

    def heard(recorded: bool) -> None:
        with lock:
            known[not recorded] += 1
            os.pwrite(counts, b"".join(n.to_bytes(COUNT_BYTES, "big") for n in known), 0)

    return heard


def _compare(descriptor: int, outputs: tuple[int, int], wanted: list[dict[str, str]]) -> NoReturn:
    """Say of each deliverable how it came out; what was handed in is shown by now."""
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    lay_out_descriptors(descriptor, outputs)
    # What the notebook left lies in the folder where this process began.
    os.chdir("/")
    sys.path[:] = [place for place in sys.path if place not in ("", str(WORK))]
    with os.fdopen(os.dup(CHANNEL), "wb") as out:
        for one in wanted:
            data = json.dumps({"path": one["path"], "outcome": compare(WORK, INBOX, one)}).encode()
            out.write(len(data).to_bytes(4, "big") + data)
            out.flush()
    os._exit(0)
