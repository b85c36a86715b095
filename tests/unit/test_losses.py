"""Where labs lose people: counted once each, in words, of this class alone."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import httpx
from played_gateway import gateway, spend
from test_portal_world import COURSE, NOW, PREFIX, SCRIPT, World, seeded_records, world

from grader.losses import LabLosses, losses_of
from grader.records import enrolments, exemptions, work
from grader.records.db import reading, writing
from grader.records.state import course_state, find_course
from grader.records.work import CriterionPoints, GradeReport

PAGE = f"{PREFIX}class/{COURSE}/flow"


def grade(world: World, submission: str, *points: float | None, final: bool = True) -> None:
    criteria = tuple(CriterionPoints(id=f"c{n}", points=got, max_points=10) for n, got in enumerate(points))
    total = sum(got or 0 for got in points)
    report = GradeReport(
        submission=submission, points=total, max_points=10 * len(points), final=final, criteria=criteria
    )
    with writing(world.engine) as session:
        work.record_grade(session, COURSE, report, actor="grader", now=world.now)


def losses(world: World, asked: dict[str, datetime]) -> LabLosses:
    with reading(world.engine) as session:
        learners = course_state(session, COURSE, world.now).learners
    return losses_of("rough-cut", [one.labs[0] for one in learners], asked, [one.login for one in learners])


def test_everybody_stands_at_one_step_and_each_step_has_its_time(world: World) -> None:
    world.release()
    asked = {"mina": world.now + timedelta(minutes=30), "eve": world.now + timedelta(minutes=50)}
    world.now += timedelta(hours=2)
    first = world.submit("mina")
    world.now += timedelta(hours=5)
    second = world.submit("mina", name="again.mp4")
    grade(world, first, 10, 10)
    world.now += timedelta(hours=1)
    grade(world, second, 10, 0)
    found = losses(world, asked)
    assert found.stages == {"nothing": 1, "asked": 1, "handed_in": 0, "below": 1, "passed": 0}
    assert (found.not_handed_in, found.not_handed_in_percent, found.people) == (2, 67, 3)
    took = {step: (told.people, told.median) for step, told in found.took.items()}
    hour = timedelta(hours=1)
    assert took == {
        "to_ask": (2, timedelta(minutes=40)), "to_hand_in": (1, 1.5 * hour), "again": (1, 5 * hour), "to_grade": (1, hour),
    }  # fmt: skip
    assert (found.attempts_median, found.attempts_most) == (2, 2)


def test_criteria_are_summed_over_newest_grades_and_what_nobody_judged_is_none(world: World) -> None:
    world.release()
    grade(world, world.submit("mina"), 10, 5, None, final=False)
    grade(world, world.submit("eve"), 10, 0, None, final=False)
    told = [(row.id, row.graded, row.lost, row.lost_percent) for row in losses(world, {}).criteria]
    assert told == [("c1", 2, 2, 75), ("c0", 2, 0, 0)]


def test_who_left_and_who_is_exempted_is_not_counted(world: World) -> None:
    world.release()
    with writing(world.engine) as session:
        run = find_course(session, COURSE)
        exemptions.exempt(session, run, "jun", "rough-cut", actor="office", reason="경력", now=world.now)
        enrolments.end(
            session, run, "eve", how="dropout", on=NOW.date(), actor="office", reason="개인 사정", now=world.now
        )
    page = world.browser("teacher").get(PAGE).text
    assert "미제출 1명 / 전체 1명 (100%)" in page
    assert "퇴소한 훈련생 1명은 세지 않았습니다." in page


class Played:
    """A gateway on which mina called AI half an hour after the release, in one lab."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(dict(request.url.params))
        first = {"first_at": (NOW + timedelta(minutes=30)).isoformat()}
        lines = [{**spend("learner", "mina", 1), **first, "lab": lab} for lab in ("rough-cut", "-", "captions")]
        return httpx.Response(200, json={"data": lines})


def test_the_page_says_it_with_numbers_beside_the_bars_and_names_nobody(world: World) -> None:
    world.answer = played = Played()
    world.release()
    page = world.browser("teacher").get(PAGE).text
    assert "배포 → 첫 AI 호출" in page
    assert "30분" in page
    assert page.count('<th scope="row">') >= 5
    assert "AI 사용, 제출 전" in page
    assert not any(name in page for name in ("김미나", "mina", "이준", SCRIPT, "&lt;script&gt;"))
    assert played.asked == [{"group": "learner", "course": COURSE, "by": "lab"}], "this class alone, and once"
    assert "자막" not in page[page.rindex("</nav>") :], "a lab that is not handed out loses nobody"


def test_the_labs_stand_side_by_side_first_and_the_cheaper_criteria_are_folded(world: World) -> None:
    world.answer = Played()
    world.release()
    world.release("captions")
    grade(world, world.submit(), *range(7))
    page = world.browser("teacher", "en").get(PAGE).text
    overview = page.partition('id="overview"')[2].partition("</table>")[0]
    rows = re.findall(r'<a href="#(lab-\d)">([^<]+)</a>.*?<td class="num end">(\d+)</td>', overview, re.S)
    assert rows == [("lab-1", "Rough cut", "67"), ("lab-2", "Captions", "100")]
    assert all(f'id="{anchor}"' in page for anchor, *_ in rows)
    shown, _, folded = page.partition('<details class="onpaper"><summary>2 more criteria</summary>')
    assert all(f"c{dear} (1 of 1 lost points)" in shown for dear in range(5))
    assert all(f"c{cheap} (1 of 1 lost points)" in folded for cheap in (5, 6))


def test_without_a_gateway_that_answers_the_page_says_so(world: World) -> None:
    world.release()
    page = world.browser("teacher").get(PAGE)
    assert page.status_code == 200
    assert "AI 사용 기록을 불러올 수 없습니다" in page.text
    assert "시작 전" in page.text
