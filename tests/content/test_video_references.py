"""Reference submissions: the good one loses nothing, each failing one loses on its own criterion, the AI's unread one fails."""

from __future__ import annotations

import pytest
from turns import few
from video_submissions import LAB_ID, Submissions, percent

from labs.catalog import find_lab
from video_content.reference import recipe_names

LAB = find_lab(LAB_ID)
AUTOMATIC = [criterion.id for criterion in LAB.lab.criteria if criterion.check]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def submissions(tmp_path_factory: pytest.TempPathFactory) -> Submissions:
    return Submissions(tmp_path_factory.mktemp("rough-cut"))


def test_every_automatic_criterion_has_a_submission_that_fails_it() -> None:
    assert sorted(recipe_names(LAB.folder)) == sorted(["good", "raw_ai", *(f"fail_{i}" for i in AUTOMATIC)])


@pytest.mark.parametrize("lang", ["ko", "en"])
def test_the_good_one_loses_nothing(submissions: Submissions, lang: str) -> None:
    scores = submissions.scores(submissions.folder("good", lang), lang)
    assert {i: r.score for i, r in scores.items()} == dict.fromkeys(AUTOMATIC, 1.0), scores


@pytest.mark.parametrize("criterion", few(AUTOMATIC, {"plays", "required-moments", "captions-match"}))
def test_a_submission_fails_just_its_criterion(submissions: Submissions, criterion: str) -> None:
    scores = submissions.scores(submissions.folder(f"fail_{criterion}", "ko"), "ko")
    assert [i for i, r in scores.items() if r.score < 1] == [criterion], scores
    wrong = [finding for finding in scores[criterion].findings if not finding.ok]
    assert wrong
    assert all(finding.where and finding.right for finding in wrong)


@pytest.mark.parametrize("lang", ["ko", pytest.param("en", marks=pytest.mark.long)])
def test_the_ai_answer_taken_unread_does_not_pass(submissions: Submissions, lang: str) -> None:
    scores = submissions.scores(submissions.folder("raw_ai", lang), lang)
    assert percent(LAB, scores) < LAB.lab.pass_percent
    assert scores["rejected-moments"].score < 1
    assert scores["ai-reviewed"].score < 1
