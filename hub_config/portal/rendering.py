"""The templates of the pages, with what they may call. The rule: everything is escaped, and what is not there is an error."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.runtime import Context
from markupsafe import Markup

from grader.attendance import EVENT_TEXT, STATUS_TEXT
from grader.completion import OUTCOME_TEXT
from grader.deadlines import explained
from grader.engine.causes import CAUSES
from hub_config.portal.i18n import Words
from hub_config.portal.visible import visible


class _Context(Context):
    """Calls what a template calls as it is: none of our functions asks for the context, and Jinja looks at each call whether it does."""

    def call(self, called: Callable[..., Any], /, *args: Any, **values: Any) -> Any:
        values.pop("_block_vars", None)
        values.pop("_loop_vars", None)
        return called(*args, **values)


@cache
def environment(words: Words) -> Environment:
    """The templates of a language."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        # Templates do not change under a running portal; each part of a page would be looked at on the disk.
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.context_class = _Context
    made.install_gettext_callables(words.gettext, words.ngettext, newstyle=True)  # type: ignore[attr-defined]
    gettext, ngettext = _shown_words(words)
    made.globals.update(gettext=gettext, ngettext=ngettext, _=gettext)
    made.globals.update(outcome_text=OUTCOME_TEXT, status_text=STATUS_TEXT, event_text=EVENT_TEXT, cause_text=CAUSES)
    made.globals["explained"] = explained
    made.filters["text"] = lambda text: text.in_(words.lang)
    made.filters["sentence"] = lambda text: _capital(text.in_(words.lang))
    made.filters["points"] = lambda value: f"{value:g}"
    made.filters["thousands"] = lambda value: f"{value:,}"
    made.filters["visible"] = visible
    # A macro that a large table calls with the same few values.
    made.filters["once"] = cache
    return made


def _shown_words(words: Words) -> tuple[Callable[..., Markup], Callable[..., Markup]]:
    """What Jinja's own newstyle callables do, where every page escapes: a large table says the same words a thousand times."""

    @lru_cache(4096)
    def plain(message: str) -> Markup:
        return Markup(words.gettext(message)) % {}  # noqa: S704  the catalogue's own words

    def gettext(message: str, /, **values: Any) -> Markup:
        return Markup(words.gettext(message)) % values if values else plain(message)  # noqa: S704

    def ngettext(singular: str, plural: str, count: int, /, **values: Any) -> Markup:
        return Markup(words.ngettext(singular, plural, count)) % {"num": count, **values}  # noqa: S704

    return gettext, ngettext


def _capital(text: str) -> str:
    """The grader's English texts are parts of a sentence; here each stands on its own."""
    return text[:1].upper() + text[1:]
