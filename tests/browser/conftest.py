"""A real Practicum for the browser, and Chromium."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright
from running import Installation, free_base_port, start

from hub_config.assets import fonts

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
#: JupyterLab's pages use the machine's fonts, and a machine without Korean ones shows boxes: the portal's font is lent to it.
FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>
<include ignore_missing="yes">/etc/fonts/fonts.conf</include><dir>{folder}</dir></fontconfig>"""


@pytest.fixture(scope="session")
def practicum(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One Practicum for all browser tests of a process."""
    installation = start(tmp_path_factory.mktemp("practicum") / "var", free_base_port())
    yield installation
    if installation.process.poll() is None:
        installation.stop()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium, as the machine has it. Playwright's loop ends with the module: the asynchronous tests have their own."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert found, "Chromium is missing: tests/install_programs.sh"
    lent = tmp_path_factory.mktemp("fonts") / "fonts.conf"
    lent.write_text(FONTS.format(folder=fonts()))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found, args=FLAGS, env={**os.environ, "FONTCONFIG_FILE": str(lent)}
        )
        yield browser
        browser.close()
