"""The main flow of grading: collect, check in the sandbox, write to nbgrader's gradebook, report to the records.

Checks run many at a time; the gradebook has one writer. A submission that cannot be graded is reported and holds up nobody
else's, and a run that was stopped goes on where it was.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook

from grader import review
from grader.engine.preprocessors import results_for
from grader.engine.results import results_file
from grader.exchange import RecordsClient
from grader.gradebook import RECEIPT, receipt_id, report_of
from grader.nbgrader_setup import course_api, problem_of
from labs.catalog import find_lab
from labs.texts import UserError

log = logging.getLogger(__name__)


class AlreadyGrading(UserError):
    """Somebody else's run on the same lab is not done yet."""


@dataclass(frozen=True)
class Progress:
    """How far a run is; `learner` is who was just done, `message` what went wrong there."""

    done: int
    failed: int
    total: int
    learner: str = ""
    message: str = ""


@dataclass(frozen=True)
class Summary:
    graded: int
    failed: int
    unchanged: int


def grade_lab(
    root: Path, course: str, lab: str, *, force: bool = False, workers: int | None = None,
    report: Callable[[Progress], None] = lambda _progress: None,
) -> Summary:  # fmt: skip
    """Collect and grade a lab's newest submissions; what is graded already stays, unless forced."""
    find_lab(lab)
    with _only_run(root, lab):
        api = course_api(root, course)
        _must(api.collect(lab, update=True))
        learners = sorted(folder.parent.name for folder in (root / "submitted").glob(f"*/{lab}"))
        graded = _graded(course, lab)
        waiting = [w for w in learners if force or receipt_id(root / "submitted" / w / lab) not in graded]
        done, failed = _grade_all(api, root, course, lab, waiting, force, workers or os.cpu_count() or 1, report)
    return Summary(done, failed, len(learners) - len(waiting))


def _grade_all(
    api: Any, root: Path, course: str, lab: str, waiting: list[str], force: bool, workers: int,
    report: Callable[[Progress], None],
) -> tuple[int, int]:  # fmt: skip
    """Check many at a time and write one after the other; how many are done, and how many failed."""
    done = failed = 0
    report(Progress(0, 0, len(waiting)))
    pool = ThreadPoolExecutor(workers)
    try:
        checks = {pool.submit(_check, root, learner, lab, force): learner for learner in waiting}
        for check in as_completed(checks):
            learner = checks[check]
            problem = _grade_one(api, root, course, lab, learner, check.result)
            failed, done = (failed + 1, done) if problem else (failed, done + 1)
            report(Progress(done, failed, len(waiting), learner, problem))
    finally:
        # After Ctrl-C the checks that have not begun are not begun.
        pool.shutdown(cancel_futures=True)
    return done, failed


def release_feedback(
    root: Path, course: str, lab: str, *, report: Callable[[Progress], None] = lambda _progress: None
) -> Summary:
    """Make feedback of what is graded and hand it to the learners, with the scores as they stand in the gradebook."""
    api = course_api(root, course)
    learners = sorted(folder.parent.name for folder in (root / "autograded").glob(f"*/{lab}"))
    done = failed = 0
    for learner in learners:
        problem = problem_of(api.generate_feedback(lab, learner, force=True))
        failed, done = (failed + 1, done) if problem else (failed, done + 1)
        report(Progress(done, failed, len(learners), learner, problem))
    _must(api.release_feedback(lab))
    return Summary(done, failed, 0)


def _check(root: Path, learner: str, lab: str, force: bool) -> None:
    if force:
        results_file(root, learner, lab).unlink(missing_ok=True)
    results_for(root, learner, lab, root / "submitted" / learner / lab)


def _grade_one(api: Any, root: Path, course: str, lab: str, learner: str, checked: Callable[[], None]) -> str:
    """Grade one checked submission; give what went wrong, or nothing."""
    try:
        checked()
        receipt = receipt_id(root / "submitted" / learner / lab) or ""
        same = receipt_id(root / "autograded" / learner / lab) == receipt
        judged = review.judged(root, lab, learner) if same else frozenset()
        problem = _autograde(api, root, lab, learner)
        if problem:
            return problem
        review.let_stand(root, lab, learner, judged)
        with Gradebook(api.coursedir.db_url, course) as gradebook:
            grade = report_of(gradebook, lab, learner, receipt, _note(root, learner, lab))
        with RecordsClient() as records:
            records.call("POST", f"/courses/{course}/grades", json=grade.model_dump(mode="json"))
    except Exception as error:  # one submission must not stop the others
        log.exception("grading %s of %s", lab, learner)
        return f"{type(error).__name__}: {error}"
    return ""


def _autograde(api: Any, root: Path, lab: str, learner: str) -> str:
    """Let nbgrader write the grade; a notebook that it cannot take is replaced by the released one, once."""
    problem = problem_of(api.autograde(lab, learner, force=True, create=True))
    if not problem:
        return ""
    notebook = root / "submitted" / learner / lab / f"{lab}.ipynb"
    notebook.unlink(missing_ok=True)
    shutil.copyfile(root / "release" / lab / notebook.name, notebook)
    _add_note(root, learner, lab, "notebook not usable; graded on the deliverables")
    return problem_of(api.autograde(lab, learner, force=True, create=True))


def _graded(course: str, lab: str) -> set[str]:
    """The receipts whose grade is in the records: what did not get there is graded again, whatever the folders say."""
    with RecordsClient() as records:
        return {receipt["id"] for receipt in records.submissions(course, lab) if receipt["graded"]}


@contextmanager
def _only_run(root: Path, lab: str) -> Iterator[None]:
    """Hold a lab's grading, so that two instructors who press the button at once do not mix."""
    with (root / f".grading-{lab}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyGrading(
                f"실습 {lab}의 채점이 이미 진행 중입니다. 끝난 뒤 다시 시도하세요.",
                f"lab {lab} is being graded already; try again when that is done",
            ) from None
        yield


def _must(outcome: dict[str, Any]) -> None:
    if problem := problem_of(outcome):
        raise RuntimeError(problem)


def _note(root: Path, learner: str, lab: str) -> str:
    path = root / "submitted" / learner / lab / RECEIPT
    return str(json.loads(path.read_text("utf-8")).get("note", ""))


def _add_note(root: Path, learner: str, lab: str, note: str) -> None:
    path = root / "submitted" / learner / lab / RECEIPT
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "note": note}), "utf-8")
