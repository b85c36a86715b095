"""Every page: in which language, with which headers, and nothing that a browser could run. Who may see it: test_portal_routes.py."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from html.parser import HTMLParser
from itertools import chain
from pathlib import Path

import httpx
import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from fastapi.testclient import TestClient
from played_gateway import gateway
from test_portal_world import COURSE, FIRST, NOW, OTHER, PREFIX, SCRIPT, World, seeded_records, world

from grader.codes import slot_at
from hub_config import hub_look
from hub_config.portal import i18n
from hub_config.portal.site import SHEETS
from hub_config.settings import Settings

PORTAL = Path(i18n.__file__).parent
LEARN, CLASS, OFFICE = f"learn/{COURSE}", f"class/{COURSE}", "office/hanbit"
#: One of mina's AI calls.
CALL = f"receipts/rcpt_{1:024x}"
WHO_MAY = [
    (LEARN, {"mina", "eve"}),
    (f"{LEARN}/receipts/RECEIPT", {"mina", "teacher", "both"}),
    (f"{LEARN}/feedback/RECEIPT", {"mina", "teacher", "both"}),
    (f"{LEARN}/feedback/RECEIPT/pictures/plays/0", {"mina", "teacher", "both"}),
    (f"{LEARN}/hand-in/rough-cut", {"mina", "eve"}),
    (f"{LEARN}/open/rough-cut", {"mina", "eve"}),
    (f"{LEARN}/open/rough-cut/waiting", {"mina", "eve"}),
    (CLASS, {"teacher", "both"}),
    (f"{CLASS}/code", {"teacher", "both"}),
    (f"{CLASS}/code/live", {"teacher", "both"}),
    (f"{CLASS}/code/arrivals", {"teacher", "both"}),
    (f"{CLASS}/code/{slot_at(NOW)}.svg", {"teacher", "both"}),
    (f"{CLASS}/correct", {"teacher", "both", "office"}),
    (f"{CLASS}/correct?learner=mina&day=2026-07-06", {"teacher", "both", "office"}),
    (f"{CLASS}/requests", {"teacher", "both", "office"}),
    (f"{CLASS}/signs", {"teacher", "both", "office"}),
    (f"{CLASS}/learners/mina", {"teacher", "both", "office"}),
    (f"{LEARN}/door", {"mina", "eve"}),
    (f"{LEARN}/attendance", {"mina", "eve"}),
    (f"{LEARN}/allowance", {"mina", "eve"}),
    (f"{CLASS}/labs/rough-cut", {"teacher", "both"}),
    (f"{CLASS}/labs/rough-cut/run", {"teacher", "both"}),
    (f"{CLASS}/labs/rough-cut/desk", {"teacher", "both"}),
    (f"{CLASS}/labs/rough-cut/desk?show=waiting", {"teacher", "both"}),
    (f"{CLASS}/labs/rough-cut/desk/RECEIPT", {"teacher", "both"}),
    (f"{CLASS}/labs/rough-cut/desk/RECEIPT/files/0", {"teacher", "both"}),
    (f"{CLASS}/labs/rough-cut/desk/RECEIPT/ai", {"teacher", "both"}),
    (f"{CLASS}/labs/rough-cut/desk/RECEIPT/ai/rcpt_{1:024x}", {"teacher", "both"}),
    (f"{CLASS}/labs/rough-cut/deadline", {"teacher", "both"}),
    (f"{CLASS}/assignments", {"teacher", "both"}),
    (f"{CLASS}/announcements", {"teacher", "both"}),
    (f"{CLASS}/labs/rough-cut/run/events", {"teacher", "both"}),
    (f"{CLASS}/labs/rough-cut/log/mina", {"teacher", "both"}),
    (f"{CLASS}/labs/rough-cut/similar", {"teacher", "both"}),
    (OFFICE, {"office", "both"}),
    (f"{OFFICE}/{COURSE}", {"office", "both"}),
    (f"{OFFICE}/{COURSE}/people/mina", {"office", "both"}),
    (f"{OFFICE}/{COURSE}/forecast", {"office", "both"}),
    (f"{OFFICE}/{COURSE}/labs", {"office", "both"}),
    (f"{OFFICE}/runs/new", {"office", "both"}),
    (f"{OFFICE}/staff/roles", {"office", "both"}),
    (f"{OFFICE}/{COURSE}/import", {"office", "both"}),
    (f"{OFFICE}/{COURSE}/template/roster.csv", {"office", "both"}),
    (f"{OFFICE}/{COURSE}/differences", {"office", "both"}),
    (f"{OFFICE}/{COURSE}/people/mina/all.zip", {"office", "both"}),
    (f"{OFFICE}/journal/looks", {"office", "both"}),
    (f"{LEARN}/data", {"mina", "eve"}),
    (f"{LEARN}/data/all.zip", {"mina", "eve"}),
    (f"{LEARN}/ai", {"mina", "eve"}),
    (f"{LEARN}/ai/receipts.csv", {"mina", "eve"}),
    (f"{LEARN}/ai/{CALL}", {"mina"}),
    (f"{CLASS}/ai", {"teacher", "both"}),
    (f"{CLASS}/ai/receipts", {"teacher", "both"}),
    (f"{CLASS}/ai/receipts?learner=mina&lab=rough-cut", {"teacher", "both"}),
    (f"{CLASS}/ai/receipts.csv", {"teacher", "both"}),
    (f"{CLASS}/ai/{CALL}", {"teacher", "both"}),
    (f"{CLASS}/ai/switch?to=off", {"teacher", "both"}),
    (f"{OFFICE}/ai/use", {"office", "both"}),
    (f"{OFFICE}/ai/use?course={COURSE}", {"office", "both"}),
    (f"{OFFICE}/ai/receipts.csv", {"office", "both"}),
    (f"{OFFICE}/ai/limits", {"office", "both"}),
    (f"{OFFICE}/ai/limits?course={COURSE}", {"office", "both"}),
    (f"{OFFICE}/ai/limits/lab?course={COURSE}&lab=rough-cut", {"office", "both"}),
]
#: What a browser gets that is no page.
NO_PAGES = ("/waiting", "pictures", "live", "/run", ".csv", "/files/", ".zip", "arrivals", ".svg")


@pytest.fixture
def full(world: World) -> tuple[World, str]:
    """A course with work, feedback and attendance in it; gives the receipt's id too."""
    world.answer = gateway()
    world.release()
    receipt = world.submit()
    world.grade(receipt)
    world.feedback(receipt, comment=f"좋아요 {SCRIPT}")
    world.attended("mina", FIRST)
    world.log("mina", f"checks: {SCRIPT}")
    world.compared(f"둘 다 {SCRIPT} 썼습니다.")
    return world, receipt


def test_an_office_does_not_see_another_institution(full: tuple[World, str]) -> None:
    seeded, _ = full
    assert seeded.browser("office").get(f"{PREFIX}office/far").status_code == 403
    assert seeded.browser("office").get(f"{PREFIX}office/hanbit/{OTHER}").status_code == 404
    for path in ("far/ai/use", "far/ai/receipts.csv", "far/ai/limits", "far/ai/limits/course"):
        assert seeded.browser("office").get(f"{PREFIX}office/{path}").status_code == 403
    asked = len(seeded.asked)
    for path in (
        f"hanbit/ai/use?course={OTHER}",
        f"hanbit/ai/receipts.csv?course={OTHER}",
        f"hanbit/ai/limits?course={OTHER}",
    ):
        assert seeded.browser("office").get(f"{PREFIX}office/{path}").status_code == 404
    assert len(seeded.asked) == asked, "the gateway is not even asked"
    for path in ("ai/use", "ai/receipts.csv", "ai/limits", "ai/limits/course"):
        refused = seeded.browser("far-office").get(f"{PREFIX}office/far/{path}")
        assert refused.status_code == 404
        assert "이 시스템의 AI 게이트웨이는 다른 기관 소속입니다." in refused.text
    assert len(seeded.asked) == asked


def test_the_gateway_is_that_of_the_institution_whose_ledger_it_has(world: World) -> None:
    world.answer = gateway()
    ledger = Settings(data=world.folder / "var").receipts_path
    ledger.parent.mkdir(parents=True)
    own, other = world.browser("office"), world.browser("far-office")

    def opens(browser: TestClient, institution: str) -> list[bool]:
        linked = f"{PREFIX}office/{institution}/ai/use" in browser.get(f"{PREFIX}office/{institution}").text
        return [linked, browser.get(f"{PREFIX}office/{institution}/ai/use").status_code == 200]

    assert (opens(own, "hanbit"), opens(other, "far")) == ([True] * 2, [False] * 2), (
        "as long as there is no ledger, the first"
    )
    with closing(sqlite3.connect(ledger)) as db:
        assert opens(own, "hanbit") == [True] * 2, "nor is an empty file one"
        db.executescript("CREATE TABLE ledger (institution TEXT); INSERT INTO ledger VALUES ('far');")
    assert (opens(own, "hanbit"), opens(other, "far")) == ([False] * 2, [True] * 2)


@pytest.mark.parametrize(("login", "home"), [("mina", LEARN), ("teacher", CLASS), ("office", OFFICE), ("both", CLASS)])
def test_home_is_the_page_of_the_role(world: World, login: str, home: str) -> None:
    assert world.browser(login).get(PREFIX).headers["location"] == PREFIX + home


def test_somebody_without_a_role_is_told_so(world: World) -> None:
    answer = world.browser("stranger").get(PREFIX)
    assert answer.status_code == 403
    assert "아직 배정된 과정이 없는 계정입니다." in answer.text


def test_several_roles_get_a_switch(full: tuple[World, str]) -> None:
    seeded, _ = full
    page = seeded.browser("both").get(f"{PREFIX}{CLASS}").text
    for place in (CLASS, f"learn/{OTHER}", OFFICE):
        assert f'href="{PREFIX}{place}"' in page
    assert re.search(rf'href="{PREFIX}{CLASS}" aria-current="true"', page)
    assert 'class="places"' not in seeded.browser("mina").get(PREFIX + LEARN).text


class Finder(HTMLParser):
    """Collects what a content policy without 'unsafe-inline' would stop, and what a page must have."""

    def __init__(self) -> None:
        super().__init__()
        self.inline: list[str] = []
        self.ids: list[str] = []
        self.labels: set[str] = set()
        self.fields: list[str] = []
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "style" or (tag == "script" and not given.get("src")):
            self.inline.append(tag)
        self.inline += [name for name in given if name == "style" or (name.startswith("on") and name != "one")]
        self.outside += [v for k, v in attrs if k in ("src", "href", "action", "hx-get") and v and v[0] not in "/#"]
        if given.get("id"):
            self.ids.append(str(given["id"]))
        if tag == "label":
            self.labels.add(str(given.get("for")))
        if tag in ("input", "select", "textarea") and given.get("type") != "hidden":
            self.fields.append(str(given.get("id")))


@pytest.mark.parametrize("lang", ["ko", "en"])
@pytest.mark.parametrize("login", ["mina", "teacher", "office"])
def test_no_page_holds_anything_inline_from_outside_or_unlabelled(
    full: tuple[World, str], login: str, lang: str
) -> None:
    seeded, receipt = full
    browser, seen = seeded.browser(login, lang), 0
    for path, allowed in WHO_MAY:
        if login not in allowed or any(part in path for part in NO_PAGES):
            continue
        page = browser.get(PREFIX + path.replace("RECEIPT", receipt))
        assert page.status_code == 200
        found = Finder()
        found.feed(page.text)
        assert not found.inline, path
        assert not found.outside, path
        assert len(found.ids) == len(set(found.ids)), path
        assert set(found.fields) <= found.labels, path
        assert f'<html lang="{lang}">' in page.text
        assert page.text.count("<main") == 1
        assert page.text.count("<h1") == 1, path
        assert SCRIPT not in page.text, path
        seen += 1
    assert seen >= 2


def test_a_script_in_a_name_a_finding_and_a_comment_is_text(full: tuple[World, str]) -> None:
    seeded, receipt = full
    escaped = "&lt;script&gt;alert(1)&lt;/script&gt;"
    assert escaped in seeded.browser("teacher").get(PREFIX + CLASS).text
    told = seeded.browser("mina").get(f"{PREFIX}{LEARN}/feedback/{receipt}").text
    assert told.count(escaped) == 3
    assert "never shown" not in told, "nbgrader's own page is not rendered"


def test_headers_are_on_every_answer(full: tuple[World, str]) -> None:
    seeded, _ = full
    for login, path in (("mina", LEARN), ("mina", CLASS), ("mina", "nothing/here"), (None, LEARN), (None, "health")):
        headers = seeded.browser(login).get(PREFIX + path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
    static = seeded.browser().get(f"{PREFIX}static/portal.css")
    assert static.status_code == 200
    assert static.headers["cache-control"].startswith("public")
    assert seeded.browser().get(f"{PREFIX}assets/htmx.js").status_code == 200
    assert static.headers["content-encoding"] == "gzip"
    plain = seeded.browser().get(f"{PREFIX}static/portal.css", headers={"accept-encoding": "identity"})
    assert plain.text == static.text
    assert "content-encoding" not in plain.headers
    told = seeded.browser("mina").get(PREFIX + LEARN)
    assert "content-encoding" not in told.headers, "a page with a form's token is not packed"
    assert seeded.browser().get(f"{PREFIX}static/..%2fapp.py").status_code == 404


def test_the_language_is_chosen_else_the_courses(full: tuple[World, str]) -> None:
    seeded, _ = full
    browser = seeded.browser("mina")
    assert "오늘 출결" in browser.get(PREFIX + LEARN).text
    chosen = browser.get(f"{PREFIX}lang/en", params={"next": PREFIX + LEARN})
    assert chosen.headers["location"] == PREFIX + LEARN
    assert "Attendance today" in browser.get(PREFIX + LEARN).text
    for ours in ("/hub/login?next=%2Fhub%2F", "/hub/spawn-pending/mina"):
        assert browser.get(f"{PREFIX}lang/en", params={"next": ours}).headers["location"] == ours
    for elsewhere in (
        "https://evil.example/",
        "//evil.example/",
        "/user/eve/",
        "/hubris",
        "\\\\evil",
        f"{PREFIX}\r\nx: y",
    ):
        assert browser.get(f"{PREFIX}lang/ko", params={"next": elsewhere}).headers["location"] == PREFIX


def test_a_hub_that_is_away_is_a_readable_page(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(token: str) -> None:
        raise httpx.ConnectError("refused")

    def forgotten(token: str) -> None:
        raise LookupError

    browser = world.browser("mina")
    monkeypatch.setattr(world.site.identity, "recall", forgotten, raising=False)
    monkeypatch.setattr(world.site.identity, "caller", away, raising=False)
    answer = browser.get(PREFIX + LEARN)
    assert answer.status_code == 503
    assert "지금은 이용할 수 없습니다" in answer.text


def _messages() -> dict[str, tuple[str, ...]]:
    """Every message of the code and the templates, by its id, with its plural where it has one."""
    keywords = {"_": None, "N_": None, "t": None, "tn": (1, 2), "ngettext": (1, 2)}
    methods = [("**.py", "python"), ("**.html", "jinja2")]
    options = {"**.html": {"silent": "false"}}
    found = chain.from_iterable(
        extract_from_dir(folder, methods, options, keywords=keywords) for folder in (PORTAL, hub_look.PAGES)
    )
    ids = [message if isinstance(message, tuple) else (message,) for _file, _line, message, *_more in found]
    return {message[0]: tuple(message[:2]) for message in ids}


def test_the_korean_catalogue_is_complete() -> None:
    with (PORTAL / "locale" / "ko" / "LC_MESSAGES" / "portal.po").open("rb") as stream:
        catalogue = read_po(stream)
    entries = {m.id[0] if isinstance(m.id, tuple) else m.id: m for m in catalogue if m.id}
    used = _messages()
    assert len(used) > 100
    assert set(used) - set(entries) == set(), "missing"
    assert set(entries) - set(used) == set(), "unused"
    for key, message in entries.items():
        strings = message.string if isinstance(message.string, tuple) else (message.string,)
        assert not message.fuzzy, key
        assert all(strings), key
        assert any("가" <= letter <= "힣" for letter in "".join(strings)), key
        wanted = re.findall(r"%\(\w+\)s", used[key][-1])
        for string in strings:
            assert sorted(re.findall(r"%\(\w+\)s", string)) == sorted(wanted), key


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_text_colours_keep_the_contrast_of_wcag_aa() -> None:
    sheets = {name: (PORTAL / "static" / name).read_text("utf-8") for name in {*SHEETS, *hub_look.SHEETS}}
    assert all(len(css.splitlines()) <= 400 for css in sheets.values())
    css = sheets.pop("tokens.css")
    # Colours are tokens: elsewhere only black and white stand, behind a video, a QR code and on paper.
    for name, other in sheets.items():
        assert set(re.findall(r"#[0-9a-fA-F]{3,8}\b", other)) <= {"#000", "#fff", "#333", "#999"}, name
    themes = [
        dict(re.findall(r"(--[a-z-]+): (#[0-9a-f]{6});", block)) for block in re.findall(r":root \{(.*?)\}", css, re.S)
    ]
    themes = [theme for theme in themes if "--paper" in theme]
    assert len(themes) == 2
    surfaces = ("--paper", "--ground")
    pairs = [(text, s) for text in ("--ink", "--ink-quiet", "--accent") for s in surfaces]
    pairs += [(f"--{sign}", f"--{sign}-tint") for sign in ("good", "todo", "bad", "info")]
    pairs += [("--on-accent", "--accent"), ("--ink", "--accent-tint"), ("--on-accent", "--accent-strong")]
    for theme in themes:
        for text, surface in pairs:
            light, dark = sorted((_luminance(theme[text]), _luminance(theme[surface])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, surface)
