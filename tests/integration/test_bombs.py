"""Small files that become large, and large ones that are put where grading looks: they cost what they have to, and stall nobody."""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from again_course import prepare
from grading_course import GradingCourse, graded_cell, grading_course, notebook, solution_cell
from small_course import COURSE
from sqlalchemy import Engine

from grader.client import RecordsClient
from grader.engine.collect import collect
from grader.engine.results import Results, results_file
from hub_config import assets
from labs.catalog import find_lab
from uiux_design.reference import build

LAB = find_lab("landing-wireframe")
READ_THE_PICTURE = ("contrast", "drawn-as-specified")
SPARSE_BYTES = 2_000_000_000
#: So long a run of two submissions may take, on a machine that does other things too.
SECONDS = 60


@pytest.fixture
def course(tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[GradingCourse]:
    monkeypatch.setenv("PRACTICUM_FONTS", str(assets.fonts()))
    monkeypatch.setenv("PRACTICUM_GATEWAY_URL", "")
    with grading_course(tmp_path, engine) as made:
        yield made


def png(width: int, height: int, data: bytes, *more: tuple[bytes, bytes]) -> bytes:
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)), *more, (b"IDAT", data), (b"IEND", b"")]
    framed = [struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def zeros(count: int) -> bytes:
    """So many zeros, packed."""
    packer, block = zlib.compressobj(1), bytes(1_000_000)
    return b"".join([*(packer.compress(block) for _ in range(count // len(block))), packer.flush()])


BOMBS = {
    "ann": ("more pixels than memory", lambda: png(60_000, 60_000, zeros(60_000 * 7_501))),
    "cat": ("a long text in it", lambda: png(390, 900, zeros(1_000_000), (b"zTXt", b"note\0\0" + zeros(400_000_000)))),
}


def test_a_decompression_bomb_costs_only_the_criteria_that_read_it(course: GradingCourse, tmp_path: Path) -> None:
    prepare(course, LAB.id)
    build("good", LAB.folder, tmp_path / "good", "ko")
    page = (course.root / "release" / LAB.id / f"{LAB.id}.ipynb").read_bytes()
    good = {path.name: path.read_bytes() for path in (tmp_path / "good").iterdir()} | {f"{LAB.id}.ipynb": page}
    course.hand_in("bob", LAB.id, good)
    for learner, (_what, made) in BOMBS.items():
        bomb = made()
        assert len(bomb) < 3_000_000, "it is small where it is handed in"
        course.hand_in(learner, LAB.id, {**good, "wireframe.png": bomb})
    begun = time.monotonic()
    summary, _ = course.grade(LAB.id, workers=1)
    assert time.monotonic() - begun < SECONDS
    assert (summary.graded, summary.failed) == (3, 0)
    checked = {c.id: c.points for c in LAB.lab.criteria if c.check}
    scores = course.scores(LAB.id)
    assert {c: scores["bob", LAB.id, c] for c in checked} == checked
    for learner in BOMBS:
        left = {**checked, **dict.fromkeys(READ_THE_PICTURE, 0)}
        assert {c: scores[learner, LAB.id, c] for c in checked} == left
        results = Results.model_validate_json(results_file(course.root, learner, LAB.id).read_bytes())
        for found in map(results.of, READ_THE_PICTURE):
            assert found is not None
            assert "wireframe.png" in found.findings[0].model_dump_json()


@pytest.mark.long
def test_a_huge_sparse_file_in_a_submitted_folder_is_refused_by_its_name(course: GradingCourse) -> None:
    course.assign("sums", notebook(
        solution_cell("add", "def add(a, b):\n    ### BEGIN SOLUTION\n    return a + b\n    ### END SOLUTION"),
        graded_cell("test", "assert add(2, 3) == 5"),
    ))  # fmt: skip
    for learner in ("ann", "bob"):
        course.hand_in(learner, "sums", {"sums.ipynb": course.released("sums")})
    course.become_grader()
    with RecordsClient() as records:
        collect(records, course.root, COURSE, "sums", records.submissions(COURSE, "sums"))
    huge = course.root / "submitted" / "ann" / "sums" / "big.bin"
    with huge.open("wb") as out:
        out.truncate(SPARSE_BYTES)
    begun = time.monotonic()
    summary, seen = course.grade("sums", workers=1)
    assert time.monotonic() - begun < SECONDS
    assert (summary.graded, summary.failed, summary.causes) == (1, 1, {"file_limit": 1})
    assert [progress.message for progress in seen if progress.learner == "ann"] == [
        "file_limit: big.bin: 2000 MB > 500 MB"
    ]
    huge.unlink()
    summary, _ = course.grade("sums", workers=1)
    assert (summary.graded, summary.failed) == (1, 0), "and it is graded once the file is gone"
