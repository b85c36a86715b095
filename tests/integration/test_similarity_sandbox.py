"""Hostile submissions are read in the sandbox only, cost themselves only, and the whole way from receipts to pairs."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
import zlib
from pathlib import Path
from struct import pack

import pytest
from small_course import COURSE
from test_grading import LAB, Classroom, classroom, hand_in

from grader.similarity.compare import compare_lab
from grader.similarity.prints import Part, Wanted
from grader.similarity.result import comparison_file, read_comparison
from grader.similarity.sandboxed import Limits, material_of, parts_of
from labs.texts import UserError

TEXT = "동네 책방은 문을 닫은 뒤에도 불을 켜 둡니다. 늦게 퇴근하는 사람이 창가에 서서 표지를 읽고 갈 수 있게 하려는 것입니다."


def bomb(path: Path, side: int) -> Path:
    """A PNG of a few kilobytes that is side × side pixels of colour."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return pack(">I", len(data)) + name + data + pack(">I", zlib.crc32(name + data))

    squeeze, rows = zlib.compressobj(9), []
    for _ in range(side):
        rows.append(squeeze.compress(bytes(1 + side * 3)))
    body = b"".join([*rows, squeeze.flush()])
    head = pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b""))
    return path


WANTED = [
    Wanted(path="w.png", kind="image"),
    Wanted(path="notes.md", kind="document"),
    Wanted(path="clip.mp4", kind="video"),
    Wanted(path="data.json", kind="json"),
]


def by_path(parts: tuple[Part, ...]) -> dict[str, Part]:
    return {part.path: part for part in parts}


def test_a_bomb_costs_itself_only_and_hurts_where_nothing_limits_it(tmp_path: Path) -> None:
    bomb(tmp_path / "w.png", 14_000)
    (tmp_path / "notes.md").write_text(TEXT, "utf-8")
    found = by_path(parts_of(tmp_path, WANTED, "ko"))
    assert found["w.png"].problem == "unreadable"
    assert found["notes.md"].marks
    assert (found["clip.mp4"].problem, found["data.json"].problem) == ("missing", "missing")
    assert (tmp_path / "w.png").stat().st_size < 1_000_000
    read = "import sys; from PIL import Image; Image.MAX_IMAGE_PIXELS = None; Image.open(sys.argv[1]).load(); "
    told = subprocess.run(
        [sys.executable, "-c", read + "print(*open('/proc/self/status'))", str(tmp_path / "w.png")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    peak_kb = next(int(line.split()[1]) for line in told.stdout.splitlines() if "VmHWM" in line)
    assert peak_kb > 500_000, "half a gigabyte for one of a class's files"


def test_a_picture_below_the_pixel_limit_still_meets_the_memory_limit(tmp_path: Path) -> None:
    bomb(tmp_path / "w.png", 7_000)
    (tmp_path / "notes.md").write_text(TEXT, "utf-8")
    found = by_path(parts_of(tmp_path, WANTED, "ko", Limits(memory_bytes=400_000_000)))
    assert found["w.png"].problem in ("unreadable", "stopped")
    assert found["notes.md"].marks, "texts are read before decoders run"


def test_what_breaks_readers_is_named_and_the_rest_stands(tmp_path: Path) -> None:
    (tmp_path / "w.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\xff" * 1000)
    (tmp_path / "clip.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 200)
    (tmp_path / "data.json").write_text("[" * 500_000)
    (tmp_path / "notes.md").write_text(TEXT * 40_000, "utf-8")
    found = by_path(parts_of(tmp_path, WANTED, "ko"))
    assert {path: part.problem for path, part in found.items()} == dict.fromkeys(found, "unreadable")
    (tmp_path / "notes.md").write_text(TEXT * 20_000, "utf-8")
    huge = by_path(parts_of(tmp_path, WANTED, "ko"))["notes.md"]
    assert len(huge.text) <= 20_000, "of a huge text a little is kept"


def test_a_process_that_takes_too_long_leaves_no_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text(TEXT, "utf-8")
    limited = Limits(wall_seconds=0.05)
    assert {part.problem for part in parts_of(tmp_path, WANTED, "ko", limited)} == {"stopped"}


def test_links_lead_nowhere(tmp_path: Path) -> None:
    secret = tmp_path / "secret.md"
    secret.write_text(TEXT, "utf-8")
    work = tmp_path / "work"
    work.mkdir()
    (work / "notes.md").symlink_to(secret)
    (work / "data.json").symlink_to("/proc/self/environ")
    found = by_path(parts_of(work, WANTED, "ko"))
    assert {found["notes.md"].problem, found["data.json"].problem} == {"missing"}


def test_without_the_material_nothing_is_compared(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(UserError):
        material_of(tmp_path, "ko")


def test_the_whole_way_from_receipts_to_pairs(classroom: Classroom) -> None:
    hand_in(classroom, "ann")
    hand_in(classroom, "bob", "raw_ai")
    classroom.as_("grader")
    seen = []
    summary = compare_lab(classroom.root, COURSE, LAB, report=seen.append)
    assert (summary.graded, summary.failed, seen[-1].total) == (2, 0, 2)
    found = read_comparison(classroom.root, LAB)
    assert found is not None
    assert found.pairs == ()
    assert set(found.receipts) == {"ann", "bob"}

    # bob hands in ann's proposal with a heading of his own; the earlier receipt no longer counts.
    (classroom.work("bob") / "proposal.md").write_text(
        "# 제 기획서\n\n" + (classroom.work("ann") / "proposal.md").read_text("utf-8"), "utf-8"
    )
    classroom.nbgrader("Submit", "bob")
    classroom.as_("grader")
    compare_lab(classroom.root, COURSE, LAB)
    again = read_comparison(classroom.root, LAB)
    assert again is not None
    assert again.receipts["bob"] != found.receipts["bob"]
    (pair,) = again.pairs
    assert (pair.first, pair.second) == ("ann", "bob")
    assert [part.path for part in pair.parts if part.notable] == ["proposal.md"]
    kept = sorted((classroom.root / "similar" / "prints" / LAB).glob("*.json"))
    assert len(kept) == 3, "a receipt's files never change: its fingerprint is made once"
    assert not (classroom.root / "submitted").exists(), "comparing does not touch what is being graded"

    # What a killed run left is gone with the next one, and two at a time are refused.
    reading = classroom.root / "similar" / "reading" / LAB
    assert list(reading.iterdir()) == []
    (reading / "left" / "by").mkdir(parents=True)
    with (classroom.root / "similar" / f".{LAB}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="already"):
            compare_lab(classroom.root, COURSE, LAB)
    compare_lab(classroom.root, COURSE, LAB)
    assert list(reading.iterdir()) == []

    comparison_file(classroom.root, LAB).rename(classroom.root / "elsewhere.json")
    comparison_file(classroom.root, LAB).symlink_to(classroom.root / "elsewhere.json")
    with pytest.raises(UserError):
        compare_lab(classroom.root, COURSE, LAB)
    comparison_file(classroom.root, LAB).unlink()

    # A result of another version, or a broken one, is none.
    comparison_file(classroom.root, LAB).write_text(json.dumps({"version": 0, "lab": LAB, "receipts": {}}))
    assert read_comparison(classroom.root, LAB) is None
