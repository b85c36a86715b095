"""nbgrader's exchange over HTTP: eight small classes that speak to the records service instead of a shared folder.

A learner's server carries its own Hub token, so a submission can only be handed in as its owner. Configure with
`c.ExchangeFactory.submit = "grader.exchange.Submit"` and so on (`hub_config/jupyter/nbgrader_config.py`).
"""

from __future__ import annotations

import contextlib
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.exchange import abc
from nbgrader.utils import ignore_patterns

from grader.client import RecordsClient, Refusal
from grader.course_files import file_inside
from grader.engine.collect import collect, stamp_of
from grader.gradebook import receipt_id, report_of
from grader.late import late_percent
from grader.records.blobs import Manifest, hash_file
from grader.told.feedback import feedback_of
from grader.told.joined import joined

#: What is never handed in: nbgrader's own, editors' and the kernel's leftovers.
IGNORED = [".ipynb_checkpoints", "*.pyc", "__pycache__", "feedback", ".*"]


class Exchange(abc.Exchange):  # type: ignore[misc]
    """What the eight share: the client, and refusals that become nbgrader's own failures."""

    client: RecordsClient

    @property
    def course(self) -> str:
        return str(self.coursedir.course_id)

    @property
    def lab(self) -> str:
        return str(self.coursedir.assignment_id)

    def start(self) -> Any:
        try:
            with RecordsClient() as self.client:
                return super().start()
        except Refusal as refusal:
            self.fail(str(refusal))

    def init_src(self) -> None:
        """Nothing to prepare: the service knows what is where."""

    def init_dest(self) -> None:
        """Nothing to prepare: the service knows what is where."""

    @property
    def lab_folder(self) -> Path:
        """The learner's folder of the lab."""
        return Path(self.assignment_dir).resolve() / self.lab


class ReleaseAssignment(Exchange, abc.ExchangeReleaseAssignment):  # type: ignore[misc]
    def copy_files(self) -> None:
        source = Path(self.coursedir.format_path(self.coursedir.release_directory, ".", self.lab)).resolve()
        if not source.is_dir():
            self.fail(f"release version not found: run 'nbgrader generate_assignment {self.lab}' first")
        self.client.upload("PUT", f"/courses/{self.course}/labs/{self.lab}/release", list(_files(source)))
        self.log.info("Released: %s %s", self.course, self.lab)


class FetchAssignment(Exchange, abc.ExchangeFetchAssignment):  # type: ignore[misc]
    def copy_files(self) -> None:
        """Put the released files into the learner's folder, a file that is there stays as it is; the notebooks come last.

        So whoever finds the notebooks knows that everything is there, and a fetch that broke off goes on.
        """
        released = self.client.lab(self.course, self.lab)
        files = Manifest.model_validate(released["manifest"]).files
        for file in sorted(files, key=lambda file: file.path.endswith(".ipynb")):
            target = self.lab_folder / file.path
            if not target.exists():
                self.client.download(f"/courses/{self.course}/labs/{self.lab}/release/{file.sha256}", target)
        self.log.info("Fetched: %s %s", self.course, self.lab)


class Submit(Exchange, abc.ExchangeSubmit):  # type: ignore[misc]
    def copy_files(self) -> None:
        """Hand in what the learner made or changed; handed-out material that is unchanged stays behind."""
        if not self.lab_folder.is_dir():
            self.fail(f"{self.lab}: fetch the lab before handing in")
        released = Manifest.model_validate(self.client.lab(self.course, self.lab)["manifest"])
        known = {(file.path, file.sha256) for file in released.files if not file.path.endswith(".ipynb")}
        files = [(name, file) for name, file in _files(self.lab_folder) if (name, hash_file(file)) not in known]
        receipt = self.client.upload("POST", f"/courses/{self.course}/labs/{self.lab}/submissions", files)
        self.log.info("Submitted as: %s %s, receipt %s", self.course, self.lab, receipt["id"])


class List(Exchange, abc.ExchangeList):  # type: ignore[misc]
    def copy_files(self) -> None:
        """Nothing to copy: a list only reads."""

    def list_files(self) -> list[dict[str, Any]]:
        courses = [self.course] if self.course else os.environ.get("PRACTICUM_COURSES", "").split()
        listed = self._submitted if (self.inbound or self.cached) else self._released
        return [row for course in courses for row in listed(course)]

    def remove_files(self) -> list[dict[str, Any]]:
        self.fail("what is handed out or handed in stays in the records")
        return []

    def _released(self, course: str) -> Iterator[dict[str, Any]]:
        for released in self.client.labs(course):
            lab, folder = released["lab"], Path(self.assignment_dir).resolve() / released["lab"]
            fetched = folder.is_dir()
            names = [f["path"] for f in released["manifest"]["files"] if f["path"].endswith(".ipynb")]
            notebooks = [{"notebook_id": Path(name).stem, "path": str(folder / name)} for name in names]
            yield {"course_id": course, "assignment_id": lab, "status": "fetched" if fetched else "released",
                   "path": str(folder), "notebooks": notebooks}  # fmt: skip

    def _submitted(self, course: str) -> Iterator[dict[str, Any]]:
        groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        for released in self.client.labs(course):
            for receipt in self.client.submissions(course, released["lab"]):
                groups[receipt["lab"], receipt["learner"]].append(self._submission(course, receipt))
        for (lab, learner), rows in sorted(groups.items()):
            yield {"course_id": course, "student_id": learner, "assignment_id": lab, "status": "submitted",
                   "submissions": rows}  # fmt: skip

    def _submission(self, course: str, receipt: dict[str, Any]) -> dict[str, Any]:
        """One submission as nbgrader's assignment list wants to read it."""
        lab, stamp = receipt["lab"], stamp_of(receipt)
        here = Path(self.assignment_dir).resolve() / lab / "feedback" / stamp
        local, there = (here / f"{lab}.html").is_file(), receipt["feedback"] is not None
        notebook = {"notebook_id": lab, "path": "", "has_local_feedback": local, "has_exchange_feedback": there,
                    "local_feedback_path": str(here / f"{lab}.html") if local else None, "feedback_updated": False}  # fmt: skip
        return {"course_id": course, "assignment_id": lab, "student_id": receipt["learner"], "timestamp": stamp,
                "status": "submitted", "path": "", "notebooks": [notebook], "has_local_feedback": local,
                "has_exchange_feedback": there, "feedback_updated": False,
                "local_feedback_path": str(here) if local else None}  # fmt: skip


class Collect(Exchange, abc.ExchangeCollect):  # type: ignore[misc]
    def copy_files(self) -> None:
        """Lay each learner's newest submission out where nbgrader looks for it."""
        rows = self.client.submissions(self.course, self.lab)
        for learner in collect(self.client, Path(self.coursedir.root), self.course, self.lab, rows):
            self.log.info("Collected submission: %s %s", learner, self.lab)


class ReleaseFeedback(Exchange, abc.ExchangeReleaseFeedback):  # type: ignore[misc]
    def __init__(self, *args: Any, authentictor: Any = None, **kwargs: Any) -> None:
        # nbgrader 0.9.6 passes the authenticator under this misspelt name.
        super().__init__(*args, **{"authenticator": authentictor, **kwargs})

    def copy_files(self) -> None:
        """Report the gradebook's scores and hand each learner the feedback on what was graded."""
        with Gradebook(self.coursedir.db_url, self.course) as gradebook:
            for submission in gradebook.assignment_submissions(self.lab):
                self._release_one(gradebook, submission.student.id)

    def _release_one(self, gradebook: Any, learner: str) -> None:
        folder = Path(self.coursedir.format_path(self.coursedir.submitted_directory, learner, self.lab))
        autograded = Path(self.coursedir.format_path(self.coursedir.autograded_directory, learner, self.lab))
        page = self._page(gradebook, learner)
        graded = autograded if receipt_id(autograded) else folder
        receipt = receipt_id(graded)
        if not receipt or not page:
            self.log.warning("No feedback to release for %s", learner)
            return
        with contextlib.suppress(MissingEntry):
            report = report_of(gradebook, self.lab, learner, receipt, percent=late_percent(graded))
            self.client.call("POST", f"/courses/{self.course}/grades", json=report.model_dump(mode="json"))
            feedback = feedback_of(gradebook, self.lab, learner, Path(self.coursedir.root), report)
            files = {"page": ("page.html", page), "results": ("results.json", feedback.model_dump_json())}
            self.client.call("POST", f"/courses/{self.course}/submissions/{receipt}/feedback", files=files)
            self.log.info("Released feedback: %s %s", learner, self.lab)

    def _page(self, gradebook: Any, learner: str) -> str:
        """The pages of all the assignment's notebooks as one; empty where one is missing."""
        root, names = Path(self.coursedir.root), sorted(n.name for n in gradebook.find_assignment(self.lab).notebooks)
        files = [file_inside(root, "feedback", learner, self.lab, f"{name}.html") for name in names]
        found = [file.read_text("utf-8") for file in files if file is not None]
        return joined(found) if found and len(found) == len(names) else ""


class FetchFeedback(Exchange, abc.ExchangeFetchFeedback):  # type: ignore[misc]
    def copy_files(self) -> None:
        for receipt in self.client.submissions(self.course, self.lab):
            if receipt["feedback"] is not None:
                target = self.lab_folder / "feedback" / stamp_of(receipt) / f"{self.lab}.html"
                path = f"/courses/{self.course}/submissions/{receipt['id']}/feedback/html"
                self.client.download(path, target)


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """The regular files of a folder that belong to the work, by relative name; links are left out."""
    for root, folders, names in os.walk(folder):
        skip = ignore_patterns(exclude=IGNORED)(root, [*folders, *names])
        folders[:] = sorted(name for name in folders if name not in skip)
        for name in sorted(set(names) - set(skip)):
            path = Path(root) / name
            if path.is_file() and not path.is_symlink():
                yield path.relative_to(folder).as_posix(), path
