"""The flow of comparing a lab's submissions of one course. The rule: nothing of it goes to a learner, a grade or the records.

The newest submission of each learner is fetched, read in the sandbox and deleted again; its fingerprint is kept, because a
receipt's files never change. What came of it is bound to the receipts that were compared.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from grader.client import RecordsClient
from grader.course_files import inside
from grader.engine.lock import held
from grader.engine.progress import Progress, Summary
from grader.similarity.pairs import find_pairs
from grader.similarity.prints import VERSION, Part, Print, Wanted
from grader.similarity.result import FOLDER, Comparison, Unread, comparison_file
from grader.similarity.sandboxed import material_of, parts_of
from labs.evidence import write_text_safely
from labs.spec import read_spec
from labs.texts import UserError


def compare_lab(
    root: Path, course: str, lab: str, *, workers: int | None = None,
    report: Callable[[Progress], None] = lambda _progress: None,
) -> Summary:  # fmt: skip
    """Compare the newest submissions of a lab with each other and write what is worth a look."""
    spec = read_spec(root / "release" / lab)
    wanted = [Wanted(path=one.path, kind=one.kind) for one in spec.deliverables]
    with _alone(root, lab) as reading, RecordsClient() as records:
        receipts = _newest(records, course, lab)
        maker = _Maker(root, course, lab, wanted, spec.lang, records, reading)
        report(Progress(done=0, failed=0, total=len(receipts)))
        prints = maker.all_of(list(receipts.values()), workers or os.cpu_count() or 1, report)
        pairs = find_pairs(prints, material_of(root / "release" / lab, spec.lang))
        unread = [
            Unread(learner=p.learner, path=x.path, problem=x.problem) for p in prints for x in p.parts if x.problem
        ]
        compared = {p.learner: p.receipt for p in prints}
        comparison = Comparison(lab=lab, receipts=compared, unread=tuple(unread), pairs=tuple(pairs))
        _write(comparison_file(root, lab), comparison.model_dump_json())
    return Summary(graded=len(prints), failed=len(receipts) - len(prints), unchanged=0)


@contextmanager
def _alone(root: Path, lab: str) -> Iterator[Path]:
    """One comparison of a lab at a time, with a folder to read in; what a killed one left there goes first."""
    for parts in ((f"{lab}.json",), ("prints", lab), ("reading", lab), (f".{lab}.lock",)):
        if inside(root, FOLDER, *parts) is None:
            raise UserError(
                f"과정의 {FOLDER} 폴더가 다른 곳으로 연결되어 있습니다. 연결을 지우고 다시 시도하세요.",
                f"the course's folder {FOLDER} is a link to somewhere else; remove the link and try again",
            )
    reading = root / FOLDER / "reading" / lab
    reading.mkdir(parents=True, exist_ok=True, mode=0o700)
    already = UserError(
        f"실습 {lab}의 제출물을 이미 비교하고 있습니다. 끝난 뒤 다시 시도하세요.",
        f"lab {lab} is being compared already; try again when that is done",
    )
    with held(root / FOLDER / f".{lab}.lock", already):
        for left in reading.iterdir():
            shutil.rmtree(left)
        yield reading


def _newest(records: RecordsClient, course: str, lab: str) -> dict[str, dict[str, Any]]:
    return {row["learner"]: row for row in records.submissions(course, lab)}


class _Maker:
    """Makes the fingerprints of a lab's submissions, or takes those that were kept."""

    def __init__(
        self, root: Path, course: str, lab: str, wanted: Sequence[Wanted], lang: str, records: RecordsClient,
        reading: Path,
    ) -> None:  # fmt: skip
        self.kept, self.course = root / FOLDER / "prints" / lab, course
        self.wanted, self.lang, self.records, self.reading = wanted, lang, records, reading

    def all_of(self, receipts: list[dict[str, Any]], workers: int, report: Callable[[Progress], None]) -> list[Print]:
        """Many at a time; one that fails is reported and holds up nobody else's."""
        made: list[Print] = []
        failed = 0
        pool = ThreadPoolExecutor(workers)
        try:
            running = {pool.submit(self.one, receipt): receipt["learner"] for receipt in receipts}
            for done in as_completed(running):
                problem = ""
                try:
                    made.append(done.result())
                except Exception as error:  # one submission must not stop the others
                    problem, failed = f"{type(error).__name__}: {error}", failed + 1
                report(Progress(
                    done=len(made), failed=failed, total=len(receipts), learner=running[done], message=problem))  # fmt: skip
        finally:
            pool.shutdown(cancel_futures=True)
        return sorted(made, key=lambda one: one.learner)

    def one(self, receipt: dict[str, Any]) -> Print:
        """The fingerprint of one submission."""
        file = self.kept / f"{receipt['id']}.json"
        if (kept := self._kept(file)) is not None:
            return kept
        with tempfile.TemporaryDirectory(dir=self.reading) as folder:
            self._fetch(receipt, Path(folder))
            parts = parts_of(Path(folder), self.wanted, self.lang)
        made = Print(receipt=receipt["id"], learner=receipt["learner"], parts=parts)
        # A process that was stopped may have met a busy machine: it is tried again next time.
        if not any(part.problem == "stopped" for part in parts):
            _write(file, made.model_dump_json())
        return made

    def _fetch(self, receipt: dict[str, Any], folder: Path) -> None:
        paths = {one.path for one in self.wanted}
        for entry in receipt["files"]:
            if entry["path"] in paths:
                address = f"/courses/{self.course}/submissions/{receipt['id']}/files/{entry['sha256']}"
                self.records.download(address, folder / entry["path"])

    def _kept(self, file: Path) -> Print | None:
        try:
            kept = Print.model_validate_json(file.read_text("utf-8"))
        except (OSError, ValidationError, UnicodeDecodeError):
            return None
        asked = [(one.path, one.kind) for one in self.wanted]
        return kept if kept.version == VERSION and [_key(part) for part in kept.parts] == asked else None


def _key(part: Part) -> tuple[str, str]:
    return part.path, part.kind


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_text_safely(path, text)
