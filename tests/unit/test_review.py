"""A person's judgement in nbgrader's gradebook: formgrader sees it, nobody overwrites unseen, and what is wrong is refused."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from nbgrader.api import Gradebook
from small_gradebook import ANSWER, TASK, make_gradebook

from grader import review
from grader.gradebook import NotGraded, open_book, waiting_by_learner
from grader.review import BadJudgement, Judgement, Stale

LAB, ANN = "rough-cut", "ann"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_gradebook(tmp_path, LAB, ["ann", "bob"])
    return tmp_path


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
    after, new = review.save(root, LAB, ANN, TASK, Judgement(11.5, "또렷합니다."), standing(root).version)
    assert (after.points, after.waits, new) == (11.5, False, True)
    assert grade_of(root) == (11.5, False, "또렷합니다.", 11.5)
    again, new = review.save(root, LAB, ANN, TASK, Judgement(11.5, "또렷합니다."), after.version)
    assert (again, new) == (after, False)
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}") as book:
        book.find_grade(TASK, LAB, LAB, ANN).manual_score = 3
        book.db.commit()
    assert standing(root).points == 3
    with open_book(root) as book:
        assert waiting_by_learner(book, LAB)["ann"] == 1


def test_points_can_be_taken_back_and_a_comment_alone_leaves_it_waiting(root: Path) -> None:
    after, _ = review.save(root, LAB, ANN, TASK, Judgement(None, "먼저 의견만"), standing(root).version)
    assert after.waits
    after, _ = review.save(root, LAB, ANN, TASK, Judgement(0, ""), after.version)
    assert grade_of(root) == (0, False, None, 0)
    after, _ = review.save(root, LAB, ANN, TASK, Judgement(None), after.version)
    assert after.waits


def test_a_save_on_something_older_is_refused_with_what_stands(root: Path) -> None:
    seen = standing(root).version
    review.save(root, LAB, ANN, TASK, Judgement(14, "좋아요"), seen)
    with pytest.raises(Stale) as refused:
        review.save(root, LAB, ANN, TASK, Judgement(4, ""), seen)
    assert (refused.value.standing.points, refused.value.standing.comment) == (14, "좋아요")
    assert grade_of(root)[0] == 14
    # Another criterion of the same submission is not held up by it.
    review.save(root, LAB, ANN, ANSWER, Judgement(2), standing(root, ANSWER).version)


def test_of_many_savers_on_the_same_version_one_wins(root: Path) -> None:
    seen, won, lost = standing(root).version, [], []
    barrier = threading.Barrier(8)

    def grader(points: int) -> None:
        barrier.wait()
        try:
            review.save(root, LAB, ANN, TASK, Judgement(points), seen)
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
    review.save(root, LAB, ANN, TASK, Judgement(14), seen)
    monkeypatch.setattr(review.Standing, "version", seen)
    review.save(root, LAB, ANN, TASK, Judgement(4), seen)
    assert grade_of(root)[0] == 4


@pytest.mark.parametrize("points", [-0.5, 20.5, float("nan"), float("inf")])
def test_points_outside_the_criterion_are_refused(root: Path, points: float) -> None:
    with pytest.raises(BadJudgement, match="0 to 20"):
        review.save(root, LAB, ANN, TASK, Judgement(points), standing(root).version)
    with pytest.raises(BadJudgement):
        review.save(root, LAB, ANN, TASK, Judgement(1, "x" * 5_001), standing(root).version)
    with pytest.raises(BadJudgement):
        review.save(root, LAB, ANN, "machine", Judgement(1), "")
    assert grade_of(root)[0] is None


def test_a_gradebook_in_use_is_waited_for(root: Path) -> None:
    holder = sqlite3.connect(root / "gradebook.db", isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    threading.Timer(0.7, lambda: (holder.execute("COMMIT"), holder.close())).start()
    review.save(root, LAB, ANN, TASK, Judgement(5), standing(root).version)
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


def test_points_of_the_same_submission_stand_when_it_is_graded_again(root: Path) -> None:
    review.save(root, LAB, ANN, TASK, Judgement(9), standing(root).version)
    kept = review.judged(root, LAB, ANN)
    assert kept == {TASK}
    with open_book(root) as book:
        for grade in book.find_submission(LAB, ANN).notebooks[0].grades:
            grade.needs_manual_grade = True
        book.db.commit()
    review.let_stand(root, LAB, ANN, kept)
    assert not standing(root).waits
    assert standing(root, ANSWER).waits
    assert review.judged(root / "nowhere", LAB, ANN) == frozenset()
