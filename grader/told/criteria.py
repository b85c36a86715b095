"""What a learner is told of an ordinary nbgrader assignment: each grade cell, in the notebooks' order.

The rule: words that came out of a learner's process are told only where no hidden test had run by then (`withheld.py`); a hidden
test says that it failed, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from grader.feedback import CriterionFeedback
from grader.gradebook import name_outside
from grader.told.withheld import Graded
from labs.checks import Finding
from labs.texts import Text

MOST_SAID = 500
#: nbgrader's colours in an error's text.
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
NO_ANSWER = "No response."

PASSED = Finding(found=Text(ko="테스트를 통과했습니다.", en="The test passed."), ok=True)
PARTLY = Text(ko="일부만 통과해 부분 점수를 받았습니다.", en="It passed in part, for a part of the points.")
HIDDEN = Finding(
    found=Text(ko="숨은 테스트를 통과하지 못했습니다.", en="A hidden test failed."),
    right=Text(
        ko="숨은 테스트의 내용과 메시지는 보여 주지 않습니다. 문제의 조건을 다시 읽고 여러 값으로 직접 확인해 보세요.",
        en="What it tests and what it says is not shown. Read the task again and try your answer with more values.",
    ),
)
CLOSED = Finding(
    found=Text(ko="테스트를 통과하지 못했습니다.", en="The test failed."),
    right=Text(
        ko="노트북에서 이 테스트 칸을 실행하면 메시지를 볼 수 있습니다. 채점할 때는 앞에서 숨은 테스트가 실행되어 메시지를 보여 주지 않습니다.",
        en="Run this test cell in your notebook to read what it says. In grading a hidden test ran before it, so its message is not shown.",
    ),
)
RIGHT = Text(
    ko="노트북의 이 테스트 칸이 오류 없이 끝나야 합니다.",
    en="This test cell of your notebook has to run without an error.",
)
EMPTY = Finding(found=Text(ko="답을 쓰지 않았습니다.", en="There is no answer."))


def criteria_of(
    submission: Any, lab: str, graded: Sequence[Graded], points: Mapping[str, float | None]
) -> tuple[CriterionFeedback, ...]:
    """Each grade cell of a submission, and each answer that has a comment; `points` as they were reported."""
    rows = {notebook.name: notebook for notebook in submission.notebooks}
    return tuple(row for page in graded if page.name in rows for row in _page(rows[page.name], lab, page, points))


def _page(notebook: Any, lab: str, page: Graded, points: Mapping[str, float | None]) -> Iterator[CriterionFeedback]:
    grades = {grade.cell.name: grade for grade in notebook.grades}
    comments = {comment.name: comment for comment in notebook.comments}
    for place, cell in enumerate(page.notebook.cells):
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        grade, comment = grades.pop(name, None), comments.get(name)
        said = ((comment.manual_comment or "") if comment else "")[:20_000]
        if grade is None and not said:
            continue
        told = name_outside(lab, notebook.name, str(name))
        yield CriterionFeedback(
            id=told,
            title=_title(cell, told, is_graded=grade is not None),
            # An answer whose tests stand in other cells has no points of its own.
            points=points.get(told) if grade is not None else 0,
            max_points=grade.cell.max_score if grade is not None else 0,
            findings=_findings(grade, comment, page, place) if grade is not None else (),
            comment=said,
        )


def _title(cell: Any, name: str, *, is_graded: bool) -> Text:
    marks = cell.metadata.get("nbgrader", {})
    if marks.get("task"):
        return Text(ko=f"과제 {name}", en=f"Task {name}")
    if marks.get("solution") or not is_graded:
        return Text(ko=f"답안 {name}", en=f"Answer {name}")
    return Text(ko=f"테스트 {name}", en=f"Test {name}")


def _findings(grade: Any, comment: Any, page: Graded, place: int) -> tuple[Finding, ...]:
    cell = page.notebook.cells[place]
    marks = cell.metadata.get("nbgrader", {})
    if marks.get("task") or marks.get("solution"):
        return (EMPTY,) if comment is not None and comment.auto_comment == NO_ANSWER and not grade.manual_score else ()
    score = grade.auto_score or 0
    if score >= grade.cell.max_score:
        return (PASSED,)
    if score > 0:
        return (Finding(found=PARTLY),)
    if page.hides(cell):
        return (HIDDEN,)
    return (CLOSED if page.is_closed(place) else _error(cell),)


def _error(cell: Any) -> Finding:
    """What a visible test said; its text is the learner's own program's."""
    error = next((output for output in cell.get("outputs", ()) if output.output_type == "error"), None)
    if error is None:
        return Finding(found=CLOSED.found, right=RIGHT)
    said = _COLOURS.sub("", f"{error.ename}: {error.evalue}").removesuffix(": ")[:MOST_SAID]
    return Finding(found=Text(ko=f"테스트를 통과하지 못했습니다. {said}", en=f"The test failed. {said}"), right=RIGHT)
