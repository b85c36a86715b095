"""A class at the review desk: the portal's small institution, with work handed in, checked and waiting for a person."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
from nbgrader.api import Gradebook
from small_gradebook import ANSWER, make_gradebook

from grader import review
from grader.engine.again.report import Made, Rerun
from grader.engine.results import Results, results_file
from grader.gradebook import RECEIPT, open_book, report_of
from grader.records import work
from grader.records.blobs import manifest_of
from grader.records.db import reading, writing
from grader.records.state import find_course
from labs.catalog import find_lab
from labs.checks import CriterionResult, Finding
from labs.evidence import Evidence, Item
from labs.texts import Text

COURSE, LAB = "video-1", "rough-cut"
LEVELS = next(c for c in find_lab(LAB).lab.criteria if c.review)
TASK = LEVELS.id
#: Enough of an MPEG-4 file's head that it counts as one.
CLIP = b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + bytes(range(256)) * 40
SRT = "1\n00:00:00,500 --> 00:00:02,000\n가죽은 <b>천천히</b> 길듭니다\n"


#: A notebook that was executed again and stopped in the middle, with a learner's login in its error.
RERUN = Rerun(
    cells=18, ran=16, stopped_at=17, error="NameError: name 'mina' is not defined", recorded="there", replayed=4, refused=1,
    made=(Made(path="final.mp4", outcome="same"), Made(path="captions.ko.srt", outcome="alike"),
          Made(path="cutlist.json", outcome="different"), Made(path="ai_disclosure.md", outcome="not_made"),
          Made(path="evidence.json", outcome="given")), seconds=5.3,
)  # fmt: skip


def evidence(ai: str = "공방을 연 지 10년입니다.\n둘째 줄", final: str = "공방을 연 지 12년입니다.\n둘째 줄") -> bytes:
    item = Item(id="draft", ai=ai, final=final, decision="edited", reason="녹음에서는 12년이라고 말합니다.")
    return Evidence(items=[item]).model_dump_json().encode()


def files(**changed: bytes) -> dict[str, bytes]:
    """What a learner hands in; a name's dots stand as they are."""
    return {
        "final.mp4": CLIP, "captions.ko.srt": SRT.encode(), "cutlist.json": b'{"cuts": []}',
        "ai_disclosure.md": "# AI 사용 고지\n\n초안만 AI가 썼습니다.".encode(), "evidence.json": evidence(),
        f"{LAB}.ipynb": b"{}", **changed,
    }  # fmt: skip


class DeskClass:
    """Hands in and grades as the product does, over a played world of the portal's tests."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.root: Path = world.settings.courses_folder / COURSE
        make_gradebook(self.root, LAB, ["mina", "jun", "eve"], TASK, LEVELS.points, "plays")
        world.release(LAB)

    def hand_in(self, learner: str = "mina", content: dict[str, bytes] | None = None) -> str:
        """Hand in; gives the receipt's id."""
        named = content or files()
        manifest = manifest_of([self.world.put(name, data) for name, data in named.items()])
        with writing(self.world.engine) as session:
            run = find_course(session, COURSE)
            return work.submit(session, run, LAB, manifest, learner=learner, now=self.world.now).id

    def grade(
        self, submission: str, learner: str = "mina", *, found: str = "무음이 1.2초 남았습니다.", rerun: Rerun = RERUN
    ) -> None:
        """What grading leaves behind: the receipt, the results, the notebook, and a grade in the records."""
        folder = self.root / "autograded" / learner / LAB
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RECEIPT).write_text(json.dumps({"id": submission}))
        cell = nbformat.v4.new_markdown_cell(f"{learner}의 답입니다. <script>alert(1)</script>")
        cell.metadata["nbgrader"] = {"grade_id": ANSWER}
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), folder / f"{LAB}.ipynb")
        finding = Finding(found=Text(ko=found, en=found), where="00:12.4")
        plays = CriterionResult(id="plays", points=1, max_points=3, findings=(finding,))
        results = Results(receipt=submission, criteria=(plays,), execution=rerun)
        path = results_file(self.root, learner, LAB)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(results.model_dump_json())
        with open_book(self.root) as book:
            for grade in book.find_submission(LAB, learner).notebooks[0].grades:
                grade.needs_manual_grade = grade.auto_score is None
            book.db.commit()
            report = report_of(book, LAB, learner, submission)
        with writing(self.world.engine) as session:
            work.record_grade(session, COURSE, report, actor="grader", now=self.world.now)

    def receipt(self, submission: str) -> work.Receipt:
        with reading(self.world.engine) as session:
            return work.find_submission(session, COURSE, submission)

    def book(self) -> Any:
        """The gradebook as nbgrader opens it."""
        return Gradebook(f"sqlite:///{self.root / 'gradebook.db'}")

    def in_gradebook(self, learner: str = "mina", criterion: str = TASK) -> tuple[Any, ...]:
        """What formgrader shows: points, whether it waits, and the comment."""
        with self.book() as book:
            grade = book.find_grade(criterion, LAB, LAB, learner)
            comment = next((c for c in grade.notebook.comments if c.name == criterion), None)
            return grade.manual_score, grade.needs_manual_grade, comment.manual_comment if comment else None

    def standing(self, learner: str = "mina", criterion: str = TASK) -> review.Standing:
        with open_book(self.root) as book:
            return next(one for one in review.standings(book, LAB, learner) if one.criterion == criterion)
