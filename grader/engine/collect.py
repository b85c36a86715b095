"""Laying submissions out where nbgrader looks for them.

The rule: a folder is swapped in whole, with its receipt in it; a notebook that nbgrader could not read is replaced by the
released one, and the receipt says so.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat

from grader.client import RecordsClient
from grader.gradebook import RECEIPT, receipt_id

TIMESTAMP = "%Y-%m-%d %H:%M:%S.%f UTC"
#: What is written beside a collected submission: the receipt, and the time for nbgrader.
STAMP_FILE = "timestamp.txt"
OURS = (RECEIPT, STAMP_FILE)
MAX_NOTEBOOK_BYTES = 20_000_000


def collect(client: RecordsClient, root: Path, course: str, lab: str, rows: Sequence[dict[str, Any]]) -> list[str]:
    """Lay out each learner's newest submission of these that is not there yet; who was collected."""
    newest = {receipt["learner"]: receipt for receipt in rows}
    collected = []
    for learner, receipt in sorted(newest.items()):
        folder = root / "submitted" / learner / lab
        if receipt_id(folder) != receipt["id"]:
            _lay_out(client, root, course, folder, receipt)
            collected.append(learner)
    return collected


def _lay_out(client: RecordsClient, root: Path, course: str, folder: Path, receipt: dict[str, Any]) -> None:
    """Build the folder beside its place and swap it in, so that a stopped run leaves the old or the new one."""
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for file in receipt["files"]:
        # A file or a folder with a name of ours would stand in the way of what the server says.
        if file["path"].partition("/")[0] not in OURS:
            path = f"/courses/{course}/submissions/{receipt['id']}/files/{file['sha256']}"
            client.download(path, fresh / file["path"])
    note = mend(fresh, root / "release" / folder.name)
    (fresh / STAMP_FILE).write_text(stamp_of(receipt), "utf-8")
    (fresh / RECEIPT).write_text(json.dumps({**receipt, "note": note}), "utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    fresh.replace(folder)


def mend(folder: Path, released: Path, *, always: str = "") -> str:
    """Put the released notebook in the place of one that is missing or broken (or of each, saying why); give the note on it."""
    said = []
    for source in sorted(released.glob("*.ipynb")):
        if problem := always or notebook_problem(folder / source.name):
            said.append(problem)
            if (folder / source.name).is_dir():
                shutil.rmtree(folder / source.name)
            (folder / source.name).unlink(missing_ok=True)
            shutil.copyfile(source, folder / source.name)
    return "; ".join(dict.fromkeys(said))


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


class TooLarge(Exception):
    """A file of a submission that no sandbox could take; the message begins with the cause."""


def must_fit(folder: Path, file_mb: int) -> None:
    """Refuse a folder with a file over the limit, before it is copied; what the records took is smaller by their own limit."""
    for path in folder.rglob("*"):
        if path.is_file() and path.stat().st_size > file_mb * 1_000_000:
            raise TooLarge(f"file_limit: {path.name[:80]}: {path.stat().st_size // 1_000_000} MB > {file_mb} MB")


def stamp_of(receipt: dict[str, Any]) -> str:
    """When a submission came in, as nbgrader writes it."""
    return datetime.fromisoformat(receipt["received_at"]).astimezone(UTC).strftime(TIMESTAMP)
