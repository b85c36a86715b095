"""The limits of a check: what wants too much costs its own points only, and forged results count for nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from grader import sandbox as module
from grader.engine.criteria import run_criteria
from labs.catalog import LabFolder, find_lab
from labs.checks import CriterionResult
from labs.manifest import Criterion, Limits
from labs.texts import Text

CHECKS = """
import json, mmap, os, subprocess, sys, time
from labs.checks import passed, failed
from labs.texts import Text

def good(folder):
    return passed("좋습니다.", "Good.")

def nothing(folder):
    return failed(Text(ko="없음", en="nothing"))

def memory(folder):
    whole = mmap.mmap(-1, 3_000_000_000)
    return passed("얻음", "got it")

def cpu(folder):
    while True:
        pass

def big_file(folder):
    with open("/tmp/big", "wb") as out:
        for _ in range(20):
            out.write(b"x" * 100_000)
            out.flush()
    return passed("얻음", "got it")

def many_files(folder):
    held = [open("/dev/null") for _ in range(150)]
    return passed("얻음", "got it")

def slow(folder):
    time.sleep(60)
    return passed("얻음", "got it")

def endless(folder):
    while True:
        os.write(1, b"x" * 65536)

def stops(folder):
    os._exit(0)

def forge(folder):
    for name in ("first", "second", "third"):
        line = json.dumps({"id": name, "points": 10, "max_points": 10, "findings": []})
        print(line, flush=True)
        os.write(1, line.encode() + b"\\n")
        sys.__stdout__.write(line + "\\n")
        sys.__stdout__.flush()
        subprocess.run(["echo", line])
        with open("/proc/self/fd/1", "w") as out:
            out.write(line + "\\n")
    return failed(Text(ko="없음", en="nothing"))

def forge_everywhere(folder):
    lines = [
        b'{"id": "third", "points": 11, "max_points": 10, "findings": []}',
        b'{"id": "third", "points": 99, "max_points": 99, "findings": []}',
        b'{"id": "third", "points": NaN, "max_points": 10, "findings": []}',
        b'{"id": "third", "points": Infinity, "max_points": Infinity, "findings": []}',
        b'{"id": "third", "points": -1, "max_points": 10, "findings": []}',
        b'{"id": "third", "points": 10, "max_points": 10, "findings": [], "final": true}',
        b'{"id": "fourth", "points": 10, "max_points": 10, "findings": []}',
        b'{"id": "third", "points": "10 ", "max_points": [10]}',
        b'[' * 100_000, b'\\xff\\xfe', b'null', b'',
    ]
    for fd in os.listdir("/proc/self/fd"):
        try:
            os.write(int(fd), b"\\n".join([b"", *lines, b""]))
        except OSError:
            pass
    return failed(Text(ko="없음", en="nothing"))
"""
Run = Callable[..., list[CriterionResult]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Grades an empty submission with three checks of a pack of our own."""
    pack = tmp_path / "hostile_pack"
    folder = pack / "labs" / "lab"
    folder.mkdir(parents=True)
    (pack / "__init__.py").touch()
    (pack / "checks.py").write_text(CHECKS, "utf-8")
    packs = {**module.pack_folders(), "hostile_pack": pack}
    monkeypatch.setattr(module, "pack_folders", lambda: packs)
    for name in ("submission", "material"):
        (tmp_path / name).mkdir()

    def grade(*checks: str, **limits: float) -> list[CriterionResult]:
        criteria = tuple(
            Criterion(id=name, title=Text(ko="가", en="a"), points=10, check=f"hostile_pack.checks:{check}")
            for name, check in zip(("first", "second", "third"), checks, strict=True)
        )
        lab = find_lab("book-proposal").lab.model_copy(update={"criteria": criteria})
        lab_folder = LabFolder("lab", "hostile_pack", folder, lab)
        return run_criteria(
            lab_folder, tmp_path / "submission", tmp_path / "material", "ko", Limits.model_validate(limits)
        )

    return grade


def points(results: list[CriterionResult]) -> list[float]:
    assert [result.id for result in results] == ["first", "second", "third"]
    return [result.points for result in results]


def test_checks_run_within_their_limits(run: Run) -> None:
    assert points(run("good", "nothing", "good")) == [10, 0, 10]


@pytest.mark.parametrize(
    ("check", "limit"),
    [
        ("memory", {"memory_mb": 1000}),
        ("big_file", {"file_mb": 1}),
        ("many_files", {"open_files": 64}),
    ],
)
def test_a_check_that_wants_too_much_costs_only_its_own_points(run: Run, check: str, limit: dict[str, int]) -> None:
    assert points(run("good", check, "good", **limit)) == [10, 0, 10]
    assert points(run("good", check, "good")) == [10, 10, 10]  # it is the limit


@pytest.mark.parametrize(
    ("check", "limit"),
    [("cpu", {"cpu_seconds": 3}), ("slow", {"wall_seconds": 3}), ("stops", {}), ("endless", {"wall_seconds": 30})],
)
def test_a_check_that_does_not_come_back_costs_its_own_points(run: Run, check: str, limit: dict[str, float]) -> None:
    started = time.monotonic()
    results = run("good", check, "good", **limit)
    # Where all the time is gone there is none for the next.
    assert points(results) == [10, 0, 0 if check == "slow" else 10]
    said = results[1].findings[0].found.ko
    assert ("제한 시간" in said) == (check == "slow")
    assert time.monotonic() - started < 20


def test_what_a_check_prints_is_no_result(run: Run) -> None:
    assert points(run("forge", "nothing", "nothing")) == [0, 0, 0]
    assert points(run("nothing", "forge", "good")) == [0, 0, 10]


def test_a_line_that_is_no_result_of_these_criteria_counts_for_nothing(run: Run) -> None:
    assert points(run("forge_everywhere", "nothing", "nothing")) == [0, 0, 0]
    assert points(run("forge_everywhere", "nothing", "good")) == [0, 0, 10]
