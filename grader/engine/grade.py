"""The main flow of grading: take what waits, lay it out, sanitise, execute or check in sandboxes, write the grade, report it.

Sandboxes work many at a time; the gradebook has one writer. A submission that cannot be graded is reported and holds up nobody
else's; a run that was killed goes on where it was, and a result counts once.
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from pathlib import Path
from typing import Any

from nbgrader.coursedir import CourseDirectory

from grader.client import RecordsClient
from grader.engine.causes import known
from grader.engine.collect import TooLarge, collect, mend, must_fit
from grader.engine.kinds import Kind, kind_of
from grader.engine.lock import only_run
from grader.engine.marking import Job, Marking, in_root
from grader.engine.open_gradebook import OpenGradebook, opened
from grader.engine.progress import Progress, Report, Summary
from grader.gradebook import RECEIPT, report_of
from grader.late import late_percent, settle
from grader.nbgrader_setup import course_api, course_config, problem_of
from grader.records.queue import Taken, TaskResult

log = logging.getLogger(__name__)
#: So many results, or seconds, and they are written and sent.
BATCH_RESULTS, BATCH_SECONDS = 8, 1.0


def grade_lab(
    root: Path, course: str, lab: str, *, force: bool = False, workers: int | None = None,
    report: Report = lambda _progress: None,
) -> Summary:  # fmt: skip
    """Grade a lab's newest submissions; what is graded already stays, unless forced."""
    root = root.resolve()
    with only_run(root, lab), closing(kind_of(root, lab, workers)) as kind:
        return grade_taken(root, course, lab, kind, force=force, report=report)


def grade_taken(root: Path, course: str, lab: str, kind: Kind, *, force: bool, report: Report) -> Summary:
    """The flow itself, with sandboxes that are getting ready."""
    holder, config = uuid.uuid4().hex, course_config(root, course)
    with RecordsClient() as records:
        # Who holds the lab's lock knows that an earlier run on this machine is gone.
        taken = records.claim(course, lab, holder, force=force, takeover=True)
        try:
            rows = records.submissions(course, lab)
            # What was taken is laid out, and nothing that came in since: a grade belongs to the submission it was made of.
            mine = {task.submission for task in taken}
            collect(records, root, course, lab, [row for row in rows if row["id"] in mine])
            known = len(list((root / "submitted").glob(f"*/{lab}")))
            coursedir = CourseDirectory(config=config)
            with opened(coursedir.db_url, course) as gradebook, in_root(root):
                settle(coursedir, course, lab, rows)
                gradebook.commit()
                marking = Marking(gradebook, coursedir, config, lab, kind.autograde)
                return _Run(records, gradebook, marking, kind, course, taken, report).all(force, known - len(taken))
        finally:
            records.let_go(course, lab, holder)


class _Run:
    """One run over what was taken."""

    def __init__(
        self, records: RecordsClient, gradebook: OpenGradebook, marking: Marking, kind: Kind, course: str,
        taken: Sequence[Taken], report: Report,
    ) -> None:  # fmt: skip
        self._records, self._gradebook, self._marking, self._kind = records, gradebook, marking, kind
        self._course, self._report = course, report
        self._taken = {task.learner: task for task in taken}
        self._results: list[tuple[TaskResult, str]] = []
        self._done = self._failed = 0
        self._causes: Counter[str] = Counter()
        self._begun = self._sent = time.monotonic()

    def all(self, force: bool, unchanged: int) -> Summary:
        """Keep the sandboxes busy, and write what comes back in the order of its coming."""
        self._say()
        waiting = iter(sorted(self._taken))
        running: dict[Future[str], Job] = {}
        with ThreadPoolExecutor(self._kind.workers) as pool:
            try:
                while self._fill(pool, waiting, running, force) or running:
                    done, _ = wait(running, timeout=BATCH_SECONDS, return_when=FIRST_COMPLETED)
                    for future in done:
                        self._finish(running.pop(future), future)
                    self._send(only_when_due=True)
                self._send()
            finally:
                # After Ctrl-C what has not begun is not begun, and what runs is ended.
                pool.shutdown(wait=False, cancel_futures=True)
                self._marking.close()
                if running:
                    self._kind.close()
        return Summary(self._done, self._failed, unchanged, dict(self._causes))

    def _fill(
        self, pool: ThreadPoolExecutor, waiting: Iterator[str], running: dict[Future[str], Job], force: bool
    ) -> bool:
        """Prepare the next submissions, a few more than there are sandboxes; whether there was one."""
        begun = False
        while len(running) < 2 * self._kind.workers and (learner := next(waiting, None)) is not None:
            begun = True
            try:
                must_fit(self._marking.submitted(learner), self._kind.limits.file_mb)
                job = self._prepared(learner)
            except Exception as error:  # one submission must not stop the others
                self._fail(learner, error)
                continue
            running[pool.submit(self._kind.execute, job, force)] = job
        return begun

    def _prepared(self, learner: str) -> Job:
        """Sanitise a submission; where nbgrader cannot take its notebook, the released one stands in, once."""
        try:
            job = self._marking.prepare(learner)
        except Exception as error:
            self._gradebook.rollback()
            stand_in(self._marking.root, learner, self._marking.lab)
            job = self._marking.prepare(learner)
            job.log.append(f"notebook not usable: {error}")
        self._gradebook.commit()
        return job

    def _finish(self, job: Job, future: Future[str]) -> None:
        """Write the grade of one submission, whole or not at all."""
        task = self._taken[job.learner]
        try:
            cause = future.result() or ("broken_notebook" if job.note else "")
            with self._gradebook.judged_by_hand(self._marking.lab, job.learner, keep=job.before == task.submission):
                self._marking.finish(job)
            grade = report_of(
                self._gradebook, self._marking.lab, job.learner, task.submission, job.note, late_percent(job.folder)
            )
            self._gradebook.commit()
        except Exception as error:  # one submission must not stop the others
            self._gradebook.rollback()
            self._fail(job.learner, error)
            return
        self._keep_log(job)
        result = TaskResult(submission=task.submission, fence=task.fence, cause=cause, report=grade)
        self._results.append((result, job.learner))

    def _fail(self, learner: str, error: Exception) -> None:
        log.error("grading %s of %s", self._marking.lab, learner, exc_info=error)
        task = self._taken[learner]
        message = str(error) if isinstance(error, TooLarge) else f"{type(error).__name__}: {error}"
        self._results.append((TaskResult(submission=task.submission, fence=task.fence, cause=message[:200]), learner))

    def _send(self, *, only_when_due: bool = False) -> None:
        """Tell the records of what stands in the gradebook."""
        due = len(self._results) >= BATCH_RESULTS or time.monotonic() - self._sent >= BATCH_SECONDS
        if not self._results or (only_when_due and not due):
            return
        batch, self._results = self._results, []
        verdicts = self._records.settle(self._course, [result for result, _ in batch])
        self._sent = time.monotonic()
        for result, learner in batch:
            refused = verdicts.get(result.submission) != "accepted"
            self._count(result, learner, "taken over by another run" if refused else "")

    def _count(self, result: TaskResult, learner: str, refused: str) -> None:
        failed = refused or ("" if result.report else result.cause)
        self._done, self._failed = (self._done, self._failed + 1) if failed else (self._done + 1, self._failed)
        cause = known(failed) if failed else result.cause
        if cause:
            self._causes[cause] += 1
        self._say(learner, failed, cause)

    def _say(self, learner: str = "", message: str = "", cause: str = "") -> None:
        finished, total = self._done + self._failed, len(self._taken)
        left = (time.monotonic() - self._begun) / finished * (total - finished) if finished else None
        self._report(Progress(self._done, self._failed, total, learner, message, cause, left and round(left, 1)))

    def _keep_log(self, job: Job) -> None:
        """Keep what an instructor may want to read of a submission; where there is nothing to say there is no log."""
        path = self._marking.root / "logs" / job.learner / f"{self._marking.lab}.log"
        path.unlink(missing_ok=True)
        if job.log:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join([*job.log, ""]), "utf-8")


def release_feedback(root: Path, course: str, lab: str, *, report: Report = lambda _progress: None) -> Summary:
    """Make feedback of what is graded and hand it to the learners, with the scores as they stand in the gradebook."""
    from grader.told.pages import Pages

    root = root.resolve()
    api = course_api(root, course)
    with RecordsClient() as records:
        settle(api.coursedir, course, lab, records.submissions(course, lab), everybody=True)
    pages = Pages(api.coursedir, course_config(root, course), lab)
    learners = sorted(folder.parent.name for folder in (root / "autograded").glob(f"*/{lab}"))
    done = failed = 0
    for learner in learners:
        problem = ""
        try:
            pages.make(learner)
        except Exception as error:  # one submission must not stop the others
            log.error("feedback of %s on %s", learner, lab, exc_info=error)
            problem = f"{type(error).__name__}: {error}"[:200]
        failed, done = (failed + 1, done) if problem else (failed, done + 1)
        report(Progress(done, failed, len(learners), learner, problem))
    _must(api.release_feedback(lab))
    return Summary(done, failed, 0)


def stand_in(root: Path, learner: str, lab: str) -> None:
    """Let the released notebooks stand in for a submission's, and note it."""
    folder = root / "submitted" / learner / lab
    note = mend(folder, root / "release" / lab, always="notebook not usable")
    path = folder / RECEIPT
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "note": note}), "utf-8")


def _must(outcome: dict[str, Any]) -> None:
    if problem := problem_of(outcome):
        raise RuntimeError(problem)
