"""A person's judgement in nbgrader's gradebook: formgrader sees it, nobody overwrites unseen, and what is wrong is refused."""

from __future__ import annotations

import json
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from nbgrader.api import Gradebook
from small_gradebook import ANSWER, TASK, make_gradebook

from grader import review
from grader.gradebook import RECEIPT, NotGraded, open_book, waiting_by_learner
from grader.review import BadJudgement, Judgement, Stale

LAB, ANN, FIRST = "rough-cut", "ann", "first"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_gradebook(tmp_path, LAB, ["ann", "bob"])
    lay_out(tmp_path, FIRST)
    return tmp_path


def lay_out(root: Path, submission: str) -> None:
    """The receipt as grading lays it out before it writes the gradebook."""
    folder = root / "autograded" / ANN / LAB
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RECEIPT).write_text(json.dumps({"id": submission}))


def save(root: Path, criterion: str, said: Judgement, base: str) -> tuple[review.Standing, bool]:
    """Save what was given to the first submission."""
    return review.save(root, LAB, ANN, criterion, said, base, submission=FIRST)


def standing(root: Path, criterion: str = TASK) -> review.Standing:
    with open_book(root) as book:
        return next(one for one in review.standings(book, LAB, ANN) if one.criterion == criterion)


def grade_of(root: Path, criterion: str = TASK) -> tuple[Any, ...]:
    """What formgrader reads."""
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}") as book:
        grade, comment = book.find_grade(criterion, LAB, LAB, ANN), book.find_comment(criterion, LAB, LAB, ANN)
        return grade.manual_score, grade.needs_manual_grade, comment.manual_comment, grade.score


def test_what_a_person_judges_is_told_from_what_the_machine_judged(root: Path) -> None:
    with open_book(root) as book:
        found = {one.criterion: one for one in review.standings(book, LAB, ANN)}
        assert set(found) == {TASK, ANSWER}
        assert all(one.waits and one.points is None for one in found.values())
        assert waiting_by_learner(book, LAB) == {"ann": 2, "bob": 2}


def test_a_save_is_what_formgrader_shows_and_formgraders_is_what_the_desk_shows(root: Path) -> None:
    after, new = save(root, TASK, Judgement(11.5, "또렷합니다."), standing(root).version)
    assert (after.points, after.waits, new) == (11.5, False, True)
    assert grade_of(root) == (11.5, False, "또렷합니다.", 11.5)
    again, new = save(root, TASK, Judgement(11.5, "또렷합니다."), after.version)
    assert (again, new) == (after, False)
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}") as book:
        book.find_grade(TASK, LAB, LAB, ANN).manual_score = 3
        book.db.commit()
    assert standing(root).points == 3
    with open_book(root) as book:
        assert waiting_by_learner(book, LAB)["ann"] == 1


def test_points_can_be_taken_back_and_a_comment_alone_leaves_it_waiting(root: Path) -> None:
    after, _ = save(root, TASK, Judgement(None, "먼저 의견만"), standing(root).version)
    assert after.waits
    after, _ = save(root, TASK, Judgement(0, ""), after.version)
    assert grade_of(root) == (0, False, None, 0)
    after, _ = save(root, TASK, Judgement(None), after.version)
    assert after.waits


def test_a_save_on_something_older_is_refused_with_what_stands(root: Path) -> None:
    seen = standing(root).version
    save(root, TASK, Judgement(14, "좋아요"), seen)
    with pytest.raises(Stale) as refused:
        save(root, TASK, Judgement(4, ""), seen)
    assert (refused.value.standing.points, refused.value.standing.comment) == (14, "좋아요")
    assert grade_of(root)[0] == 14
    # Another criterion of the same submission is not held up by it.
    save(root, ANSWER, Judgement(2), standing(root, ANSWER).version)


def test_of_many_savers_on_the_same_version_one_wins(root: Path) -> None:
    seen, won, lost = standing(root).version, [], []
    barrier = threading.Barrier(8)

    def grader(points: int) -> None:
        barrier.wait()
        try:
            save(root, TASK, Judgement(points), seen)
            won.append(points)
        except Stale:
            lost.append(points)

    threads = [threading.Thread(target=grader, args=(points,)) for points in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (1, 7)
    assert grade_of(root)[0] == won[0]


def test_without_the_comparison_the_second_grader_overwrites_the_first(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = standing(root).version
    save(root, TASK, Judgement(14), seen)
    monkeypatch.setattr(review.Standing, "version", seen)
    save(root, TASK, Judgement(4), seen)
    assert grade_of(root)[0] == 4


@pytest.mark.parametrize("points", [-0.5, 20.5, float("nan"), float("inf")])
def test_points_outside_the_criterion_are_refused(root: Path, points: float) -> None:
    with pytest.raises(BadJudgement, match="0 to 20"):
        save(root, TASK, Judgement(points), standing(root).version)
    with pytest.raises(BadJudgement):
        save(root, TASK, Judgement(1, "x" * 5_001), standing(root).version)
    with pytest.raises(BadJudgement):
        save(root, "machine", Judgement(1), "")
    assert grade_of(root)[0] is None


def test_a_gradebook_in_use_is_waited_for(root: Path) -> None:
    holder = sqlite3.connect(root / "gradebook.db", isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    threading.Timer(0.7, lambda: (holder.execute("COMMIT"), holder.close())).start()
    save(root, TASK, Judgement(5), standing(root).version)
    assert grade_of(root)[0] == 5


def test_no_gradebook_no_submission_and_a_link_to_another_database(root: Path, tmp_path: Path) -> None:
    with pytest.raises(NotGraded), open_book(tmp_path / "nowhere"):
        pass
    with open_book(root) as book, pytest.raises(NotGraded):
        review.standings(book, LAB, "nobody")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "gradebook.db").symlink_to(root / "gradebook.db")
    with pytest.raises(NotGraded), open_book(tmp_path / "other"):
        pass


def test_a_submission_that_the_gradebook_has_no_more_is_not_judged(root: Path) -> None:
    seen = standing(root).version
    lay_out(root, "second")
    with pytest.raises(BadJudgement, match="newer submission"):
        save(root, TASK, Judgement(9), seen)
    assert grade_of(root)[:2] == (None, True)
