"""The review desk on real parts: a submission that was collected, checked and graded is judged at the desk, stands when it is
graded again, and its learner reads the points and the comment."""

from __future__ import annotations

import re

from fastapi.testclient import TestClient
from records_server import KnownPeople
from small_course import COURSE, MONDAY_TEN
from test_grading import AUTOMATIC, LAB, Classroom, classroom, hand_in

from grader.engine.grade import release_feedback
from grader.records.blobs import BlobStore
from hub_config.portal.app import create_app
from hub_config.portal.config import PortalSettings
from hub_config.portal.security import Session
from hub_config.portal.site import SESSION_COOKIE

__all__ = ["classroom"]
CRITERION = "editor-wants-it"


class Portal:
    """The portal over a classroom's records and course folder, as its instructor and as a learner."""

    def __init__(self, room: Classroom) -> None:
        assets = room.folder / "assets"
        assets.mkdir()
        (assets / "htmx.js").touch()
        command = ("true",)
        settings = PortalSettings(
            api_token="t", secret=b"s", htmx_file=assets / "htmx.js", fonts_folder=assets, courses_folder=room.root.parent,
            paper_fonts_folder=assets, keys_folder=room.folder / "keys", looks_folder=room.folder / "looks",
            grade_command=command, feedback_command=command, similar_command=command, release_command=command, prepare_command=command, now=lambda: MONDAY_TEN,
        )  # fmt: skip
        self.app = create_app(settings, room.engine, BlobStore(room.folder / "blobs"), KnownPeople())
        self.prefix = settings.prefix

    def browser(self, login: str) -> TestClient:
        client = TestClient(self.app, base_url="http://portal.test", follow_redirects=False)
        client.cookies.set(SESSION_COOKIE, self.app.state.portal.seals.seal(Session(f"token-{login}", login)))
        return client

    def csrf(self, login: str) -> str:
        return str(self.app.state.portal.seals.csrf(Session(f"token-{login}", login)))


def test_the_whole_way_of_a_judgement(classroom: Classroom) -> None:
    hand_in(classroom, "ann")
    classroom.grade()
    portal = Portal(classroom)
    eve, desk = portal.browser("eve"), f"{portal.prefix}class/{COURSE}/labs/{LAB}/desk"
    (address,) = re.findall(rf'<th scope="row"><a href="({desk}/\w+)"', eve.get(desk).text)
    page = eve.get(address).text
    for shown in ("출간기획서", "AI 초안과 비교", "자동 검사 결과", 'class="sheet"', f"criteria/{CRITERION}"):
        assert shown in page
    version = re.search(r'name="version" value="(\w+)"', page)
    assert version
    form = {
        "csrf": portal.csrf("eve"),
        "version": version[1],
        "level": "other",
        "other": "11",
        "comment": "독자가 또렷합니다.",
    }
    saved = eve.post(f"{address}/criteria/{CRITERION}", data=form, headers={"origin": "http://portal.test"})
    assert saved.status_code == 303
    assert classroom.points("ann") == AUTOMATIC + 11
    assert [lab.step for lab in classroom.state("ann").labs if lab.lab.lab_id == LAB] == ["graded"]

    classroom.grade(force=True)
    page = eve.get(address).text
    assert "저장됨" in page
    assert "독자가 또렷합니다." in page
    assert "제출물이 바뀌었습니다" not in page
    assert release_feedback(classroom.root, COURSE, LAB).failed == 0
    told = portal.browser("ann").get(f"{portal.prefix}learn/{COURSE}/feedback/{address.rpartition('/')[2]}").text
    assert "독자가 또렷합니다." in told

    hand_in(classroom, "ann", "raw_ai")
    classroom.grade()
    (newer,) = re.findall(rf'<th scope="row"><a href="({desk}/\w+)"', eve.get(desk).text)
    assert newer != address
    page = eve.get(newer).text
    for shown in ("다시 확인 필요", "제출물이 바뀌었습니다", "이 점수 그대로 두기", "독자가 또렷합니다."):
        assert shown in page
