"""The way of a submission on real parts: nbgrader's own apps over the HTTP exchange, checks in the sandbox, the gradebook,
the records, and feedback back to the learner. Hostile submissions are refused or graded 0, and disturb nobody else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from grading_course import workers_for
from nbgrader.api import Gradebook
from records_server import make_app, serving
from small_course import COURSE, MONDAY_TEN
from sqlalchemy import Engine
from traitlets.config import Config

from grader import review
from grader.engine import grade as flow
from grader.engine.grade import grade_lab, release_feedback
from grader.engine.lock import AlreadyGrading, only_run
from grader.engine.marking import Job, Marking
from grader.engine.progress import Progress
from grader.engine.results import results_file
from grader.gradebook import graded_submission, open_book
from grader.nbgrader_setup import configure, course_api
from grader.records import journal
from grader.records.db import reading
from grader.records.state import LearnerState, learner_state
from labs.build import build_lab
from labs.catalog import find_lab
from publishing.reference import build as build_reference

LAB = "book-proposal"


class Classroom:
    """A course's folder, the records service, and learners with a folder each."""

    def __init__(self, folder: Path, api: str, engine: Engine) -> None:
        self.folder, self.api, self.engine = folder, api, engine
        self.root = folder / "courses" / COURSE

    def as_(self, who: str) -> None:
        os.environ["PRACTICUM_RECORDS_URL"] = self.api
        os.environ["PRACTICUM_RECORDS_TOKEN"] = f"token-{who}"
        os.environ["PRACTICUM_LANG"] = "ko"

    def nbgrader(self, part: str, who: str, **config: Any) -> Any:
        """Run one part of the exchange as a person, in their own folder, as JupyterLab's panel does."""
        self.as_(who)
        home = self.home(who)
        settings = Config()
        configure(settings)
        settings.CourseDirectory.course_id = COURSE
        settings.CourseDirectory.assignment_id = LAB
        settings.Exchange.assignment_dir = str(home)
        settings.merge(Config(config))
        from nbgrader.auth import Authenticator
        from nbgrader.coursedir import CourseDirectory
        from nbgrader.exchange import ExchangeFactory

        plugin = getattr(ExchangeFactory(config=settings), part)
        return plugin(
            coursedir=CourseDirectory(config=settings), authenticator=Authenticator(config=settings), config=settings
        ).start()

    def home(self, who: str) -> Path:
        home = self.folder / "homes" / who
        home.mkdir(parents=True, exist_ok=True)
        return home

    def work(self, who: str) -> Path:
        return self.home(who) / LAB

    def grade(self, **more: Any) -> tuple[Any, list[Progress]]:
        self.as_("grader")
        seen: list[Progress] = []
        more.setdefault("workers", workers_for(len(list(self.folder.glob(f"homes/*/{LAB}")))))
        return grade_lab(self.root, COURSE, LAB, report=seen.append, **more), seen

    def state(self, who: str) -> LearnerState:
        with reading(self.engine) as session:
            state = learner_state(session, COURSE, who, MONDAY_TEN)
        assert state is not None
        return state

    def points(self, who: str) -> float | None:
        grade = next(lab for lab in self.state(who).labs if lab.lab.lab_id == LAB).grade
        return grade.payload["points"] if grade else None


@pytest.fixture
def classroom(tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Classroom]:
    for name in ("PRACTICUM_RECORDS_URL", "PRACTICUM_RECORDS_TOKEN", "PRACTICUM_LANG"):
        monkeypatch.setenv(name, "")
    with serving(make_app(engine, tmp_path / "blobs")) as api:
        room = Classroom(tmp_path, api, engine)
        room.as_("grader")
        room.root.mkdir(parents=True)
        build_lab(find_lab(LAB), COURSE, "ko", room.root / "source" / LAB)
        nbgrader = course_api(room.root, COURSE)
        assert nbgrader.generate_assignment(LAB)["success"]
        assert nbgrader.release_assignment(LAB)["success"]
        yield room


def hand_in(room: Classroom, who: str, recipe: str = "good") -> None:
    """Fetch the lab, do it as a reference recipe says, and hand it in."""
    room.nbgrader("FetchAssignment", who)
    lab = find_lab(LAB)
    build_reference(lab.folder / "reference" / f"{recipe}.yaml", lab.folder, room.work(who), "ko")
    room.nbgrader("Submit", who)


AUTOMATIC = sum(criterion.points for criterion in find_lab(LAB).lab.criteria if criterion.check)


def test_the_whole_way_of_a_grade(classroom: Classroom) -> None:
    hand_in(classroom, "ann")
    hand_in(classroom, "bob", "raw_ai")
    listed = classroom.nbgrader("List", "ann", ExchangeList={"cached": True})
    assert [(row["student_id"], len(row["submissions"])) for row in listed] == [("ann", 1)]

    summary, seen = classroom.grade()
    assert (summary.graded, summary.failed) == (2, 0)
    assert (seen[0].total, seen[-1].done) == (2, 2)
    assert classroom.points("ann") == AUTOMATIC
    passed = find_lab(LAB).lab.max_points * find_lab(LAB).lab.pass_percent / 100
    assert (classroom.points("bob") or 0) < passed  # the AI's unread answer does not pass
    ann = next(lab for lab in classroom.state("ann").labs if lab.lab.lab_id == LAB)
    assert ann.step == "review"  # a person has still to judge

    # The instructor fills the manual criterion in formgrader, which writes to the gradebook.
    with Gradebook(course_api(classroom.root, COURSE).coursedir.db_url) as gradebook:
        grade = gradebook.find_grade("editor-wants-it", LAB, LAB, "ann")
        assert grade.needs_manual_grade
        grade.manual_score, grade.needs_manual_grade = 11, False
        gradebook.find_comment("editor-wants-it", LAB, LAB, "ann").manual_comment = "독자가 더 또렷하면 좋겠습니다."
        gradebook.db.commit()
    classroom.as_("grader")
    assert release_feedback(classroom.root, COURSE, LAB).failed == 0
    ann = next(lab for lab in classroom.state("ann").labs if lab.lab.lab_id == LAB)
    assert (ann.step, classroom.points("ann")) == ("graded", AUTOMATIC + 11)

    classroom.nbgrader("FetchFeedback", "ann")
    (page,) = (classroom.work("ann") / "feedback").rglob("*.html")
    assert "독자가 더 또렷하면" in page.read_text("utf-8")
    assert ann.feedback is not None
    results = json.loads(
        (classroom.folder / "blobs" / ann.feedback.payload["results"][:2] / ann.feedback.payload["results"]).read_text()
    )
    comments = {criterion["id"]: criterion["comment"] for criterion in results["criteria"]}
    assert "또렷" in comments["editor-wants-it"]
    assert all(criterion["findings"] for criterion in results["criteria"] if criterion["id"] != "editor-wants-it")
    with reading(classroom.engine) as session:
        assert journal.verify(session) is None


@pytest.mark.parametrize("defended", [True, False])
def test_a_script_in_a_notebook_does_not_reach_an_instructors_browser(
    classroom: Classroom, monkeypatch: pytest.MonkeyPatch, defended: bool
) -> None:
    hand_in(classroom, "ann")
    notebook = classroom.work("ann") / f"{LAB}.ipynb"
    content = nbformat.read(notebook, 4)
    content.cells.append(nbformat.v4.new_markdown_cell("<script>grade(100)</script><b>좋은 글</b>"))
    nbformat.write(content, notebook)
    classroom.nbgrader("Submit", "ann")
    if not defended:
        monkeypatch.setattr(
            "nbconvert.preprocessors.sanitize.SanitizeHTML.preprocess", lambda _self, nb, resources: (nb, resources)
        )
    classroom.grade()
    shown = (classroom.root / "autograded" / "ann" / LAB / f"{LAB}.ipynb").read_text("utf-8")
    assert "좋은 글" in shown
    assert ("<script>grade" in shown) is not defended


def test_what_is_graded_stays_and_a_new_attempt_is_graded_anew(classroom: Classroom) -> None:
    hand_in(classroom, "ann", "raw_ai")
    classroom.grade()
    first = classroom.points("ann")
    again, _ = classroom.grade()
    assert (again.graded, again.unchanged) == (0, 1)
    hand_in(classroom, "ann")
    assert classroom.points("ann") is None
    classroom.grade()
    assert classroom.points("ann") == AUTOMATIC != first
    assert len(next(lab for lab in classroom.state("ann").labs if lab.lab.lab_id == LAB).submissions) == 2


def test_a_persons_points_survive_and_wait_again_only_for_another_submission(classroom: Classroom) -> None:
    hand_in(classroom, "ann")
    classroom.grade()
    judged = "editor-wants-it"

    def standing() -> review.Standing:
        with open_book(classroom.root) as book:
            return next(one for one in review.standings(book, LAB, "ann") if one.criterion == judged)

    handed = graded_submission(classroom.root, LAB, "ann") or ""
    review.save(
        classroom.root, LAB, "ann", judged, review.Judgement(11, "또렷합니다."), standing().version, submission=handed
    )
    assert classroom.grade(force=True)[0].graded == 1
    assert (standing().points, standing().comment, standing().waits) == (11, "또렷합니다.", False)
    assert classroom.points("ann") == AUTOMATIC + 11
    assert [lab.step for lab in classroom.state("ann").labs if lab.lab.lab_id == LAB] == ["graded"]
    hand_in(classroom, "ann", "raw_ai")
    classroom.grade()
    assert (standing().points, standing().comment, standing().waits) == (11, "또렷합니다.", True)
    assert [lab.step for lab in classroom.state("ann").labs if lab.lab.lab_id == LAB] == ["review"]


@pytest.mark.long
def test_a_stopped_run_goes_on_where_it_was(classroom: Classroom, monkeypatch: pytest.MonkeyPatch) -> None:
    hand_in(classroom, "ann")
    hand_in(classroom, "bob")
    real = Marking.finish

    def killed(self: Marking, job: Job) -> None:
        if job.learner == "bob":
            raise KeyboardInterrupt
        real(self, job)

    with monkeypatch.context() as patched:
        patched.setattr(Marking, "finish", killed)
        with pytest.raises(KeyboardInterrupt):
            classroom.grade(workers=1)
    summary, _ = classroom.grade()
    assert summary.failed == 0
    assert (classroom.points("ann"), classroom.points("bob")) == (AUTOMATIC, AUTOMATIC)


def test_a_grade_that_did_not_reach_the_records_is_sent_again(
    classroom: Classroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the gradebook and the records: the next run does not take it for done."""
    hand_in(classroom, "ann")

    def killed(*_args: Any, **_more: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(flow, "report_of", killed)
        with pytest.raises(KeyboardInterrupt):
            classroom.grade()
    assert classroom.points("ann") is None
    assert classroom.grade()[0].graded == 1
    assert classroom.points("ann") == AUTOMATIC


@pytest.mark.long
def test_two_instructors_at_once_do_not_mix(classroom: Classroom) -> None:
    hand_in(classroom, "ann")
    with only_run(classroom.root, LAB), pytest.raises(AlreadyGrading) as caught:
        classroom.grade()
    assert "이미 진행 중" in caught.value.text.ko
    assert classroom.grade()[0].graded == 1


TRANSFORMER = """
import IPython
def full_marks(lines):
    return ["10000"]
IPython.get_ipython().input_transformers_cleanup.append(full_marks)
open("/tmp/practicum-was-here", "w").write("ran")
"""


def with_transformer(work: Path) -> None:
    """Stock nbgrader gives full marks to this: a cell that rewrites every later cell."""
    path = work / f"{LAB}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(TRANSFORMER))
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [nbformat.v4.new_output("execute_result", data={"text/plain": "10000"}, execution_count=1)]
    nbformat.write(notebook, path)


def broken_notebook(work: Path) -> None:
    (work / f"{LAB}.ipynb").write_text('{"cells": [' + "[" * 50_000)


def no_notebook(work: Path) -> None:
    (work / f"{LAB}.ipynb").unlink()
    (work / "note.txt").write_text("no notebook")


def no_files(work: Path) -> None:
    for path in work.iterdir():
        if path.is_file():
            path.unlink()
    (work / "empty.txt").write_text("")


def forged_results(work: Path) -> None:
    """A submission that brings its own results, receipt and time."""
    (work / "results.json").write_text('{"points": 1000}')
    (work / "practicum-receipt.json").write_text('{"id": "forged"}')
    (work / "timestamp.txt").write_text("2000-01-01 00:00:00 UTC")


def link_out(work: Path) -> None:
    """The proposal is a link to a file of the machine."""
    (work / "proposal.md").unlink(missing_ok=True)
    (work / "proposal.md").symlink_to("/etc/passwd")


def changed_cells(work: Path) -> None:
    """Every grade cell is there twice, with points of the learner's own."""
    path = work / f"{LAB}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    for cell in list(notebook.cells):
        if cell.metadata.get("nbgrader", {}).get("grade"):
            cell.metadata.nbgrader["points"] = 1000
            notebook.cells.append(nbformat.from_dict({**cell, "id": f"x{cell['id']}"}))
    nbformat.write(notebook, path)


@pytest.mark.parametrize(
    "attack",
    [
        with_transformer,
        *(
            pytest.param(attack, marks=pytest.mark.long)
            for attack in (forged_results, changed_cells, broken_notebook, no_notebook, no_files, link_out)
        ),
    ],
)
def test_a_hostile_submission_gains_nothing_and_disturbs_nobody(
    classroom: Classroom, attack: Callable[[Path], None]
) -> None:
    Path("/tmp/practicum-was-here").unlink(missing_ok=True)
    hand_in(classroom, "ann")
    classroom.nbgrader("FetchAssignment", "bob")
    attack(classroom.work("bob"))
    classroom.nbgrader("Submit", "bob")
    summary, _ = classroom.grade()
    assert (summary.graded, summary.failed) == (2, 0)
    assert classroom.points("ann") == AUTOMATIC
    assert classroom.points("bob") == 0
    assert not Path("/tmp/practicum-was-here").exists()  # no learner code ran
    results = results_file(classroom.root, "bob", LAB).read_text("utf-8")
    assert "root:" not in results


def test_work_handed_in_under_another_name_stays_ones_own(classroom: Classroom) -> None:
    hand_in(classroom, "bob")
    classroom.nbgrader("Submit", "bob", CourseDirectory={"student_id": "ann"})
    assert classroom.state("ann").labs[1].submissions == ()
    assert [receipt.learner for receipt in classroom.state("bob").labs[1].submissions] == ["bob", "bob"]


@pytest.mark.long
def test_nothing_at_all_is_refused_with_a_sentence(classroom: Classroom) -> None:
    classroom.nbgrader("FetchAssignment", "bob")
    (classroom.work("bob") / f"{LAB}.ipynb").unlink()
    with pytest.raises(Exception, match="제출할 파일이 없습니다"):
        classroom.nbgrader("Submit", "bob")
    assert classroom.state("bob").labs[1].submissions == ()


def test_a_submission_over_the_limit_is_refused_with_a_sentence(classroom: Classroom) -> None:
    classroom.nbgrader("FetchAssignment", "bob")
    with (classroom.work("bob") / "huge.bin").open("wb") as huge:
        huge.truncate(200_000_000)
    with pytest.raises(Exception, match="너무 큽니다"):
        classroom.nbgrader("Submit", "bob")
    assert classroom.state("bob").labs[1].submissions == ()


def test_what_stock_nbgrader_does_with_the_transformer(tmp_path: Path) -> None:
    """The attack bites where nothing defends: stock nbgrader's autograde gives it full marks."""
    from nbgrader.apps.api import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory

    config = Config()
    config.CourseDirectory.root = str(tmp_path)
    config.CourseDirectory.course_id = COURSE
    config.Exchange.root = str(tmp_path / "exchange")
    (tmp_path / "exchange").mkdir()
    (tmp_path / "exchange").chmod(0o777)
    source = tmp_path / "source" / LAB
    source.mkdir(parents=True)
    test = nbformat.v4.new_code_cell("assert answer == 42")
    test.metadata["nbgrader"] = {"schema_version": 3, "grade_id": "t", "grade": True, "solution": False, "locked": True,
                                 "task": False, "points": 10}  # fmt: skip
    nbformat.write(
        nbformat.v4.new_notebook(cells=[test], metadata={"kernelspec": {"name": "python3", "display_name": "p"}}),
        source / f"{LAB}.ipynb",
    )
    api = NbGraderAPI(CourseDirectory(config=config), config=config)
    assert api.generate_assignment(LAB)["success"]
    submitted = tmp_path / "submitted" / "bob" / LAB
    submitted.mkdir(parents=True)
    notebook = nbformat.read(tmp_path / "release" / LAB / f"{LAB}.ipynb", as_version=4)
    cheat = "import IPython\nIPython.get_ipython().input_transformers_cleanup.append(lambda lines: ['pass'])"
    notebook.cells.insert(0, nbformat.v4.new_code_cell(cheat))
    nbformat.write(notebook, submitted / f"{LAB}.ipynb")
    outcome = api.autograde(LAB, "bob")
    assert outcome["success"], outcome
    with Gradebook(api.coursedir.db_url) as gradebook:
        assert gradebook.find_submission(LAB, "bob").score == 10
