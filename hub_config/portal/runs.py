"""Grading, releasing feedback, comparing and handing out, run as a command. The rule: one run at a time for each lab of a course."""

from __future__ import annotations

import os
import subprocess
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from grader.engine import causes
from hub_config.portal.shared import Shared

Kind = Literal["grade", "feedback", "similar", "release", "prepare", "look"]
#: The exit code of a command whose portal process is gone: nobody knows what came of it.
LOST = -1
TABLE = (
    "CREATE TABLE IF NOT EXISTS runs (course TEXT NOT NULL, lab TEXT NOT NULL, kind TEXT NOT NULL, process INTEGER NOT NULL, "
    "goes_on BOOLEAN NOT NULL, run TEXT NOT NULL, PRIMARY KEY (course, lab))"
)
NOTE = "REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?)"
#: For the same lab; of looks, for any.
GOES_ON = "SELECT 1 FROM runs WHERE goes_on AND (course = ? AND lab = ? OR kind = 'look' AND kind = ?)"


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


class Run(BaseModel):
    """A run of a command for one lab."""

    model_config = ConfigDict(frozen=True)

    kind: Kind
    started_at: AwareDatetime
    progress: Progress = Field(default_factory=Progress)
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
    """The latest run of each lab; gone with a start of Practicum, because the records hold what came of it.

    Each process follows the commands that it has started; one whose process is gone is broken.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._processes: dict[tuple[str, str], subprocess.Popen[str]] = {}
        with shared.writing() as do:
            do(TABLE)
            left = do("SELECT course, lab, run FROM runs WHERE goes_on AND process = ?", shared.process)
            for course, lab, run in left:
                do(NOTE, *_row(course, lab, shared.process, _run(run).model_copy(update={"exit_code": LOST})))

    def latest(self, course: str, lab: str) -> Run | None:
        """The run that goes on, or the last one."""
        found = self._shared.read("SELECT run FROM runs WHERE course = ? AND lab = ?", course, lab)
        return _run(found[0][0]) if found else None

    def start(
        self, kind: Kind, command: Sequence[str], course: str, lab: str, now: datetime, env: Mapping[str, str] = {}
    ) -> bool:
        """Start a run, with `env` in its environment; False where one goes on already."""
        return self._start(kind, [*command, course, *([lab] if lab else [])], (course, lab), now, env)

    def look(self, command: Sequence[str], pack: str, lab: str, now: datetime) -> bool:
        """Start a look at a lab for its author; False where any goes on, because one uses the machine as grading does."""
        return self._start("look", command, look_at(pack, lab), now, {})

    def _start(
        self, kind: Kind, command: Sequence[str], key: tuple[str, str], now: datetime, env: Mapping[str, str]
    ) -> bool:
        run = Run(kind=kind, started_at=now)
        with self._shared.writing() as do:
            if do(GOES_ON, *key, kind):
                return False
            do(NOTE, *_row(*key, self._shared.process, run))
        follow = threading.Thread(
            target=self._follow, args=(run, list(command), key, {**os.environ, **env}), daemon=True
        )
        follow.start()
        return True

    def stop(self) -> None:
        """End what this process started and still runs."""
        for process in list(self._processes.values()):
            process.terminate()

    def _follow(self, run: Run, command: list[str], key: tuple[str, str], env: dict[str, str]) -> None:
        try:
            # The command's error output goes to the portal's log, where an operator looks for it.
            process = subprocess.Popen(
                command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, encoding="utf-8", errors="replace"
            )
        except OSError as error:
            why = Progress(message=f"{type(error).__name__}: {error.strerror}")
            self._note(key, run.model_copy(update={"progress": why, "exit_code": 127}))
            return
        self._processes[key] = process
        with process:
            for line in process.stdout or ():
                run = run.model_copy(update={"progress": after(run.progress, line)})
                self._note(key, run)
        self._processes.pop(key, None)
        self._note(key, run.model_copy(update={"exit_code": process.returncode}))

    def _note(self, key: tuple[str, str], run: Run) -> None:
        with self._shared.writing() as do:
            do(NOTE, *_row(*key, self._shared.process, run))


def _row(course: str, lab: str, process: int, run: Run) -> tuple[Any, ...]:
    return course, lab, run.kind, process, run.exit_code is None, run.model_dump_json()


def _run(text: str) -> Run:
    return Run.model_validate_json(text)


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
