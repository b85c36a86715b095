"""An instructor's own assignment on the portal: what is missing, handing it out, opening it, handing it in."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from test_portal_world import COURSE, PREFIX, World, seeded_records, world

from grader.own.sources import look_at
from grader.own.terms import OwnTerms
from grader.records import work
from grader.records.blobs import manifest_of
from grader.records.db import reading, writing
from grader.records.state import find_course
from grader.records.work import UnknownWork
from hub_config.courses import course_labs

PAGE = f"class/{COURSE}/assignments"
TERMS = OwnTerms(title_ko="제곱", title_en="Squares", minutes=30, pass_percent=70)
#: Writes down how it was called.
WRITES = """
import json, os, pathlib, sys
pathlib.Path(sys.argv[1]).write_text(json.dumps([os.environ["PRACTICUM_RECORDS_TOKEN"], *sys.argv[2:]]))
print('{"graded": 1, "finished": true}')
"""


def cell(grade_id: str = "t", source: str = "assert f(2) == 4", **marks: Any) -> dict[str, Any]:
    kind = {"grade": True, "solution": False, "locked": True, "points": 1, "grade_id": grade_id, **marks}
    return {
        "cell_type": "code",
        "metadata": {"nbgrader": kind},
        "source": source,
        "outputs": [],
        "execution_count": None,
    }


def write(root: Path, name: str, *cells: dict[str, Any], notebook: str = "squares", language: str = "python") -> Path:
    folder = root / "source" / name
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "cells": list(cells),
        "metadata": {"kernelspec": {"language": language, "name": "x"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (folder / f"{notebook}.ipynb").write_text(json.dumps(content))
    return folder


@pytest.fixture
def root(world: World) -> Path:
    folder = world.settings.courses_folder / COURSE
    folder.mkdir(parents=True)
    return folder


def troubles(root: Path, name: str = "squares") -> list[str]:
    return [problem.trouble for problem in look_at(root, name).problems]


def test_what_is_missing_is_named(root: Path) -> None:
    assert troubles(root, "nothing") == ["link"]
    folder = write(root, "squares", cell(), cell("t", "2"))
    assert troubles(root) == ["duplicate"]
    write(root, "squares", cell(grade=False))
    assert troubles(root) == ["no_grade_cell"]
    write(root, "squares", cell(source="### AUTOTEST f(2)"))
    assert troubles(root) == ["autotest"]
    write(root, "squares", cell(), language="R")
    assert troubles(root) == ["not_python"]
    (folder / "squares.ipynb").write_text("{")
    assert troubles(root) == ["unreadable"]
    (folder / "squares.ipynb").unlink()
    assert troubles(root) == ["no_notebook"]
    write(root, "squares", cell())
    assert troubles(root) == []
    for name in ("zu lang", "ünder", "-x", "rough-cut;x", "a" * 61):
        write(root, name, cell())
        assert troubles(root, name) == ["bad_name"], name


@pytest.mark.parametrize("name", ["..", ".", "", "../other", "a/b", "a\0b"])
def test_no_name_leads_out_of_the_folder(root: Path, name: str) -> None:
    write(root.parent / "other-1", "squares", cell())
    assert troubles(root, name) in (["link"], ["bad_name"])
    assert look_at(root, name).notebooks == ()


def test_a_link_is_named_and_not_followed(root: Path) -> None:
    secret = root.parent / "secret.ipynb"
    secret.write_text("{}")
    folder = write(root, "squares", cell())
    (folder / "more.ipynb").symlink_to(secret)
    (folder / "data").symlink_to(root.parent)
    found = look_at(root, "squares")
    assert sorted(p.where for p in found.problems) == ["data", "more.ipynb"]
    assert (found.notebooks, found.files) == (("squares.ipynb",), ())
    (root / "source" / "linked").symlink_to(folder)
    assert troubles(root, "linked") == ["link"]


def test_the_page_says_what_can_be_handed_out_and_what_is_missing(world: World, root: Path) -> None:
    write(root, "squares", cell())
    write(root, "empty", cell(grade=False))
    page = world.browser("teacher").get(PREFIX + PAGE).text
    assert "점수를 주는 칸이 없습니다." in page
    assert page.count(f'action="{PREFIX}{PAGE}/') == 1
    assert "squares.ipynb" in page
    assert "rough-cut" not in page.partition("<main")[2].partition('class="stack"')[2], "a pack's lab is not its own"


def waited(world: World, name: str = "squares") -> Any:
    for _ in range(200):
        run = world.site.runs.latest(COURSE, name)
        if run is not None and run.state != "running":
            return run
        time.sleep(0.02)
    raise AssertionError("the command did not end")


def test_handing_out_runs_a_command_with_what_was_typed(world: World, root: Path, tmp_path: Path) -> None:
    world.start(release_command=(sys.executable, "-c", WRITES, str(tmp_path / "called")))
    write(root, "squares", cell())
    browser = world.browser("teacher")
    form = {"title_ko": "--help 제곱", "minutes": "30", "pass_percent": "70", "required": "1"}
    answer = world.post(browser, f"{PAGE}/squares", "teacher", **form)
    assert answer.headers["location"] == f"{PREFIX}{PAGE}#squares"
    waited(world)
    called = json.loads((tmp_path / "called").read_text())
    assert called == [
        "token-teacher",
        "--title-ko=--help 제곱",
        "--title-en=--help 제곱",
        "--minutes=30",
        "--pass-percent=70",
        "--required",
        COURSE,
        "squares",
    ]
    assert "과제를 배포했습니다." in browser.get(PREFIX + PAGE).text


@pytest.mark.parametrize(
    "wrong", [{"title_ko": " "}, {"minutes": "0"}, {"minutes": "x"}, {"pass_percent": "101"}, {"title_ko": "a\nb"}]
)
def test_a_form_that_cannot_be_taken_is_shown_again(world: World, root: Path, wrong: dict[str, str]) -> None:
    write(root, "squares", cell())
    answer = world.post(world.browser("teacher"), f"{PAGE}/squares", "teacher", **{"title_ko": "제곱", **wrong})
    assert answer.status_code == 422
    assert "1~6000분" in answer.text
    assert world.site.runs.latest(COURSE, "squares") is None


def test_only_an_instructors_own_form_hands_out(world: World, root: Path) -> None:
    write(root, "squares", cell())
    write(root, "empty")
    for login in ("mina", "office", "stranger"):
        assert world.post(world.browser(login), f"{PAGE}/squares", login, title_ko="x").status_code == 403
    assert world.browser("teacher").post(f"{PREFIX}{PAGE}/squares", data={"title_ko": "x"}).status_code == 403
    for name in ("empty", "nothing", "%2e%2e", "rough-cut"):
        assert world.post(world.browser("teacher"), f"{PAGE}/{name}", "teacher", title_ko="x").status_code == 404, name
    assert world.site.runs.latest(COURSE, "squares") is None


def release(world: World, own: OwnTerms | None = TERMS, *names: str, lab: str = "squares") -> Any:
    files = [world.put(name, name.encode()) for name in names or ("squares.ipynb",)]
    with writing(world.engine) as session:
        run = find_course(session, COURSE)
        return work.release(
            session, run, lab, manifest_of(files), actor="grader", due_at=None, own=own, now=world.now
        ).payload


def test_the_records_make_the_lab_with_its_event_and_keep_it(world: World) -> None:
    with pytest.raises(UnknownWork, match="Own assignments"):
        release(world, None)
    told = release(world)
    assert (told["title_ko"], told["minutes"], told["pass_percent"], told["required"]) == ("제곱", 30, 70, False)
    changed = release(world, TERMS.model_copy(update={"pass_percent": 10}), "squares.ipynb", "data.csv")
    assert "pass_percent" not in changed
    with reading(world.engine) as session:
        row = work.lab_of(find_course(session, COURSE), "squares")
        assert (row.title_en, row.pass_percent, row.required) == ("Squares", 70, False)
        assert len(work.released(session, COURSE, "squares").payload["manifest"]["files"]) == 2  # type: ignore[union-attr]


def test_a_start_builds_the_packs_labs_and_leaves_an_instructors_own(world: World) -> None:
    release(world)
    settings = SimpleNamespace(records_database=str(world.engine.url))
    labs = {lab for _course, _lang, lab in course_labs(settings)}  # type: ignore[arg-type]
    assert "rough-cut" in labs
    assert "squares" not in labs


@pytest.mark.parametrize("lab", ["../x", "a b", "", "x" * 61, "book-proposal"])
def test_the_records_take_no_other_name(world: World, lab: str) -> None:
    with pytest.raises(UnknownWork):
        release(world, lab=lab)


def test_learners_see_open_and_hand_in_an_assignment_with_several_notebooks(world: World) -> None:
    release(world, TERMS, "two.ipynb", "one.ipynb", "data/table.csv")
    asked: list[str] = []

    def server(request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/user/mina/")
        if path == "/hub/api/users/mina":
            return httpx.Response(200, json={"servers": {"": {"ready": True, "pending": None}}})
        asked.append(path)
        if path == "api/contents/squares":
            return httpx.Response(200, json={"content": [{"name": "one.ipynb", "size": 10}]})
        if path.startswith("api/contents/"):
            return httpx.Response(200 if "assignments/fetch" in asked else 404, json={})
        return httpx.Response(200, json={"success": True, "value": []})

    world.answer = server
    browser = world.browser("mina")
    assert "제곱" in browser.get(f"{PREFIX}learn/{COURSE}").text
    opened = browser.get(f"{PREFIX}learn/{COURSE}/open/squares")
    assert opened.headers["location"] == "/user/mina/lab/tree/squares/one.ipynb"
    assert {"api/contents/squares/one.ipynb", "api/contents/squares/two.ipynb"} <= set(asked)
    page = browser.get(f"{PREFIX}learn/{COURSE}/hand-in/squares").text
    assert page.index("one.ipynb") < page.index("two.ipynb")
    assert page.count("badge good") == 1
    assert page.count("badge todo") == 1
