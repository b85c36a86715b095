"""What a hidden test says is hunted in everything that a learner can fetch, and in nbgrader's own page, where it is found."""

from __future__ import annotations

import base64
import codecs
import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import nbformat
import pytest
from grading_course import GradingCourse, graded_cell, grading_course, notebook, solution_cell, text
from nbformat.v4 import new_code_cell
from nbgrader.api import Gradebook
from small_course import COURSE
from sqlalchemy import Engine

from grader.engine.grade import release_feedback
from grader.feedback import Feedback
from grader.nbgrader_setup import course_api

LAB = "squares"
CANARY = "canary-5d1f"
HIDDEN = f"### BEGIN HIDDEN TESTS\nassert f(-3) == 9, '{CANARY}'\n### END HIDDEN TESTS"
RIGHT = "def f(n):\n    return n * n"
#: Reads the text of the test that calls it, as well as it can.
READ = """
import inspect, linecache, sys
def stolen():
    found, frame = set(), sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if "hidden" in code.co_filename or "ipython-input" in code.co_filename:
            found |= {repr(code.co_consts), "".join(linecache.getlines(code.co_filename))}
            try:
                found.add(inspect.getsource(code))
            except (OSError, TypeError):
                pass
        frame = frame.f_back
    found.add(repr(globals().get("In"))[-2000:])
    return "\\n".join(text for text in found if "def stolen" not in text)
"""
PRINTS = (READ + "def f(n):\n    print(stolen())\n    return n * n",)
KEEPS = (
    READ + "kept = []\ndef f(n):\n    kept.append(stolen())\n    return n * n",
    "import base64, codecs; text = '\\n'.join(kept)\nprint(base64.b64encode(text.encode()).decode())\n"
    "print(codecs.encode(text, 'rot13')); print(text[::-1])",
)
WRITES = (
    READ + "def f(n):\n    open('seen.txt', 'a').write(stolen())\n    return n * n",
    "print(open('seen.txt').read())",
)
RAISES = (READ + "def f(n):\n    raise ValueError(stolen())",)
NAMES = (READ + "def f(n):\n    raise type(stolen()[:4000].replace('\\0', ''), (Exception,), {})()",)
SHOWS = (
    READ + "class Odd(int):\n    def __eq__(self, other):\n        return False\n    __hash__ = None\n"
    "    def __repr__(self):\n        return stolen()\ndef f(n):\n    return Odd(n)",
    "print(repr(f(1)))",
)
WARNS = (READ + "import warnings\ndef f(n):\n    warnings.warn(stolen())\n    return n * n",)
DRAWS = (
    READ
    + "from IPython.display import display, HTML, Markdown\ndef f(n):\n    display(HTML('<b>' + stolen() + '</b>'))\n"
    "    display(Markdown(stolen()))\n    return n * n",
)
CALLS_BACK = (
    READ + "kept = []\ndef f(n):\n    kept.append(stolen())\n    return n * n\nimport threading, time\n"
    "def later():\n    while True:\n        time.sleep(0.05)\n        print('\\n'.join(kept), flush=True)\n"
    "threading.Thread(target=later, daemon=True).start()",
    "import time; time.sleep(0.2)",
)
#: Moves what cell 0 shows by its display_id, after the test.
REDRAWS = (
    READ + "from IPython.display import display\nhandle = display('nothing yet', display_id='d')\nkept = []\n"
    "def f(n):\n    kept.append(stolen()); handle.update(kept[-1])\n    return n * n",
    "handle.update('\\n'.join(kept))",
)
ATTACKS = {"prints": PRINTS, "keeps": KEEPS, "writes": WRITES, "raises": RAISES, "names": NAMES, "shows": SHOWS,
           "warns": WARNS, "draws": DRAWS, "thread": CALLS_BACK, "redraws": REDRAWS}  # fmt: skip


class Dangers(HTMLParser):
    """What of a page a browser would run, of what somebody wrote."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_script = tag == "script"
        self.found += [f"{tag} {name}={value}" for name, value in attrs
                       if name.startswith("on") or "javascript:" in (value or "")]  # fmt: skip

    def handle_data(self, data: str) -> None:
        if self._in_script and "alert" in data:
            self.found.append(data)


#: What the engine does not do: a cell that ended cannot be redrawn.
NOTHING_READ = {"redraws"}


def outputs(course: GradingCourse) -> str:
    """What ann's cells put out, as it is kept for the instructor: the attack works where nobody withholds it."""
    kept = nbformat.read(course.root / "autograded" / "ann" / LAB / f"{LAB}.ipynb", as_version=4)
    return "".join(json.dumps(cell.outputs) for cell in kept.cells if cell.cell_type == "code")


@pytest.fixture
def course(tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[GradingCourse]:
    for name in ("PRACTICUM_RECORDS_URL", "PRACTICUM_RECORDS_TOKEN", "PRACTICUM_LANG"):
        monkeypatch.setenv(name, "")
    with grading_course(tmp_path, engine) as made:
        yield made


def squares() -> Any:
    return notebook(
        solution_cell("f", "### BEGIN SOLUTION\ndef f(n):\n    return n * n\n### END SOLUTION"),
        graded_cell("visible", "assert f(2) == 4"),
        graded_cell("hidden", HIDDEN),
        text("More."),
        graded_cell("after", "assert f(1) == 1"),
    )


def hand_in(course: GradingCourse, who: str, source: str, later: str = "") -> str:
    """The answer, and a cell after the tests."""
    page = course.released(LAB)
    page.cells[0].source = source
    if later:
        page.cells.append(new_code_cell(later))
    return course.hand_in(who, LAB, {f"{LAB}.ipynb": page})


def get(course: GradingCourse, token: str, path: str) -> httpx.Response:
    headers = {"Authorization": f"token token-{token}"}
    return httpx.get(f"{course.api}/courses/{COURSE}/{path}", headers=headers, trust_env=False)


def fetched(course: GradingCourse, who: str) -> dict[str, str]:
    """Everything that a learner can fetch."""
    found = {"labs": get(course, who, "labs").text, "receipts": get(course, who, f"labs/{LAB}/submissions").text}
    for file in get(course, who, "labs").json()[-1]["manifest"]["files"]:
        found[file["path"]] = get(course, who, f"labs/{LAB}/release/{file['sha256']}").text
    for receipt in get(course, who, f"labs/{LAB}/submissions").json():
        for part in ("html", "results"):
            found[f"{receipt['id']} {part}"] = get(course, who, f"submissions/{receipt['id']}/feedback/{part}").text
    return found


def tells(said: str) -> bool:
    """Whether a text has the canary in it, plainly or turned round."""
    forms = (CANARY, CANARY[::-1], codecs.encode(CANARY, "rot13"), CANARY.encode().hex())
    inside = [base64.b64encode(b" " * shift + CANARY.encode())[4:-4].decode() for shift in range(3)]
    return any(form in said for form in (*forms, *inside))


def told(course: GradingCourse, who: str, receipt: str) -> Feedback:
    return Feedback.model_validate_json(get(course, who, f"submissions/{receipt}/feedback/results").text)


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_word_of_a_hidden_test_reaches_a_learner(course: GradingCourse, attack: str) -> None:
    course.assign(LAB, squares())
    receipt = hand_in(course, "ann", *ATTACKS[attack])
    assert course.grade(LAB)[0].graded == 1
    assert tells(outputs(course)) is (attack not in NOTHING_READ)
    assert release_feedback(course.root, COURSE, LAB).graded == 1
    everything = fetched(course, "ann")
    assert f"{receipt} html" in everything
    assert "Score" in everything[f"{receipt} html"]
    assert [name for name, said in everything.items() if tells(said)] == []


def test_a_friend_cannot_be_left_the_text(course: GradingCourse) -> None:
    """What one submission puts into the kernel's shared memory is gone before the next one runs in the same sandbox."""
    memory = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
number = libc.shmget(4711, 65536, FLAGS)
key = libc.syscall(250, 10, -4, b"user", b"left", 0)
print("FOUND", number >= 0, key >= 0)
"""
    leave = """
def f(n):
    text = stolen().encode()[:9000]
    if n == -3:
        ctypes.memmove(libc.shmat(number, None, 0), text, len(text))
        libc.syscall(248, b"user", b"left", text, len(text), -4)
    return n * n
"""
    look = """
if number >= 0:
    print(ctypes.string_at(libc.shmat(number, None, 0)).decode())
if key >= 0:
    buffer = ctypes.create_string_buffer(9000)
    libc.syscall(250, 11, key, buffer, 9000)
    print(buffer.raw.decode())
def f(n):
    return n * n
"""
    course.assign(LAB, squares())
    hand_in(course, "ann", READ + memory.replace("FLAGS", "0o1666") + leave)
    receipt = hand_in(course, "bob", memory.replace("FLAGS", "0") + look)
    assert course.grade(LAB, workers=1)[0].graded == 2
    release_feedback(course.root, COURSE, LAB)
    everything = fetched(course, "bob")
    assert "FOUND False False" in everything[f"{receipt} html"]
    assert [name for name, said in everything.items() if tells(said)] == []


@pytest.mark.parametrize(
    "attack", ["prints", *(pytest.param(attack, marks=pytest.mark.long) for attack in ("keeps", "raises", "writes"))]
)
def test_what_stock_nbgraders_page_tells(course: GradingCourse, attack: str) -> None:
    """The same submissions, graded and shown by nbgrader as it is installed."""
    course.assign(LAB, squares(), stock=True)
    hand_in(course, "ann", *ATTACKS[attack])
    course.stock_grade(LAB)
    assert course.stock_api().generate_feedback(LAB, "ann", force=True)["success"]
    page = (course.stock_root / "feedback" / "ann" / LAB / f"{LAB}.html").read_text("utf-8")
    assert tells(page)


def test_formgraders_own_button_makes_the_same_page(course: GradingCourse) -> None:
    course.assign(LAB, squares())
    hand_in(course, "ann", *KEEPS)
    course.grade(LAB)
    assert course_api(course.root, COURSE).generate_feedback(LAB, "ann", force=True)["success"]
    page = (course.root / "feedback" / "ann" / LAB / f"{LAB}.html").read_text("utf-8")
    assert "숨은 테스트" in page
    assert not tells(page)


def test_the_instructor_still_sees_everything(course: GradingCourse) -> None:
    course.assign(LAB, squares())
    hand_in(course, "ann", *PRINTS)
    course.grade(LAB)
    assert CANARY in (course.root / "autograded" / "ann" / LAB / f"{LAB}.ipynb").read_text("utf-8")


def test_each_test_says_what_it_may(course: GradingCourse) -> None:
    course.assign(LAB, squares())
    receipt = hand_in(course, "ann", "def f(n):\n    assert n != 2, 'two is too much'\n    return 0")
    course.grade(LAB)
    release_feedback(course.root, COURSE, LAB)
    rows = {row.id: row for row in told(course, "ann", receipt).criteria}
    assert list(rows) == ["visible", "hidden", "after"]  # in the notebook's order
    said = {name: row.findings[0].found.en for name, row in rows.items()}
    assert "AssertionError: two is too much" in said["visible"]
    assert said["hidden"] == "A hidden test failed."
    assert said["after"] == "The test failed."
    assert "테스트" in rows["hidden"].findings[0].found.ko
    page = get(course, "ann", f"submissions/{receipt}/feedback/html").text
    assert "two is too much" in page  # before the hidden test
    assert "숨은 테스트" in page


def test_another_notebook_after_a_hidden_test_is_withheld_too(course: GradingCourse) -> None:
    first = notebook(solution_cell("f", "def f(n):\n    return n"), graded_cell("t", HIDDEN))
    second = notebook(solution_cell("g", "g = 1"), graded_cell("t", "assert g == 1"))
    course.assign(LAB, {"one": first, "two": second})
    pages = {name: course.released(LAB, name) for name in ("one", "two")}
    pages["two"].cells[0].source = "g = 1\nprint('seen-in-two')"
    receipt = course.hand_in("ann", LAB, {f"{name}.ipynb": page for name, page in pages.items()})
    course.grade(LAB)
    release_feedback(course.root, COURSE, LAB)
    assert [(row.id, row.points) for row in told(course, "ann", receipt).criteria] == [("one:t", 0), ("two:t", 10)]
    page = get(course, "ann", f"submissions/{receipt}/feedback/html").text
    assert page.count("<title>") == 1
    assert page.count("Test cell</a>") == 2
    assert "seen-in-two</pre>" not in page
    assert "\nseen-in-two" not in page


def test_a_comment_reaches_the_learner_and_no_script_of_anybody(course: GradingCourse) -> None:
    essay = solution_cell("essay", "Your answer")
    essay.metadata.nbgrader.update(grade=True, points=10)
    course.assign(LAB, notebook(solution_cell("f", "f = 1"), graded_cell("t", "assert f"), essay))
    page = course.released(LAB)
    page.cells[0].source = (
        "from IPython.display import display, HTML, Javascript, SVG\nf = 1\n"
        "display(HTML('<img src=x onerror=alert(1)><script>alert(2)</script>'))\ndisplay(Javascript('alert(3)'))\n"
        'display(SVG(\'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(4)"></svg>\'))\n'
        "display({'image/png': 'x\" onerror=\"alert(5)'}, raw=True)"
    )
    page.cells.append(
        text("[x](javascript:alert(6)) <scr<script>ipt>alert(7)</script> `<b onclick=alert(8)>`\n\n# Title")
    )
    page.metadata["widgets"] = {
        "application/vnd.jupyter.widget-state+json": {"x": "</script><script>alert(9)</script>"}
    }
    receipt = course.hand_in("ann", LAB, {f"{LAB}.ipynb": page})
    course.grade(LAB)
    with Gradebook(f"sqlite:///{course.root}/gradebook.db", COURSE) as gradebook:
        for cell in ("essay", "f"):
            gradebook.find_comment(
                cell, LAB, LAB, "ann"
            ).manual_comment = f"**well** said <script>alert('{cell}')</script>"
        grade = gradebook.find_grade("essay", LAB, LAB, "ann")
        grade.manual_score, grade.needs_manual_grade = 7, False
        gradebook.db.commit()
    release_feedback(course.root, COURSE, LAB)
    shown = get(course, "ann", f"submissions/{receipt}/feedback/html").text
    assert "<strong>well</strong>" in shown
    assert "<h1" in shown
    dangers = Dangers()
    dangers.feed(shown)
    assert dangers.found == []
    rows = {row.id: row for row in told(course, "ann", receipt).criteria}
    assert (rows["f"].max_points, rows["essay"].points, "well" in rows["f"].comment) == (0, 7, True)


def test_another_learners_feedback_is_out_of_reach(course: GradingCourse) -> None:
    course.assign(LAB, squares())
    receipt = hand_in(course, "ann", RIGHT)
    course.grade(LAB)
    release_feedback(course.root, COURSE, LAB)
    for part in ("html", "results"):
        assert get(course, "ann", f"submissions/{receipt}/feedback/{part}").status_code == 200
        for other in ("bob", "zoe"):
            assert get(course, other, f"submissions/{receipt}/feedback/{part}").status_code in (403, 404)
    assert receipt not in get(course, "bob", f"labs/{LAB}/submissions").text
