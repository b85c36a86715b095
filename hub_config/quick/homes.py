"""Modules that note a path below the home while they are imported: in a fork it is the home of its person.

The rule: the template imports with a home that is nobody's, so that whatever noted it is found, whichever module it is.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from typing import Any

from traitlets import TraitType

#: The template's home; there is no such folder.
NOBODYS = "/home/.nobody-practicum-template"
#: Where something is noted: in what, under which name, and what.
Noted = tuple[dict[str, Any], str, Any]


def noted() -> list[Noted]:
    """Everything that names the template's home by now."""
    return [(held, name, value) for held in _held() for name, value in list(held.items()) if _names(value)]


def move_in(found: list[Noted], home: str) -> None:
    """Put a home in the place of the template's."""
    for held, name, value in found:
        held[name] = _moved(value, home)


def _held() -> Iterator[dict[str, Any]]:
    this = globals()
    for found in gc.get_objects():
        # Some objects do not even let themselves be asked what they are.
        kind = type(found)
        if kind is dict and found is not this and found is not getattr(os.environ, "_data", None):
            yield found
            # A dictionary of nothing but texts is not kept in the collector's books.
            yield from (value for value in list(found.values()) if type(value) is dict and not gc.is_tracked(value))
        elif issubclass(kind, TraitType):
            yield vars(found)


def _names(value: Any) -> bool:
    # Not `isinstance`: a module that comes when somebody looks would come, and be in everybody's memory.
    kind = type(value)
    if issubclass(kind, str):
        return NOBODYS in value
    if issubclass(kind, bytes):
        return NOBODYS.encode() in value
    return kind in (list, tuple) and any(map(_names, value))


def _moved(value: Any, home: str) -> Any:
    if isinstance(value, str):
        return value.replace(NOBODYS, home)
    if isinstance(value, bytes):
        return value.replace(NOBODYS.encode(), home.encode())
    return type(value)(_moved(part, home) for part in value) if type(value) in (list, tuple) else value
