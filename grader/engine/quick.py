"""What makes nbgrader quick: importing only what grading needs, and checking its schema once instead of at every cell.

The rule: nothing here changes what nbgrader does. `import nbgrader` loads its server extensions and with them all of Jupyter
Server, and jsonschema builds a grammar for addresses that no notebook has: three quarters of the time until the first grade.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

#: Packages whose own `__init__` is passed over; what is below them is imported as ever.
BARE = ("nbgrader", "nbgrader.converters")


def import_lightly() -> None:
    """Prepare this process for grading; one that has imported nbgrader stays as it is."""
    without_grammar()
    path = None
    for name in BARE:
        if name not in sys.modules:
            spec = PathFinder.find_spec(name, path)
            if spec is None or spec.submodule_search_locations is None:
                return
            module = sys.modules[name] = module_from_spec(spec)
            module.__path__ = spec.submodule_search_locations
        path = list(sys.modules[name].__path__)


@contextmanager
def validating_quickly() -> Iterator[None]:
    """While this lasts, nbgrader's marks are validated by validators whose schema was checked once."""
    known: dict[int, Any] = {}
    with patch("nbgrader.nbgraderformat.common.jsonschema", SimpleNamespace(validate=partial(_validate, known))):
        yield


def _validate(known: dict[int, Any], instance: Any, schema: dict[str, Any]) -> None:
    """What `jsonschema.validate` does."""
    from jsonschema.exceptions import best_match
    from jsonschema.validators import validator_for

    if id(schema) not in known:
        kind = validator_for(schema)
        kind.check_schema(schema)
        known[id(schema)] = kind(schema)
    if error := best_match(known[id(schema)].iter_errors(instance)):
        raise error


def without_grammar() -> None:
    """Leave out what jsonschema reads addresses with, an optional part of it: a second and a half."""
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
