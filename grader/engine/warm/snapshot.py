"""What tests stand on, as it was before any code of a submission ran: callables and classes of the guarded modules.

The rule: a snapshot is made of tuples only, so that code of a submission that finds it cannot change it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from types import FunctionType, ModuleType
from typing import Any

#: Modules whose callables every test stands on.
ALWAYS = ("builtins", "os", "posix", "io", "_io", "json", "math", "operator", "functools", "itertools", "random", "re",
          "unittest", "unittest.case", "traceback")  # fmt: skip


def snapshot_of(names: Iterable[str]) -> tuple[Any, ...]:
    """Snapshot modules and what is loaded below them: (modules, functions, classes, import path)."""
    modules = _modules((*ALWAYS, *names))
    callables = tuple((module.__dict__, name, module, _callables(vars(module))) for name, module in modules)
    functions: dict[int, tuple[Any, ...]] = {}
    classes: dict[int, tuple[Any, ...]] = {}
    for _dict, name, _module, items in callables:
        for _key, value in items:
            if isinstance(value, FunctionType):
                functions[id(value)] = (value, value.__code__, value.__defaults__, value.__kwdefaults__)
            elif isinstance(value, type) and value.__flags__ & (1 << 9) and value.__module__.startswith(name):
                # A type of the heap: others cannot be changed.
                classes[id(value)] = (value, _callables(vars(value)))
    return callables, tuple(functions.values()), tuple(classes.values()), (tuple(sys.meta_path), tuple(sys.path_hooks))


def _modules(names: Iterable[str]) -> tuple[tuple[str, ModuleType], ...]:
    wanted = set(names)
    below = tuple(f"{name}." for name in wanted if name not in ALWAYS)
    return tuple(
        (name, module)
        for name, module in sorted(sys.modules.items())
        if isinstance(module, ModuleType) and (name in wanted or name.startswith(below))
    )


def _callables(space: Any) -> tuple[tuple[str, Any], ...]:
    """What can be called, and modules; data changes of itself, and stays as the notebook left it."""
    return tuple((key, value) for key, value in space.items()
                 if callable(value) or isinstance(value, (ModuleType, staticmethod, classmethod, property)))  # fmt: skip
