"""Executes a submission's notebook again, in a warm sandbox of its own, without what it handed in as its result.

The rule: the notebook begins with the released material and what a person decided in forms; its deliverables are shown to no
process of the notebook. Nothing comes back but a report, and no failure of it is a failure of grading.
"""

from __future__ import annotations

import logging
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from grader.engine.again.recordings import COUNT_BYTES, RECORDING, RECORDINGS, fetch_recording
from grader.engine.again.report import MOST_CALLS, Made, Recorded, Rerun, one_sentence
from grader.engine.criteria import fonts_view, pack_path
from grader.engine.sources import Sources
from grader.engine.warm.box import Box, SandboxDied, View, Waiting
from grader.engine.warm.cells import Assignment
from grader.engine.warm.worker import TRIES, Cell, Ended, PythonNotebook, Ran
from labs.catalog import LabFolder
from labs.manifest import Again, Limits, for_language
from labs.spec import read_spec

log = logging.getLogger(__name__)
COMPARE_SECONDS = 120
MAX_OUTCOME_BYTES = 1_000
#: A code cell, and which one of the notebook it is.
Numbered = tuple[int, Cell]


class Rerunner:
    """Executes one submission's notebook after the other."""

    def __init__(self, lab: LabFolder, asked: Again, material: Path, scratch: Path | None = None) -> None:
        spec = read_spec(material)
        self._lab, self._spec, self._material = lab, spec, material
        wall = asked.seconds or lab.lab.limits.wall_seconds
        self._limits = lab.lab.limits.model_copy(update={"wall_seconds": wall})
        self._given = frozenset(for_language(path, spec.lang) for path in asked.starts_from)
        self._wanted = [{"path": d.path, "kind": d.kind, "role": "given" if d.path in self._given else "made"}
                        for d in spec.deliverables]  # fmt: skip
        self._results = frozenset(d.path for d in spec.deliverables) - self._given
        self._recordings = Path(tempfile.mkdtemp(prefix="practicum-replay-", dir=scratch))
        told = Sources.of([material / f"{lab.id}.ipynb"]).python or Assignment()
        self._box = Box({"child": "again", "imports": told.imports}, self._view(), scratch)

    def run(self, learner: str, folder: Path, cells: Sequence[Numbered]) -> Rerun:
        """Execute a submission's code cells, each with its number in the notebook; never an exception."""
        begun = time.monotonic()
        report = Rerun(cells=len(cells), cause="sandbox_died")
        for _try in range(TRIES):
            try:
                recorded = fetch_recording(self._spec.course, self._lab.id, learner, self._recordings / RECORDING)
                report = self._both(folder, cells, recorded)
                break
            except Exception as error:  # a rerun is no part of the grade
                log.warning("executing %s of %s again", self._lab.id, learner, exc_info=error)
                with suppress(SandboxDied):
                    self._box.restart()
        return report.model_copy(update={"seconds": round(time.monotonic() - begun, 1)})

    def close(self) -> None:
        """End the sandbox."""
        self._box.close()
        shutil.rmtree(self._recordings, ignore_errors=True)

    def _both(self, folder: Path, cells: Sequence[Numbered], recorded: Recorded) -> Rerun:
        """Execute without the results, and then, when every process of the notebook is gone, compare with them."""
        from grader.engine.collect import OURS

        self._box.show(folder, without=self._results | set(OURS))
        self._box.show_too(self._material, without=self._given)
        report = _Rerun(self._box, self._limits).report(cells, recorded)
        self._box.show(folder, without=set(OURS))
        return report.model_copy(update={"made": self._compared()})

    def _compared(self) -> tuple[Made, ...]:
        """How each deliverable came out; one that ended the process, and those after it, cannot be compared."""
        found: list[Made] = []
        until = time.monotonic() + COMPARE_SECONDS
        with self._box.fork({**self._limits.in_bytes(), "goes_on": True, "compare": self._wanted}) as channel:
            for wanted in self._wanted:
                made = self._next(channel, wanted["path"], until - time.monotonic())
                if made is None:
                    break
                found.append(made)
        self._box.ended()
        rest = self._wanted[len(found) :]
        return (*found, *(Made(path=wanted["path"], outcome="unreadable") for wanted in rest))

    def _next(self, channel: socket.socket, path: str, seconds: float) -> Made | None:
        try:
            made = Made.model_validate_json(Waiting(channel, MAX_OUTCOME_BYTES).message(seconds))
        except TimeoutError:
            self._box.tell(b"late")
            return None
        except ValidationError:
            return None
        return made if made.path == path else None

    def _view(self) -> View:
        fonts = fonts_view()
        return View(((self._recordings, str(RECORDINGS)), *fonts.shown), (pack_path(self._lab), *fonts.env))


class _Rerun(PythonNotebook):
    """One notebook in one warm fork, as far as its first error."""

    def __init__(self, box: Box, limits: Limits) -> None:
        # Every cell is the learner's here: nothing is put back between them, as in a kernel.
        super().__init__(box, Assignment(patches=True), limits)
        self._counts: int | None = None
        self._ran, self._error = 0, ""

    def report(self, cells: Sequence[Numbered], recorded: Recorded) -> Rerun:
        """Run the cells; what is known of it, but for what it made."""
        try:
            execution = self.execute([replace(cell, locked=False) for _, cell in cells])
            replayed, refused = self._calls()
        finally:
            if self._counts is not None:
                os.close(self._counts)
        stopped = self._ran < len(cells)
        return Rerun(
            cells=len(cells), ran=self._ran, stopped_at=cells[self._ran][0] if stopped else 0,
            cause="" if self._error else execution.why or ("killed" if stopped else ""), error=self._error,
            recorded=recorded, replayed=replayed, refused=refused,
        )  # fmt: skip

    def job(self) -> dict[str, int]:
        """The limits of the child; what it makes stays for those who compare."""
        return {**super().job(), "keep": True}

    def begin(self, channel: socket.socket) -> None:
        """Get the counts of AI calls, which come before any code of the notebook runs."""
        channel.settimeout(self._limits.wall_seconds)
        with suppress(OSError):
            _, held, *_ = socket.recv_fds(channel, 1, 1)
            self._counts = held[0] if held else None
        super().begin(channel)

    def one(self, channel: socket.socket, cell: Cell) -> Ran:
        """Run a cell as a kernel does; the first one that does not end well is the last."""
        ran = super().one(channel, cell)
        if not ran.says_ended:
            self._error = _error_of(ran.outputs)
            raise Ended("" if self._error else "time_limit")
        self._ran += 1
        return ran

    def _calls(self) -> tuple[int, int]:
        """How many AI calls got a recorded answer, and how many had none."""
        data = os.pread(self._counts, 2 * COUNT_BYTES, 0) if self._counts is not None else b""
        both = [int.from_bytes(data[at : at + COUNT_BYTES], "big") for at in (0, COUNT_BYTES)]
        return min(both[0], MOST_CALLS), min(both[1], MOST_CALLS)


def _error_of(outputs: Sequence[Any]) -> str:
    """A cell's error in one sentence: the error's own, or what was printed last; empty where the cell was interrupted."""
    said = "?"
    for output in outputs:
        if isinstance(output, dict) and output.get("output_type") == "error":
            if output.get("ename") == "KeyboardInterrupt":
                return ""
            return one_sentence(f"{output.get('ename')}: {output.get('evalue')}")
        if isinstance(output, dict) and output.get("output_type") == "stream":
            said = next(reversed(str(output.get("text")).strip().splitlines()), said)
    return one_sentence(said)
