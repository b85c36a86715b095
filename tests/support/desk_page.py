"""The review desk as its tests open it: a desk with its class, a submission that waits, a save and a page."""

from __future__ import annotations

import httpx
import pytest
from desk_class import COURSE, LAB, TASK, DeskClass
from played_gateway import gateway
from test_portal_world import PREFIX, World

from grader.records.db import reading
from grader.records.state import learner_state

DESK = f"class/{COURSE}/labs/{LAB}/desk"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;"
HX = {"hx-request": "true"}


@pytest.fixture
def desk(world: World) -> DeskClass:
    world.answer = gateway()
    return DeskClass(world)


@pytest.fixture
def waiting(desk: DeskClass) -> tuple[DeskClass, str]:
    """A submission that waits for a person."""
    submission = desk.hand_in()
    desk.grade(submission)
    return desk, submission


def save(
    desk: DeskClass, submission: str, criterion: str = TASK, login: str = "teacher", **form: str
) -> httpx.Response:
    """Post a criterion's form as its page would, on what stands now where nothing else is said."""
    given = {"version": desk.standing(criterion=criterion).version, **form}
    return desk.world.post(
        desk.world.browser(login), f"{DESK}/{submission}/criteria/{criterion}", login, **given
    )  # fmt: skip


def page(desk: DeskClass, path: str = "", login: str = "teacher", lang: str = "ko", **headers: str) -> httpx.Response:
    return desk.world.browser(login, lang).get(f"{PREFIX}{DESK}{path}", headers=headers)


def state(desk: DeskClass, learner: str = "mina") -> tuple[str, float]:
    """Where the lab stands in the records, and with how many points."""
    with reading(desk.world.engine) as session:
        found = learner_state(session, COURSE, learner, desk.world.now)
    assert found is not None
    lab = found.labs[0]
    return lab.step, lab.grade.payload["points"] if lab.grade else -1


def number_of(desk: DeskClass, submission: str, name: str) -> int:
    return [entry.path for entry in desk.receipt(submission).manifest.files].index(name)


def served(desk: DeskClass, submission: str, name: str, query: str = "", **headers: str) -> httpx.Response:
    return page(desk, f"/{submission}/files/{number_of(desk, submission, name)}{query}", **headers)
