"""nbgrader's exchange over HTTP: eight small classes that speak to the records service instead of a shared folder.

A learner's server carries its own Hub token, so a submission can only be handed in as its owner. Configure with
`c.ExchangeFactory.submit = "grader.exchange.Submit"` and so on (`hub_config/jupyter/nbgrader_config.py`).
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import nbformat
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.exchange import abc
from nbgrader.utils import ignore_patterns

from grader.feedback import Feedback
from grader.gradebook import RECEIPT, feedback_of, receipt_id, report_of
from grader.late import late_percent
from grader.records.blobs import Manifest, hash_file

TIMESTAMP = "%Y-%m-%d %H:%M:%S.%f UTC"
#: What is never handed in: nbgrader's own, editors' and the kernel's leftovers.
IGNORED = [".ipynb_checkpoints", "*.pyc", "__pycache__", "feedback", ".*"]
#: What is written beside a collected submission: the receipt, and the time for nbgrader.
STAMP_FILE = "timestamp.txt"
OURS = (RECEIPT, STAMP_FILE)
MAX_NOTEBOOK_BYTES = 20_000_000


class Refusal(Exception):
    """The records service refused; the message is in the user's language."""


class RecordsClient:
    """Calls the records service as the owner of the Hub token in the environment."""

    def __init__(self) -> None:
        env = os.environ
        token = env.get("PRACTICUM_RECORDS_TOKEN") or env.get("JUPYTERHUB_API_TOKEN", "")
        self.lang = "en" if env.get("PRACTICUM_LANG") == "en" else "ko"
        self.http = httpx.Client(
            base_url=env.get("PRACTICUM_RECORDS_URL", ""),
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(300, connect=10),
            trust_env=False,
        )

    def __enter__(self) -> RecordsClient:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.http.close()

    def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One request; Refusal says in the user's language what went wrong."""
        try:
            answer = self.http.request(method, path, **more)
        except httpx.HTTPError as error:
            said = {"ko": "기록 서비스에 연결하지 못했습니다. 잠시 뒤 다시 시도하세요.",
                    "en": "The records service could not be reached; try again shortly."}  # fmt: skip
            raise Refusal(f"{said[self.lang]} ({type(error).__name__})") from error
        if answer.is_error:
            with contextlib.suppress(ValueError):
                body = answer.json()
                raise Refusal(str(body.get(self.lang) or body.get("detail")))
            raise Refusal(f"{answer.status_code} {answer.reason_phrase}")
        return answer

    def download(self, path: str, target: Path) -> None:
        """Stream a file to its place."""
        target.parent.mkdir(parents=True, exist_ok=True)
        with self.http.stream("GET", path) as answer, target.open("wb") as out:
            answer.raise_for_status()
            for chunk in answer.iter_bytes():
                out.write(chunk)

    def labs(self, course: str) -> list[dict[str, Any]]:
        return list(self.call("GET", f"/courses/{course}/labs").json())

    def lab(self, course: str, lab: str) -> dict[str, Any]:
        """One released lab; Refusal where it is not handed out."""
        for released in self.labs(course):
            if released["lab"] == lab:
                return released
        said = {"ko": f"실습 {lab}은(는) 아직 배포되지 않았습니다.", "en": f"lab {lab} is not handed out"}
        raise Refusal(said[self.lang])

    def submissions(self, course: str, lab: str) -> list[dict[str, Any]]:
        return list(self.call("GET", f"/courses/{course}/labs/{lab}/submissions").json())

    def upload(self, method: str, path: str, files: list[tuple[str, Path]]) -> dict[str, Any]:
        """Send files under their relative names."""
        with contextlib.ExitStack() as stack:
            parts = [("files", (name, stack.enter_context(file.open("rb")))) for name, file in files]
            return dict(self.call(method, path, files=parts).json())


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
        """Put the released files into the learner's folder; a file that is there stays as it is."""
        released = self.client.lab(self.course, self.lab)
        for file in Manifest.model_validate(released["manifest"]).files:
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
        lab, stamp = receipt["lab"], _stamp(receipt)
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
        newest = {receipt["learner"]: receipt for receipt in self.client.submissions(self.course, self.lab)}
        for learner, receipt in sorted(newest.items()):
            folder = Path(self.coursedir.format_path(self.coursedir.submitted_directory, learner, self.lab))
            if receipt_id(folder) == receipt["id"]:
                continue
            self.log.info("Collecting submission: %s %s", learner, self.lab)
            self._lay_out(folder, receipt)

    def _lay_out(self, folder: Path, receipt: dict[str, Any]) -> None:
        """Build the folder beside its place and swap it in, so that a stopped run leaves the old or the new one."""
        fresh = folder.with_name(f".{folder.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        for file in receipt["files"]:
            # A file or a folder with a name of ours would stand in the way of what the server says.
            if file["path"].partition("/")[0] not in OURS:
                self.client.download(
                    f"/courses/{self.course}/submissions/{receipt['id']}/files/{file['sha256']}", fresh / file["path"]
                )
        note = self._mend_notebook(fresh / f"{self.lab}.ipynb")
        (fresh / STAMP_FILE).write_text(_stamp(receipt), "utf-8")
        (fresh / RECEIPT).write_text(json.dumps({**receipt, "note": note}), "utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        fresh.replace(folder)

    def _mend_notebook(self, notebook: Path) -> str:
        """Put the released notebook in the place of a missing or broken one; give the note that says so.

        A lab's points come from its deliverables, so a broken notebook must not cost them or stop the run.
        """
        problem = notebook_problem(notebook)
        if problem:
            source = Path(self.coursedir.format_path(self.coursedir.release_directory, ".", self.lab))
            if notebook.is_dir():
                shutil.rmtree(notebook)
            shutil.copyfile(source / notebook.name, notebook)
        return problem


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
        page = (
            Path(self.coursedir.format_path(self.coursedir.feedback_directory, learner, self.lab)) / f"{self.lab}.html"
        )
        graded = autograded if receipt_id(autograded) else folder
        receipt = receipt_id(graded)
        if not receipt or not page.is_file():
            self.log.warning("No feedback to release for %s", learner)
            return
        with contextlib.suppress(MissingEntry):
            report = report_of(gradebook, self.lab, learner, receipt, percent=late_percent(graded))
            self.client.call("POST", f"/courses/{self.course}/grades", json=report.model_dump(mode="json"))
            feedback: Feedback = feedback_of(gradebook, self.lab, learner, Path(self.coursedir.root), report)
            files = {"page": ("page.html", page.read_bytes()), "results": ("results.json", feedback.model_dump_json())}
            self.client.call("POST", f"/courses/{self.course}/submissions/{receipt}/feedback", files=files)
            self.log.info("Released feedback: %s %s", learner, self.lab)


class FetchFeedback(Exchange, abc.ExchangeFetchFeedback):  # type: ignore[misc]
    def copy_files(self) -> None:
        for receipt in self.client.submissions(self.course, self.lab):
            if receipt["feedback"] is not None:
                target = self.lab_folder / "feedback" / _stamp(receipt) / f"{self.lab}.html"
                path = f"/courses/{self.course}/submissions/{receipt['id']}/feedback/html"
                self.client.download(path, target)


def notebook_problem(notebook: Path) -> str:
    """Say why a handed-in notebook cannot be read, in a few words; empty when it can."""
    if not notebook.is_file():
        return "notebook missing"
    if notebook.stat().st_size > MAX_NOTEBOOK_BYTES:
        return f"notebook larger than {MAX_NOTEBOOK_BYTES // 1_000_000} MB"
    try:
        nbformat.validate(nbformat.read(notebook, as_version=4))
    except Exception as error:  # whatever a hostile file makes the parser say, the answer is the same
        return f"notebook unreadable ({type(error).__name__})"
    return ""


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """The regular files of a folder that belong to the work, by relative name; links are left out."""
    for root, folders, names in os.walk(folder):
        skip = ignore_patterns(exclude=IGNORED)(root, [*folders, *names])
        folders[:] = sorted(name for name in folders if name not in skip)
        for name in sorted(set(names) - set(skip)):
            path = Path(root) / name
            if path.is_file() and not path.is_symlink():
                yield path.relative_to(folder).as_posix(), path


def _stamp(receipt: dict[str, Any]) -> str:
    return datetime.fromisoformat(receipt["received_at"]).astimezone(UTC).strftime(TIMESTAMP)
