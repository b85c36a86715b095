"""Somebody at a browser of their own, on a running Practicum, and the pictures that documents show of it.

The rule: a picture of a document comes out of a walk that a test takes. With PRACTICUM_TOUR set to a folder they go there.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, Request
from running import Installation

PASSWORD = "practicum-demo"
WINDOW = {"width": 1200, "height": 760}
#: Pages have few colours: so many keep a picture below 80 KB.
COLOURS = 256


@dataclass
class Person:
    """Somebody at their own browser."""

    login: str
    page: Page
    site: Installation
    shots: Path
    lang: str

    def go(self, path: str) -> None:
        self.page.goto(f"{self.site.url}/services/portal/{path}")

    def shot(self, name: str, part: str = "") -> None:
        """A picture of the window, or of one part of the page."""
        self.page.evaluate("document.activeElement?.blur()")
        seen = self.page.locator(part).first.screenshot() if part else self.page.screenshot()
        picture = Image.open(io.BytesIO(seen)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        picture.save(self.shots / f"{self.lang}-{name}.png", optimize=True)

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()


@contextmanager
def visitors(site: Installation, browser: Browser, folder: Path) -> Iterator[Callable[[str, str], Person]]:
    """Log somebody in, in a browser of their own; a page that calls outside or breaks is an error at the end."""
    contexts: list[BrowserContext] = []
    troubles: list[str] = []
    shots = Path(os.environ.get("PRACTICUM_TOUR", folder))
    shots.mkdir(parents=True, exist_ok=True)

    def log_in(login: str, lang: str) -> Person:
        context = browser.new_context(viewport=WINDOW, locale="ko-KR" if lang == "ko" else "en-US")  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("request", lambda request: _note_outside(request, site.url, troubles))
        page.on("pageerror", lambda error: _note_error(page, str(error), troubles))
        page.goto(site.url)
        page.fill("#username_input", login)
        page.fill("#password_input", PASSWORD)
        page.click("#login_submit")
        page.wait_for_url(re.compile("/services/portal/(learn|class|office)"))
        if lang == "en" and page.locator("html").get_attribute("lang") != "en":
            page.get_by_role("link", name="English").click()
        return Person(login, page, site, shots, lang)

    yield log_in
    for context in contexts:
        context.close()
    assert troubles == []


def _note_error(page: Page, error: str, troubles: list[str]) -> None:
    if "/formgrader/" not in page.url:
        troubles.append(error)


def _note_outside(request: Request, home: str, troubles: list[str]) -> None:
    # nbgrader's own formgrader page asks for MathJax from outside; it goes on without it.
    ours = request.url.startswith((home, home.replace("http", "ws"), "data:", "blob:"))
    if not ours and "mathjax" not in request.url:
        troubles.append(f"request to outside: {request.url}")
