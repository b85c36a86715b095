"""A script that somebody stored runs on no page: in names, file names, notebooks' outputs, AI answers, cells of a roster, announcements.

It is shown to run where the defences are taken away, so that a silent probe means a defence and not a broken probe.
"""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import nbformat
import pytest
from desk_class import files
from played_gateway import PlayedGateway
from playwright.sync_api import Browser, Page
from portal_routes import DESK, GETS, ROLES, address
from sqlalchemy import update
from test_page_walk import Portal, _shown_to, portal
from test_portal_world import PREFIX, seeded_records

from grader.feedback import CriterionFeedback
from grader.records import announcements, work
from grader.records.blobs import manifest_of
from grader.records.db import writing
from grader.records.models import CourseLab, Person
from grader.records.state import find_course
from hub_config.portal import security, site
from labs.checks import Finding
from labs.texts import Text

pytestmark = pytest.mark.browser
#: Each writes down that it ran: as markup, out of an attribute, and out of a script's string.
PROBE = "<img src=x onerror=\"window.ran='yes'\"><script>window.ran='yes'</script>\" onmouseover=\"window.ran='yes'\" autofocus onfocus=\"window.ran='yes'\" x='"
SVG = "<svg xmlns='http://www.w3.org/2000/svg' onload=\"window.ran='yes'\"><script>window.ran='yes'</script></svg>"
LINK = "[a](javascript:window.ran='yes') <a href=\"javascript:window.ran='yes'\">b</a>"
#: Names that a file may have: no slash is in them.
NAMES = ("<img src=x onerror=window.ran='yes'>.md", "\" autofocus onfocus=window.ran='yes' x=\".txt", "<svg onload=window.ran='yes'>.svg",
         "javascript:window.ran='yes'")  # fmt: skip


@pytest.fixture
def stored(portal: Portal) -> Portal:
    """The probe in everything that a learner, an AI, a file or another person can write."""
    made = portal.world.answer
    assert isinstance(made, PlayedGateway)
    for row in made.receipts:
        row["prompt"] = json.dumps({"messages": [{"role": "user", "content": PROBE}]})
        row["answer"] = json.dumps({"choices": [{"message": {"role": "assistant", "content": PROBE}}]})
        row["model"] = PROBE[:60]
    with writing(portal.world.engine) as session:
        session.execute(update(Person).values(name=PROBE))
        session.execute(update(CourseLab).values(title_ko=PROBE, title_en=PROBE))
        run = find_course(session, portal.filled["course"])
        announcements.announce(session, run, PROBE, starts=None, ends=None, instructor="teacher", now=portal.world.now)
    return portal


def ran(page: Page, url: str) -> Any:
    page.goto(url, wait_until="load")
    return page.evaluate("new Promise(done => setTimeout(() => done(window.ran), 50))")


def opened(browser: Browser, portal: Portal, role: str | None) -> Page:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.add_cookies(portal.cookies(role, "ko"))
    return context.new_page()


def unescaped(made: Any) -> Callable[[Any], Any]:
    """The templates' environment with its escaping taken away."""

    def bare(words: Any) -> Any:
        environment = made.__wrapped__(words)
        environment.autoescape = False
        return environment

    return bare


@pytest.mark.parametrize("role", ["mina", "teacher", "office", "ministry", None])
def test_nothing_that_was_stored_runs(stored: Portal, browser: Browser, role: str | None) -> None:
    page, seen, boxes = opened(browser, stored, role), 0, []
    # What the played world has in findings, logs, comments, notebooks and cells of a roster opens a box where it runs.
    page.on("dialog", lambda dialog: (boxes.append(dialog.message), dialog.dismiss()))
    for path, line in GETS.items():
        if _shown_to(role, line):
            assert ran(page, stored.url + address(path, line, stored.filled)) is None, path
            seen += "onerror=" in page.inner_text("body")
    page.context.close()
    assert not boxes
    assert seen or role in ("ministry", None), "the probe stands on a page as text"


def test_it_would_run_without_the_defences(stored: Portal, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without escaping and without the content policy it runs; each of the two alone stops it."""
    roster = f"{stored.url}{PREFIX}class/{stored.filled['course']}"
    made = site.environment
    page = opened(browser, stored, "teacher")
    monkeypatch.setattr(site, "environment", unescaped(made))
    assert ran(page, roster) is None, "the content policy alone"
    monkeypatch.setitem(security.HEADERS, "content-security-policy", "frame-ancestors 'none'")
    assert ran(page, roster) == "yes", "neither"
    monkeypatch.setattr(site, "environment", made)
    assert ran(page, roster) is None, "the escaping alone"
    page.context.close()


def notebook() -> bytes:
    """A notebook as a learner hands it in, with outputs that a browser would run."""
    shown = {
        "text/html": PROBE,
        "image/svg+xml": SVG,
        "text/markdown": LINK,
        "application/javascript": "window.ran='yes'",
    }
    outputs = [
        nbformat.v4.new_output("display_data", shown),
        nbformat.v4.new_output("stream", text=PROBE),
        nbformat.v4.new_output("error", ename=PROBE, evalue=LINK, traceback=[PROBE]),
    ]
    cells = [nbformat.v4.new_code_cell("1", outputs=outputs), nbformat.v4.new_markdown_cell(PROBE + LINK)]
    return nbformat.writes(nbformat.v4.new_notebook(cells=cells)).encode()


@pytest.fixture
def handed_in(stored: Portal) -> Portal:
    """A submission with hostile names and contents, graded with findings that quote them, and its feedback released."""
    world, course = stored.world, stored.filled["course"]
    named = {
        **files(**{f"{stored.filled['lab']}.ipynb": notebook(), "figure.svg": SVG.encode()}),
        **dict.fromkeys(NAMES, b"x"),
    }
    manifest = manifest_of([world.put(name, data) for name, data in named.items()])
    with writing(world.engine) as session:
        run = find_course(session, course)
        submission = work.submit(session, run, stored.filled["lab"], manifest, learner="mina", now=world.now).id
    findings = [
        Finding(found=Text(ko=said, en=said), right=Text(ko=said, en=said), where=said) for said in (*NAMES, LINK)
    ]
    told = CriterionFeedback(
        id="plays", title=Text(ko="재생", en="Plays"), points=1, max_points=3, findings=tuple(findings), comment=PROBE + LINK
    )  # fmt: skip
    world.feedback(submission, criteria=(told,))
    world.log("mina", f"{PROBE} {LINK} {NAMES[0]}")
    world.compared(PROBE + LINK)
    stored.filled = {**stored.filled, "submission": submission}
    stored.filled["numbers"] = " ".join(str(n) for n, file in enumerate(manifest.files) if file.path in named)
    return stored


#: Where a submission's names, texts and findings are shown.
WHERE = {
    "teacher": [DESK, "class/{course}/labs/{lab}/desk", "class/{course}/labs/{lab}", "class/{course}/labs/{lab}/log/{learner}",
                "class/{course}/labs/{lab}/similar", "learn/{course}/feedback/{submission}"],
    "mina": ["learn/{course}/receipts/{submission}", "learn/{course}/feedback/{submission}", "learn/{course}"],
}  # fmt: skip
LINKS = "[href^='javascript:'], [src^='javascript:']"


@pytest.mark.parametrize("role", WHERE)
def test_names_and_contents_of_a_submission_run_on_no_page(handed_in: Portal, browser: Browser, role: str) -> None:
    page = opened(browser, handed_in, role)
    for path in WHERE[role]:
        assert ran(page, handed_in.url + address(path, GETS[path], handed_in.filled)) is None, path
        assert page.locator(LINKS).count() == 0, path
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        assert page.evaluate("new Promise(done => setTimeout(() => done(window.ran), 50))") is None, path
    page.goto(handed_in.url + address(WHERE[role][0], GETS[WHERE[role][0]], handed_in.filled))
    assert all(name in (page.locator("main").text_content() or "") for name in NAMES), "the names stand there as text"
    page.context.close()


def test_each_file_of_a_submission_is_kept_and_not_opened(handed_in: Portal, browser: Browser) -> None:
    page, at = opened(browser, handed_in, "teacher"), handed_in.url + address(DESK, GETS[DESK], handed_in.filled)
    for number in handed_in.filled["numbers"].split():
        answer = page.request.get(f"{at}/files/{number}")
        if answer.headers["content-type"] == "video/mp4":
            continue
        assert answer.headers["content-disposition"].startswith("attachment"), number
        page.goto(at)
        with page.expect_download():
            page.evaluate("url => { location.href = url }", f"{at}/files/{number}")
        assert page.evaluate("window.ran") is None
    page.context.close()


@pytest.mark.parametrize(("path", "quotes_links"), [(DESK, False), ("learn/{course}/feedback/{submission}", True)])
def test_the_names_would_run_without_the_defences(
    handed_in: Portal, browser: Browser, monkeypatch: pytest.MonkeyPatch, path: str, quotes_links: bool
) -> None:
    page, at = opened(browser, handed_in, "teacher"), handed_in.url + address(path, GETS[path], handed_in.filled)
    monkeypatch.setattr(site, "environment", unescaped(site.environment))
    assert ran(page, at) is None, "the content policy alone"
    assert bool(page.locator(LINKS).count()) is quotes_links
    monkeypatch.setitem(security.HEADERS, "content-security-policy", "frame-ancestors 'none'")
    assert ran(page, at) == "yes", "neither"
    page.context.close()
