"""Importing of nbgrader only what grading needs.

The rule: nothing here changes what nbgrader does. `import nbgrader` loads its server extensions and with them all of Jupyter
Server, and jsonschema builds a grammar for addresses that no notebook has: three quarters of the time until the first grade.
"""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec

#: Packages whose own `__init__` is passed over; what is below them is imported as ever.
BARE = ("nbgrader", "nbgrader.converters")


def import_lightly() -> None:
    """Prepare this process for grading; one that has imported nbgrader stays as it is."""
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # an optional part of jsonschema
    path = None
    for name in BARE:
        if name not in sys.modules:
            spec = PathFinder.find_spec(name, path)
            if spec is None or spec.submodule_search_locations is None:
                return
            module = sys.modules[name] = module_from_spec(spec)
            module.__path__ = spec.submodule_search_locations
        path = list(sys.modules[name].__path__)
