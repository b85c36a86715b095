"""A lab that asks for it has its submitted notebook executed again: done in a real kernel through a real gateway, handed in,
and run once more in the sandbox from what the gateway recorded."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from again_course import GATEWAY, PEOPLE, do_lab, outcomes, prepare, provider, rerun_of, with_cells
from gateway_support import USERS, world
from grading_course import GradingCourse, grading_course
from sqlalchemy import Engine

from grader.engine.kinds import CriteriaLab
from grader.engine.marking import Job
from hub_config import assets
from labs.catalog import find_lab
from publishing.reference import build as build_reference

#: How many of the calls that a lab's notebook makes a rerun asks again: the rest of the answers stands in the submission.
CALLS = {"rough-cut": 4, "landing-wireframe": 2, "book-proposal": 1}
BEGINS_WITH = {
    "rough-cut": {"evidence.json"},
    "landing-wireframe": {"wireframe.json", "evidence.json"},
    "book-proposal": {"facts.json", "evidence.json"},
}


@pytest.fixture
def course(tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[GradingCourse]:
    for token, person in PEOPLE.items():
        monkeypatch.setitem(USERS, token, person)
    monkeypatch.setenv("PRACTICUM_FONTS", str(assets.fonts()))
    monkeypatch.setenv("PRACTICUM_GATEWAY_URL", "")
    with grading_course(tmp_path, engine) as made:
        yield made


@pytest.mark.parametrize(
    "lab_id",
    [*(pytest.param(lab, marks=pytest.mark.long) for lab in ("rough-cut", "landing-wireframe")), "book-proposal"],
)
async def test_a_labs_notebook_runs_again_from_what_the_gateway_recorded(
    course: GradingCourse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lab_id: str
) -> None:
    prepare(course, lab_id)
    released = (course.root / "release" / lab_id / f"{lab_id}.ipynb").read_bytes()
    async with world(tmp_path, **GATEWAY) as w:
        w.provider.behave = provider
        files = await asyncio.to_thread(do_lab, course, lab_id, tmp_path / "home", w.url)
        asked = len(w.provider.bodies)
        monkeypatch.setenv("PRACTICUM_GATEWAY_URL", w.url)
        course.hand_in("ann", lab_id, files)
        course.hand_in("bob", lab_id, files)
        summary, _ = await asyncio.to_thread(course.grade, lab_id)
        ann, bob = rerun_of(course, lab_id, "ann"), rerun_of(course, lab_id, "bob")
        # Who used the forms hands in the notebook as it was handed out: what was typed stands in the files.
        receipt = course.hand_in("ann", lab_id, {**files, f"{lab_id}.ipynb": released})
        await asyncio.to_thread(course.grade, lab_id)
        assert len(w.provider.bodies) == asked, "nobody was asked again"
    assert (summary.graded, summary.failed) == (2, 0)
    by_forms = rerun_of(course, lab_id, "ann")
    for rerun in (ann, by_forms):
        assert rerun.whole, rerun
        assert (rerun.recorded, rerun.replayed, rerun.refused) == ("there", CALLS[lab_id], 0)
        assert {path for path, outcome in outcomes(rerun).items() if outcome == "given"} == BEGINS_WITH[lab_id]
        assert {outcome for path, outcome in outcomes(rerun).items() if path not in BEGINS_WITH[lab_id]} == {"same"}
    # The same work without a call of its own: it stops where the first answer is missing, and is graded all the same.
    assert (bob.whole, bob.recorded, bob.replayed, bob.refused) == (False, "none", 0, 1)
    assert "기록에 없는 AI 요청입니다" in bob.error
    assert outcomes(bob) == {path: "given" if path in BEGINS_WITH[lab_id] else "not_made" for path in outcomes(ann)}
    scores = course.scores(lab_id)
    assert scores
    assert all(score == scores["bob", lab_id, criterion] for (_, _, criterion), score in scores.items())
    results = json.loads((course.root / "results" / "ann" / f"{lab_id}.json").read_text("utf-8"))
    assert results["receipt"] == receipt
    log = (course.root / "logs" / "bob" / f"{lab_id}.log").read_text("utf-8")
    assert "다시 실행(점수와 무관): 기록에 없는 AI 호출 1번은 거절했습니다." in log


@pytest.mark.long
async def test_without_a_gateway_it_runs_and_says_so(course: GradingCourse, tmp_path: Path) -> None:
    prepare(course, "book-proposal")
    async with world(tmp_path, **GATEWAY) as w:
        w.provider.behave = provider
        files = await asyncio.to_thread(do_lab, course, "book-proposal", tmp_path / "home", w.url)
        gone = w.url
    course.hand_in("ann", "book-proposal", files)
    for address, recorded in (("", "no_gateway"), (gone, "unreachable")):
        os.environ["PRACTICUM_GATEWAY_URL"] = address
        summary, _ = await asyncio.to_thread(course.grade, "book-proposal", force=True)
        assert (summary.graded, summary.failed) == (1, 0)
        rerun = rerun_of(course, "book-proposal")
        assert (rerun.recorded, rerun.stopped_at, rerun.refused) == (recorded, 5, 1)


@pytest.mark.long
def test_another_result_than_the_notebooks_is_named(course: GradingCourse, tmp_path: Path) -> None:
    """What was handed in was changed by hand after the notebook had made it."""
    lab, folder = find_lab("book-proposal"), tmp_path / "home"
    prepare(course, lab.id)
    build_reference(lab.folder / "reference" / "good.yaml", lab.folder, folder, "ko")
    made = "from pathlib import Path\nPath('proposal.md').write_text('다른 글', 'utf-8')\nPath('ai_disclosure.md').write_text("
    text = (folder / "ai_disclosure.md").read_text("utf-8") + "\n\n"
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    course.hand_in("ann", lab.id, with_cells(files, lab.id, made + repr(text) + ", 'utf-8')"))
    course.grade(lab.id)
    rerun = rerun_of(course, lab.id)
    assert rerun.whole
    assert outcomes(rerun) == {
        "proposal.md": "different", "ai_disclosure.md": "alike", "facts.json": "given", "evidence.json": "given"
    }  # fmt: skip
    assert rerun.counts == (1, 2)


def test_a_notebook_that_cannot_be_read_is_not_executed(course: GradingCourse, tmp_path: Path) -> None:
    prepare(course, "book-proposal")
    course.hand_in("ann", "book-proposal", {"book-proposal.ipynb": b"{", "proposal.md": b"x"})
    summary, _ = course.grade("book-proposal")
    assert (summary.failed, summary.causes) == (0, {"broken_notebook": 1})
    assert rerun_of(course, "book-proposal").cause == "broken_notebook"


def test_a_lab_that_does_not_ask_starts_no_sandbox_for_it(
    course: GradingCourse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(course, "book-proposal")
    silent = find_lab("book-proposal")
    silent = replace(silent, lab=silent.lab.model_copy(update={"execution": None}))
    with closing(CriteriaLab(course.root, silent, 1)) as kind:
        assert list((course.root / ".grading").glob("*/practicum-replay-*")) == []
        assert len(list((course.root / ".grading").glob("*/practicum-inbox-*"))) == 1
        assert kind.again(Job("ann", tmp_path)) is None
