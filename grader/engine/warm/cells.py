"""Cells on their way to the child: parsed, split into statements and compiled here, where no code of a submission runs.

The rule: a locked cell goes as compiled statements, each of which has to end; what a learner may edit goes as text.
"""

from __future__ import annotations

import ast
import builtins
import marshal
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager

GUARD = Path(__file__).with_name("guard.py")
BUILTINS = frozenset(vars(builtins))
SHELL = "grader.engine.warm.shell"


@dataclass(frozen=True)
class Assignment:
    """What an instructor's source notebook tells: what it imports, which builtins it names anew, whether it patches."""

    imports: tuple[str, ...] = ()
    guarded: tuple[str, ...] = ()
    given: frozenset[str] = frozenset()
    patches: bool = False

    @classmethod
    def of(cls, sources: Iterable[tuple[str, bool]]) -> Assignment:
        """Read it from code cells: (source, is it locked)."""
        imports: set[str] = set()
        guarded: set[str] = set()
        given: set[str] = set()
        modules: set[str] = set()
        trees = [(parse(source), locked) for source, locked in sources]
        for tree, locked in trees:
            names = _imported(tree)
            modules |= set(names)
            imports |= {*names.values()}
            guarded |= {*names.values()} if locked else set()
            given |= _bound(tree)
        patches = any(locked and _patches(tree, modules) for tree, locked in trees)
        return cls(tuple(sorted(imports)), (*sorted(guarded), SHELL), frozenset(given) & BUILTINS, patches)


@dataclass(frozen=True)
class Statements:
    """A locked cell, compiled: its statements, and its last expression where its value is shown."""

    codes: tuple[CodeType, ...] = ()
    value: CodeType | None = None
    quiet: bool = False
    error: SyntaxError | None = field(default=None)

    @property
    def count(self) -> int:
        return len(self.codes) + (self.value is not None)


def transformed(source: str) -> str:
    """A cell's source without IPython's own notation."""
    return str(TransformerManager().transform_cell(source))


def parse(source: str) -> ast.Module:
    """A cell's syntax tree; an empty one where it is no Python."""
    try:
        return ast.parse(transformed(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module([], [])


def compile_cell(source: str, name: str) -> Statements:
    """Compile a locked cell, statement by statement as IPython does."""
    try:
        tree = ast.parse(transformed(source), name)
        body = list(tree.body)
        last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
        value = compile(ast.Expression(last.value), name, "eval") if isinstance(last, ast.Expr) else None
        codes = tuple(compile(ast.Module([node], []), name, "exec") for node in body)
    except SyntaxError as error:
        return Statements(error=error)
    return Statements(codes, value, quiet=source.rstrip().endswith(";"))


def guarded_message(statements: Statements, options: dict[str, Any]) -> bytes:
    """What the child gets for a locked cell."""
    return _framed((_guard(), "guarded", statements.codes, statements.value, {**options, "quiet": statements.quiet}))


def open_message(options: dict[str, Any]) -> bytes:
    """What the child gets for a cell that a learner may edit."""
    return _framed((_guard(), "open", (), None, {**options, "quiet": False}))


def _framed(order: tuple[Any, ...]) -> bytes:
    payload = marshal.dumps(order)
    return len(payload).to_bytes(4, "big") + payload


@cache
def _guard() -> CodeType:
    return compile(GUARD.read_text("utf-8"), "<guard>", "exec", dont_inherit=True)


def _imported(tree: ast.Module) -> dict[str, str]:
    """Names that a cell imports, and the module that each comes from."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {(alias.asname or alias.name.split(".")[0]): alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {(alias.asname or alias.name): node.module for alias in node.names}
    return found


def _bound(tree: ast.Module) -> set[str]:
    """Names that a cell gives a value."""
    found: set[str] = set(_imported(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
    return found


def _patches(tree: ast.Module, modules: set[str]) -> bool:
    """Whether a cell sets an attribute of what it imports, as `builtins.input = ...`."""
    targets = [n.value for n in ast.walk(tree) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)]
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
    targets += [n.args[0] for n in calls if getattr(n.func, "id", "") in ("setattr", "delattr") and n.args]
    return any(isinstance(root, ast.Name) and root.id in modules for root in map(_root, targets))


def _root(node: ast.expr) -> ast.expr:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node
