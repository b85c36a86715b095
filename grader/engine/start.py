"""Starting a grading run quickly: the sandboxes get ready while nbgrader is imported."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from grader.engine.kinds import kind_of
from grader.engine.lock import only_run
from grader.engine.progress import Report, Summary
from grader.engine.quick import import_lightly


def grade(root: Path, course: str, lab: str, *, force: bool, workers: int | None, report: Report) -> Summary:
    """Grade a lab's newest submissions, from a process that does nothing else."""
    root = root.resolve()
    with only_run(root, lab), closing(kind_of(root, lab, workers)) as kind:
        import_lightly()
        from grader.engine.grade import grade_taken

        return grade_taken(root, course, lab, kind, force=force, report=report)
