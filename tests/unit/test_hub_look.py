"""The Hub's own pages: their language, and that each of them is ours and holds nothing inline."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from hub_config import hub_look

#: JupyterHub's own pages that nobody here can come to: nobody is an administrator, and nobody may share a server.
LEFT = {"admin.html", "accept-share.html"}


@pytest.mark.parametrize(
    ("cookie", "accepted", "lang"),
    [
        ("en", "ko-KR,ko;q=0.9", "en"),
        ("", "ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        ("", "fr-FR, EN-us;q=0.8", "en"),
        ("../../etc", "fr, *;q=0.1", None),
        ("", "", None),
    ],
)
def test_the_language_is_the_chosen_one_else_what_the_browser_asks_for(
    cookie: str, accepted: str, lang: str | None
) -> None:
    assert hub_look.chosen(cookie, accepted) == lang


def test_every_page_of_the_hub_is_ours() -> None:
    theirs = {path.name for path in Path(sys.prefix, "share", "jupyterhub", "templates").glob("*.html")}
    assert len(theirs) > 10
    assert theirs - LEFT == {path.name for path in hub_look.PAGES.iterdir()}


def test_no_page_holds_a_script_a_style_or_a_handler_of_its_own() -> None:
    for page in hub_look.PAGES.iterdir():
        text = page.read_text("utf-8")
        assert not re.findall(r"<style|<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=", text), page.name
        assert not re.findall(r"(?:src|href|action)=\"(?!\{\{|#)[^\"]+", text), page.name


def test_the_policy_in_the_page_is_the_one_of_the_header() -> None:
    # A browser warns of who may frame a page where the page says so itself.
    assert (
        hub_look.tornado_settings()["headers"]["content-security-policy"].replace("; frame-ancestors 'none'", "")
        == hub_look.template_vars()["policy"]
    )
