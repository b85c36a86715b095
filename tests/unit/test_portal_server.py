"""Handing a lab in, against a learner's server that is played, well behaved and not."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select
from test_portal_world import COURSE, ORIGIN, PREFIX, World, seeded_records, world

from grader.records import self_checks
from grader.records.db import reading
from grader.records.models import Event

HAND_IN = f"learn/{COURSE}/hand-in/rough-cut"


def checked(points: float, found: str = "무음이 남았습니다.", **more: Any) -> bytes:
    """What a learner's server says of the lab's only criterion."""
    finding = {
        "found": {"ko": found, "en": found},
        "right": {"ko": "줄이세요.", "en": "Cut it."},
        "where": "00:12",
        **more,
    }
    result = {"id": "plays", "points": points, "max_points": 100, "findings": [finding]}
    return json.dumps({"results": [result]}).encode()


class Server:
    """A learner's Jupyter server behind the Hub's proxy."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.listing = lambda: httpx.Response(404, json={"message": "No such directory"})
        self.checks = lambda: httpx.Response(200, content=checked(60))
        self.submits: Callable[[], httpx.Response] = lambda: httpx.Response(200, json={"success": True, "value": []})

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/user/mina/")
        self.asked.append(f"{request.method} {path}")
        assert request.headers["authorization"] == "token token-mina"
        if path == "api/contents/rough-cut":
            return self.listing()
        if path == "practicum/self-check":
            assert dict(request.url.params) == {"lab": "rough-cut"}
            return self.checks()
        assert dict(request.url.params) == {"course_id": COURSE, "assignment_id": "rough-cut"}
        assert path == "assignments/submit"
        return self.submits()


@pytest.fixture
def server(world: World) -> Server:
    world.release()
    world.answer = made = Server()
    return made


def test_the_checklist_names_the_deliverables(world: World, server: Server) -> None:
    page = world.browser("mina").get(PREFIX + HAND_IN).text
    for told in ("완성 영상", "final.mp4", "최대 60MB"):
        assert told in page


def entries(*found: object) -> Callable[[], httpx.Response]:
    return lambda: httpx.Response(200, json={"type": "directory", "content": list(found)})


@pytest.mark.parametrize(
    ("listing", "told"),
    [
        (entries({"name": "final.mp4", "size": 1000}), ">있음<"),
        (entries({"name": "other.mp4", "size": 1000}), ">없음<"),
        (entries({"name": "final.mp4", "size": 60_000_001}), ">용량 초과<"),
        (entries({"name": "final.mp4", "size": "1"}, 7, None), ">없음<"),
        (lambda: httpx.Response(404, json={"message": "No such directory"}), ">없음<"),
        (lambda: httpx.Response(424, json={}), "파일을 확인하지 못했습니다."),
        (lambda: httpx.Response(200, json={"content": None}), "파일을 확인하지 못했습니다."),
        (lambda: (_ for _ in ()).throw(httpx.ReadTimeout("slow")), "파일을 확인하지 못했습니다."),
    ],
)
def test_the_checklist_looks_at_the_learners_files(
    world: World, server: Server, listing: Callable[[], httpx.Response], told: str
) -> None:
    server.listing = listing
    page = world.browser("mina").get(PREFIX + HAND_IN)
    assert page.status_code == 200
    assert told in page.text


def test_a_release_without_a_usable_description_can_still_be_handed_in(world: World, server: Server) -> None:
    entry = world.put("lab.json", b'{"course": 1}')
    for file in world.blobs.folder.rglob("*"):
        if file.is_file() and b'"deliverables"' in file.read_bytes():
            file.chmod(0o600)
            file.write_bytes(world.blobs.path(entry.sha256).read_bytes())
    page = world.browser("mina").get(PREFIX + HAND_IN)
    assert page.status_code == 200
    assert "제출하기" in page.text


def check(world: World) -> httpx.Response:
    return world.post(world.browser("mina"), f"{HAND_IN}/check", "mina")


def test_the_checklist_tells_sizes(world: World, server: Server) -> None:
    server.listing = entries({"name": "final.mp4", "size": 3_200_000})
    page = world.browser("mina").get(PREFIX + HAND_IN).text
    assert "3.2 MB" in page
    assert "1개 중 1개 있음" in page


def test_files_that_could_not_be_checked_are_one_press_away(world: World, server: Server) -> None:
    server.listing = lambda: httpx.Response(424, json={})
    page = world.browser("mina").get(PREFIX + HAND_IN).text
    assert f'href="{PREFIX}learn/{COURSE}/open/rough-cut?to=hand-in"' in page


def test_the_self_check_shows_what_the_learners_own_server_found(world: World, server: Server) -> None:
    before = world.browser("mina").get(PREFIX + HAND_IN).text
    assert "항목 1개를 내 실습 서버에서" in before
    assert "충족했습니다" not in before
    page = check(world)
    assert page.status_code == 200
    for told in (
        "1개 항목 중 0개를 충족했습니다.",
        "60 / 100",
        "00:12",
        "무음이 남았습니다.",
        "줄이세요.",
        "다시 점검하기",
    ):
        assert told in page.text, told
    server.checks = lambda: httpx.Response(200, content=checked(100))
    assert "지금 점검할 수 있는 항목은 모두 맞습니다." in check(world).text
    assert world.browser("mina").get(f"{PREFIX}{HAND_IN}/check").headers["location"] == PREFIX + HAND_IN


def test_the_self_check_tells_the_instructor_what_fails_and_grades_nothing(world: World, server: Server) -> None:
    """As the notebook's own: a row for each criterion that was handed out, and no event."""

    def kept() -> list[tuple[str, str, str, int, int]]:
        with reading(world.engine) as session:
            rows = self_checks.of_course(session, COURSE)
            return [(row.login, row.lab_id, row.criterion, row.tries, row.failed_in_a_row) for row in rows]

    def events() -> int:
        with reading(world.engine) as session:
            return session.scalar(select(func.count(Event.seq))) or 0

    before = events()
    check(world)
    check(world)
    assert kept() == [("mina", "rough-cut", "plays", 2, 2)]
    server.checks = lambda: httpx.Response(200, content=checked(1).replace(b'"plays"', b'"made-up"'))
    check(world)
    server.checks = lambda: httpx.Response(422, json={"message": "no"})
    check(world)
    assert kept() == [("mina", "rough-cut", "plays", 2, 2)], "what was not handed out, and what did not run, is no row"
    server.checks = lambda: httpx.Response(200, content=checked(100))
    check(world)
    assert kept() == [("mina", "rough-cut", "plays", 3, 0)]
    assert events() == before


def test_a_server_of_a_hostile_learner_shows_text_and_no_more_points_than_there_are(
    world: World, server: Server
) -> None:
    server.checks = lambda: httpx.Response(200, content=checked(9999, "<script>alert(1)</script>\u202e" + "x" * 9000))
    page = check(world).text
    assert "9999" not in page
    assert "100 / 100" in page
    server.checks = lambda: httpx.Response(200, content=checked(1, "<script>alert(1)</script>\u202e" + "x" * 9000))
    page = check(world).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "\u202e" not in page
    assert "x" * 600 not in page


def endless() -> Iterator[bytes]:
    while True:
        yield b"x" * 1_000_000


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda: httpx.Response(409, json={"message": "a check is running"}), "이미 점검하고 있습니다."),
        (lambda: httpx.Response(504, json={"message": "not done after 100 s"}), "너무 오래 걸려"),
        (lambda: httpx.Response(422, json={"message": "<b>lab.json</b>"}), "&lt;b&gt;lab.json&lt;/b&gt;"),
        (lambda: httpx.Response(404), "폴더가 없습니다."),
        (lambda: httpx.Response(424), "실습 서버가 꺼져 있습니다."),
        (lambda: httpx.Response(504), "실습 서버가 꺼져 있습니다."),
        (lambda: httpx.Response(200, content=b"{"), "점검하지 못했습니다."),
        (lambda: httpx.Response(200, content=checked(1, picture="x" * 500_000)), "점검하지 못했습니다."),
        (lambda: httpx.Response(200, content=endless()), "실습 서버에서 처리하지 못했습니다."),
        (lambda: (_ for _ in ()).throw(httpx.ReadTimeout("slow")), "응답이 늦어지고 있습니다."),
    ],
)
def test_a_self_check_that_fails_is_one_sentence_and_the_work_can_be_handed_in(
    world: World, server: Server, answer: Callable[[], httpx.Response], told: str
) -> None:
    server.checks = answer
    page = check(world).text
    assert told in page
    assert 'role="alert"' in page
    assert "제출하기" in page


def test_only_its_learner_checks_a_lab(world: World, server: Server) -> None:
    for login in ("teacher", "office", "stranger"):
        assert world.post(world.browser(login), f"{HAND_IN}/check", login).status_code == 403
    assert world.browser("mina").post(f"{PREFIX}{HAND_IN}/check").status_code == 403, "a form of another site"


def test_handing_in_shows_the_receipt_that_the_records_hold(world: World, server: Server) -> None:
    receipts: list[str] = []

    def submit() -> httpx.Response:
        receipts.append(world.submit())
        return httpx.Response(200, json={"success": True, "value": []})

    server.submits = submit
    answer = world.post(world.browser("mina"), HAND_IN, "mina")
    assert answer.headers["location"] == f"{PREFIX}learn/{COURSE}/receipts/{receipts[0]}?new=1"


def test_a_server_that_claims_success_without_a_receipt_is_not_believed(world: World, server: Server) -> None:
    answer = world.post(world.browser("mina"), HAND_IN, "mina")
    assert answer.status_code == 409
    assert "접수증이 있는지 확인하고" in answer.text


def test_a_slow_server_that_handed_in_all_the_same_gives_the_receipt(world: World, server: Server) -> None:
    def submit() -> httpx.Response:
        world.submit()
        raise httpx.ReadTimeout("slow")

    server.submits = submit
    assert world.post(world.browser("mina"), HAND_IN, "mina").status_code == 303


def test_somebody_elses_receipt_is_not_taken_for_ones_own(world: World, server: Server) -> None:
    def submit() -> httpx.Response:
        world.submit("jun")
        return httpx.Response(200, json={"success": True})

    server.submits = submit
    assert world.post(world.browser("mina"), HAND_IN, "mina").status_code == 409


def failure(message: str) -> httpx.Response:
    trace = f"Traceback (most recent call last):\n  File x\nnbgrader.exchange.abc.exchange.ExchangeError: {message}\n"
    return httpx.Response(200, json={"success": False, "value": trace})


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda: httpx.Response(424, json={}), "실습 서버가 꺼져 있습니다."),
        (lambda: httpx.Response(302, headers={"location": "/hub/login"}), "실습 서버가 꺼져 있습니다."),
        (lambda: failure("제출물이 너무 큽니다. 모두 합해 150MB 이하로 줄이세요."), "파일이 너무 큽니다."),
        (lambda: failure("The upload is too large: keep all files together within 150 MB."), "파일이 너무 큽니다."),
        (lambda: failure("rough-cut: fetch the lab before handing in"), "이 실습의 폴더가 없습니다."),
        (lambda: failure("파일 이름 'a'은(는) 쓸 수 없습니다."), "아래 사유를 확인하고"),
        (lambda: httpx.Response(500, content=b"<h1>oops"), "실습 서버에서 처리하지 못했습니다."),
        (lambda: httpx.Response(200, json=["no", "object"]), "실습 서버에서 처리하지 못했습니다."),
        (lambda: (_ for _ in ()).throw(httpx.ReadTimeout("slow")), "응답이 늦어지고 있습니다."),
        (lambda: (_ for _ in ()).throw(httpx.ConnectError("refused")), "실습 서버가 꺼져 있습니다."),
    ],
)
def test_each_failure_is_one_clear_sentence(
    world: World,
    server: Server,
    answer: Callable[[], httpx.Response],
    told: str,
) -> None:
    server.submits = answer
    page = world.post(world.browser("mina"), HAND_IN, "mina")
    assert page.status_code == 409
    assert told in page.text
    assert 'role="alert"' in page.text


def test_what_a_server_says_is_text_and_short(world: World, server: Server) -> None:
    server.submits = lambda: failure("<script>alert(1)</script>" + "x" * 10_000)
    page = world.post(world.browser("mina"), HAND_IN, "mina").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "x" * 400 not in page


async def test_a_class_that_hands_in_at_once_leaves_the_process_free_to_take_it(world: World, server: Server) -> None:
    released, begun = threading.Event(), threading.Semaphore(0)

    def submit() -> httpx.Response:
        begun.release()
        assert released.wait(30)
        return httpx.Response(200, json={"success": True})

    server.submits = submit
    cookies = dict(world.browser("mina").cookies)
    form = {"csrf": world.site.seals.csrf(world.session)}
    transport = httpx.ASGITransport(world.app)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, cookies=cookies) as client:
        sent = [
            asyncio.create_task(client.post(PREFIX + HAND_IN, data=form, headers={"origin": ORIGIN})) for _ in range(50)
        ]
        try:
            for _ in range(50):
                assert await asyncio.to_thread(begun.acquire, timeout=20)
            # A page of the ordinary kind, as the records service's are: it needs a thread too.
            health = await asyncio.wait_for(client.get(f"{PREFIX}health"), 10)
            assert health.status_code == 200
        finally:
            released.set()
            answers = await asyncio.gather(*sent)
    assert {answer.status_code for answer in answers} == {409}
