"""A submission's criteria on the desk: what the machine found, and what a person judges. The rule: points come from the
gradebook, who gave them from the journal, and where they were given to another submission it says so."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pydantic import ValidationError

from grader import review
from grader.course_files import file_inside
from grader.engine.again.report import Rerun
from grader.engine.results import Results, results_file
from grader.gradebook import NotGraded, open_book
from grader.records import reviews
from grader.records.models import Event
from grader.records.work import Receipt
from grader.review import Standing
from hub_config.portal.desk_text import MOST_CHARACTERS, Shown
from hub_config.portal.desk_work import Desk
from labs.checks import CriterionResult
from labs.manifest import Criterion, Level

NOTEBOOK_BYTES = 5_000_000


@dataclass(frozen=True)
class Judged:
    """A criterion that a person judges: how it stands, by whom, and for which submission."""

    standing: Standing
    criterion: Criterion | None
    event: Event | None
    receipt: Receipt
    answer: Shown | None = None

    @property
    def id(self) -> str:
        return self.standing.criterion

    @property
    def levels(self) -> tuple[Level, ...]:
        return self.criterion.review.levels if self.criterion and self.criterion.review else ()

    @property
    def known(self) -> Event | None:
        """Who gave these points; nobody where formgrader changed them since."""
        said = self.event.payload if self.event else {}
        holds = (said.get("points"), said.get("comment")) == (self.standing.points, self.standing.comment)
        return self.event if self.event and holds else None

    @property
    def changed(self) -> bool:
        """Whether the submission changed since these points were given."""
        return self.event is not None and self.event.payload["submission"] != self.receipt.id

    @property
    def told(self) -> str:
        """What a page knows of how it stands, so that it can ask for what is new."""
        return f"{self.standing.version}-{self.event.id if self.event else ''}-{int(self.standing.waits)}"


def judged(desk: Desk, receipt: Receipt) -> list[Judged]:
    """What a person judges of this submission; nothing where the gradebook has another one or none."""
    if desk.graded(receipt.learner) != receipt.id:
        return []
    try:
        with open_book(desk.root) as book:
            found = review.standings(book, desk.row.lab_id, receipt.learner)
    except NotGraded:
        return []
    events, known = reviews.newest(desk.session, receipt), _criteria(desk)
    answers = _answers(desk, receipt) if any(one.criterion not in known for one in found) else {}
    order = {name: place for place, name in enumerate(known)}
    return [
        Judged(one, known.get(one.criterion), events.get(one.criterion), receipt, answers.get(one.criterion))
        for one in sorted(found, key=lambda one: order.get(one.criterion, len(order)))
    ]


def judged_one(desk: Desk, receipt: Receipt, criterion: str) -> Judged:
    """One of them; BadJudgement where there is none such now."""
    for one in judged(desk, receipt):
        if one.id == criterion:
            return one
    raise review.not_this_one()


def machine_results(desk: Desk, receipt: Receipt) -> list[tuple[Criterion, CriterionResult]]:
    """What the checks said of this submission."""
    results = _results(desk, receipt)
    listed = desk.manifest.criteria if desk.manifest and results else ()
    found = [(criterion, results.of(criterion.id)) for criterion in listed if criterion.check and results]
    return [(criterion, result) for criterion, result in found if result]


def rerun_of(desk: Desk, receipt: Receipt) -> Rerun | None:
    """What came of executing this submission's notebook again, where the lab asks for that."""
    results = _results(desk, receipt)
    return results.execution if results else None


def _results(desk: Desk, receipt: Receipt) -> Results | None:
    """What grading kept of this submission; nothing where it is of another one or cannot be read."""
    file = file_inside(
        desk.root, *results_file(desk.root, receipt.learner, desk.row.lab_id).relative_to(desk.root).parts
    )
    try:
        results = Results.model_validate_json(file.read_bytes()) if file else None
    except ValidationError:
        results = None
    return results if results is not None and results.receipt == receipt.id else None


def _criteria(desk: Desk) -> dict[str, Criterion]:
    return {criterion.id: criterion for criterion in (desk.manifest.criteria if desk.manifest else ())}


def _answers(desk: Desk, receipt: Receipt) -> dict[str, Shown]:
    """What the learner wrote into the cells of a notebook, by the cells' names."""
    lab = desk.row.lab_id
    folder = desk.root / "autograded" / receipt.learner / lab
    found: dict[str, Shown] = {}
    for name in sorted(path.name for path in folder.glob("*.ipynb")):
        file = file_inside(desk.root, "autograded", receipt.learner, lab, name)
        if file is None or file.stat().st_size > NOTEBOOK_BYTES:
            continue
        prefix = "" if file.stem == lab else f"{file.stem}:"
        try:
            for cell in json.loads(file.read_bytes())["cells"]:
                if grade_id := cell["metadata"].get("nbgrader", {}).get("grade_id"):
                    source = "".join(cell["source"])
                    found[f"{prefix}{grade_id}"] = Shown(source[:MOST_CHARACTERS], len(source) > MOST_CHARACTERS)
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
            continue
    return found
