"""The door in a browser: the QR on the wall, the phone, and those who try to come in by it without being there."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi.testclient import TestClient
from PIL import Image, ImageDraw
from sqlalchemy import func, select
from test_portal_world import COURSE, ORIGIN, OTHER, PREFIX, SCRIPT, World, seeded_records, world

from grader import codes
from grader.records import attend
from grader.records.db import reading
from grader.records.models import Enrolment, Event, Sighting
from hub_config.portal.door import DEVICE_COOKIE
from hub_config.portal.security import Session, network_of
from hub_config.portal.site import SESSION_COOKIE

LEARN, CLASS, DOOR = f"learn/{COURSE}", f"class/{COURSE}", f"learn/{COURSE}/door"


def scanned(world: World) -> str:
    """The path that the QR on the class screen leads to, as a camera reads it."""
    import zxingcpp

    teacher = world.browser("teacher")
    page = teacher.get(f"{PREFIX}{CLASS}/code").text
    source = re.search(r'<img id="qr-\d+" hx-preserve [^>]*src="([^"]+)"', page)
    assert source
    svg = teacher.get(source[1])
    assert svg.headers["content-type"] == "image/svg+xml"
    read = zxingcpp.read_barcodes(drawn(svg.text))
    assert len(read) == 1
    address = read[0].text
    assert address.startswith(ORIGIN + PREFIX)
    return address.removeprefix(ORIGIN)


def drawn(svg: str) -> Image.Image:
    """Draw a picture of horizontal strokes, as the QR's SVG is one."""
    size = int(re.findall(r'viewBox="0 0 (\d+) \d+"', svg)[0])
    picture = Image.new("L", (size * 8, size * 8), 255)
    pen, x, y = ImageDraw.Draw(picture), 0.0, 0.0
    path = re.findall(r'stroke="#000" d="([^"]+)"', svg)[0]
    for command, numbers in re.findall(r"([Mmh])([^Mmh]+)", path):
        values = [float(value) for value in re.findall(r"-?[\d.]+", numbers)]
        if command == "h":
            pen.rectangle((x * 8, (y - 0.5) * 8, (x + values[0]) * 8 - 1, (y + 0.5) * 8 - 1), fill=0)
            x += values[0]
        else:
            x, y = (values[0], values[1]) if command == "M" else (x + values[0], y + values[1])
    return picture


def state_of(world: World) -> tuple[int | None, int | None]:
    with reading(world.engine) as session:
        return session.scalar(select(func.count(Event.seq))), session.scalar(select(func.count(Sighting.id)))


def press(world: World, login: str, action: str, client: TestClient | None = None, **form: str) -> str:
    """Press a button of the door with the code of now; gives where the browser goes or what is said."""
    client = client or world.browser(login)
    answer = world.post(
        client, f"{LEARN}/check", login, **{"code": world.code(), "action": action, "page": "door", **form}
    )
    return answer.headers.get("location", answer.text)


def test_the_qr_leads_to_the_door_with_the_code_and_a_press_checks_in(world: World) -> None:
    path = scanned(world)
    assert urlsplit(path).path == PREFIX + DOOR
    assert parse_qs(urlsplit(path).query) == {"code": [world.code()], "slot": [str(codes.slot_at(world.now))]}
    phone = world.browser("mina")
    page = phone.get(path).text
    assert f'value="{world.code()}"' in page
    assert 'name="action" value="in">입실하기<' in page
    assert state_of(world) == (0, 0), "looking records nothing"
    assert press(world, "mina", "in", phone) == f"{PREFIX}{DOOR}?done=in"
    done = phone.get(f"{PREFIX}{DOOR}?done=in").text
    assert "입실 처리되었습니다." in done
    assert 'value="away">외출하기<' in done


def test_who_scans_without_a_login_comes_back_to_the_code_after_it(world: World) -> None:
    path = scanned(world)
    away = world.browser().get(path)
    assert away.status_code == 303
    login = world.browser().get(away.headers["location"])
    assert "/hub/api/oauth2/authorize" in login.headers["location"]
    assert parse_qs(urlsplit(away.headers["location"]).query)["next"] == [path]


def test_a_code_that_changed_on_the_way_is_not_filled_in_and_costs_no_try(world: World) -> None:
    path = scanned(world)
    world.now += timedelta(seconds=61)
    page = world.browser("mina").get(path).text
    assert "그사이 코드가 바뀌었습니다." in page
    assert 'name="code" value=""' in page
    assert state_of(world) == (0, 0)


def test_looking_tells_nothing_of_whether_a_code_is_right(world: World) -> None:
    """Else a page that only looks were a way to guess without being counted."""
    slot, right = codes.slot_at(world.now), world.code()
    wrong = f"{(int(right) + 1) % 10**6:06d}"
    pages = [world.browser("mina").get(f"{PREFIX}{DOOR}?code={code}&slot={slot}").text for code in (right, wrong)]
    assert pages[0].replace(right, "code") == pages[1].replace(wrong, "code")


@pytest.mark.parametrize("method", ["get", "head", "put"])
def test_nothing_but_a_post_records_anything(world: World, method: str) -> None:
    answer = world.browser("mina").request(method, f"{PREFIX}{LEARN}/check?code={world.code()}&action=in")
    assert answer.status_code in (404, 405)
    assert state_of(world) == (0, 0)


@pytest.mark.parametrize(
    ("csrf", "origin"), [("", ORIGIN), ("0" * 64, ORIGIN), ("right", "https://evil.test"), ("right", "null")]
)
def test_another_page_cannot_check_somebody_in(world: World, csrf: str, origin: str) -> None:
    if csrf == "right":
        csrf = world.site.seals.csrf(Session("token-mina", "session-mina"))
    form = {"csrf": csrf, "code": world.code(), "action": "in"}
    answer = world.browser("mina").post(f"{PREFIX}{LEARN}/check", data=form, headers={"origin": origin})
    assert (answer.status_code, state_of(world)) == (403, (0, 0))


def test_the_code_leaves_by_no_referer_and_stays_in_no_address(world: World) -> None:
    phone = world.browser("mina")
    page = phone.get(scanned(world))
    assert page.headers["referrer-policy"] == "same-origin"
    assert page.headers["cache-control"] == "no-store"
    assert not re.findall(r'(?:src|href|action)="https?://', page.text)
    assert "code=" not in press(world, "mina", "in", phone), "the address after the press"


def test_whoever_is_in_another_course_or_none_is_refused(world: World) -> None:
    other = codes.code_at(b"a secret of the institution", "other-1", world.now.date(), world.now)
    assert "코드가 맞지 않습니다." in press(world, "mina", "in", code=other)
    for login in ("teacher", "office", "stranger", "both"):
        answer = world.post(world.browser(login), f"{LEARN}/check", login, code=world.code(), action="in")
        assert answer.status_code == 403, login
    assert world.events(attend.CHECKED_IN) == 0


def test_a_learners_screen_has_no_code_and_no_qr(world: World) -> None:
    slot = codes.slot_at(world.now)
    for path in ("code", "code/live", "code/arrivals", f"code/{slot}.svg"):
        assert world.browser("mina").get(f"{PREFIX}{CLASS}/{path}").status_code == 403


def test_there_is_no_picture_of_a_code_to_come(world: World) -> None:
    slot = codes.slot_at(world.now)
    answers = [
        world.browser("teacher").get(f"{PREFIX}{CLASS}/code/{slot + n}.svg").status_code for n in (-2, -1, 0, 1, 999)
    ]
    assert answers == [404, 200, 200, 404, 404]


def test_an_outing_is_shown_to_the_learner_and_on_the_class_screen(world: World) -> None:
    phone = world.browser("mina")
    press(world, "mina", "in", phone)
    world.now += timedelta(hours=1)
    assert press(world, "mina", "away", phone).endswith("?done=away")
    assert "외출 중" in world.browser("teacher").get(f"{PREFIX}{CLASS}/code/arrivals").text
    assert "외출 중" in world.browser("teacher").get(PREFIX + CLASS).text
    world.now += timedelta(minutes=40)
    assert press(world, "mina", "back", phone).endswith("?done=back")
    page = phone.get(PREFIX + LEARN).text
    assert "11:00–11:40" in page
    arrivals = world.browser("teacher").get(f"{PREFIX}{CLASS}/code/arrivals").text
    assert "외출 중" not in arrivals


def test_a_name_with_a_script_is_text_on_the_class_screen(world: World) -> None:
    press(world, "eve", "in")
    arrivals = world.browser("teacher").get(f"{PREFIX}{CLASS}/code/arrivals").text
    assert "<script>" not in arrivals
    assert "&lt;script&gt;" in arrivals


# --- what is kept of a browser ----------------------------------------------------------------------------------------


def from_(world: World, login: str, host: str) -> TestClient:
    client = TestClient(world.app, base_url=ORIGIN, follow_redirects=False, client=(host, 5000))
    client.cookies.set(SESSION_COOKIE, world.site.seals.seal(Session(f"token-{login}", f"session-{login}")))
    return client


def kept(world: World) -> list[Sighting]:
    with reading(world.engine) as session:
        return list(session.scalars(select(Sighting).order_by(Sighting.id)))


def test_addresses_and_devices_are_kept_as_hashes_that_change_every_day(world: World) -> None:
    phone = from_(world, "mina", "203.0.113.7")
    press(world, "mina", "in", phone)
    cookie = phone.cookies[DEVICE_COOKIE]
    world.now += timedelta(days=1)
    code = codes.code_at(b"a secret of the institution", COURSE, world.now.date(), world.now)
    press(world, "mina", "in", phone, code=code)
    first, then = kept(world)
    for row in (first, then):
        assert re.fullmatch(r"[0-9a-f]{16}", row.place)
        assert re.fullmatch(r"[0-9a-f]{16}", row.device)
        assert cookie[:16] not in row.device
    assert (first.place, first.device) != (then.place, then.device)
    assert phone.cookies[DEVICE_COOKIE] == cookie


def test_the_device_cookie_is_hidden_from_scripts(world: World) -> None:
    answer = world.post(world.browser("mina"), f"{LEARN}/check", "mina", code=world.code(), action="in")
    cookie = next(found for found in answer.headers.get_list("set-cookie") if found.startswith(DEVICE_COOKIE))
    for wanted in ("HttpOnly", "SameSite=lax", "Max-Age=86400", f"Path={PREFIX}"):
        assert wanted in cookie


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("testclient", "testclient"),
    ],
)
def test_a_network_is_an_address_or_a_whole_64(host: str, network: str) -> None:
    from starlette.requests import Request

    assert network_of(Request({"type": "http", "client": (host, 1), "headers": []})) == network


# --- what to look into ------------------------------------------------------------------------------------------------


def signs(world: World, login: str = "teacher") -> str:
    return world.browser(login).get(f"{PREFIX}{CLASS}/signs").text


def test_two_networks_within_minutes_are_to_be_looked_into(world: World) -> None:
    press(world, "mina", "in", from_(world, "mina", "203.0.113.7"))
    world.now += timedelta(minutes=5)
    press(world, "mina", "away", from_(world, "mina", "198.51.100.9"))
    assert "몇 분 사이에 두 네트워크에서 접속" in signs(world)
    assert "203.0.113" not in signs(world)


def test_the_same_network_or_much_later_is_nothing(world: World) -> None:
    press(world, "mina", "in", from_(world, "mina", "203.0.113.7"))
    world.now += timedelta(minutes=5)
    press(world, "mina", "away", from_(world, "mina", "203.0.113.7"))
    world.now += timedelta(minutes=30)
    press(world, "mina", "back", from_(world, "mina", "198.51.100.9"))
    assert "이 날짜에는 살펴볼 점이 없습니다." in signs(world)


def test_one_browser_for_two_learners_is_to_be_looked_into_and_both_stay_checked_in(world: World) -> None:
    browser = world.browser("mina")
    press(world, "mina", "in", browser)
    browser.cookies.set(SESSION_COOKIE, world.site.seals.seal(Session("token-jun", "session-jun")))
    assert press(world, "jun", "in", browser).endswith("?done=in"), "the machine punishes nobody"
    page = signs(world)
    assert "다른 훈련생과 같은 브라우저 사용" in page
    assert "함께 사용한 사람: 김미나" in page
    assert "다른 훈련생과 같은 브라우저 사용" in signs(world, "office")
    assert world.events(attend.CHECKED_IN) == 2


def test_many_wrong_codes_are_to_be_looked_into(world: World) -> None:
    for _ in range(5):
        press(world, "mina", "in", code="000000")
    assert "틀린 코드 5번" in signs(world)


def test_signs_are_not_for_learners_nor_on_their_pages(world: World) -> None:
    for _ in range(5):
        press(world, "mina", "in", code="000000")
    assert world.browser("mina").get(f"{PREFIX}{CLASS}/signs").status_code == 403
    for path in (LEARN, DOOR, f"{LEARN}/attendance"):
        assert "살펴볼" not in world.browser("mina").get(PREFIX + path).text


class Evening:
    """Everybody has come and gone; the gateway says who called AI."""

    def __init__(self, world: World, users: list[str] | None) -> None:
        from played_gateway import gateway, spend

        world.answer = gateway() if users is not None else world.answer
        for login in ("mina", "jun"):
            press(world, login, "in")
        if users is not None:
            import httpx

            played = world.answer
            lines = {"object": "list", "data": [spend("learner", user, 2) for user in users]}
            world.answer = lambda request: (
                httpx.Response(200, json=lines) if request.url.path == "/spend" else played(request)
            )
        world.now = world.now.replace(hour=10)


def test_a_check_in_without_a_trace_of_work_is_to_be_looked_into(world: World) -> None:
    Evening(world, ["mina"])
    page = signs(world)
    assert "이준 · 실습 흔적 없음" in page
    assert "김미나" not in page, "she called AI"
    asked = [request for request in world.asked if request.url.path == "/spend"]
    assert len(asked) == 1
    assert asked[0].url.params["since"] == "2026-07-08T00:00:00+09:00"
    assert asked[0].url.params["until"] == "2026-07-09T00:00:00+09:00"


def test_handing_in_or_opening_a_lab_is_a_trace(world: World) -> None:
    Evening(world, [])
    world.release()
    world.submit("jun")
    world.browser("mina").get(f"{PREFIX}{LEARN}/open/rough-cut")
    page = signs(world)
    assert "이준" not in page
    assert ("김미나 · 실습 흔적 없음" in page) == (not any(row.what == "opened" for row in kept(world)))


def test_a_gateway_that_does_not_answer_accuses_nobody(world: World) -> None:
    Evening(world, None)
    page = signs(world)
    assert "실습 흔적 없음" not in page
    assert "잠시 뒤 화면을 새로 고치세요." in page


def test_a_stay_in_another_course_at_the_same_time_is_to_be_looked_into(world: World) -> None:
    from grader.records import journal
    from grader.records.db import writing

    press(world, "mina", "in")
    with writing(world.engine) as session:
        session.add(Enrolment(course_id=OTHER, login="mina"))
        journal.append(
            session, attend.CHECKED_IN, actor="mina", course=OTHER, subject="mina",
            payload={"day": "2026-07-08"}, at=world.now - timedelta(hours=1),
        )  # fmt: skip
    world.now += timedelta(minutes=1)
    page = signs(world)
    assert "같은 시간에 다른 과정에도 입실" in page
    assert OTHER not in page, "which course is nobody's business here"
