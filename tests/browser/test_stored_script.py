"""A script that somebody stored runs on no page: in names, file names, notebooks, AI answers, cells of a roster, announcements.

It is shown to run where the defences are taken away, so that a silent probe means a defence and not a broken probe.
"""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from portal_routes import GETS, ROLES, address
from sqlalchemy import update
from test_page_walk import Portal, _shown_to, portal
from test_portal_world import PREFIX, PlayedGateway, seeded_records

from grader.records import announcements
from grader.records.db import writing
from grader.records.models import CourseLab, Person
from grader.records.state import find_course
from hub_config.portal import security, site

pytestmark = pytest.mark.browser
#: Each writes down that it ran: as markup, out of an attribute, and out of a script's string.
PROBE = "<img src=x onerror=\"window.ran='yes'\"><script>window.ran='yes'</script>\" onmouseover=\"window.ran='yes'\" autofocus onfocus=\"window.ran='yes'\" x='"


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
    made = site._environment

    def bare(words: Any) -> Any:
        environment = made.__wrapped__(words)
        environment.autoescape = False
        return environment

    page = opened(browser, stored, "teacher")
    monkeypatch.setattr(site, "_environment", bare)
    assert ran(page, roster) is None, "the content policy alone"
    monkeypatch.setitem(security.HEADERS, "content-security-policy", "frame-ancestors 'none'")
    assert ran(page, roster) == "yes", "neither"
    monkeypatch.setattr(site, "_environment", made)
    assert ran(page, roster) is None, "the escaping alone"
    page.context.close()
