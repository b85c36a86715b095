"""What makes nbgrader quick: importing only what grading needs, and checking its schema once instead of at every cell.

The rule: nothing here changes what nbgrader does. `import nbgrader` loads its server extensions and with them all of Jupyter
Server, some tenths of a second.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

#: Packages whose own `__init__` is passed over; what is below them is imported as ever.
BARE = ("nbgrader", "nbgrader.converters")


def import_lightly() -> None:
    """Prepare this process for grading; one that has imported nbgrader stays as it is."""
    _defer("setuptools.archive_util", ("unpack_archive", "unpack_tarfile", "unpack_zipfile"))
    path = None
    for name in BARE:
        if name not in sys.modules:
            spec = PathFinder.find_spec(name, path)
            if spec is None or spec.submodule_search_locations is None:
                return
            module = sys.modules[name] = module_from_spec(spec)
            module.__path__ = spec.submodule_search_locations
        path = list(sys.modules[name].__path__)


def _defer(name: str, functions: tuple[str, ...]) -> None:
    """Put a module's functions in its place, which import it when one of them is called: nbgrader does so for uploads only."""
    module = ModuleType(name)

    def called(function: str, *args: Any, **more: Any) -> Any:
        if sys.modules.get(name) is module:
            del sys.modules[name]
        return getattr(import_module(name), function)(*args, **more)

    for function in functions:
        setattr(module, function, partial(called, function))
    sys.modules.setdefault(name, module)


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
