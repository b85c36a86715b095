"""Grading, releasing feedback, comparing and handing out, run as a command. The rule: one run at a time for each lab of a course."""

from __future__ import annotations

import os
import subprocess
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, ValidationError

from grader.engine import causes

Kind = Literal["grade", "feedback", "similar", "release", "prepare", "look"]


class Progress(BaseModel):
    """One line of a command's output, or all of them taken together."""

    done: int = Field(default=0, ge=0)
    graded: int = Field(default=0, ge=0)
    failed: int = Field(default=0, ge=0)
    total: int = Field(default=0, ge=0)
    learner: str = ""
    message: str = ""
    cause: str = ""
    #: How many failed for each cause; known causes only.
    causes: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    seconds_left: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    finished: bool = False

    @property
    def ended(self) -> int:
        """How many are behind us, well or not."""
        return self.done + self.failed

    @property
    def remaining(self) -> int:
        return max(0, self.total - self.ended)

    @property
    def summary(self) -> list[tuple[str, int]]:
        """The causes, the most frequent first."""
        order = list(causes.CAUSES)
        return sorted(((c, n) for c, n in self.causes.items() if n), key=lambda row: (-row[1], order.index(row[0])))


@dataclass
class Run:
    """A run of a command for one lab."""

    kind: Kind
    started_at: datetime
    progress: Progress = field(default_factory=Progress)
    exit_code: int | None = None

    @property
    def state(self) -> Literal["running", "finished", "broken"]:
        if self.exit_code is None:
            return "running"
        # A command that came to its end says by 1 that some submissions failed: that is a result, not a broken run.
        whole = self.exit_code == 0 or (self.exit_code == 1 and self.progress.failed > 0)
        return "finished" if self.progress.finished and whole else "broken"


def look_at(pack: str, lab: str) -> tuple[str, str]:
    """Under which name a look at a lab stands on the board: no course is called so."""
    return f"/{pack}", lab


class RunBoard:
    """The latest run of each lab; gone with the portal, because the records hold what came of it."""

    def __init__(self) -> None:
        self._runs: dict[tuple[str, str], Run] = {}
        self._processes: dict[tuple[str, str], subprocess.Popen[str]] = {}
        self._lock = threading.Lock()

    def latest(self, course: str, lab: str) -> Run | None:
        """The run that goes on, or the last one."""
        return self._runs.get((course, lab))

    def start(
        self, kind: Kind, command: Sequence[str], course: str, lab: str, now: datetime, env: Mapping[str, str] = {}
    ) -> Run | None:
        """Start a run, with `env` in its environment; None where one goes on already."""
        return self._start(kind, [*command, course, *([lab] if lab else [])], (course, lab), now, env)

    def look(self, command: Sequence[str], pack: str, lab: str, now: datetime) -> Run | None:
        """Start a look at a lab for its author; None where any goes on, because one uses the machine as grading does."""
        if any(run.kind == "look" and run.state == "running" for run in list(self._runs.values())):
            return None
        return self._start("look", command, look_at(pack, lab), now, {})

    def _start(
        self, kind: Kind, command: Sequence[str], key: tuple[str, str], now: datetime, env: Mapping[str, str]
    ) -> Run | None:
        with self._lock:
            standing = self._runs.get(key)
            if standing is not None and standing.state == "running":
                return None
            run = self._runs[key] = Run(kind, now)
        threading.Thread(
            target=self._follow, args=(run, list(command), key, {**os.environ, **env}), daemon=True
        ).start()
        return run

    def stop(self) -> None:
        """End what still runs."""
        for process in list(self._processes.values()):
            process.terminate()

    def _follow(self, run: Run, command: list[str], key: tuple[str, str], env: dict[str, str]) -> None:
        try:
            # The command's error output goes to the portal's log, where an operator looks for it.
            process = subprocess.Popen(
                command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, encoding="utf-8", errors="replace"
            )
        except OSError as error:
            run.progress = Progress(message=f"{type(error).__name__}: {error.strerror}")
            run.exit_code = 127
            return
        self._processes[key] = process
        with process:
            for line in process.stdout or ():
                run.progress = after(run.progress, line)
        self._processes.pop(key, None)
        run.exit_code = process.returncode


def after(before: Progress, line: str) -> Progress:
    """Take a line in; what it does not say stands, and a line that is not progress changes nothing."""
    try:
        said = Progress.model_validate_json(line)
    except ValidationError:
        return before
    told = said.model_dump(exclude_unset=True)
    if "causes" in told:
        told["causes"] = _counted(Counter(), said.causes)
    elif said.cause:
        told["causes"] = _counted(Counter(before.causes), {said.cause: 1})
    return before.model_copy(update=told)


def _counted(standing: Counter[str], more: dict[str, int]) -> dict[str, int]:
    for cause, count in more.items():
        standing[causes.known(cause)] += count
    return dict(standing)
