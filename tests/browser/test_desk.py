"""The review desk in a real Chromium: the clip plays and seeks, the keyboard judges, two graders see each other, and what a
learner handed in runs nowhere. The portal is served over seeded records, on a port of its own.
"""

# ruff: noqa: F401, F811 (fixtures are imported, and named again where they are used)

from __future__ import annotations

import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import pytest
import uvicorn
from desk_class import COURSE, LAB, SRT, TASK, DeskClass, files
from played_gateway import gateway
from playwright.sync_api import Browser, Page, expect
from test_portal_world import PREFIX, World, seeded_records, world

from hub_config import assets
from hub_config.portal import desk_served
from hub_config.portal.security import Session

pytestmark = pytest.mark.browser
OWNED = b"<!doctype html><title>clip</title><script>document.title = 'owned'</script>"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Six seconds that a browser plays."""
    file = tmp_path_factory.mktemp("clip") / "clip.mp4"
    source = ["-f", "lavfi", "-i", "testsrc=duration=6:size=320x180:rate=12"]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", *source, "-c:v", "libx264", "-pix_fmt", "yuv420p"]
    subprocess.run([*command, "-g", "12", "-movflags", "+faststart", str(file)], check=True)
    return file.read_bytes()


@dataclass
class Served:
    """The portal on loopback, and its class."""

    desk: DeskClass
    browser: Browser
    url: str

    def page(self, login: str, path: str, lang: str = "ko", width: int = 1280) -> Page:
        """Open a page of the portal as somebody."""
        context = self.browser.new_context(viewport={"width": width, "height": 900})
        seal = self.desk.world.site.seals.seal(Session(f"token-{login}", f"session-{login}"))
        cookies = {"practicum-portal": seal, "practicum-lang": lang}
        context.add_cookies([{"name": n, "value": v, "url": self.url + PREFIX} for n, v in cookies.items()])
        page = context.new_page()
        page.goto(self.address(path))
        return page

    def address(self, path: str = "") -> str:
        return f"{self.url}{PREFIX}class/{COURSE}/labs/{LAB}/desk{path}"


@pytest.fixture
def served(world: World, browser: Browser, clip: bytes) -> Iterator[Served]:
    modules = assets.node_modules()
    world.start(
        htmx_file=modules / "htmx.org" / "dist" / "htmx.min.js",
        fonts_folder=modules / "pretendard" / "dist" / "web" / "variable",
    )
    world.answer = gateway()
    desk = DeskClass(world)
    for learner in ("mina", "jun"):
        desk.grade(desk.hand_in(learner, files(**{"final.mp4": clip, "captions.ko.srt": SRT.encode()})), learner)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(world.app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield Served(desk, browser, f"http://127.0.0.1:{port}")
    for context in browser.contexts:
        context.close()
    server.should_exit = True
    thread.join()


def open_work(page: Page) -> None:
    """Go on to what 김미나 handed in, until the page's scripts listen: a key that is pressed before goes nowhere."""
    page.get_by_role("link", name="김미나").click()
    page.wait_for_url(re.compile(r"/desk/[0-9a-f]{32}"))


def until(page: Page, holds: str | Callable[[], bool]) -> None:
    """Wait until something holds; Playwright's own way needs eval, which the pages' policy forbids."""
    deadline = time.monotonic() + 15
    while not (holds() if callable(holds) else page.evaluate(holds)):
        assert time.monotonic() < deadline, holds
        page.wait_for_timeout(50)


def test_the_clip_plays_seeks_and_has_its_captions(served: Served) -> None:
    page = served.page("teacher", "")
    open_work(page)
    until(page, "document.querySelector('video').readyState >= 2")
    assert page.evaluate("document.querySelector('video').duration") == pytest.approx(6, abs=0.3)
    page.locator("body").press("p")
    until(page, "document.querySelector('video').currentTime > 0.3")
    page.evaluate("document.querySelector('video').currentTime = 5")
    until(page, "(v => !v.seeking && v.currentTime >= 5)(document.querySelector('video'))")
    until(page, "document.querySelector('video').textTracks[0].cues?.length === 1")
    said = page.evaluate("document.querySelector('video').textTracks[0].cues[0].text")
    assert said == "가죽은 &lt;b&gt;천천히&lt;/b&gt; 길듭니다", "a mark in a caption stays text"
    expect(page.locator(".calls li")).to_have_count(3)


def test_the_keyboard_judges_saves_and_goes_on(served: Served) -> None:
    page = served.page("teacher", "?show=waiting")
    open_work(page)
    first = page.url
    story = page.locator("form.judge", has=page.locator(f"#c-{TASK}"))
    page.locator("body").press("2")
    expect(story.locator(".standing")).to_contain_text("저장됨")
    expect(story.locator(".standing")).to_contain_text("6 / 8")
    assert served.desk.in_gradebook()[:2] == (6, False)
    page.keyboard.press("c")
    page.keyboard.type("jk12? 흐름이 또렷합니다.")
    page.keyboard.press("Control+Enter")
    until(page, lambda: served.desk.in_gradebook() == (6, False, "jk12? 흐름이 또렷합니다."))
    page.keyboard.type(" 좋아요.")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    expect(page.get_by_role("heading", level=1)).to_have_text("이준")
    assert "show=waiting" in page.url
    assert page.url != first
    assert served.desk.in_gradebook()[2] == "jk12? 흐름이 또렷합니다. 좋아요.", (
        "what was typed is saved before going on"
    )
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_have_attribute("open", "")
    page.keyboard.press("k")
    expect(page.get_by_role("heading", level=1)).to_have_text("김미나")


def test_two_graders_see_each_other_and_nothing_typed_is_wiped(served: Served) -> None:
    one, two = served.page("teacher", ""), served.page("both", "")
    for page in (one, two):
        open_work(page)
        page.locator(f"#c-{TASK}-comment").wait_for()
    two.locator(f"#c-{TASK}-comment").type("쓰는 중")
    one.locator(f"#c-{TASK}-1").check()
    notice = two.locator("form.judge", has=two.locator(f"#c-{TASK}")).get_by_role("alert").first
    expect(notice).to_contain_text("teacher 님이 8점을 주었습니다.", timeout=10_000)
    expect(notice).to_be_in_viewport()
    expect(two.locator(f"#c-{TASK}-comment")).to_have_value("쓰는 중")
    assert served.desk.in_gradebook() == (8, False, None), "what the second typed did not overwrite it"
    notice.get_by_role("button", name="내 것으로 저장").click()
    expect(two.locator("form.judge").first.locator(".standing")).to_contain_text("채점 대기")
    assert served.desk.in_gradebook() == (None, True, "쓰는 중"), "seen, and then decided"
    expect(one.get_by_role("alert").first).to_contain_text("both 님이 점수를 비웠습니다.", timeout=10_000)
    one.get_by_role("link", name="이 점수와 의견 가져오기").click()
    expect(one.locator(f"#c-{TASK}-comment")).to_have_value("쓰는 중")
    expect(one.locator(f"#c-{TASK}-none")).to_be_checked()


def test_an_error_stays_visible_and_what_was_typed_stays(served: Served) -> None:
    page = served.page("teacher", "")
    open_work(page)
    page.route("**/criteria/**", lambda route: route.abort())
    page.locator(f"#c-{TASK}-2").check()
    failed = page.locator("form.judge").first.locator(".failed")
    expect(failed).to_contain_text("저장하지 못했습니다")
    page.wait_for_timeout(4_500)
    expect(failed).to_be_visible()
    page.unroute("**/criteria/**")
    page.keyboard.press("Control+Enter")
    expect(failed).to_be_hidden()
    assert served.desk.in_gradebook()[0] == 6
    page.locator(f"#c-{TASK}-comment").type("쉬는 동안")
    page.wait_for_timeout(4_000)
    assert served.desk.in_gradebook()[2] == "쉬는 동안", "a pause in typing saves too"


@pytest.mark.parametrize("defended", [True, False])
def test_a_page_named_as_a_clip_runs_nowhere(served: Served, monkeypatch: pytest.MonkeyPatch, defended: bool) -> None:
    submission = served.desk.hand_in("jun", files(**{"final.mp4": OWNED}))
    if not defended:
        monkeypatch.setattr("hub_config.portal.desk_files.media_type", lambda *_: "text/html")
        monkeypatch.setattr(desk_served, "HEADERS", {"content-security-policy": "default-src 'unsafe-inline'"})
    number = [f.path for f in served.desk.receipt(submission).manifest.files].index("final.mp4")
    page = served.page("teacher", f"/{submission}")
    if defended:
        with page.expect_download():
            page.evaluate("url => { location.href = url }", served.address(f"/{submission}/files/{number}"))
        assert page.locator("video").count() == 0
        expect(page.get_by_text("파일 이름과 내용이 달라서")).to_be_visible()
    else:
        page.goto(served.address(f"/{submission}/files/{number}"))
        assert page.title() == "owned"


@pytest.mark.parametrize("lang", ["ko", pytest.param("en", marks=pytest.mark.long)])
@pytest.mark.parametrize("width", [1280, 360])
def test_the_desk_fits_its_window_and_its_console_is_quiet(served: Served, lang: str, width: int) -> None:
    page, said = served.page("teacher", "", lang, width), []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    open_work(page)
    until(page, "document.querySelector('video').readyState >= 1")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert said == []
