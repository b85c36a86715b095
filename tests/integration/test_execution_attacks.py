"""Notebooks that cheat, spy and break out: graded by the engine and, in the same test, by stock nbgrader, to see that they bite."""

from __future__ import annotations

import http.server
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grading_course import GradingCourse, graded_cell, grading_course, notebook, solution_cell
from nbformat.v4 import new_code_cell, new_markdown_cell
from sqlalchemy import Engine
from turns import few

LAB = "sums"
CANARY = "canary-5c1e"
#: Every wrong answer returns this.
WRONG = "def add(a, b):\n    return None\n"


@pytest.fixture
def course(tmp_path: Path, engine: Engine) -> Iterator[GradingCourse]:
    with grading_course(tmp_path, engine) as made:
        yield made


def sums(test: str = "assert add(2, 3) == 5") -> Any:
    return notebook(
        solution_cell("add", "def add(a, b):\n    ### BEGIN SOLUTION\n    return a + b\n    ### END SOLUTION"),
        graded_cell("visible", test),
        graded_cell("hidden", f"### BEGIN HIDDEN TESTS\nassert add(-1, 1) == 0, '{CANARY}'\n### END HIDDEN TESTS"),
    )


def attacked(course: GradingCourse, source: str, who: str = "bob") -> None:
    page = course.released(LAB)
    page.cells[0].source = source
    course.hand_in(who, LAB, {f"{LAB}.ipynb": page})


def ours(course: GradingCourse, who: str = "bob") -> float:
    summary, _ = course.grade(LAB)
    assert summary.failed == 0
    return sum(score or 0 for (name, *_), score in course.scores(LAB).items() if name == who)


def stock(course: GradingCourse, who: str = "bob") -> float:
    course.stock_grade(LAB)
    return sum(score or 0 for (name, *_), score in course.stock_scores(LAB).items() if name == who)


CHEATS = {
    "input transformer": "get_ipython().input_transformers_cleanup.append(lambda lines: ['10'])",
    "syntax tree transformer": """
import ast
class Nothing(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.Pass()
get_ipython().ast_transformers.append(Nothing())
""",
    "run_cell replaced": """
shell = type(get_ipython())
old = shell.run_code
async def skip(self, *a, **k):
    return False
shell.run_code = skip
""",
    "always equal": """
class Any:
    __eq__ = lambda self, other: True
def add(a, b):
    return Any()
""",
    "numpy.testing replaced": "import numpy.testing as t\nfor n in dir(t):\n    if n.startswith('assert'): setattr(t, n, lambda *a, **k: None)",
    "code of a tester replaced": """
import numpy.testing as t
def nothing(actual, desired, decimal=7, err_msg='', verbose=True):
    return None
f = t.assert_almost_equal
f = getattr(f, '__wrapped__', f)
f.__code__ = (lambda actual, desired, decimal=7, err_msg='', verbose=True: None).__code__
""",
    "unittest replaced": "import unittest\nunittest.TestCase.assertEqual = lambda *a, **k: None",
    "a builtin hidden": "def all(*a): return True",
    "a builtin replaced": "import builtins\nbuiltins.all = lambda *a: True",
    "tracing past the assertion": """
import sys
def add(a, b):
    frame = sys._getframe(1)
    last = max(l for *_, l in frame.f_code.co_lines() if l)
    def jump(f, event, arg):
        if f is frame and event == 'line' and f.f_lineno != last:
            f.f_lineno = last
        return jump
    frame.f_trace = jump
    sys.settrace(jump)
    return None
""",
    "leaving in the middle": "import os\ndef add(a, b):\n    os._exit(0)",
    "swallowed by a handler": "import sys\nget_ipython().set_custom_exc((Exception,), lambda *a, **k: [])",
}  # fmt: skip
#: The test cell that the cheat is aimed at, where it is not the plain one.
TESTS = {
    "numpy.testing replaced": "import numpy.testing\nnumpy.testing.assert_equal(add(2, 3), 5)",
    "code of a tester replaced": "import numpy.testing\nnumpy.testing.assert_almost_equal(add(2, 3), 5)",
    "unittest replaced": "import unittest\nunittest.TestCase().assertEqual(add(2, 3), 5)",
    "a builtin hidden": "assert all(result is not None for result in [add(2, 3)])",
    "a builtin replaced": "assert all(result is not None for result in [add(2, 3)])",
    "tracing past the assertion": "def check():\n    got = add(2, 3)\n    assert got == 5\n    return\n\ncheck()",
}
#: What stock nbgrader withstands too, or what no grader in the same process can: both are told apart here.
STOCK_HOLDS = {"leaving in the middle", "run_cell replaced", "swallowed by a handler"}
NOBODY_HOLDS = {"always equal"}


#: One of each kind; stock's half takes ten seconds for each.
@pytest.mark.parametrize("name", few(sorted(CHEATS), {"code of a tester replaced", "run_cell replaced"}))
def test_a_cheat_gains_nothing_here_and_full_marks_in_stock(course: GradingCourse, name: str) -> None:
    course.assign(LAB, sums(TESTS.get(name, "assert add(2, 3) == 5")), stock=True)
    attacked(course, WRONG + CHEATS[name])
    attacked(course, "def add(a, b):\n    return a + b", who="ann")
    assert ours(course) == (20 if name in NOBODY_HOLDS else 0)
    assert ours(course, "ann") == 20
    if name not in STOCK_HOLDS:
        assert stock(course) >= 10


SPIES = {
    "memory": """
import gc
for thing in gc.get_objects():
    if isinstance(thing, (str, bytes, dict, list, tuple)):
        try:
            if "canary-5" in str(thing)[:200000] and "gc.get_objects" not in str(thing)[:200000]: print("SEEN", str(thing)[-400:])
        except Exception: pass
""",
    "own process": """
import re
found = set()
for line in open("/proc/self/maps"):
    if " rw-p " not in line: continue
    a, b = (int(x, 16) for x in line.split()[0].split("-"))
    try:
        with open("/proc/self/mem", "rb") as mem:
            mem.seek(a)
            found |= set(re.findall(rb"canar[y]-5c1[e]", mem.read(b - a)))
    except (OSError, ValueError, OverflowError): pass
print("SEEN" if found else "nothing")
""",
    "other processes": """
import glob
for path in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline") + glob.glob("/proc/[0-9]*/mem") + glob.glob("/proc/[0-9]*/fd/*"):
    if "/self/" in path or path.split("/")[2] == str(__import__("os").getpid()): continue
    try:
        data = open(path, "rb").read(100_000_000)
        if b"canary" + b"-5c1e" in data: print("SEEN", path)
    except OSError: pass
""",
    # The course's folder first: the rest of a disk may be large, and stock's cell has thirty seconds.
    "disk": """
import os
def seen():
    for top in dict.fromkeys((os.path.abspath("../../.."), "/")):
        for folder, folders, names in os.walk(top):
            folders[:] = [f for f in folders if os.path.join(folder, f) not in ("/proc", "/sys", "/usr", "/dev")
                          and f not in ("site-packages", ".git", "node_modules", "lib-dynload")]
            for name in names:
                if name.endswith((".ipynb", ".db", ".json", ".log")):
                    try:
                        if b"canary" + b"-5c1e" in open(os.path.join(folder, name), "rb").read(): return f"SEEN {folder} {name}"
                    except OSError: pass
    return "nothing"
print(seen())
""",
}


@pytest.mark.parametrize("name", few(sorted(SPIES), set(SPIES) - {"disk"}))
def test_hidden_tests_cannot_be_read_before_they_run(course: GradingCourse, name: str) -> None:
    course.assign(LAB, sums(), stock=name == "disk")
    attacked(course, WRONG + SPIES[name])
    ours(course)
    page = (course.root / "autograded" / "bob" / LAB / f"{LAB}.ipynb").read_text("utf-8")
    assert "SEEN" not in _outputs_before_the_tests(page)
    if name == "disk":
        stock(course)
        seen = (course.stock_root / "autograded" / "bob" / LAB / f"{LAB}.ipynb").read_text("utf-8")
        assert "SEEN" in _outputs_before_the_tests(seen)


def _outputs_before_the_tests(page: str) -> str:
    return json.dumps(json.loads(page)["cells"][0]["outputs"])


def test_neighbours_gradebook_homes_and_network_are_out_of_reach(course: GradingCourse, tmp_path: Path) -> None:
    secret = tmp_path / "home-of-somebody"
    secret.write_text("secret-of-somebody")
    with serving_secret() as port, socket.socket(socket.AF_UNIX) as _:
        reach = f"""
import os, socket, urllib.request
tries = {{
 "gradebook": lambda: open({str(course.root / "gradebook.db")!r}, "rb").read(),
 "neighbour": lambda: open({str(course.root / "submitted" / "ann" / LAB / f"{LAB}.ipynb")!r}).read(),
 "source": lambda: open({str(course.root / "source" / LAB / f"{LAB}.ipynb")!r}).read(),
 "home": lambda: open({str(secret)!r}).read(),
 "passwords": lambda: open("/etc/shadow").read(),
 "loopback": lambda: urllib.request.urlopen("http://127.0.0.1:{port}/", timeout=2).read(),
 "metadata": lambda: socket.create_connection(("169.254.169.254", 80), timeout=2),
 "records": lambda: os.environ["PRACTICUM_RECORDS_TOKEN"],
 "write system": lambda: open("/usr/lib/left", "w"),
 "write root": lambda: open("/left", "w"),
 "write dev": lambda: open("/dev/left", "w"),
 "device": lambda: os.mknod("/tmp/disk", 0o600 | 0o060000, os.makedev(8, 0)),
 "ptrace": lambda: __import__("ctypes").CDLL(None).ptrace(0x4206, os.getppid(), 0, 0) == 0 or 1 / 0,
 "namespace": lambda: __import__("ctypes").CDLL(None).unshare(0x10000000) == 0 or 1 / 0,
}}
for name, reach in tries.items():
    try:
        reach()
        print("REACHED", name)
    except Exception as error:
        pass
"""
        course.assign(LAB, sums(), stock=True)
        attacked(course, "def add(a, b):\n    return a + b", who="ann")
        attacked(course, WRONG + reach)
        ours(course)
        page = (course.root / "autograded" / "bob" / LAB / f"{LAB}.ipynb").read_text("utf-8")
        assert "REACHED" not in _outputs_before_the_tests(page)
        stock(course)
        seen = _outputs_before_the_tests(
            (course.stock_root / "autograded" / "bob" / LAB / f"{LAB}.ipynb").read_text("utf-8")
        )
        assert [name for name in ("gradebook", "home", "loopback", "records") if f"REACHED {name}" not in seen] == []


def test_no_process_of_ours_can_be_taken_over(course: GradingCourse) -> None:
    """A sandbox serves many submissions: one that got at the channel of its template could receive the next one's."""
    course.assign(LAB, sums())
    take = """
import ctypes, os
libc, ours = ctypes.CDLL(None), [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if pid != os.getpid()]
for pid in ours:
    if libc.syscall(438, os.pidfd_open(pid), 0, 0) >= 0: print("TOOK its input", pid)  # pidfd_getfd
    try:
        open(f"/proc/{pid}/mem", "r+b").close()
        print("TOOK its memory", pid)
    except PermissionError:
        print("CLOSED", pid)
"""
    attacked(course, WRONG + take)
    ours(course)
    page = (course.root / "autograded" / "bob" / LAB / f"{LAB}.ipynb").read_text("utf-8")
    assert "TOOK" not in _outputs_before_the_tests(page)
    assert "CLOSED 1\\n" in _outputs_before_the_tests(page)


class serving_secret:
    """A service on this machine's loopback."""

    def __enter__(self) -> int:
        self._server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return int(self._server.server_address[1])

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def test_killing_the_template_or_everything_costs_only_oneself(course: GradingCourse) -> None:
    course.assign(LAB, sums())
    kill = "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\nos.kill(-1, signal.SIGKILL)"
    attacked(course, kill)
    for who in ("ann", "cat", "dan"):
        attacked(course, "def add(a, b):\n    return a + b", who=who)
    assert ours(course) == 0
    assert [ours(course, who) for who in ("ann", "cat", "dan")] == [20, 20, 20]


def test_writes_and_scripts_in_names_and_outputs(course: GradingCourse) -> None:
    """HTML and script in outputs, Markdown and names: nothing of it reaches an instructor's browser as such."""
    course.assign(LAB, sums(), stock=True)
    page = course.released(LAB)
    page.cells[0].source = "def add(a, b):\n    return a + b"
    show = "from IPython.display import HTML, display\ndisplay(HTML('<script>steal()</script><b>fine</b>'))"
    page.cells.insert(1, new_code_cell(show))
    page.cells.append(new_markdown_cell("<img src=x onerror=steal()> <script>steal()</script>"))
    names = {f"{LAB}.ipynb": page, "<script>steal()<.txt": b"x", "sub/deep/file.txt": b"x"}
    course.hand_in("bob", LAB, names)
    assert ours(course) == 20
    shown = _shown(course.root)
    assert "fine" in shown
    assert "<script>steal" not in shown
    assert "<img" not in shown
    stock(course)
    assert "<script>steal" in _shown(course.stock_root)


def _shown(root: Path) -> str:
    """What of a graded notebook a browser shows as HTML."""
    page = json.loads((root / "autograded" / "bob" / LAB / f"{LAB}.ipynb").read_text("utf-8"))
    return json.dumps([cell["source"] for cell in page["cells"] if cell["cell_type"] == "markdown"]
                      + [cell["outputs"] for cell in page["cells"] if cell["cell_type"] == "code"])  # fmt: skip


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("deep", b'{"cells": ' + b"[" * 200_000),
        ("huge", b'{"cells": [], "metadata": {"x": "' + b"y" * 30_000_000 + b'"}}'),
        ("no notebook", b"PK\x03\x04 not a notebook"),
        ("no cells", b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": 5}'),
        ("old", b'{"nbformat": 2, "nbformat_minor": 0, "metadata": {}, "worksheets": []}'),
        ("empty", b""),
    ],
)
def test_a_notebook_that_is_none_gets_a_reason_and_stops_nobody(course: GradingCourse, name: str, data: bytes) -> None:
    course.assign(LAB, sums())
    course.hand_in("bob", LAB, {f"{LAB}.ipynb": data})
    attacked(course, "def add(a, b):\n    return a + b", who="ann")
    assert ours(course) == 0
    assert ours(course, "ann") == 20
    receipt = json.loads((course.root / "submitted" / "bob" / LAB / "practicum-receipt.json").read_text("utf-8"))
    # nbformat can read an old and empty one: its tests are put back, and fail.
    assert ("notebook" in receipt["note"]) == (name != "old")
