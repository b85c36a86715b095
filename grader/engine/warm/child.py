"""The child that runs one submission's notebook: waits for a cell, runs the code that came with it, and waits again.

The rule: it holds no judge. What runs a cell and says how it ended comes over the channel with that cell (`guard.py`), so the
code of an earlier cell finds nothing here to patch, and no later cell to read.
"""

from __future__ import annotations

import _socket
import marshal
import os
import random
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

#: What a test cell has no business doing, and what changes how a running test goes on.
WATCHED = ("sys.settrace", "sys.setprofile", "sys._current_frames")
CHANNEL = 3


def become_child(
    descriptor: int,
    outputs: tuple[int, int],
    shell: Any,
    snapshot: Any,
    inbox: Path,
    work: Path,
    limits: dict[str, Any],
) -> NoReturn:
    """Lay out the submission's folder, keep the channel only, and serve it until it closes."""
    lay_out_descriptors(descriptor, outputs)
    shutil.copytree(inbox, work, dirs_exist_ok=True)
    os.chdir(work)
    _fresh_chance()
    _no_input()
    shell.outputs.begin(limits["output_bytes"])
    seen: list[str] = []
    sys.addaudithook(_watcher(seen, frozenset(WATCHED)))
    for name in [name for name in sys.modules if name.startswith("grader.")]:
        if name != "grader.engine.warm.shell":  # guarded, like what the tests stand on
            del sys.modules[name]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = _socket.socket(fileno=CHANNEL)
    builtins = tuple(vars(__import__("builtins")).items())
    _serve(channel.recv, channel.sendall, _socket.MSG_WAITALL, int.from_bytes, marshal.loads, exec, dict, os._exit,
           builtins, (shell, snapshot, seen, sys.modules))  # fmt: skip


def _serve(
    recv: Any, send: Any, wait_all: int, number: Any, loads: Any, run: Any, new: Any, end: Any, builtins: Any, held: Any
) -> NoReturn:
    # Local names only: what code of a submission does to globals or builtins changes nothing here.
    while True:
        head = recv(4, wait_all)
        if not head:
            end(0)
        order = loads(recv(number(head, "big"), wait_all))
        run(order[0], new({"__builtins__": new(builtins), "order": order, "held": held, "send": send}))


def lay_out_descriptors(descriptor: int, outputs: tuple[int, int]) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    highest = max(descriptor, nothing, *outputs) + 1
    moved = [os.dup2(old, highest + i) for i, old in enumerate((nothing, *outputs, descriptor))]
    for place, old in enumerate(moved):
        os.dup2(old, place, inheritable=place < CHANNEL)
    os.closerange(CHANNEL + 1, 4096)


def _fresh_chance() -> None:
    """A fork has the template's random state: every submission would draw the same numbers."""
    random.seed()
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()


def _no_input() -> None:
    def refuse(*_args: Any, **_more: Any) -> NoReturn:
        raise RuntimeError("raw_input was called, but this frontend does not support input requests.")

    import builtins
    import getpass

    builtins.input = refuse
    getpass.getpass = refuse


def _watcher(seen: list[str], watched: frozenset[str]) -> Callable[[str, Any], None]:
    def watch(event: str, _args: Any) -> None:
        if event in watched:
            seen.append(event)

    return watch
