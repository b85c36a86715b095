"""Runs a command in this very process as a new Python would run it, so that what is imported already need not be again."""

from __future__ import annotations

import atexit
import gc
import os
import runpy
import sys
import threading
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple, NoReturn

from hub_config.quick.fresh import reseed
from hub_config.quick.homes import Noted, move_in


class Before(NamedTuple):
    """What the template knows of itself, for a fork to make its own."""

    generators: list[Any]
    homes: list[Noted]


def is_ours(argv: Sequence[str]) -> bool:
    """Whether a command is this Python with a module or with code; anything else has to be a program of its own."""
    return len(argv) > 2 and argv[0] == sys.executable and argv[1] in ("-m", "-c")


def become(argv: Sequence[str], env: dict[str, str], cwd: str, before: Before) -> NoReturn:
    """Run a command to its end, and end with its exit code."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    if not is_ours(argv):
        os.execvpe(argv[0], list(argv), env)  # noqa: S606
    reseed(before.generators)
    move_in(before.homes, env.get("HOME", cwd))
    gc.enable()
    code = 1
    try:
        code = _code_of(argv)
        threading._shutdown()  # type: ignore[attr-defined]  # waits for threads, as an interpreter does at its end
        atexit._run_exitfuncs()
    except BaseException:
        traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _code_of(argv: Sequence[str]) -> int:
    kind, what, *rest = argv[1:]
    try:
        if kind == "-m":
            sys.argv = [what, *rest]
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            sys.argv = ["-c", *rest]
            exec(compile(what, "<string>", "exec"), {"__name__": "__main__", "__builtins__": __builtins__})  # noqa: S102
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return int(end.code or 0) & 0xFF
        print(end.code, file=sys.stderr)
        return 1
    return 0
