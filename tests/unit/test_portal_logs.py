"""The log of grading a submission: what is shown of hostile text, how much, and of whom."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import os
from pathlib import Path

import pytest
from test_portal_world import COURSE, PREFIX, SCRIPT, World, seeded_records, world

from grader.similarity.result import Comparison, comparison_file, read_comparison
from hub_config.portal.logs import MOST_BYTES, log_file, read_log

LAB = f"{PREFIX}class/{COURSE}/labs/rough-cut"


def test_a_log_is_shown_as_text_with_what_hides_spelled_out(world: World) -> None:
    world.log(
        "mina",
        f"frames: 12\n{SCRIPT}\n\x1b[31mred\x1b[0m \u202eevil\n한글 로그 \ud800".encode("utf-8", "replace").decode(),
    )
    page = world.browser("teacher").get(f"{LAB}/log/mina").text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert SCRIPT not in page
    assert "[U+001B][31mred" in page
    assert "[U+202E]evil" in page
    assert "한글 로그" in page
    assert "김미나" in page


def test_of_a_huge_log_the_end_is_shown_and_what_is_left_out_is_told(world: World) -> None:
    world.log("mina", "처음\n" + "x" * 300_000 + "\n맨 끝")
    page = world.browser("teacher").get(f"{LAB}/log/mina").text
    assert len(page) < MOST_BYTES + 20_000
    assert "맨 끝" in page
    assert "처음" not in page
    assert "바이트는 생략했습니다" in page


def test_a_link_to_the_log_stands_only_where_there_is_one(world: World) -> None:
    world.log("mina", "checked")
    page = world.browser("teacher").get(LAB).text
    assert f'href="{LAB}/log/mina"' in page
    assert "/log/jun" not in page
    assert world.browser("teacher").get(f"{LAB}/log/jun").status_code == 404
    assert "채점 로그가 없습니다" in world.browser("teacher").get(f"{LAB}/log/jun").text


@pytest.mark.parametrize("learner", ["stranger", "%2e%2e", "..%2fmina", "..%2f..%2flogs%2fmina", "mina%00", "%2e", "*"])
def test_only_the_rosters_names_lead_to_a_file(world: World, learner: str) -> None:
    world.log("mina", "checked")
    world.log("stranger", "somebody who is not in the course")
    assert world.browser("teacher").get(f"{LAB}/log/{learner}").status_code == 404


def test_a_lab_that_the_course_has_not_and_a_portal_without_courses(world: World) -> None:
    world.log("mina", "checked", lab="book-proposal")
    assert world.browser("teacher").get(f"{PREFIX}class/{COURSE}/labs/book-proposal/log/mina").status_code == 404
    world.log("mina", "checked")
    world.start(courses_folder=None)
    assert world.browser("teacher").get(f"{LAB}/log/mina").status_code == 404
    assert world.browser("teacher").get(LAB).status_code == 200
    assert world.browser("teacher").get(f"{LAB}/similar").status_code == 200


def test_links_and_pipes_are_not_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    logs = tmp_path / "c" / "logs"
    (logs / "ann").mkdir(parents=True)
    (logs / "ann" / "linked.log").symlink_to(secret)
    os.mkfifo(logs / "ann" / "pipe.log")
    (logs / "ann" / "real.log").write_text("real")
    (logs / "bob").symlink_to(logs / "ann")
    for lab, learner in (("linked", "ann"), ("pipe", "ann"), ("real", "bob"), ("real", "../logs/ann")):
        assert read_log(tmp_path, "c", lab, learner) is None, (lab, learner)
    assert log_file(tmp_path, "c", "real", "ann") is not None
    # An instructor's server can write the course's folder: it must not open another course's.
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "logs").symlink_to(logs)
    (tmp_path / "mine" / "similar").symlink_to(tmp_path / "c" / "similar")
    assert read_log(tmp_path, "mine", "real", "ann") is None
    theirs = comparison_file(tmp_path / "c", "real")
    theirs.parent.mkdir()
    theirs.write_text(Comparison(lab="real", receipts={}).model_dump_json())
    assert read_comparison(tmp_path / "c", "real") is not None
    assert read_comparison(tmp_path / "mine", "real") is None
