"""The parts of executing a notebook again: what a lab may ask for, what is the same content, and how it is said."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pydantic import ValidationError

from grader.engine.again.compare import compare
from grader.engine.again.report import MOST_CHARACTERS, Made, Rerun, answers, ending, log_lines, one_sentence
from grader.engine.causes import CAUSES
from grader.engine.results import Results
from labs.catalog import find_lab
from labs.manifest import Lab

LAB = find_lab("book-proposal").lab.model_dump(mode="json", by_alias=True)


def test_a_lab_executes_nothing_unless_it_asks() -> None:
    assert Lab.model_validate({**LAB, "execution": None}).execution is None
    del LAB["execution"]
    assert Lab.model_validate(LAB).execution is None


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"starts_from": ["other.md"]}, "no deliverable: other.md"),
        ({"starts_from": [d["path"] for d in LAB["deliverables"]]}, "nothing is left"),
        ({"seconds": 181}, "over limits.wall_seconds"),
        ({"seconds": 0}, "greater than 0"),
        ({"points": 5}, "Extra inputs"),
        ({"starts_from": ["../x"]}, "no '..'"),
    ],
)
def test_what_no_notebook_can_be_executed_with_is_refused(asked: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Lab.model_validate({**LAB, "execution": asked})


def outcome(folder: Path, name: str, kind: str, role: str = "made") -> str:
    return compare(folder / "made", folder / "handed-in", {"path": name, "kind": kind, "role": role})


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for name in ("made", "handed-in"):
        (tmp_path / name).mkdir()
    return tmp_path


TEXTS = {
    "document": ("# 제목\n글\n", b"\xef\xbb\xbf# \xec\xa0\x9c\xeb\xaa\xa9  \r\n\xea\xb8\x80", "# 제목\n다른 글\n"),
    "json": ('{"a": [1, 2], "b": "\\uac00"}', '{"b": "가",\n "a": [1, 2]}'.encode(), '{"a": [2, 1], "b": "가"}'),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_a_text_is_compared_by_what_it_says(folders: Path, kind: str) -> None:
    handed_in, alike, different = TEXTS[kind]
    (folders / "handed-in" / "f").write_text(handed_in, "utf-8")
    made = folders / "made" / "f"
    assert outcome(folders, "f", kind) == "not_made"
    made.write_text(handed_in, "utf-8")
    assert (outcome(folders, "f", kind), outcome(folders, "f", kind, "given")) == ("same", "given")
    made.write_bytes(alike)
    assert (outcome(folders, "f", kind), outcome(folders, "f", kind, "given")) == ("alike", "alike")
    made.write_text(different, "utf-8")
    assert outcome(folders, "f", kind) == "different"
    made.write_bytes(b"\xff" * 9)
    assert outcome(folders, "f", kind) == "unreadable"
    (folders / "handed-in" / "f").unlink()
    assert outcome(folders, "f", kind) == "not_handed_in"


def test_a_picture_is_compared_by_its_pixels(folders: Path) -> None:
    picture, told = Image.new("RGB", (40, 30), "white"), PngInfo()
    told.add_text("made", "again")
    picture.save(folders / "handed-in" / "p.png")
    picture.save(folders / "made" / "p.png", pnginfo=told)
    assert outcome(folders, "p.png", "image") == "alike"
    picture.putpixel((3, 3), (254, 255, 255))
    picture.save(folders / "made" / "p.png")
    assert outcome(folders, "p.png", "image") == "different"
    (folders / "made" / "p.png").write_bytes(b"GIF89a" + bytes(99))
    assert outcome(folders, "p.png", "image") == "unreadable"


def test_a_film_is_compared_by_what_is_seen_and_heard(folders: Path) -> None:
    def film(path: Path, tone: int, *more: str) -> None:
        source = ["-f", "lavfi", "-i", "testsrc=d=1:s=64x48:r=8", "-f", "lavfi", "-i", f"sine={tone}:d=1"]
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", *source, "-pix_fmt", "yuv420p", *more]
        subprocess.run([*command, str(path)], check=True)

    film(folders / "handed-in" / "f.mp4", 400)
    film(folders / "made" / "f.mp4", 400, "-metadata", "title=again", "-movflags", "+faststart")
    assert outcome(folders, "f.mp4", "video") == "alike"
    (folders / "made" / "f.mp4").unlink()
    film(folders / "made" / "f.mp4", 500)
    assert outcome(folders, "f.mp4", "video") == "different"
    (folders / "made" / "f.mp4").write_bytes(b"#EXTM3U\nfile:///etc/hosts\n")
    assert outcome(folders, "f.mp4", "video") == "unreadable"


def test_a_link_out_of_the_folder_is_no_deliverable(folders: Path) -> None:
    (folders / "handed-in" / "f").write_text("x")
    (folders / "made" / "f").symlink_to(folders / "handed-in" / "f")
    assert outcome(folders, "f", "document") == "not_made"


@given(st.text(max_size=500), st.sampled_from([*CAUSES, "", "unheard-of"]), st.integers(0, 5))
def test_whatever_a_notebook_says_is_one_bounded_line(error: str, cause: str, ran: int) -> None:
    said = one_sentence(error)
    rerun = Rerun(cells=5, ran=ran, stopped_at=0 if ran == 5 else ran + 1, cause=cause, error=said,
                  made=(Made(path="a", outcome="same"),))  # fmt: skip
    assert len(said) <= MOST_CHARACTERS
    for lang in ("ko", "en"):
        assert ending(rerun).in_(lang)
        assert all(len(line.splitlines()) == 1 for line in log_lines(rerun, lang))
    kept = Results(receipt="r", criteria=(), execution=rerun).model_dump_json()
    assert Results.model_validate_json(kept).execution == rerun


def test_it_ran_to_its_end_only_with_every_cell() -> None:
    assert Rerun(cells=2, ran=2).whole
    assert not any(
        one.whole for one in (Rerun(), Rerun(cells=2, ran=1, stopped_at=2), Rerun(cells=2, ran=2, cause="killed"))
    )
    assert [text.en for text in answers(Rerun(recorded="no_gateway", refused=2))] == [
        "There is no AI gateway, so it ran without recorded AI answers.",
        "AI calls without a recording, refused: 2.",
    ]


@pytest.mark.parametrize("change", [{"error": "x" * 201}, {"replayed": 10**7}, {"made": [{"path": "a", "outcome": "best"}]},
                                    {"points": 3}])  # fmt: skip
def test_a_report_beyond_its_bounds_is_none(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Rerun.model_validate_json(json.dumps(change))
