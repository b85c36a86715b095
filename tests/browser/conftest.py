"""A real Practicum for the browser, and Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright
from running import Installation, free_base_port, start

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


@pytest.fixture(scope="session")
def practicum(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One Practicum for all browser tests of a process."""
    installation = start(tmp_path_factory.mktemp("practicum") / "var", free_base_port())
    yield installation
    if installation.process.poll() is None:
        installation.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, as the machine has it. Playwright's loop ends with the module: the asynchronous tests have their own."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert found, "Chromium is missing: tests/install_programs.sh"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()
